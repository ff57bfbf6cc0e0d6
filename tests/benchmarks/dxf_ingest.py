"""How long the drawing reader takes beside a bare `ezdxf.readfile` of the same file, in one run.

    python tests/benchmarks/dxf_ingest.py [entities] [rounds]

The drawing is made here with ezdxf (fixed seed): 60,000 entities of a CASS sheet, a fifth of them
contours of 20 vertices, buildings with texts, spot heights, lines and decoration.

What profiling found: half of the time of `ezdxf.readfile` is making tags, the other half making entities;
the reader's own part is about a fifth of it. ezdxf has no option that skips either for a whole modelspace, but
the cyclic garbage collector walks millions of live tags over and over meanwhile: `read_dxf` pauses it, which
saves about what the reader adds. `load_proxy_graphics = False` saves two per cent, but is a
switch for the whole process, so it is left alone.
"""

import gc
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ezdxf import filemanagement
from ezdxf.layouts.layout import Modelspace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ingest.draft import Draft, ReadOptions  # noqa: E402
from ingest.dxf.reader import read_dxf  # noqa: E402
from twin_model.catalogue import read_catalogue  # noqa: E402
from twin_model.changeset import Source  # noqa: E402
from twin_model.store import GeoPackageStore  # noqa: E402
from twin_model.versioning import commit  # noqa: E402

SEED = 20260101


def write_drawing(path: Path, entities: int) -> int:
    """Write a drawing of about so many modelspace entities and return how many there are."""
    dice = random.Random(SEED)
    document = filemanagement.new("R2000")
    document.encoding = "gbk"
    document.header["$USERR1"] = 1000.0
    document.appids.new("SOUTH")
    block = document.blocks.new("GC200")
    block.add_circle((0, 0), 0.25)
    space = document.modelspace()
    side = 10.0 * (entities / 5) ** 0.5
    number = 0
    while len(space) < entities:
        _add_five(space, dice, number, side)
        number += 1
    document.saveas(path)
    return len(space)


def _add_five(space: Modelspace, dice: random.Random, number: int, side: float) -> None:
    """Add a building with its text, a spot height, a contour, and a kerb or decoration, in one cell."""
    columns = max(1, int(side // 10))
    x, y = 618000.0 + number % columns * 10.0, 3885000.0 + number // columns * 10.0
    ring = [(x + 1, y + 1), (x + 7, y + 1), (x + 7, y + 6), (x + 1, y + 6)]
    house = space.add_lwpolyline(ring, close=True, dxfattribs={"layer": "JMD"})
    house.set_xdata("SOUTH", [(1000, "141111")])
    space.add_text(f"砼{dice.randint(1, 30)}", height=2, dxfattribs={"layer": "JMD"}).set_placement((x + 2, y + 3))
    height = round(60 + dice.random() * 5, 2)
    spot = space.add_blockref("GC200", (x + 8, y + 8, height), dxfattribs={"layer": "GCD"})
    spot.set_xdata("SOUTH", [(1000, "202101")])
    spot.add_attrib("HEIGHT", f"{height:.2f}", (x + 9, y + 8))
    bends = [(x + i * 0.5, y + dice.random()) for i in range(20)]
    elevation = 60 + number % 11 * 0.5
    contour = space.add_lwpolyline(bends, dxfattribs={"layer": "DGX", "elevation": elevation})
    contour.set_xdata("SOUTH", [(1000, "201101")])
    if number % 2:
        kerb = space.add_lwpolyline(bends[::4], dxfattribs={"layer": "DLSS"})
        kerb.set_xdata("SOUTH", [(1000, "164400")])
    else:
        space.add_line((x, y), (x + 1, y + 1), dxfattribs={"layer": "DMTZ"})


def read_bare(path: Path) -> int:
    return len(filemanagement.readfile(path).modelspace())


def read_whole(path: Path) -> int:
    """Read a drawing and store it: the store is new, and what is measured ends with the commit."""
    catalogue = read_catalogue()
    with (
        tempfile.TemporaryDirectory() as folder,
        Draft(Source(path.name, "0" * 64), catalogue, storage_crs="EPSG:4548") as draft,
    ):
        store = GeoPackageStore.create(Path(folder) / "store.gpkg", catalogue, "EPSG:4548")
        read_dxf(path, draft, ReadOptions(crs="EPSG:4548"))
        commit(store, draft.to_changeset(author="bench", reason=path.name))
        store.close()
        return draft.counts.read


def timed(run: Callable[[Path], int], path: Path, expected: int) -> float:
    """Return the seconds of one run, which must have seen every entity."""
    gc.collect()
    start = time.perf_counter()
    seen = run(path)
    seconds = time.perf_counter() - start
    if seen != expected:
        raise SystemExit(f"{run.__name__} saw {seen} of {expected} entities")
    return seconds


def main() -> None:
    entities = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sheet.dxf"
        written = write_drawing(path, entities)
        size = path.stat().st_size / 2**20
        pairs = [(timed(read_bare, path, written), timed(read_whole, path, written)) for _ in range(rounds)]
    bare, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{written} entities, {size:.1f} MiB, median of {rounds} alternating rounds")
    print(f"ezdxf.readfile {bare:6.2f} s")
    print(f"read and store {whole:6.2f} s   ratio {whole / bare:.2f}   (goal <= 1.8)")


if __name__ == "__main__":
    main()
