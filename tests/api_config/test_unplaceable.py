"""A layer may hold what has no place on the globe, as older towns do: its own pages stand, and those of all others."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pytest
import shapely
from every_address import addresses, forms, numbers, refused
from shapely import LineString, MultiPolygon, Point, Polygon

from ingest.draft import Draft
from twin_model.changeset import Changeset, Delivered, Source
from twin_model.rows.row_geometry import RowGeometry
from twin_model.temporal import now
from twin_model.town import Town, init_town
from twin_model.versioning import commit

EAST, NORTH = 617_000.0, 3_886_000.0
SOUND = "road_area"
"""The layer of the town that holds nothing strange."""

STRANGE_PLACES = [
    (39_617_000.0, NORTH),  # a zone prefix where the CRS has none
    (EAST * 1000, NORTH * 1000),  # millimetres
    (1e300, 1e300),
    (math.inf, -math.inf),
]


def outline(east: float, north: float) -> MultiPolygon:
    """Return a square of 10 m; of places that are no numbers, a ring that goes through them."""
    if not math.isfinite(east):
        return MultiPolygon([Polygon([(east, north), (EAST, NORTH), (EAST, NORTH + 5), (east, north)])])
    return MultiPolygon([shapely.box(east, north, east + 10, north + 10)])


def line(east: float, north: float) -> LineString:
    return LineString([(east, north, 18.0), (east + 10, north, 18.0)])


def point(east: float, north: float) -> Point:
    return Point(east, north, 20.0)


SHAPES: dict[str, tuple[Callable[[float, float], Any], Any]] = {
    SOUND: (outline, MultiPolygon()),
    "building": (outline, MultiPolygon()),
    "map_sheet": (outline, MultiPolygon()),
    "pipe_line": (line, LineString()),
    "contour": (line, LineString()),
    "spot_height": (point, Point()),
}
"""Layers, how their geometry at a place is made, and their empty one."""


def bring(town: Town, layer: str, shapes: list[Any]) -> None:
    """Commit shapes of a layer as they are, without a reader that would look at them."""
    frame = gpd.GeoDataFrame(
        {"height": [9.0] * len(shapes)} if layer == "building" else {},
        geometry=[SHAPES[layer][0](EAST, NORTH)] * len(shapes),
        crs=town.store.crs,
    )
    with Draft(Source("test", "0" * 64), town.catalogue, storage_crs=town.store.crs) as draft:
        draft.add(layer, frame)
        rows = draft.to_changeset(author="test", reason="test").delivered[0].rows()
    wkb = [None if one is None else shapely.to_wkb(one, byte_order=1, flavor="iso") for one in shapes]
    rows = replace(
        rows,
        shapes=RowGeometry.of(np.array(wkb, dtype=object)),
        bounds=shapely.bounds(shapes),
        content=np.array([bytes([n]) * 16 for n in range(1, len(shapes) + 1)], dtype=object),
    )
    commit(town.store, Changeset("test", "test", now(), (Delivered.of(layer, rows),)))


def good_shapes(layer: str) -> list[Any]:
    return [SHAPES[layer][0](EAST + 30.0 * n, NORTH + 20.0 * (n % 2)) for n in range(4)]


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town of whose layers all but one hold something strange besides good features; it is only read."""
    with init_town(tmp_path_factory.mktemp("strange") / "town", name="小镇", crs="EPSG:4548") as town:
        for layer, (make, empty) in SHAPES.items():
            odd = [] if layer == SOUND else [*(make(*place) for place in STRANGE_PLACES), empty, None]
            bring(town, layer, [*good_shapes(layer), *odd])
        yield town


def test_every_address_of_every_layer_answers_whatever_the_layers_hold(
    strange: Town, inside_of: Callable[..., Any]
) -> None:
    inside, failures, nulls = inside_of(strange.path), [], []

    for address in addresses(inside.app, strange, SOUND):
        for form in forms(address):
            answer = inside.get(form)
            if refused(answer):
                failures.append((form, answer.status_code, answer.text[:200]))
            elif "json" in answer.headers.get("content-type", "") and None in set(
                numbers(orjson.loads(answer.content))
            ):
                nulls.append(form)

    assert (failures, nulls) == ([], [])


def test_what_has_no_place_is_served_without_geometry_and_found_by_no_place(
    strange: Town, inside_of: Callable[..., Any]
) -> None:
    inside = inside_of(strange.path)

    for layer in set(SHAPES) - {SOUND}:
        features = inside.get(f"/collections/{layer}/items").json()["features"]
        near = inside.get(f"/collections/{layer}/items?bbox=118.2,35.0,118.5,35.2").json()["features"]
        stored = inside.get(f"/collections/{layer}/items?crs=EPSG:4548").json()["features"]

        assert [one["geometry"] is None for one in features] == [False] * 4 + [True] * 6, layer
        assert [one["geometry"] is None for one in stored] == [False] * 7 + [True] * 3, layer
        assert {one["id"] for one in features[:4]} <= {one["id"] for one in near}, layer


def test_the_town_and_its_tiles_lie_where_its_sound_features_do(strange: Town, inside_of: Callable[..., Any]) -> None:
    inside = inside_of(strange.path)
    extent = inside.get(f"/collections/{SOUND}").json()["extent"]["spatial"]["bbox"][0]

    config = inside.get("/viewer/config.json").json()
    assert config["town"]["extent"] == pytest.approx(extent, abs=1e-6)
    placed = {one["id"]: one["placed"] for one in config["layers"] if one["id"] in SHAPES}
    assert placed == {name: name == SOUND for name in SHAPES}
    pages = {name: inside.get(f"/collections/{name}?f=html&lang=en").text for name in SHAPES}
    assert {name for name, page in pages.items() if "nowhere on the globe" not in page} == {SOUND}
    for layer in SHAPES:
        here = f"/collections/{layer}/tiles/WebMercatorQuad"
        limits = {one["tileMatrix"]: one for one in inside.get(here).json()["tileMatrixSetLimits"]}
        row, column = limits["17"]["minTileRow"], limits["17"]["minTileCol"]
        assert inside.get(f"{here}/17/{row}/{column}").status_code == 200, layer
    for layer in ("building", "pipe_line"):
        root = inside.get(f"/collections/{layer}/3dtiles/tileset.json").json()["root"]
        region = np.degrees(root["boundingVolume"]["region"][:4])
        assert shapely.box(*extent).buffer(0.01).covers(shapely.box(*region)), layer
        glb = inside.get(f"/collections/{layer}/3dtiles/{root['content']['uri']}").content
        assert glb[:4] == b"glTF", layer
