"""Reading an IFC file whole (open, check, shapes, footprints, blobs, property sets, spool) against bare iteration.

    python tests/benchmarks/ifc_ingest.py ../shared/realdata/ifc

Goal: whole read <= 1.8 times bare iteration of the same kernel on the opened model, and no shape lost against
opencascade. What a profile of Duplex says: 60 % is the kernel itself; property sets 10 % (6,342 properties, each
definition read once), syntax check 8 %, writing 166 blobs 7 %, opening 5 %, footprints 5 %, fitting and spool 4 %.
A part of the ratio buys shapes: ten cabinets the bare iteration leaves empty are made by the second kernel.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.geom

from ingest.draft import Draft, ReadOptions
from ingest.ifc import read_ifc
from ingest.ifc_shapes import KERNEL
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source

FILES = ("Duplex_A_20110907.ifc", "SampleHouse4.ifc")
ROUNDS = 5


def iterate(path: Path, kernel: str) -> tuple[float, dict[int, int]]:
    """Return CPU seconds of a bare iteration and triangles by step number; openings and empty shapes included."""
    model = ifcopenshell.open(str(path))
    started = time.process_time()
    iterator = ifcopenshell.geom.iterator(ifcopenshell.geom.settings(), model, 1, geometry_library=kernel)
    triangles: dict[int, int] = {}
    if iterator.initialize():
        while True:
            shape = iterator.get()
            triangles[shape.id] = len(shape.geometry.faces_buffer) // 12
            if not iterator.next():
                break
    return time.process_time() - started, triangles


def read(path: Path) -> tuple[float, int]:
    """Return CPU seconds of a whole read and the number of elements and spaces that have a shape."""
    catalogue = read_catalogue()
    started = time.process_time()
    with Draft(Source(path.name, "0" * 64), catalogue, storage_crs="EPSG:4548") as draft:
        read_ifc(path, draft, ReadOptions())
        seconds = time.process_time() - started
        lost = sum(finding.rule == "ifc.no_shape" for finding in draft.findings)
    return seconds, lost


def best(measure: Callable[[], tuple[float, Any]]) -> tuple[float, Any]:
    return min((measure() for _ in range(ROUNDS)), key=lambda pair: pair[0])


def main(folder: Path) -> int:
    worst, lost = 0.0, 0
    for name in FILES:
        path = folder / name
        bare, fast = best(lambda path=path: iterate(path, KERNEL))
        whole, missing = best(lambda path=path: read(path))
        full, slow = iterate(path, "opencascade")
        filled = sum(count > 0 for count in slow.values())
        print(f"{name}: bare {bare:.2f} s ({sum(c > 0 for c in fast.values())} shapes), opencascade {full:.2f} s "
              f"({filled} shapes), whole read {whole:.2f} s ({missing} lost), ratio {whole / bare:.2f}")  # fmt: skip
        worst, lost = max(worst, whole / bare), lost + missing
    return 0 if worst <= 1.8 and not lost else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/realdata/ifc")))
