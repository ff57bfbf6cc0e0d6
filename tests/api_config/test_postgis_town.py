"""The same deliveries in a town on PostGIS and in one on a GeoPackage: the command and the service answer alike."""

import json
import re
from collections.abc import Callable
from math import asinh, floor, pi, radians, tan
from pathlib import Path
from typing import Any

import pytest
from twin_command import run_twin

CRS = ("--crs", "EPSG:4548")


def twin(town: Path, *arguments: str) -> str:
    done = run_twin("--town", town, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def towns(samples: Path, postgis_server: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two towns with two sheets, one class of pipes and the plan."""
    topo, survey = samples / "topo" / "1000", samples / "survey"
    deliveries = [
        topo / "3886.0-618.0.dxf",
        topo / "3886.0-618.5.dxf",
        survey / "WSLine.csv",
        samples / "planning",
    ]
    folder, made = tmp_path_factory.mktemp("towns"), {}
    for kind, store in (("geopackage", "store.gpkg"), ("postgis", postgis_server.url("journey"))):
        town = made[kind] = folder / kind
        twin(town, "init", "--name", "高铁新城", *CRS, "--store", store)
        twin(town, "ingest", *map(str, deliveries), *CRS, "--effective", "2024-06-01", "--accept-removals")
    return made


def test_the_store_is_named_in_town_toml_and_the_folder_holds_no_geopackage(towns: dict[str, Path]) -> None:
    town = towns["postgis"]

    assert "schema=journey" in (town / "town.toml").read_text("utf-8")
    assert not list(town.glob("*.gpkg"))
    assert {one.name for one in town.iterdir()} >= {
        "catalogue",
        "mappings",
        "private",
        "sources",
        "cache",
        "backups",
    }


def test_sources_are_kept_in_the_folder_whatever_the_store_is(towns: dict[str, Path]) -> None:
    audits = {kind: json.loads(twin(town, "audit", "verify", "--json")) for kind, town in towns.items()}
    names = {kind: {path.name for path in (town / "sources").iterdir()} for kind, town in towns.items()}

    assert names["postgis"] == names["geopackage"]
    assert audits["postgis"]["sources"] == {"whole": 4, "missing": {}, "differing": {}}
    assert audits["geopackage"]["sources"] == audits["postgis"]["sources"]


def test_status_and_findings_are_the_same(towns: dict[str, Path]) -> None:
    for command in (("status", "--json"), ("findings", "--json"), ("status", "--json", "--recorded", "1")):
        ours, theirs = (json.loads(twin(towns[kind], *command)) for kind in ("geopackage", "postgis"))
        assert ours == theirs


QUESTIONS = [
    "/collections",
    "/collections/building/items?limit=50",
    "/collections/building/items?limit=20&sortby=-storeys,name&crs=http://www.opengis.net/def/crs/EPSG/0/4548",
    "/collections/building/items?filter=storeys%20%3E%203%20AND%20name%20IS%20NULL&limit=40",
    "/collections/building/items?filter=CASEI(structure)%20LIKE%20CASEI('%25砼%25')&limit=40",
    "/collections/building/items?bbox=3886000,618000,3886300,618400&bbox-crs=http://www.opengis.net/def/crs/EPSG/0/4548",
    "/collections/building/items?filter=S_INTERSECTS(geometry,BBOX(118.290,35.090,118.3,35.1))&limit=500",
    "/collections/building/items?datetime=2023-01-01/..&limit=30",
    "/collections/building/items?recorded=1&limit=30&sortby=height",
    "/collections/pipe_line/items?limit=30&sortby=class,-length",
    "/collections/pipe_line/items?q=ws&limit=10",
    "/collections/pipe_point/items?limit=5&properties=survey_no,class",
    "/collections/land_use/items?limit=100&skipGeometry=true",
    "/collections/finding/items?limit=100",
    "/collections/building/queryables",
    "/collections/building/schema",
    "/search?q=路",
    "/collections/building/items/nobody",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_service_answers_alike(towns: dict[str, Path], inside_of: Callable[..., Any], question: str) -> None:
    answers = [inside_of(towns[kind]).get(question) for kind in ("geopackage", "postgis")]

    ours, theirs = (_timeless(one.text) for one in answers)

    assert [one.status_code for one in answers] == [404 if "nobody" in question else 200] * 2, answers[1].text
    assert ours == theirs
    assert ours.get("features", ["-"]), "a question that finds nothing proves nothing"


@pytest.mark.parametrize(
    "question",
    [
        "building/items?f=csv",
        "pipe_line/items?f=csv&sortby=class,-length&limit=9&crs=EPSG:4548",
        "building/items?f=csv&recorded=1",
    ],
)
def test_a_download_holds_the_same(towns: dict[str, Path], inside_of: Callable[..., Any], question: str) -> None:
    ours, theirs = (inside_of(towns[kind]).get(f"/collections/{question}") for kind in ("geopackage", "postgis"))

    assert ours.status_code == theirs.status_code == 200
    assert ours.text == theirs.text and ours.text.count("\n") >= 9


def _timeless(text: str) -> Any:
    """Return an answer without what tells when it was given or in which town's words."""
    return json.loads(re.sub(r'"(timeStamp|instance)":"[^"]*"', r'"\1":""', text))


def test_pages_hold_every_feature_once_and_in_one_order(towns: dict[str, Path], inside_of: Callable[..., Any]) -> None:
    seen = []
    for kind in ("geopackage", "postgis"):
        client, ids = inside_of(towns[kind]), []
        address = "/collections/building/items?limit=17&sortby=-height,structure"
        while address:
            page = client.get(address).json()
            ids += [one["id"] for one in page["features"]]
            address = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        seen.append(ids)

    assert seen[0] == seen[1] and len(set(seen[0])) == len(seen[0]) > 34


def test_vector_tiles_hold_the_same(towns: dict[str, Path], inside_of: Callable[..., Any]) -> None:
    clients = [inside_of(towns[kind]) for kind in ("geopackage", "postgis")]
    extent = clients[0].get("/collections/building").json()["extent"]["spatial"]["bbox"][0]
    tile = _tile_of((extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2, 15)

    ours, theirs = (one.get(f"/collections/building/tiles/WebMercatorQuad/{tile}?f=mvt") for one in clients)

    assert ours.status_code == theirs.status_code == 200
    assert len(ours.content) > 500 and ours.content == theirs.content


def _tile_of(longitude: float, latitude: float, zoom: int) -> str:
    """Return level/row/column of the Web Mercator tile at a place."""
    column = floor((longitude + 180) / 360 * 2**zoom)
    row = floor((1 - asinh(tan(radians(latitude))) / pi) / 2 * 2**zoom)
    return f"{zoom}/{row}/{column}"
