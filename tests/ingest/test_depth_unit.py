"""Depths in another unit than metres: read where a heading or a mapping says it, else one refusal for a table, with the remedy."""

import csv
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingest.draft import Draft, ReadOptions
from ingest.survey.reader import read_survey
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import CatalogueError, SourceRefused

POINTS = [[f"W{n}", str(3885000 + 30 * n), "617000", "65", str(2 + n / 10)] for n in range(6)]
DEPTHS = [(1.2, 1.35), (0.85, 3.1), (3.1, 2.75), (2.75, 1.0), (1.0, 1.05)]


def survey(folder: Path, *, lines: float = 1, wells: float = 1, depth: str = "起点埋深", well: str = "井深") -> Path:
    """Write a survey whose depths are so many to the metre."""
    rows = [[f"W{n}", f"W{n + 1}", *(f"{one * lines:g}" for one in ends), "300"] for n, ends in enumerate(DEPTHS)]
    points = [[*row[:4], f"{float(row[4]) * wells:g}"] for row in POINTS]
    tables = {"WSPoint": [["物探点号", "X", "Y", "地面高程", well], *points],
              "WSLine": [["起点点号", "终点点号", depth, depth.replace("起", "终"), "管径"], *rows]}  # fmt: skip
    for name, table in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(table)
    return folder / "WSLine.csv"


def read(path: Path, **options: Any) -> tuple[list[tuple[float, float]], list[float], list[str]]:
    """Return depths of lines, depths of wells, and the rules of findings."""
    mapping = SimpleNamespace(name="office", crs=None, options=options) if options else None
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_survey(path, draft, ReadOptions(crs="EPSG:4548", mapping=mapping))
        frames = dict(draft.frames())
    line, point = frames["pipe_line"], frames["pipe_point"]
    ends = list(zip(line["start_depth"], line["end_depth"], strict=True))
    return ends, point["well_depth"].tolist(), [one.rule for one in draft.findings]


@pytest.mark.parametrize(("factor", "unit"), [(100, "cm"), (1000, "mm")])
@pytest.mark.parametrize("kind", ["lines", "wells"])
def test_a_table_in_another_unit_is_refused_once_and_both_remedies_read_it(
    tmp_path: Path, factor: float, unit: str, kind: str
) -> None:
    path = survey(tmp_path, **{kind: factor})

    with pytest.raises(SourceRefused) as refused:
        read(path)
    option = re.search(r"\[options.survey.units\] (\w+) = \"(\w+)\"", refused.value.text("en"))
    assert option is not None and refused.value.rule_id == "survey.depth_unit"
    by_mapping = read(path, survey={"units": {option[1]: option[2]}})
    heading = {"lines": {"depth": f"起点埋深({unit})"}, "wells": {"well": f"井深/{unit}"}}[kind]
    by_heading = read(survey(tmp_path, **{kind: factor}, **heading))

    assert (option[2], option[1]) == (unit, {"lines": "depth", "wells": "well_depth"}[kind])
    assert by_mapping == by_heading == (DEPTHS, [2.0, 2.1, 2.2, 2.3, 2.4, 2.5], by_mapping[2])
    assert not [rule for rule in by_mapping[2] if "impossible" in rule]


def test_single_impossible_depths_are_findings_of_their_own(tmp_path: Path) -> None:
    path = survey(tmp_path)
    path.write_text(path.read_text("utf-8").replace("3.1", "310", 1), "utf-8")
    points = tmp_path / "WSPoint.csv"
    points.write_text(points.read_text("utf-8").replace(",2.3", ",230"), "utf-8")

    _, wells, rules = read(path)

    assert wells == [2.0, 2.1, 2.2, None, 2.4, 2.5]
    assert [rule for rule in rules if "impossible" in rule] == [
        "survey.well_depth_impossible",
        "survey.depth_impossible",
    ]


def test_a_mapping_counts_before_a_heading_that_is_wrong_and_knows_its_units(tmp_path: Path) -> None:
    path = survey(tmp_path, lines=100, depth="起点埋深(m)")

    assert read(path, survey={"units": {"depth": "cm"}})[0] == DEPTHS
    for units in ({"depth": "inch"}, {"deepness": "cm"}):
        with pytest.raises(CatalogueError, match="units"):
            read(path, survey={"units": units})
