"""OGC's own test suites against a served sample town: nothing fails but what docs/conformance.md names as faults of a suite.

`TWIN_OGC_SUITES` is a folder with the built suites (`ets-ogcapi-features10-*-aio.jar`, `ets-ogcapi-tiles10-*-aio.jar`); the page says how
they are built. Java 17 or newer runs them.
"""

import os
import subprocess
import xml.etree.ElementTree as Xml
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import httpx
import pytest

SUITES = Path(os.environ.get("TWIN_OGC_SUITES") or "/nowhere")
PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
LATITUDE_FIRST = {"http://www.opengis.net/def/crs/EPSG/0/4326", "http://www.opengis.net/def/crs/EPSG/0/4490"}

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(
        not SUITES.is_dir(), reason="TWIN_OGC_SUITES names no folder: the official suites are NOT run here"
    ),
]


class Result(NamedTuple):
    method: str
    status: str
    values: tuple[str, ...]
    message: str


def run(suite: str, folder: Path, **inputs: str) -> list[Result]:
    """Run a suite with its inputs and return the result of each test of it."""
    (jar,) = SUITES.glob(f"ets-ogcapi-{suite}-*-aio.jar")
    entries = "".join(f'<entry key="{name}">{escape(value)}</entry>' for name, value in inputs.items())
    (folder / "inputs.xml").write_text(f'<properties version="1.0">{entries}</properties>')
    command = ["java", "-jar", str(jar), "-o", str(folder), str(folder / "inputs.xml")]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    (written,) = folder.glob("testng/*/testng-results.xml")
    return [
        Result(
            str(test.get("name")),
            str(test.get("status")),
            tuple((value.text or "").strip() for value in test.iter("value")),
            (test.findtext(".//message") or "").strip()[:300],
        )
        for test in Xml.parse(written).iter("test-method")
        if test.get("is-config") != "true"
    ]


def is_fault_of_the_suite(result: Result) -> bool:
    """Say whether a failure is one of those that the page names."""
    asks_for_null = result.method == "verifyFeatureCrsParameter" and result.values[2] == ""
    return asks_for_null or (result.method == "verifyBboxCrsParameter" and result.values[2] in LATITUDE_FIRST)


def passed(results: list[Result]) -> str:
    """Return how many methods passed, as the page says it."""
    methods = {result.method for result in results}
    failed = {result.method for result in results if result.status == "FAIL"}
    return f"{len(methods - failed)} of {len(methods)} methods passed"


def test_the_suite_of_features_finds_nothing_but_its_own_faults(served_town: str, tmp_path: Path) -> None:
    results = run("features10", tmp_path, iut=f"{served_town}/", noofcollections="-1")

    failed = [result for result in results if result.status == "FAIL"]
    assert [result for result in failed if not is_fault_of_the_suite(result)] == []
    assert passed(results) in PAGE.read_text("utf-8")


def test_the_suite_of_tiles_finds_nothing(served_town: str, tmp_path: Path) -> None:
    tileset = httpx.get(f"{served_town}/collections/building/tiles/WebMercatorQuad").json()
    limits = next(limit for limit in tileset["tileMatrixSetLimits"] if limit["tileMatrix"] == "14")
    address = f"{served_town}/collections/building/tiles/WebMercatorQuad/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"

    results = run(
        "tiles10", tmp_path, iut=f"{served_town}/", noofcollections="-1", urltemplatefortiles=address,
        tilematrixsetdefinitionuri=tileset["tileMatrixSetURI"], **{name.lower(): str(value) for name, value in limits.items()},
    )  # fmt: skip

    assert [result for result in results if result.status == "FAIL"] == []
    assert passed(results) in PAGE.read_text("utf-8")
