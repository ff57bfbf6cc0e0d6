"""Files of the 3D cache: what is damaged, foreign or of former programs is made anew, and nothing in them is run."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from tiles.town_tiles import TownTiles, unpacked_glb
from twin_model.cache_folder import CacheFolder
from twin_model.relief import Surface
from twin_model.relief.surface_file import packed_surface, unpacked_surface
from twin_model.town import init_town
from twin_model.view import View

GLB = b"glTF" + (2).to_bytes(4, "little") + (16).to_bytes(4, "little") + b"ABCD"
SURFACE = Surface(np.array([[0, 0, 1], [9, 0, 2], [0, 9, 3.5]]), np.array([[0, 1, 2]], np.uint32))


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def damaged(whole: bytes, trap: bytes) -> dict[str, bytes]:
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    return {
        "empty": b"", "short": whole[:3], "half": whole[: len(whole) // 2], "longer": whole + b"\0", "zeros": bytes(len(whole)),
        "one bit": bytes(changed), "unsealed": whole[:-4], "pickle": trap, "text": b"<html>", "other": b"PK\x03\x04" * 9,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "pack", "unpack"),
    [(GLB, bytes, unpacked_glb), (SURFACE, packed_surface, unpacked_surface)],
    ids=["glb", "surface"],
)
def test_a_file_that_is_not_as_it_was_written_is_made_anew(
    content: Any, pack: Callable[[Any], bytes], unpack: Callable[[memoryview], Any], tmp_path: Path
) -> None:
    path, made = tmp_path / "folder" / "file", []

    def make() -> Any:
        made.append(path)
        return content

    def look() -> None:
        assert pack(CacheFolder(tmp_path / "folder").cached("file", make, pack=pack, unpack=unpack)) == pack(content)

    look()
    look()
    assert len(made) == 1
    whole = path.read_bytes()
    for number, (name, bad) in enumerate(damaged(whole, pickle.dumps(Trap(tmp_path / "run"))).items(), 2):
        path.write_bytes(bad)
        look()
        assert (len(made), path.read_bytes()) == (number, whole), name
        look()
        assert len(made) == number, name
    path.unlink()
    path.mkdir()
    look()
    assert path.read_bytes() == whole and not (tmp_path / "run").exists()


def test_what_has_the_right_checksum_but_is_no_surface_is_refused() -> None:
    whole = packed_surface(SURFACE)
    far, unknown = SURFACE.triangles + np.uint32(1), SURFACE.vertices * np.nan
    wrong = [GLB, whole[:-1], whole + b"\0", b"twinTIN2" + whole[8:], packed_surface(Surface(SURFACE.vertices, far)), packed_surface(Surface(unknown, SURFACE.triangles)),
             packed_surface(Surface(SURFACE.vertices, SURFACE.triangles[:0])), whole[:8] + (-1).to_bytes(8, "little", signed=True) + whole[16:], whole[:20]]  # fmt: skip
    for content in wrong:
        with pytest.raises(ValueError, match="^it"):
            unpacked_surface(memoryview(content))
    assert unpacked_surface(memoryview(packed_surface(None))) is None


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")

    folder = CacheFolder(tmp_path / "cache")

    assert folder.cached("file", lambda: GLB, pack=bytes, unpack=unpacked_glb) == GLB


def test_a_cache_that_grows_too_big_gives_up_what_was_not_used_for_longest(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, most_mib=1)
    content = GLB[:8] + (2**18).to_bytes(4, "little") + bytes(2**18 - 12)

    for number in range(6):
        folder.cached(f"3dtiles/{number}.glb", lambda: content, pack=bytes, unpack=unpacked_glb)
        os.utime(tmp_path / "3dtiles" / f"{number}.glb", (1_000 + number, 1_000 + number))
        if number == 2:
            folder.cached("3dtiles/0.glb", lambda: content, pack=bytes, unpack=unpacked_glb)

    begun = [tmp_path / "3dtiles" / f".{name}.glb.77.99" for name in ("killed", "being-written")]
    for path in begun:
        path.write_bytes(b"half")
    os.utime(begun[0], (1_000, 1_000))
    folder.sweep()

    assert [path.exists() for path in begun] == [False, True], "what a kill left goes, what is being written stays"
    names = sorted(path.name for path in tmp_path.rglob("[!.]*.glb"))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.glb")) <= 2**20
    assert "0.glb" in names and "1.glb" not in names, "what was used again stays"


def test_a_town_remakes_damaged_tiles_and_takes_no_notice_of_pickles(tmp_path: Path) -> None:
    corners = [shapely.Point(x, y, 5) for x, y in ((618_000, 3_886_000), (618_100, 3_886_000), (618_000, 3_886_100))]
    house = shapely.box(618_010, 3_886_010, 618_020, 3_886_020)
    with init_town(tmp_path / "town", name="新城", crs="EPSG:4548") as town:
        for layer_id, shapes in (("spot_height", corners), ("building", [house])):
            frame = gpd.GeoDataFrame(geometry=shapes, crs=4548)
            town.edit(layer_id, frame, reason="first", effective="2020-01-01")
        layer, view = town.store.catalogue["building"], View()
        tiles = TownTiles(town)
        key, name = next(tiles.contents(layer, view))
        ground, glb = tiles.ground.surface(), tiles.content(layer, view, key, name)
        files = sorted(path for path in town.cache.rglob("*") if path.is_file())
        for path in files:
            path.write_bytes(b"spoiled")
            path.with_suffix(".pickle").write_bytes(pickle.dumps(Trap(tmp_path / "run")))

        again = TownTiles(town)

        assert again.content(layer, view, key, name) == glb
        assert ground is not None and packed_surface(again.ground.surface()) == packed_surface(ground)
    assert len(files) == 2 and not (tmp_path / "run").exists()
