"""Vector tiles over HTTP, decoded by a library that is not ours: what a tile holds, when it changes, where it ends."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import geopandas as gpd
import httpx
import mapbox_vector_tile
import numpy as np
import pyproj
import pytest
import shapely

from twin_model.backup import backup_town, restore_town
from twin_model.town import open_town
from twin_model.view import View

SETS = ("WebMercatorQuad", "WorldCRS84Quad", "CGCS2000Quad")
REL = "http://www.opengis.net/def/rel/ogc/1.0"
TO_LONLAT = pyproj.Transformer.from_crs("EPSG:4548", "EPSG:4490", always_xy=True)
TO_MERCATOR = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
HALF = math.pi * 6378137.0


def tile_of(lon: float, lat: float, name: str, z: int) -> tuple[int, int]:
    """Return row and column of the tile at a place, by the definitions of OGC 17-083r4."""
    if name == "WebMercatorQuad":
        x, y = TO_MERCATOR.transform(lon, lat)
        return int((HALF - y) / (2 * HALF) * 2**z), int((x + HALF) / (2 * HALF) * 2**z)
    return int((90 - lat) / 180 * 2**z), int((lon + 180) / 360 * 2 ** (z + 1))


def bounds_of(name: str, z: int, row: int, col: int) -> tuple[float, float, float, float]:
    side, left, top = (2 * HALF / 2**z, -HALF, HALF) if name == "WebMercatorQuad" else (180 / 2**z, -180.0, 90.0)
    return left + col * side, top - (row + 1) * side, left + (col + 1) * side, top - row * side


def in_tile_crs(geometry: Any, name: str) -> Any:
    def moved(xy: Any) -> Any:
        x, y = TO_LONLAT.transform(xy[:, 0], xy[:, 1])
        return np.column_stack(TO_MERCATOR.transform(x, y) if name == "WebMercatorQuad" else (x, y))

    return shapely.transform(geometry, moved)


def decoded(answer: httpx.Response, layer: str) -> list[dict[str, Any]]:
    """Return the features of a tile; an empty tile has none."""
    if answer.status_code == 204:
        assert answer.content == b""
        return []
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    found: list[dict[str, Any]] = mapbox_vector_tile.decode(answer.content)[layer]["features"]
    return found


@pytest.fixture(scope="module")
def frames(demo_town: Any) -> dict[str, gpd.GeoDataFrame]:
    with open_town(demo_town) as town:
        return {layer: town.features(layer) for layer in ("building", "pipe_line", "street_lamp")}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("layer", ["building", "pipe_line", "street_lamp"])
def test_a_tile_holds_the_features_whose_geometry_meets_it(
    client: httpx.Client, frames: dict[str, gpd.GeoDataFrame], name: str, layer: str
) -> None:
    shapes = in_tile_crs(frames[layer].geometry.to_numpy(), name)
    z = 17 if name == "WebMercatorQuad" else 16
    row, col = tile_of(118.2995, 35.0965, name, z)

    sure: set[str] = set()
    for address in ((row, col), (row, col + 1), (row + 2, col), (row + 1, col - 2)):
        minx, miny, maxx, maxy = bounds_of(name, z, *address)
        pixel = (maxx - minx) / 4096
        found = {
            one["properties"]["id"]
            for one in decoded(client.get(f"/collections/{layer}/tiles/{name}/{z}/{address[0]}/{address[1]}"), layer)
        }
        inside = set(
            frames[layer].index[
                shapely.intersects(shapes, shapely.box(minx + pixel, miny + pixel, maxx - pixel, maxy - pixel))
            ]
        )
        buffer = 65 * pixel
        around = set(
            frames[layer].index[
                shapely.intersects(shapes, shapely.box(minx - buffer, miny - buffer, maxx + buffer, maxy + buffer))
            ]
        )
        assert inside <= found <= around, (layer, address)
        sure |= inside
    assert len(sure) > 10


def test_all_tiles_of_a_zoom_together_hold_every_feature(
    client: httpx.Client, frames: dict[str, gpd.GeoDataFrame]
) -> None:
    limits = {
        one["tileMatrix"]: one
        for one in client.get("/collections/building/tiles/WebMercatorQuad").json()["tileMatrixSetLimits"]
    }["17"]

    found: set[str] = set()
    for row in range(limits["minTileRow"], limits["maxTileRow"] + 1):
        for col in range(limits["minTileCol"], limits["maxTileCol"] + 1):
            found |= {
                one["properties"]["id"]
                for one in decoded(
                    client.get(f"/collections/building/tiles/WebMercatorQuad/17/{row}/{col}"), "building"
                )
            }

    assert found == set(frames["building"].index)


def test_a_tile_carries_the_properties_of_its_features(client: httpx.Client) -> None:
    row, col = tile_of(118.2995, 35.0965, "WebMercatorQuad", 17)

    for feature in decoded(client.get(f"/collections/building/tiles/WebMercatorQuad/17/{row}/{col}"), "building")[:5]:
        item = client.get(f"/collections/building/items/{feature['properties']['id']}").json()["properties"]
        for key, value in feature["properties"].items():
            if key != "id":
                assert value == pytest.approx(item[key]) if isinstance(value, float) else value == item[key]


def test_coordinates_of_a_point_in_a_tile_are_its_place(
    client: httpx.Client, frames: dict[str, gpd.GeoDataFrame]
) -> None:
    name, z = "CGCS2000Quad", 16
    row, col = tile_of(118.2995, 35.0965, name, z)
    minx, miny, maxx, maxy = bounds_of(name, z, row, col)
    tile = mapbox_vector_tile.decode(
        client.get(f"/collections/street_lamp/tiles/{name}/{z}/{row}/{col}").content,
        default_options={"y_coord_down": True},
    )["street_lamp"]

    for feature in tile["features"]:
        x, y = feature["geometry"]["coordinates"]
        place = shapely.get_coordinates(in_tile_crs(frames["street_lamp"].geometry[feature["properties"]["id"]], name))[
            0
        ]
        assert (
            minx + x / tile["extent"] * (maxx - minx),
            maxy - y / tile["extent"] * (maxy - miny),
        ) == pytest.approx(tuple(place), abs=(maxx - minx) / 4096)


def test_an_empty_tile_is_204_and_one_out_of_range_404(client: httpx.Client) -> None:
    for name in SETS:
        assert client.get(f"/collections/building/tiles/{name}/10/0/0").status_code == 204
        assert client.get(f"/collections/building/tiles/{name}/2/4/0").status_code == 404
        assert client.get(f"/collections/building/tiles/{name}/25/0/0").status_code == 404
    assert client.head("/collections/building/tiles/WebMercatorQuad/10/0/0").status_code == 204
    assert client.get("/collections/manhole/tiles/WebMercatorQuad/0/0/0").status_code == 204


def test_head_of_a_tile_tells_what_get_would(client: httpx.Client) -> None:
    row, col = tile_of(118.2995, 35.0965, "WebMercatorQuad", 15)
    address = f"/collections/building/tiles/WebMercatorQuad/15/{row}/{col}"

    got, head = client.get(address), client.head(address)

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["etag"] == got.headers["etag"]
    assert head.headers["content-type"] == got.headers["content-type"]


def test_a_tile_before_its_features_were_there_is_empty(client: httpx.Client) -> None:
    row, col = tile_of(118.2995, 35.0965, "WebMercatorQuad", 15)
    address = f"/collections/building/tiles/WebMercatorQuad/15/{row}/{col}"

    assert client.get(f"{address}?datetime=1999-01-01").status_code == 204
    assert client.get(f"{address}?recorded=0").status_code == 204
    assert client.get(f"{address}?datetime=2030-01-01").status_code == 200


@pytest.mark.parametrize("name", SETS)
def test_tileset_metadata_describe_the_tiles_there_are(client: httpx.Client, name: str) -> None:
    tileset = client.get(f"/collections/building/tiles/{name}").json()
    listed = client.get("/collections/building/tiles").json()["tilesets"]
    matrix_set = client.get(f"/tileMatrixSets/{name}").json()

    assert tileset["dataType"] == "vector"
    assert tileset["crs"] == matrix_set["crs"]
    assert {one["tileMatrixSetId"] for one in listed} == set(SETS)
    by_rel = {link["rel"]: link for link in tileset["links"]}
    assert client.get(by_rel["self"]["href"]).json() == tileset
    assert client.get(by_rel[f"{REL}/tiling-scheme"]["href"]).json() == matrix_set
    for limits in tileset["tileMatrixSetLimits"]:
        matrix = next(one for one in matrix_set["tileMatrices"] if one["id"] == limits["tileMatrix"])
        assert 0 <= limits["minTileRow"] <= limits["maxTileRow"] < matrix["matrixHeight"]
        assert 0 <= limits["minTileCol"] <= limits["maxTileCol"] < matrix["matrixWidth"]
    limits = tileset["tileMatrixSetLimits"][-4]
    template = by_rel["item"]["href"]
    outside = template.format(
        tileMatrix=limits["tileMatrix"], tileRow=limits["minTileRow"] - 1, tileCol=limits["minTileCol"]
    )
    assert client.get(outside).status_code == 204


def test_tile_matrix_sets_have_the_axes_of_their_systems(client: httpx.Client) -> None:
    sets = {
        one["id"]: client.get(one["links"][0]["href"]).json()
        for one in client.get("/tileMatrixSets").json()["tileMatrixSets"]
    }

    assert set(sets) == set(SETS)
    assert sets["WorldCRS84Quad"]["tileMatrices"][0]["pointOfOrigin"] == [-180, 90]
    assert sets["CGCS2000Quad"]["tileMatrices"][0]["pointOfOrigin"] == [90, -180]
    assert sets["CGCS2000Quad"]["crs"] == "http://www.opengis.net/def/crs/EPSG/0/4490"


@pytest.fixture
def pair(scratch: Any, bring: Any, square: Any, inside_of: Any) -> Any:
    """A town with a house in the west and one 2 km east, and the addresses of their tiles."""
    bring(scratch, "building", [square(0, 0), square(2000, 0)], name=["西", "东"], storeys=[3, 3])
    places = [TO_LONLAT.transform(617_005.0 + dx, 3_886_005.0) for dx in (0, 2000)]
    tiles = [tile_of(*place, "WebMercatorQuad", 17) for place in places]
    return (
        scratch,
        inside_of(scratch.path),
        [f"/collections/building/tiles/WebMercatorQuad/17/{row}/{col}" for row, col in tiles],
    )


def test_a_commit_changes_the_validators_of_the_tiles_it_touches_and_of_no_other(
    pair: Any, bring: Any, square: Any, end: Any
) -> None:
    town, ask, (west, east) = pair
    before = [ask.get(one).headers["etag"] for one in (west, east)]

    bring(town, "building", [square(0, 0)], name=["西"], storeys=[7])

    assert ask.get(east, headers={"If-None-Match": before[1]}).status_code == 304
    changed = ask.get(west, headers={"If-None-Match": before[0]})
    assert changed.status_code == 200
    assert [one["properties"]["storeys"] for one in decoded(changed, "building")] == [7]

    bring(town, "spot_height", [shapely.Point(617_000, 3_886_000, 50)])
    assert ask.get(west, headers={"If-None-Match": changed.headers["etag"]}).status_code == 304

    end(town, "building", "building.1", since="2024-06-01T00:00:00.000Z")
    assert ask.get(west, headers={"If-None-Match": changed.headers["etag"]}).status_code == 204
    assert ask.get(east, headers={"If-None-Match": before[1]}).status_code == 304
    assert ask.get(f"{west}?datetime=2024-03-01").status_code == 200


def test_a_version_of_the_same_number_after_a_restore_is_no_confirmation(
    pair: Any, bring: Any, square: Any, tmp_path: Any
) -> None:
    """The service goes on over the restored town: nobody starts it anew."""
    town, ask, (west, _) = pair
    backup_town(town, tmp_path / "town.zip")
    bring(town, "building", [square(0, 0)], name=["西"], storeys=[7])
    addresses = (west, "/collections/building/items", "/collections/building/items/building.1", f"{west}?recorded=2", "/collections")  # fmt: skip
    held, solids = [ask.get(address).headers["etag"] for address in addresses], names_of_contents(ask)
    town.store.close()
    restore_town(tmp_path / "town.zip", town.path, replace=True)
    with open_town(town.path) as restored:
        bring(restored, "building", [square(0, 0)], name=["西"], storeys=[9])
        newest = restored.store.version()

    answers = [ask.get(address, headers={"If-None-Match": etag}) for address, etag in zip(addresses, held, strict=True)]

    assert newest == 2
    assert solids and not solids & names_of_contents(ask)
    assert [answer.status_code for answer in answers] == [200] * len(addresses)
    assert [feature["properties"]["storeys"] for feature in decoded(answers[0], "building")] == [9]


def names_of_contents(ask: Any) -> set[str]:
    """Return the names of the 3D contents of the buildings, under which clients may hold them for a year."""
    tiles = ask.app.state.tiles
    return {name for _, name in tiles.contents(tiles.town.store.catalogue["building"], View())}


def test_datetime_and_recorded_of_a_tile_show_the_past(pair: Any, bring: Any, square: Any, end: Any) -> None:
    town, ask, (west, _) = pair
    bring(town, "building", [square(0, 0)], name=["西"], storeys=[7], since="2025-01-01T00:00:00.000Z")
    end(town, "building", "building.1", since="2026-01-01T00:00:00.000Z")

    def storeys(query: str) -> list[int]:
        found = decoded(ask.get(west + query), "building")
        return [one["properties"]["storeys"] for one in found]

    assert storeys("?datetime=2023-12-31") == []
    assert storeys("?datetime=2024-06-01") == [3]
    assert storeys("?datetime=2025-06-01") == [7]
    assert storeys("") == storeys("?datetime=2026-06-01") == []
    assert storeys("?recorded=1") == storeys("?datetime=2026-06-01&recorded=1") == [3]
    assert storeys("?recorded=2") == storeys("?datetime=2026-06-01&recorded=2") == [7]
    assert storeys("?datetime=2024-06-01&recorded=2") == [3]


def test_a_recorded_tile_keeps_its_validator_whatever_is_recorded_after_it(pair: Any, bring: Any, square: Any) -> None:
    town, ask, (west, east) = pair
    bring(town, "building", [square(0, 0)], name=["西"], storeys=[7])
    held = {one: ask.get(f"{one}?recorded=2").headers["etag"] for one in (west, east)}

    bring(town, "building", [square(0, 0)], name=["西"], storeys=[9])

    for one, etag in held.items():
        assert ask.get(f"{one}?recorded=2", headers={"If-None-Match": etag}).status_code == 304
        assert ask.get(f"{one}?recorded=1").headers["etag"] != ask.get(f"{one}?recorded=3").headers["etag"]


def test_a_feature_that_moves_changes_the_tile_it_left_and_the_one_it_came_to(
    scratch: Any, bring: Any, inside_of: Any
) -> None:
    def lamp(east: float) -> None:
        bring(scratch, "control_point", [shapely.Point(617_000 + east, 3_886_000, 60)], name=["A1"], id=["A1"])

    lamp(0)
    ask = inside_of(scratch.path)
    identity = ask.get("/collections/control_point/items").json()["features"]
    tiles = [
        f"/collections/control_point/tiles/WebMercatorQuad/17/{row}/{col}"
        for row, col in (
            tile_of(*TO_LONLAT.transform(617_000 + east, 3_886_000), "WebMercatorQuad", 17) for east in (0, 1500)
        )
    ]
    before = [ask.get(one) for one in tiles]

    lamp(1500)

    after = [
        ask.get(one, headers={"If-None-Match": held.headers["etag"]}) for one, held in zip(tiles, before, strict=True)
    ]
    assert [one.status_code for one in before] == [200, 204]
    assert after[1].status_code == 200
    assert len(identity) == 1


def test_a_planned_feature_appears_when_its_time_comes_without_a_commit(
    scratch: Any, bring: Any, square: Any, inside_of: Any
) -> None:
    """Two plans begin one after the other; each changes counts, items, tiles and validators by itself.

    The tileset holds both from the start, so its validator stays. No answer may be kept beyond the next beginning.
    It waits for real moments, as far apart as this machine needs to store both plans and ask for them.
    """
    start = datetime.now(UTC)
    bring(scratch, "building", [square(0, 0)], name=["现"])
    inside_of(scratch.path).get("/collections/building/items")
    pace = max(timedelta(seconds=1.2), 5 * (datetime.now(UTC) - start))
    begin = [datetime.now(UTC) + pace, datetime.now(UTC) + 2 * pace]
    for number, moment in enumerate(begin):
        bring(
            scratch,
            "building",
            [square(50 * number + 50, 0)],
            name=[f"规划{number}"],
            since=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
    ask = inside_of(scratch.path)
    row, col = tile_of(*TO_LONLAT.transform(617_005.0, 3_886_005.0), "WebMercatorQuad", 15)
    addresses = [
        "/collections/building/items?sortby=id",
        f"/collections/building/tiles/WebMercatorQuad/15/{row}/{col}",
        "/collections/building/3dtiles/tileset.json",
    ]

    seen = []
    for moment in (datetime.now(UTC), *begin):
        while datetime.now(UTC) <= moment + timedelta(milliseconds=20):
            ask.get("/healthz")
        answers = [ask.get(one) for one in addresses]
        assert {one.headers["cache-control"] for one in answers} == {"no-cache"}
        seen.append(
            (
                len(answers[0].json()["features"]),
                answers[0].json().get("numberMatched"),
                len(decoded(answers[1], "building")),
                tuple(one.headers["etag"] for one in answers),
            )
        )

    assert [one[0] for one in seen] == [one[2] for one in seen] == [1, 2, 3]
    assert [one[1] for one in seen] == [1, 2, 3]
    for number, validators in enumerate((3, 3, 1)):
        assert len({one[3][number] for one in seen}) == validators, addresses[number]
