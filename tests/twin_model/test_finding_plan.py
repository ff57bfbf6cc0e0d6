"""Findings go on, begin and are mended by what they are about: feature or place, never the name of a file, row or handle."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from ingest.draft import Draft
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source, Version
from twin_model.finding import Finding
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import parse_instant
from twin_model.versioning import commit
from twin_model.view import View

CRS, CATALOGUE = "EPSG:4548", read_catalogue()
EAST, NORTH = 618_000.0, 3_886_000.0
Deliver = Callable[..., Version]

OPEN_RING = Finding(
    "dxf.not_closed",
    "error",
    "building",
    place="handle 2F3",
    point=(EAST, NORTH),
    values={"gap": 0.3},
    raw={"handle": "2F3"},
)
NO_END = Finding("dxf.no_eof", "warning", values={"source": "sheet.dxf"})
REPAIRED = Finding(
    "geometry.repaired", "warning", "building", place="fid 7", point=(EAST + 3, NORTH + 3), values={"reason": "x"}
)


def houses(count: int, east: float = EAST) -> gpd.GeoDataFrame:
    x = east + 20.0 * np.arange(count)
    return gpd.GeoDataFrame(
        {"name": [f"{n}号" for n in range(count)]}, geometry=shapely.box(x, NORTH, x + 12, NORTH + 10), crs=CRS
    )


@pytest.fixture
def deliver(store: Store) -> Deliver:
    def delivered(
        name: str,
        day: str,
        frame: gpd.GeoDataFrame,
        *findings: Finding,
        layer: str = "building",
        kind: str = "dxf",
        area: Any = None,
    ) -> Version:
        source = Source(name, f"{name}-{day}-{store.version()}", kind)
        with Draft(source, CATALOGUE, storage_crs=CRS, effective=parse_instant(day)[0]) as draft:
            draft.crs = CRS
            draft.add(layer, frame)
            for one in findings:
                draft.set_aside(one) if one.raw is not None else draft.report(one)
            if area is not None:
                draft.covers(area, sheet="", scale=1000)
            return commit(store, draft.to_changeset(author="office", reason=name))

    return delivered


def findings(store: Store, recorded: int | None = None) -> list[tuple[str, str, str]]:
    names, rows = store.rows(FeatureQuery("finding", view=View(recorded=recorded)))
    chosen = [names.index(name) for name in ("rule", "source", "place")]
    return sorted(tuple(row[n] or "" for n in chosen) for row in rows)  # type: ignore[misc]


def numbers(version: Version) -> tuple[int, int, int]:
    touched = version.touched["finding"]
    return touched.inserted, touched.updated, touched.terminated


def moved(finding: Finding, **changes: Any) -> Finding:
    return replace(finding, **changes)


def test_another_sheet_of_the_same_name_closes_nothing_and_a_mended_one_of_another_name_does(
    store: Store, deliver: Deliver
) -> None:
    deliver("sheet.dxf", "2020-01-01", houses(3), OPEN_RING, NO_END)

    elsewhere = deliver(
        "sheet.dxf",
        "2021-01-01",
        houses(3, EAST + 9_000),
        area=shapely.box(EAST + 9_000, NORTH, EAST + 9_100, NORTH + 100),
    )
    assert len(findings(store)) == 2, elsewhere

    deliver("street.dxf", "2022-01-01", houses(4), area=shapely.box(EAST - 1, NORTH - 1, EAST + 99, NORTH + 99))
    assert [rule for rule, *_ in findings(store)] == ["dxf.no_eof"], "what is wrong with a file is mended by the file"

    deliver("sheet.dxf", "2023-01-01", houses(5))
    assert findings(store) == []


def test_a_drawing_saved_again_has_the_same_findings_whatever_its_handles_and_is_no_change(
    store: Store, deliver: Deliver
) -> None:
    deliver("sheet.dxf", "2020-01-01", houses(3), OPEN_RING, NO_END)
    noisy = moved(
        OPEN_RING, place="handle A01", point=(EAST + 0.03, NORTH - 0.03), values={"gap": 0.31}, raw={"handle": "A01"}
    )

    again = deliver("sheet.dxf", "2021-01-01", houses(3), noisy, NO_END)
    assert not again.made

    later = deliver("sheet.dxf", "2022-01-01", houses(4), noisy, NO_END)
    assert numbers(later) == (0, 1, 0)
    assert findings(store) == [("dxf.no_eof", "sheet.dxf", ""), ("dxf.not_closed", "sheet.dxf", "handle A01")]
    assert len(findings(store, 1)) == 2


def test_a_repeated_fault_takes_the_name_of_the_newest_file(store: Store, deliver: Deliver) -> None:
    deliver("sheet.dxf", "2020-01-01", houses(3), OPEN_RING)

    renamed = deliver("sheet v2.dxf", "2021-01-01", houses(3), moved(OPEN_RING, place="handle 9"))

    assert renamed.made and numbers(renamed) == (0, 1, 0)
    assert findings(store) == [("dxf.not_closed", "sheet v2.dxf", "handle 9")]
    assert not deliver("sheet v2.dxf", "2022-01-01", houses(3), moved(OPEN_RING, place="handle 9")).made


def test_two_files_of_one_name_and_different_places_have_findings_of_their_own(store: Store, deliver: Deliver) -> None:
    deliver("plan.dxf", "2020-01-01", houses(2), NO_END)

    deliver("plan.dxf", "2020-01-01", houses(2, EAST + 9_000), NO_END)

    assert len(findings(store)) == 2
    assert not deliver("plan.dxf", "2020-01-01", houses(2), NO_END).made

    deliver("plan.dxf", "2021-01-01", houses(3))
    assert [values["version"] for values in table(store)] == [2]


def test_a_mended_edition_closes_what_has_no_place_under_its_other_name(store: Store, deliver: Deliver) -> None:
    nowhere = Finding(
        "survey.no_place", "error", "pipe_point", place="WSPoint row 9", values={"number": "9"}, raw={"点号": "9"}
    )
    for name, mended, closes in (
        ("WSPoint.csv", "WSPoint(改).csv", True),
        ("成果表.xlsx", "成果表_修改版.xlsx", True),
        ("管线表.xlsx", "管线表修改稿.xlsx", True),
        ("50%_a.csv", "50%_a v2.csv", True),
        ("YSPoint.csv", "JSPoint.csv", False),
        ("street 1.csv", "street 12.csv", False),
    ):
        deliver(name, "2020-01-01", houses(2), nowhere, kind="survey")
        deliver(mended, "2021-01-01", houses(2), kind="survey")

        left = [source for _, source, _ in findings(store)]
        assert (name not in left) is closes, name


def test_a_file_of_another_kind_mends_only_what_it_would_find_too_and_shows(store: Store, deliver: Deliver) -> None:
    deliver("sheet.dxf", "2020-01-01", houses(3), OPEN_RING, REPAIRED)

    deliver("elsewhere.shp", "2021-01-01", houses(2, EAST + 200), kind="vector")
    assert len(findings(store)) == 2

    deliver("houses.shp", "2022-01-01", houses(3), moved(REPAIRED, point=(EAST + 500, NORTH)), kind="vector")
    assert [(rule, source) for rule, source, _ in findings(store)] == [
        ("dxf.not_closed", "sheet.dxf"),
        ("geometry.repaired", "houses.shp"),
    ]


def test_a_fault_of_a_numbered_feature_is_mended_where_the_feature_comes_without_it(
    store: Store, deliver: Deliver
) -> None:
    point = gpd.GeoDataFrame(
        {"survey_no": ["7"], "class": "WS", "project": "A"}, geometry=[shapely.Point(EAST, NORTH, 60)], crs=CRS
    )
    fault = Finding(
        "survey.depth_missing", "warning", "pipe_point", "A.WS.7", "WSPoint row 9", (EAST, NORTH), {"number": "7"}
    )
    deliver("WSPoint.csv", "2020-01-01", point, fault, layer="pipe_point", kind="survey")

    deliver("OTHER.csv", "2021-01-01", point.assign(project="B"), layer="pipe_point", kind="survey")
    assert len(findings(store)) == 1, "another project's point at the same place"

    deliver("WSPoint (2).csv", "2022-01-01", point, layer="pipe_point", kind="survey")
    assert findings(store) == []


def test_a_finding_with_a_key_of_before_is_the_same_finding(store: Store, deliver: Deliver) -> None:
    """Keys were made of handles, rows and the file's name as well: here the key differs, as it would."""
    deliver(
        "sheet.dxf", "2020-01-01", houses(3), OPEN_RING, moved(NO_END, values={"source": "sheet.dxf", "kind": "former"})
    )
    former = {row[0] for row in store.rows(FeatureQuery("finding"))[1]}

    version = deliver(
        "sheet.dxf", "2021-01-01", houses(4), moved(OPEN_RING, values={"gap": 0.31, "most": 0.1}),
        moved(NO_END, values={"source": "sheet.dxf", "kind": "former", "count": 3}),
    )  # fmt: skip

    assert numbers(version)[0] == numbers(version)[2] == 0
    assert {row[0] for row in store.rows(FeatureQuery("finding"))[1]} == former
    assert not deliver(
        "sheet.dxf",
        "2022-01-01",
        houses(4),
        moved(OPEN_RING, values={"gap": 0.31, "most": 0.1}),
        moved(NO_END, values={"kind": "former"}),
    ).made


def test_two_faults_at_one_place_stay_two_and_each_keeps_its_own(store: Store, deliver: Deliver) -> None:
    faults = [
        Finding(
            "value.unreadable", "warning", "building", place=f"row {n}", point=(EAST, NORTH), values={"field": field}
        )
        for n, field in enumerate(("storeys", "height", "height"))
    ]
    deliver("b.shp", "2020-01-01", houses(1), *faults, kind="vector")
    before = {(values["details"], values["fid"]) for values in table(store)}

    near = [moved(each, point=(EAST + 0.2, NORTH), place=f"row {9 - n}") for n, each in enumerate(faults)]
    deliver("b.shp", "2021-01-01", houses(2), *near[::-1], kind="vector")
    deliver("b.shp", "2022-01-01", houses(3), near[0], kind="vector")

    assert len(before) == 3
    assert {(values["details"], values["fid"]) for values in table(store)} < before
    assert len(table(store)) == 1


def table(store: Store) -> list[dict[str, Any]]:
    names, rows = store.rows(FeatureQuery("finding"))
    return [dict(zip(names, row, strict=True)) for row in rows]
