"""Clients that are not ours read the town: GDAL's OGC API driver, geopandas over HTTP."""

import re
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import pyogrio
import pytest

from twin_model.town import open_town

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ERROR" not in done.stderr, done.stderr
    return done.stdout


def test_gdal_lists_every_collection(ogrinfo: str, served_town: str, inside: Any) -> None:
    listed = run(ogrinfo, "-ro", f"OAPIF:{served_town}")

    for one in inside.get("/collections").json()["collections"]:
        assert f": {one['id']}" in listed


def test_gdal_reads_every_feature_of_a_layer_page_by_page(
    ogrinfo: str, served_town: str, tmp_path: Path, demo_town: Path
) -> None:
    target = tmp_path / "building.gpkg"
    run(
        str(Path(ogrinfo).with_name("ogr2ogr")),
        "-oo",
        "PAGE_SIZE=300",
        str(target),
        f"OAPIF:{served_town}",
        "building",
    )

    read = gpd.read_file(target)
    with open_town(demo_town) as town:
        stored = town.features("building", crs="OGC:CRS84")
    assert len(read) == len(stored)
    assert sorted(read["storeys"].dropna()) == sorted(stored["storeys"].dropna())
    assert read.total_bounds == pytest.approx(stored.total_bounds, abs=1e-7)


def test_gdal_finds_by_box_and_by_attribute(ogrinfo: str, served_town: str, inside: Any) -> None:
    box = inside.get("/collections/building/items?bbox=118.29,35.09,118.3,35.095&limit=10000").json()["numberReturned"]
    tall = inside.get("/collections/building/items?filter=storeys%20%3D%206&limit=10000").json()["numberReturned"]

    by_box = run(
        ogrinfo,
        "-ro",
        "-so",
        "-spat",
        "118.29",
        "35.09",
        "118.3",
        "35.095",
        f"OAPIF:{served_town}",
        "building",
    )
    by_attribute = run(ogrinfo, "-ro", "-so", "-where", "storeys = 6", f"OAPIF:{served_town}", "building")

    assert f"Feature Count: {box}" in by_box
    assert f"Feature Count: {tall}" in by_attribute
    assert box > 0
    assert tall > 0


def test_gdal_reads_one_collection_by_its_address(ogrinfo: str, served_town: str) -> None:
    told = run(ogrinfo, "-ro", "-so", f"OAPIF_COLLECTION:{served_town}/collections/pipe_line", "pipe_line")

    assert "Feature Count: 3183" in told
    assert "material: String" in told


def test_geopandas_reads_items_by_their_address(served_town: str, demo_town: Path) -> None:
    frame = gpd.read_file(f"{served_town}/collections/building/items?limit=10000&filter=storeys%20%3E%2010")

    with open_town(demo_town) as town:
        expected = town.features("building", where="storeys > 10", crs="OGC:CRS84")
    assert len(frame) == len(expected) > 0
    assert frame.crs.to_epsg() == 4326
    assert frame.total_bounds == pytest.approx(expected.total_bounds, abs=1e-7)
    assert sorted(frame["storeys"]) == sorted(expected["storeys"])


@pytest.mark.parametrize("page", ["/", "/collections/building"])
def test_what_a_page_says_for_python_reads_the_whole_layer(served_town: str, page: str) -> None:
    html = httpx.get(f"{served_town}{page}", headers={"accept": "text/html"}).text
    (snippet,) = re.findall(r'<code id="for-python">(.*?)</code>', html)

    frame = eval(unescape(snippet), {"geopandas": gpd})

    layer = re.findall(r'layer="(\w+)"', unescape(snippet))[0]
    held = httpx.get(f"{served_town}/collections/{layer}/items?limit=1").json()["numberMatched"]
    assert len(frame) == held > 1_000


def test_geopandas_reads_every_row_of_a_layer_by_oapif_and_one_page_by_its_items(
    served_town: str, demo_town: Path
) -> None:
    whole = gpd.read_file(f"OAPIF:{served_town}", layer="building")
    page = gpd.read_file(f"{served_town}/collections/building/items")

    with open_town(demo_town) as town:
        expected = town.features("building")
    assert len(whole) == len(expected) and len(page) == 100
    assert whole.crs.to_epsg() == 4548
    assert whole.total_bounds == pytest.approx(expected.total_bounds, abs=0.01)


def test_a_column_has_one_type_over_http_whatever_its_rows(served_town: str, demo_town: Path) -> None:
    """GDAL takes the types from the schema of a feature, not from the first page, where a column may be empty."""
    whole = gpd.read_file(f"OAPIF:{served_town}", layer="building")
    pipes = gpd.read_file(f"OAPIF:{served_town}", layer="pipe_line")

    with open_town(demo_town) as town:
        stored = town.features("building")
        years = town.features("pipe_line")["built"].dt.year
    assert whole["base_elevation"].isna().all() and str(whole["base_elevation"].dtype) == "float64"
    assert whole["valid_to"].isna().all() and str(whole["valid_to"].dtype).startswith("datetime64")
    assert str(whole["valid_from"].dtype).startswith("datetime64")
    assert whole["storeys"].sum() == stored["storeys"].sum()
    assert (pipes["built"].str[:4].astype(int).to_numpy() == years.to_numpy()).all(), "a year stays, it is no lost day"


def test_the_lines_of_both_readmes_read_the_whole_sample(served_town: str) -> None:
    for page in ("README.md", "README.zh-CN.md"):
        (line,) = re.findall(r"`(geopandas\.read_file\([^`]+\))`", (ROOT / page).read_text("utf-8"))
        frame = eval(line.replace("http://127.0.0.1:8000", served_town), {"geopandas": gpd})

        assert len(frame) == 1647, page
        assert frame.crs.to_epsg() == 4548


def test_gdals_ogcapi_driver_opens_items_and_tiles_of_a_collection(ogrinfo: str, served_town: str) -> None:
    """GDAL before 3.7 knows version 1 of tile matrix sets only: it opens items; newer ones open tiles too."""
    source = f"OGCAPI:{served_town}/collections/building"

    items = run(ogrinfo, "-ro", "-so", "-al", "-oo", "API=ITEMS", source)
    tiles = {
        name: pyogrio.read_dataframe(source, layer=layer, API="TILES", TILEMATRIXSET=name, columns=["id"])
        for name, layer in {"WorldCRS84Quad": "Zoom level 16", "CGCS2000Quad": "Zoom level 16"}.items()
    }

    assert "Feature Count: 1647" in items
    assert {name: frame["id"].nunique() for name, frame in tiles.items()} == dict.fromkeys(tiles, 1647)
    assert tiles["CGCS2000Quad"].total_bounds == pytest.approx([118.28322, 35.08683, 118.31582, 35.10462], abs=1e-4)


def test_gdal_reads_the_vector_tiles_of_the_service(
    ogrinfo: str, served_town: str, tmp_path: Path, inside: Any
) -> None:
    limits = inside.get("/collections/building/tiles/WebMercatorQuad").json()["tileMatrixSetLimits"]
    one = next(limit for limit in limits if limit["tileMatrix"] == "15")
    address = f"/collections/building/tiles/WebMercatorQuad/15/{one['minTileRow']}/{one['minTileCol'] + 1}"
    tile = tmp_path / "tile.mvt"
    tile.write_bytes(inside.get(address).content)

    told = run(ogrinfo, "-ro", "-al", "-so", str(tile))

    assert "Layer name: building" in told
    assert "storeys: Integer" in told
    assert "Feature Count: 0" not in told
