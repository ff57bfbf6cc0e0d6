"""Tiles of the whole town: what they hold is what the tiles of its layers hold, within what the caller may see."""

import re
from pathlib import Path
from typing import Any

import httpx
import mapbox_vector_tile
import pyproj
import pytest
import shapely

from tiles.grid import tile_matrix_set

SETS = ("WebMercatorQuad", "WorldCRS84Quad", "CGCS2000Quad")
REL = "http://www.opengis.net/def/rel/ogc/1.0"
TO_MERCATOR = pyproj.Transformer.from_crs("EPSG:4548", "EPSG:3857", always_xy=True)
HERE = "WebMercatorQuad/{0.z}/{0.row}/{0.col}".format(
    tile_matrix_set("WebMercatorQuad").tile_of(*TO_MERCATOR.transform(617_000.0, 3_886_000.0), 16)
)
"""The tile that the houses of a small town lie in."""


def layers_of(answer: httpx.Response) -> dict[str, list[Any]]:
    """Return the features of a tile by layer; an empty tile has none."""
    if answer.status_code == 204:
        return {}
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    return {name: layer["features"] for name, layer in mapbox_vector_tile.decode(answer.content).items()}


@pytest.fixture
def small(scratch: Any, bring: Any, square: Any, end: Any, inside_of: Any) -> Any:
    """A town of two houses and a lamp; one house ended in 2025."""
    bring(scratch, "building", [square(0, 0), square(30, 0)], name=["西", "东"], storeys=[3, 4])
    bring(scratch, "street_lamp", [shapely.Point(617_020, 3_886_000)])
    end(scratch, "building", "building.2", since="2025-01-01T00:00:00.000Z")
    return inside_of(scratch.path)


@pytest.mark.parametrize("name", SETS)
def test_tilesets_of_the_town_describe_the_tiles_there_are(inside: Any, name: str) -> None:
    """/req/dataset-tilesets/*, /req/tilesets-list/*, /req/tileset/* of OGC 20-057."""
    landing = {link["rel"]: link["href"] for link in inside.get("/").json()["links"]}
    listed = inside.get(landing[f"{REL}/tilesets-vector"]).json()["tilesets"]
    (entry,) = [entry for entry in listed if entry["tileMatrixSetId"] == name]
    links = {link["rel"]: link["href"] for link in entry["links"]}
    tileset = inside.get(links["self"]).json()
    matrix_set = inside.get(links[f"{REL}/tiling-scheme"]).json()
    collections = inside.get("/collections").json()["collections"]

    assert len(listed) == len(SETS)
    assert (tileset["dataType"], tileset["crs"], matrix_set["id"]) == ("vector", matrix_set["crs"], name)
    tiled = {each["id"] for each in collections if any(link["rel"].endswith("vector") for link in each["links"])}
    assert {layer["id"] for layer in tileset["layers"]} == tiled
    limits = tileset["tileMatrixSetLimits"][3]
    assert {"minTileRow", "maxTileRow", "minTileCol", "maxTileCol"} < limits.keys()
    template = links["item"]
    address = template.format(
        tileMatrix=limits["tileMatrix"], tileRow=limits["minTileRow"], tileCol=limits["minTileCol"]
    )
    assert inside.get(address).status_code in (200, 204)


def test_a_tile_of_the_town_holds_what_the_tiles_of_its_layers_hold(inside: Any) -> None:
    tileset = inside.get("/tiles/WebMercatorQuad").json()
    limits = next(limit for limit in tileset["tileMatrixSetLimits"] if limit["tileMatrix"] == "15")
    where = f"WebMercatorQuad/15/{limits['minTileRow']}/{limits['minTileCol'] + 1}"

    town = layers_of(inside.get(f"/tiles/{where}"))

    zooms = {layer["id"]: layer["min_zoom"] for layer in inside.get("/viewer/config.json").json()["layers"]}
    assert len(town) > 5
    for layer in tileset["layers"]:
        alone = layers_of(inside.get(f"/collections/{layer['id']}/tiles/{where}")).get(layer["id"], [])
        assert len(town.get(layer["id"], [])) == (len(alone) if zooms[layer["id"]] <= 15 else 0), layer["id"]


def test_collections_names_the_layers_of_a_tile_of_the_town(small: Any) -> None:
    """/req/collections-selection/* of OGC 20-057; each once."""
    assert set(layers_of(small.get(f"/tiles/{HERE}?collections=building,street_lamp"))) == {"building", "street_lamp"}
    assert set(layers_of(small.get(f"/tiles/{HERE}?collections=street_lamp"))) == {"street_lamp"}
    assert small.get(f"/tiles/{HERE}?collections=spot_height").status_code == 204
    tileset = small.get("/tiles/WebMercatorQuad?collections=building,street_lamp").json()
    assert [layer["id"] for layer in tileset["layers"]] == ["building", "street_lamp"]
    assert all(
        link["href"].endswith("?collections=building,street_lamp")
        for link in tileset["links"]
        if link["rel"] != f"{REL}/tiling-scheme"
    )
    for wrong in ("buildng", "building,", "", "bim_model,x"):
        refused = small.get(f"/tiles/{HERE}", params={"collections": wrong})
        assert (refused.status_code, refused.json()["code"]) == (400, "InvalidParameterValue"), wrong
    assert "building" in small.get(f"/tiles/{HERE}?collections=buildng").json()["detail"]


def test_a_tile_of_the_town_shows_the_past_too(small: Any) -> None:
    """/req/datetime/* of OGC 20-057."""

    def names(query: str) -> list[str]:
        features = layers_of(small.get(f"/tiles/{HERE}?collections=building{query}")).get("building", [])
        return sorted(feature["properties"]["name"] for feature in features)

    assert names("") == ["西"]
    assert names("&datetime=2024-06-01") == ["东", "西"]
    assert names("&datetime=2023-06-01") == []
    assert names("&recorded=1") == ["东", "西"]


def test_who_holds_a_tile_of_the_town_is_told_so_until_one_of_its_layers_changes(
    small: Any, scratch: Any, bring: Any, square: Any
) -> None:
    address = f"/tiles/{HERE}?collections=building,street_lamp"
    held = small.get(address).headers["etag"]
    assert small.get(address, headers={"If-None-Match": held}).status_code == 304
    head = small("HEAD", address)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", held)

    bring(scratch, "spot_height", [shapely.Point(617_000, 3_886_000, 50)])
    unchanged = small.get(address, headers={"If-None-Match": held}).status_code
    bring(scratch, "building", [square(0, 40)], name=["新"], storeys=[9])

    assert (unchanged, small.get(address, headers={"If-None-Match": held}).status_code) == (304, 200)


def test_a_closed_layer_is_in_no_tile_of_the_town(small: Any, scratch: Any, inside_of: Any) -> None:
    settings = Path(scratch.path / "town.toml")
    lines = re.sub(r"(?m)^closed = .*$", 'closed = ["building"]', settings.read_text("utf-8"))
    settings.write_text(lines, "utf-8")
    ask = inside_of(scratch.path)

    tileset = ask.get("/tiles/WebMercatorQuad").json()
    assert "building" not in [layer["id"] for layer in tileset["layers"]]
    assert set(layers_of(ask.get(f"/tiles/{HERE}"))) == {"street_lamp"}
    assert ask.get(f"/tiles/{HERE}?collections=building").status_code == 400


def test_operations_on_tiles_end_as_the_standard_names_them(inside: Any) -> None:
    """/req/oas30/operation-id of OGC 20-057: which kind of resource, of what, and what is got."""
    named = {path: methods["get"]["operationId"] for path, methods in inside.get("/api").json()["paths"].items()}
    ends = {
        "/tiles": "dataset.vector.getTileSetsList", "/tiles/{tileMatrixSetId}": "dataset.vector.getTileSet",
        "/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}": "dataset.vector.getTile",
        "/collections/building/tiles": ".collection.vector.getTileSetsList",
        "/collections/building/tiles/{tileMatrixSetId}": ".collection.vector.getTileSet",
        "/collections/building/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}": ".collection.vector.getTile",
        "/tileMatrixSets": "getTileMatrixSetsList", "/tileMatrixSets/{tileMatrixSetId}": "getTileMatrixSet",
    }  # fmt: skip

    assert {path: named[path].endswith(end) for path, end in ends.items()} == dict.fromkeys(ends, True)
