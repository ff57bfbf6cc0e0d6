"""Examples with `>>>` in docstrings are run: those of packages, which newcomers read first, and those of functions.

All are one test and share one small town, `town`, whose folder lies in the current one; another town for each would cost
a fifth of a second.
"""

import doctest
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from twin_model.town import Town, init_town

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("twin_model", "ingest", "tiles", "api_config")
LAMPS = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"pole_no": f"L-{number}"},
            "geometry": {"type": "Point", "coordinates": [118.295 + number / 10_000, 35.0871]},
        }
        for number in (1, 2)
    ],
}


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A town with two buildings, of 6 and 12 storeys, in the folder `town` beside the source `lamps.geojson`."""
    monkeypatch.chdir(tmp_path)
    Path("lamps.geojson").write_text(json.dumps(LAMPS), "utf-8")
    with init_town(Path("town"), name="小镇", crs="EPSG:4548") as town:
        outlines = [
            shapely.MultiPolygon([shapely.box(618_000 + x, 3_886_000, 618_020 + x, 3_886_020)]) for x in (0, 50)
        ]
        buildings = gpd.GeoDataFrame({"storeys": [6, 12]}, geometry=outlines, crs="EPSG:4548")
        town.edit("building", buildings, effective="2020-01-01", reason="survey")
        yield town


def modules_with_examples() -> list[str]:
    return [
        path.relative_to(ROOT).as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if ">>> " in path.read_text("utf-8")
    ]


def test_examples_of_docstrings_answer_what_they_say(town: Town) -> None:
    """It imports every library of the house, which takes seconds."""
    names = modules_with_examples()
    finder, failures, attempted = doctest.DocTestFinder(), list[str](), 0
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)

    for name in names:
        module = importlib.import_module(name)
        given = {**vars(module), "town": town, "Path": Path, "np": np, "shapely": shapely}
        for example in finder.find(module, name, globs=given):
            runner.run(example, out=failures.append)
            attempted += len(example.examples)

    assert not failures, "".join(failures)
    assert len(names) > 20 and attempted > 60


def test_no_example_is_skipped() -> None:
    """What cannot run is indented without `>>>`: a reader can trust what looks as if it had been typed."""
    skipped = [
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"doctest:\s*\+SKIP", path.read_text("utf-8"))
    ]

    assert skipped == []
