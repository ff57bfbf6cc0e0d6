"""A draft: counts that add up, places in the storage CRS, a spool that is gone afterwards, and a date that is said."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from ingest.draft import Draft
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Changeset, Source
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

EAST, NORTH = 618_600.0, 3_885_800.0
CATALOGUE = read_catalogue()


def opened(tmp_path: Path, **options: Any) -> Draft:
    return Draft(Source("a.shp", "0" * 64), CATALOGUE, storage_crs="EPSG:4548", folder=tmp_path / "drafts", **options)


def lamps(rows: int = 2, crs: str | None = "EPSG:4548", **columns: list[Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(EAST + np.arange(rows), np.full(rows, NORTH)), crs=crs)


def rules(changeset: Changeset) -> list[str]:
    return [one.rule for one in changeset.findings]


def test_read_is_stored_and_quarantined_and_decoration_together(tmp_path: Path) -> None:
    with opened(tmp_path) as draft:
        draft.add("street_lamp", lamps(3), records=5)
        draft.set_aside(Finding("geometry.missing", "error", place="row 9", raw={"a": 1}))
        draft.decorate(4)

        assert draft.counts.to_dict() == {
            "read": 10,
            "stored": 5,
            "quarantined": 1,
            "decoration": 4,
            "features": {"street_lamp": 3},
        }


def test_a_record_set_aside_needs_its_raw_content(tmp_path: Path) -> None:
    with opened(tmp_path) as draft, pytest.raises(ValueError, match="raw content"):
        draft.set_aside(Finding("geometry.missing", "error"))


def test_a_frame_without_crs_does_not_pass(tmp_path: Path) -> None:
    with (
        opened(tmp_path) as draft,
        pytest.raises(SourceRefused, match="does not state its coordinate reference system"),
    ):
        draft.add("street_lamp", lamps(crs=None))


def test_places_named_in_the_source_crs_come_out_in_the_storage_crs(tmp_path: Path) -> None:
    with opened(tmp_path) as draft:
        moved = lamps(1).to_crs("EPSG:4490")
        draft.add("street_lamp", moved)
        draft.report(Finding("geometry.missing", point=(moved.geometry[0].x, moved.geometry[0].y)))
        draft.report(Finding("geometry.missing"))

        assert draft.findings[0].point == pytest.approx((EAST, NORTH), abs=0.001)
        assert draft.findings[1].point is None


def test_the_spool_is_gone_when_the_draft_is_left_also_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), opened(tmp_path) as draft:
        draft.add("street_lamp", lamps())
        assert list((tmp_path / "drafts").iterdir())
        raise KeyboardInterrupt

    assert not (tmp_path / "drafts").exists()


def test_frames_can_be_read_more_than_once(tmp_path: Path) -> None:
    with opened(tmp_path) as draft:
        draft.add("street_lamp", lamps(2))

        first, second = ([frame for _, frame in draft.frames()] for _ in range(2))

        assert first[0].geometry.geom_equals(second[0].geometry).all()


@pytest.mark.parametrize(
    ("years", "rule"),
    [
        ([None, None], "time.assumed_today"),
        (["2019", None], "vector.partly_undated"),
        (["2019", "2020"], None),
    ],
)
def test_today_is_assumed_and_said_only_for_what_has_no_date(
    years: list[str | None], rule: str | None, tmp_path: Path
) -> None:
    boxes = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 9, NORTH + 9) for n in range(2)]
    with opened(tmp_path) as draft:
        draft.add("building", gpd.GeoDataFrame({"built": years}, geometry=boxes, crs="EPSG:4548"))

        changeset = draft.to_changeset(author="a", reason="b")

    assert rules(changeset) == ([rule] if rule else [])


def test_a_survey_date_of_the_file_or_a_named_one_stands_for_all(tmp_path: Path) -> None:
    instant = "2024-03-17T16:00:00.000Z"
    with opened(tmp_path) as surveyed, opened(tmp_path, effective=instant) as named:
        surveyed.surveyed = instant
        changesets = []
        for draft in (surveyed, named):
            draft.add("street_lamp", lamps())
            changesets.append(draft.to_changeset(author="a", reason="b"))

    assert [one.effective for one in changesets] == [instant, instant]
    assert [rules(one) for one in changesets] == [[], []]


def test_progress_hears_of_every_record(tmp_path: Path) -> None:
    heard: list[int] = []
    with opened(tmp_path, tick=heard.append) as draft:
        draft.add("street_lamp", lamps(3))
        draft.decorate(2)

    assert sum(heard) == 5
