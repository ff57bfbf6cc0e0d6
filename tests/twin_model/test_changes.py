"""What changed between two days or two versions, the list of versions, and every state of one feature, on both stores."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from twin_model import Town, commit, init_town
from twin_model.changeset import Changeset
from twin_model.errors import FeatureNotFound, LayerNotFound, QueryRefused
from twin_model.history import difference, revert
from twin_model.temporal import parse_instant

CRS = "EPSG:4548"
ZONE = "Asia/Shanghai"


def blocks(count: int, **columns: Any) -> gpd.GeoDataFrame:
    x = 618_000.0 + 50 * np.arange(count)
    return gpd.GeoDataFrame(columns, geometry=shapely.box(x, 3_886_000, x + 40, 3_886_040), crs=CRS)


def end(town: Town, ids: tuple[str, ...], effective: str) -> None:
    since = parse_instant(effective, ZONE)[0]
    commit(town.store, Changeset("planner", "torn down", since, terminated={"building": ids}, edit=True))


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    """Four buildings of 2020; in 2022 the first gets storeys and the second another outline; in 2023 the third ends."""
    with init_town(tmp_path / "town", name="测试", crs=CRS, store=location) as town:
        town.edit("building", blocks(4, storeys=[1, 2, 3, 4]), effective="2020-01-01", reason="survey")
        later = town.features("building").iloc[:2].copy()
        later["storeys"] = [11, 2]
        later.loc["building.2", "geometry"] = shapely.MultiPolygon(
            [shapely.box(618_050, 3_886_000, 618_090, 3_886_020)]
        )
        town.edit("building", later, effective="2022-01-01", reason="heightened", author="office")
        end(town, ("building.3",), "2023-01-01")
        yield town


def test_between_two_days_features_are_inserted_updated_and_ended(town: Town) -> None:
    changes = town.changes("building", "2021-01-01", "2024-01-01")

    assert changes["change"].to_dict() == {"building.1": "updated", "building.2": "updated", "building.3": "ended"}
    assert changes["fields"].tolist()[:2] == [["storeys"], ["geometry"]]
    assert changes["before"].tolist() == [{"storeys": 1}, {}, {"storeys": 3}]
    assert changes["after"].tolist() == [{"storeys": 11}, {}, {}]
    assert changes.index.name == "id"
    assert (changes.crs, changes.geometry_before.crs) == (CRS, CRS)
    assert changes.geometry.area.tolist() == [1600, 800, 1600]
    assert changes.geometry_before.area.tolist() == [1600, 1600, 1600]

    first = town.changes("building", "2019-01-01", "2021-01-01")
    assert first["change"].tolist() == ["inserted"] * 4
    assert first["after"].str.get("storeys").tolist() == [1, 2, 3, 4]
    assert first.geometry_before.isna().all() and first.geometry.notna().all()


def test_days_given_backwards_show_the_changes_backwards(town: Town) -> None:
    changes = town.changes("building", "2024-01-01", "2021-01-01")

    assert changes["change"].tolist() == ["updated", "updated", "inserted"]
    assert changes["after"].tolist()[0] == {"storeys": 1}


def test_a_day_may_be_any_kind_of_day_and_the_layer_a_title(town: Town) -> None:
    days = ("2021-06-01", date(2021, 6, 1), datetime(2021, 6, 1), pd.Timestamp("2021-06-01"), "2021-06", "2021")

    for day in days:
        assert town.changes("建筑物", day, pd.Timestamp("2024-01-01", tz="UTC"))["change"].tolist()[-1] == "ended"
    assert len(town.changes("building", "2021")) == 3, "until now"


def test_what_changed_and_changed_back_between_the_days_is_no_change(town: Town) -> None:
    back = town.features("building", at="2021-01-01").iloc[:1]
    town.edit("building", back, effective="2023-06-01", reason="a mistake")

    assert "building.1" not in town.changes("building", "2021-01-01", "2024-01-01").index
    assert "building.1" in town.changes("building", "2022-06-01", "2024-01-01").index


def test_between_two_versions_is_what_was_recorded(town: Town) -> None:
    changes = town.changes("building", 1, 3)

    assert changes["change"].to_dict() == {"building.1": "updated", "building.2": "updated", "building.3": "ended"}
    assert changes.loc["building.1", ["fields", "before", "after"]].tolist() == [
        ["storeys"],
        {"storeys": 1},
        {"storeys": 11},
    ]
    assert changes.loc["building.3", "before"] == {"storeys": 3} and changes.loc["building.3", "after"] == {}
    assert changes.geometry_before.area.tolist() == [1600, 1600, 1600]
    assert town.changes("building", 0, 1)["change"].tolist() == ["inserted"] * 4
    assert town.changes("building", np.int64(2))["change"].tolist() == ["ended"], "until the newest version"
    assert town.changes("building", 2, 2).empty and town.changes("building", 2, 2).crs == CRS


def test_a_correction_of_the_past_is_shown_with_the_state_that_it_corrects(town: Town) -> None:
    """The newest state is the same before and after: it is the one of 2020 that gets another."""
    seven = town.features("building").iloc[:1].assign(storeys=7)
    town.edit("building", seven, effective="2021-01-01", reason="was seven already")

    corrected = town.changes("building", 3, 4)

    assert corrected["fields"].tolist() == [["storeys"]]
    assert corrected["before"].tolist() == [{"storeys": 1}] and corrected["after"].tolist() == [{"storeys": 7}]
    assert difference(town.store, "building", 3, 4)["before"].tolist()[0]["storeys"] == 1


def test_a_change_of_validity_alone_is_an_update_between_versions(town: Town) -> None:
    commit(town.store, revert(town.store, 3, author="planner"))

    changes = town.changes("building", 3, 4)

    assert changes["change"].tolist() == ["updated"] and changes["fields"].tolist() == [["valid_to"]]
    assert changes["before"].tolist() == [{"valid_to": pd.Timestamp("2023-01-01", tz=ZONE)}]
    assert changes["after"].tolist()[0]["valid_to"] is pd.NaT


def test_a_day_beside_a_version_and_a_version_that_is_not_there_are_refused(town: Town) -> None:
    for before, after in ((3, "2024"), ("2024", 3), (True, 3), (None, 3), (2.5, 3)):
        with pytest.raises(QueryRefused, match="Expected two days, or the numbers of two versions") as refused:
            town.changes("building", before, after)  # type: ignore[arg-type]
        assert "应为两个日期，或两个版本号" in refused.value.text("zh")
    with pytest.raises(QueryRefused, match='There is no version 2023: the town is at 3.*as text: "2023"'):
        town.changes("building", 1, 2023)
    with pytest.raises(QueryRefused, match="'soon' is not a date"):
        town.changes("building", "soon", "2024")
    with pytest.raises(LayerNotFound, match="Nearest: building"):
        town.changes("bulding", "2021")


def test_truth_values_are_compared_as_such(town: Town) -> None:
    frame = blocks(2, open=[True, False], note=["a", None])
    town.save_result(frame, "gates", reason="result", effective="2021-01-01")
    town.save_result(frame.assign(open=[True, True], note=None), "gates", reason="result", effective="2022-01-01")

    changes = town.changes("gates", "2021-06", "2022-06")

    assert changes["before"].tolist() == [{"note": "a"}, {"open": False}]
    assert changes["after"].tolist()[1]["open"] is True


def test_the_history_is_a_frame_with_times_of_the_town(town: Town) -> None:
    town.save_result(blocks(1, note=["x"]), "marks", reason="result")

    history = town.history()

    assert history.index.tolist() == [4, 3, 2, 1]
    assert history["author"].tolist() == ["notebook", "planner", "office", "notebook"]
    assert history["layers"].tolist()[0] == ["marks"]
    assert history.loc[2, "effective"] == pd.Timestamp("2022-01-01", tz=ZONE)
    assert history["recorded"].is_monotonic_decreasing and str(history["recorded"].dt.tz) == ZONE
    building = town.history("建筑物")
    assert building[["inserted", "updated", "ended"]].values.tolist() == [[0, 0, 1], [0, 2, 0], [4, 0, 0]]
    assert town.history("land_use").empty


def test_a_feature_shows_every_state_as_known_now(town: Town) -> None:
    states = town.versions("building", "building.1")

    assert states["storeys"].tolist() == [1, 11]
    assert states["valid_from"].tolist() == [pd.Timestamp(day, tz=ZONE) for day in ("2020-01-01", "2022-01-01")]
    assert states["valid_to"].isna().tolist() == [False, True]
    assert states["version"].tolist() == [2, 2], "the first state was cut off by version 2"
    assert (states.crs, states.index.tolist()) == (CRS, ["building.1", "building.1"])
    assert town.versions("building", "building.3")["valid_to"].tolist() == [pd.Timestamp("2023-01-01", tz=ZONE)]
    with pytest.raises(FeatureNotFound, match="No feature 'building.9' in building.*look like building.1") as refused:
        town.versions("building", "building.9")
    assert "没有要素" in refused.value.text("zh")
