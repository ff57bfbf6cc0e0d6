"""What a notebook asks: names, places, times and parameters in Python's own kinds; one dtype a field; refusals in its words."""

import datetime as days
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from twin_model import Town, init_town
from twin_model.errors import CalledWrongly, LayerNotFound

CRS = "EPSG:4548"
EAST, NORTH = 618_000.0, 3_886_000.0


@pytest.fixture(scope="module", params=["geopackage", "postgis"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Ten buildings in a row, 20 m apart, known since 2020; nothing else. One a store, only read."""
    place = "store.gpkg" if request.param == "geopackage" else request.getfixturevalue("postgis_server").url("asked")
    with init_town(tmp_path_factory.mktemp("asked") / "town", name="测试", crs=CRS, store=place) as made:
        x = EAST + 20.0 * np.arange(10)
        frame = gpd.GeoDataFrame(
            {
                "name": [f"楼{number}" if number % 2 else None for number in range(10)],
                "storeys": [*range(1, 10), None],
                "usage": None,
                "height_source": ["measured", "storeys"] * 5,
                "built": ["2017", "2018-05", "2019-05-01", None, *["2020"] * 6],
            },
            geometry=shapely.box(x, NORTH, x + 10, NORTH + 10),
            crs=CRS,
        )
        made.edit("building", frame, reason="survey", effective="2020-01-01")
        yield made


def count(town: Town, **asked: Any) -> int:
    return len(town.features("building", **asked))


def test_names_may_be_titles_wherever_a_name_is(town: Town) -> None:
    frame = town.features("建筑物", where="层数 > 7 AND 名称 IS NOT NULL", fields=["层数"], sort="-地上层数")

    assert frame["storeys"].tolist() == [8]
    assert town.features("building", fields="storeys").columns.tolist() == ["storeys", "geometry"]


PARAMETERS: list[tuple[str, dict[str, Any], int]] = [
    ("storeys > :least", {"least": 7}, 2),
    ("storeys > least", {"least": np.int64(7)}, 2),
    ("name = :name", {"name": "楼1"}, 1),
    ("name = :name", {"name": "x' OR 1=1 --"}, 0),
    ("name IN (:names)", {"names": ["楼1", "楼3", "none"]}, 2),
    ("name IN (:names)", {"names": pd.Series(["楼1", "楼5"])}, 2),
    ("storeys BETWEEN :low AND :high", {"low": 2, "high": 4.0}, 3),
    ("built >= :day", {"day": days.date(2019, 1, 1)}, 7),
    ("valid_from < :moment", {"moment": pd.Timestamp("2021-01-01")}, 10),
    ("S_INTERSECTS(geometry, :place)", {"place": shapely.Point(EAST + 5, NORTH + 5)}, 1),
    ("DWITHIN(geometry, :place, 15)", {"place": shapely.Point(EAST + 5, NORTH + 5)}, 2),
    ("DWITHIN(geometry, :place, :far)", {"place": shapely.Point(EAST + 5, NORTH + 5), "far": 35}, 3),
    ("NOT DWITHIN(geometry, place, 15)", {"place": shapely.Point(EAST + 5, NORTH + 5)}, 8),
]


@pytest.mark.parametrize(("where", "params", "expected"), PARAMETERS)
def test_values_are_bound_by_name(town: Town, where: str, params: dict[str, Any], expected: int) -> None:
    assert count(town, where=where, params=params) == expected


def test_a_distance_is_that_of_shapely_to_the_millimetre(town: Town) -> None:
    place = shapely.LineString([(EAST + 3, NORTH - 40), (EAST + 90, NORTH - 21)])
    everything = town.features("building")

    for distance in (0.0, 20.9, 21.0, 25.0, 60.0, 1000.0):
        near = town.features(
            "building", where="DWITHIN(geometry, :place, :far)", params={"place": place, "far": distance}
        )
        assert near.index.tolist() == everything.index[everything.distance(place) <= distance].tolist(), distance


def test_places_may_be_geometries_series_and_frames_in_any_system(town: Town) -> None:
    district = gpd.GeoSeries([shapely.box(EAST - 1, NORTH - 1, EAST + 51, NORTH + 11)], crs=CRS)

    assert count(town, within=district) == count(town, within=district.to_crs(4490)) == 3
    assert count(town, within=gpd.GeoDataFrame(geometry=district)) == count(town, within=district.iloc[0]) == 3
    assert count(town, within=(EAST, NORTH, EAST + 31, NORTH + 10)) == 2
    assert count(town, bbox=district) == count(town, bbox=district.to_crs(4326)) == 3
    assert count(town, bbox=(EAST, NORTH, EAST + 25, NORTH + 1)) == 2
    text = "S_INTERSECTS(geometry, POINT(118.293 35.1)) OR S_INTERSECTS(geometry, :place)"
    assert count(town, where=text, params={"place": district}) == 3


TIMES: list[tuple[Any, int]] = [
    ("2020-06-01", 10), (days.date(2020, 6, 1), 10), (days.datetime(2020, 6, 1, 8), 10), (pd.Timestamp("2020-06-01"), 10),
    (np.datetime64("2020-06-01"), 10), (("2019", "2020"), 10), (("2020-06-01", None), 10), ("2019/2020", 10),
]  # fmt: skip


@pytest.mark.parametrize(("at", "expected"), TIMES)
def test_a_time_may_be_of_any_kind(town: Town, at: Any, expected: int) -> None:
    assert count(town, at=at) == expected
    assert count(town, as_known=1) == 10 and count(town, as_known=days.date(2100, 1, 1)) == 10


def test_a_day_before_anything_was_known_is_said(town: Town) -> None:
    with pytest.warns(UserWarning, match="2019-06-01 时图层 building 没有内容：已知内容自 2020-01-01 起"):
        assert count(town, at="2019-06-01") == 0


def test_a_version_before_a_layer_held_anything_is_said(town: Town) -> None:
    with pytest.warns(UserWarning, match='入库版本 0 时，图层 building 还没有内容.*town.history\\("building"\\)'):
        assert count(town, as_known="2001-01-01") == 0


def test_the_former_names_of_times_are_taken_with_a_warning(town: Town) -> None:
    with pytest.warns(DeprecationWarning, match="datetime= is called at= here now"):
        assert count(town, datetime="2020-06-01") == 10
    with pytest.warns(DeprecationWarning, match="recorded= is called as_known="):
        assert town.view(recorded=1).recorded == 1


REFUSALS: dict[str, tuple[Callable[[Town], Any], str]] = {
    "layer": (lambda town: town.features("bilding"), "No layer named 'bilding'. Nearest: building"),
    "field": (lambda town: town.features("building", fields=["floors"]), "building has no field 'floors'.*storeys"),
    "sort": (lambda town: town.features("building", sort=["-floors"]), "no field 'floors'"),
    "where": (lambda town: town.features("building", where="floors > 3"), "no field 'floors'"),
    "syntax": (lambda town: town.features("building", where="storeys > "), "character"),
    "kind": (lambda town: town.features("building", where=3), "where is a int"),
    "limit": (lambda town: town.features("building", limit=-1), "limit is -1"),
    "bbox numbers": (lambda town: town.features("building", bbox=(1, 2, 3)), "Expected four finite numbers"),
    "bbox nan": (lambda town: town.features("building", bbox=(1, 2, float("nan"), 4)), "four finite numbers"),
    "bbox reversed": (lambda town: town.features("building", bbox=(3, 2, 1, 4)), "east before north"),
    "within a line": (lambda town: town.features("building", within=shapely.LineString([(0, 0), (1, 1)])), "valid area"),
    "no crs": (lambda town: town.features("building", within=gpd.GeoSeries([shapely.box(0, 0, 1, 1)])), "no coordinate ref"),
    "at": (lambda town: town.features("building", at=5), "Correct at or as_known"),
    "labels": (lambda town: town.features("building", labels="de"), "labels is 'de'"),
    "no value": (lambda town: town.features("building", where="name = :n"), "parameter 'n', which has no value"),
    "unused": (lambda town: town.features("building", where="storeys > 3", params={"n": 1}), "parameters n are not used"),
    "null": (lambda town: town.features("building", where="name = :n", params={"n": None}), "IS NULL"),
    "distance": (lambda town: town.features("building", where="DWITHIN(geometry, POINT(118 35), -1)"), "distance in metres"),
    "metres in the text": (lambda town: town.features("building", where="DWITHIN(geometry, POINT(618500 3886000), 50)"), "618500, 3886000.*degrees.*params="),
    "metres in a box": (lambda town: town.features("building", where="S_INTERSECTS(geometry, BBOX(618000, 3886000, 618500, 3887000))"), "618000, 3886000"),
    "version": (lambda town: town.features("building", as_known=99), "no version 99: the store is at 1.*town.history"),
}  # fmt: skip


@pytest.mark.parametrize("slip", REFUSALS)
def test_a_slip_is_refused_in_words_of_python_with_one_frame_of_ours(town: Town, slip: str) -> None:
    ask, said = REFUSALS[slip]

    with pytest.raises((CalledWrongly, LayerNotFound), match=said) as refusal:
        ask(town)

    error = refusal.value
    for lang in ("en", "zh"):
        words = error.text(lang)
        assert not any(word in words for word in ("/collections", "twin status", "filter-crs", "bbox-crs")), words
    shown = "".join(traceback.format_exception(error))
    assert "During handling" not in shown and "direct cause" not in shown
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "twin_model" in Path(frame.filename).parts]
    assert len([frame for frame in ours if "tests" not in Path(frame.filename).parts]) == 1


def test_a_box_far_from_the_town_is_warned_of_and_degrees_are_recognised(town: Town) -> None:
    with pytest.warns(UserWarning, match='数值像是经纬度：请加 bbox_crs="OGC:CRS84"'):
        assert count(town, bbox=(118.29, 35.08, 118.30, 35.09)) == 0
    with pytest.warns(UserWarning, match="远离图层 building 的范围"):
        assert count(town, bbox=(0.0, 0.0, 1.0, 1.0), bbox_crs=4326) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        west, south, east, north = town.extent() or (0, 0, 0, 0)
        assert count(town, bbox=(west, south, east, north), bbox_crs="OGC:CRS84") == 10
        assert count(town, bbox=(EAST + 500, NORTH, EAST + 510, NORTH + 10)) == 0


def test_ids_that_are_not_there_are_said(town: Town) -> None:
    with pytest.warns(UserWarning, match="3 个标识码中有 1 个不在图层 building 中：nobody"):
        assert count(town, ids=["building.1", "nobody", "building.2"]) == 2
    assert town.features("building", ids="building.3").index.tolist() == ["building.3"]


def test_system_columns_come_on_wish_only_and_the_version_stays_with_the_frame(town: Town) -> None:
    plain, system = town.features("building"), town.features("building", system=True, limit=1)

    assert not {"fid", "valid_from", "valid_to", "valid_precision", "version"} & set(plain.columns)
    assert system.columns[:1].tolist() == ["fid"] and "valid_precision" in system.columns
    assert system["valid_from"].iloc[0] == pd.Timestamp("2020-01-01", tz="Asia/Shanghai")
    assert plain.assign(x=1)[["x", "geometry"]].attrs["version"] == town.store.version()


DTYPES = {
    "name": "str", "usage": "str", "storeys": "Int64", "height": "float64", "built": "datetime64[us]",
    "valid_from": "datetime64[us, Asia/Shanghai]", "valid_to": "datetime64[us, Asia/Shanghai]", "version": "int64",
}  # fmt: skip


@pytest.mark.parametrize("where", [None, "storeys > 3", "storeys IS NULL", "storeys > 99"])
def test_a_field_has_one_dtype_whatever_the_rows(town: Town, where: str | None) -> None:
    frame = town.features("building", where=where, system=True)

    assert {name: str(frame.dtypes[name]) for name in DTYPES} == DTYPES


def test_codes_are_words_on_wish(town: Town) -> None:
    words = town.features("building", labels="zh")["height_source"]

    assert set(words) == {"实测", "按层数推算"} or set(words) == {text("zh") for text in _codes(town)}
    assert set(town.features("building")["height_source"]) == {"measured", "storeys"}


def _codes(town: Town) -> list[Any]:
    field = town.catalogue["building"].field_of("height_source")
    assert field is not None
    return [field.codes[code] for code in ("measured", "storeys")]


def test_an_id_that_no_store_can_hold_is_refused_in_our_words(town: Town) -> None:
    with pytest.raises(CalledWrongly, match="character that cannot be stored"):
        town.features("building", ids=["\ud800"])
