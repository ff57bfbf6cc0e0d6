"""What pandas knows and a store does not: kept as what it means, or refused by name; written again it is no change."""

import datetime as days
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from twin_model import Town, init_town
from twin_model.errors import CatalogueError, EditRefused

CRS = "EPSG:4548"


@pytest.fixture(scope="module", params=["geopackage", "postgis"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """An empty town in each kind of store, to which every kind of value brings a layer of its own."""
    place = "store.gpkg" if request.param == "geopackage" else request.getfixturevalue("postgis_server").url("values")
    with init_town(tmp_path_factory.mktemp("values") / "town", name="测试", crs=CRS, store=place) as made:
        yield made


def blocks() -> gpd.GeoDataFrame:
    x = [618_000.0 + 50 * number for number in range(3)]
    shapes = shapely.box(x, 3_886_000, [value + 40 for value in x], 3_886_040)
    return gpd.GeoDataFrame({"density": [1.0, 2.0, 3.0]}, geometry=shapes, crs=CRS)


def midnight(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="Asia/Shanghai")


KEPT: dict[str, tuple[Any, list[Any]]] = {
    "days": ([days.date(2024, 1, 1), None, days.date(2025, 1, 1)], [pd.Timestamp("2024-01-01"), None, pd.Timestamp("2025-01-01")]),
    "categories": (pd.Categorical(["a", None, "b"]), ["a", None, "b"]),
    "whole categories": (pd.Categorical([1, None, 2]), [1, None, 2]),
    "intervals": (pd.cut([1.0, 2.0, 3.0], [0, 2, 4]), ["(0, 2]", "(0, 2]", "(2, 4]"]),
    "periods": (pd.period_range("2024-01", periods=3, freq="M"), ["2024-01", "2024-02", "2024-03"]),
    "lists": ([[1, 2], None, [3]], ["[1, 2]", None, "[3]"]),
    "dicts": ([{"b": 1, "a": "乙"}, {}, None], ['{"a": "乙", "b": 1}', "{}", None]),
    "arrays": ([np.array([1, 2])] * 3, ["[1, 2]"] * 3),
    "instants": (pd.date_range("2024-01-01", periods=3, tz="Asia/Shanghai"), [midnight("2024-01-01"), midnight("2024-01-02"), midnight("2024-01-03")]),
    "hours": ([days.time(8, 30)] * 3, ["08:30:00"] * 3),
    "truths": ([True, None, False], [True, None, False]),
    "whole numbers": (pd.array([1, None, 2], dtype="Int64"), [1, None, 2]),
    "small numbers": (np.array([1, 2, 3], dtype="uint8"), [1, 2, 3]),
    "decimals": ([Decimal("1.5")] * 3, [1.5] * 3),
    "nothing": ([None] * 3, [None] * 3),
}  # fmt: skip


@pytest.mark.parametrize("kind", KEPT)
def test_a_value_is_kept_as_what_it_means_and_written_again_is_no_change(town: Town, kind: str) -> None:
    values, expected = KEPT[kind]
    frame, name = blocks().assign(value=values), kind.replace(" ", "_")

    town.save_result(frame, name, reason="first")
    again = town.save_result(frame, name, reason="again")
    edited = town.edit(name, town.features(name), reason="as it was read")

    read = town.features(name)["value"].astype(object)
    assert read.where(read.notna(), None).tolist() == expected
    assert not again.made and not edited.made


REFUSED: dict[str, tuple[Any, str]] = {
    "durations": (pd.to_timedelta([1, 2, 3], unit="h"), r"timedelta64.*total_seconds"),
    "a second geometry": (blocks().centroid, "second geometry.*to_wkt"),
    "complex numbers": ([1j, 2j, 3j], "complex128"),
    "bytes": ([b"a"] * 3, "bytes"),
    "infinity": ([np.inf, 1.0, 2.0], "'inf'. Expected number"),
    "huge numbers": (np.array([1, 2, 2**63 + 5], dtype="uint64"), "9223372036854775813"),
    "mixtures": ([1, "a", 2.5], "Expected string"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_field_can_hold_is_refused_by_name_and_nothing_is_put_in_place(town: Town, kind: str) -> None:
    values, said = REFUSED[kind]

    with pytest.raises(EditRefused, match=said):
        town.save_result(blocks().assign(value=values), "result", reason="odd")

    assert "result" not in town.catalogue and not (town.path / "catalogue" / "result.toml").exists()


def test_lists_and_dicts_are_described_as_json(town: Town) -> None:
    town.save_result(blocks().assign(psets=[{"a": 1}, None, {}]), "psets", reason="psets")

    field = town.catalogue["psets"].field_of("psets")
    assert field is not None and (field.type, field.format) == ("string", "json")


NAMES = [pd.NA, None, np.nan, 0, ("height", "mean"), days.date(2024, 1, 1), "a b", ""]


def test_a_column_may_be_called_anything(town: Town) -> None:
    frame = blocks()
    for number, name in enumerate(NAMES):
        named = frame.set_axis([name, "geometry"], axis="columns").set_geometry("geometry")
        town.save_result(named, f"result_{number}", reason="odd names")

    for number in range(len(NAMES)):
        read = town.features(f"result_{number}")
        assert read[read.columns[0]].tolist() == [1.0, 2.0, 3.0]


NO_LAYERS: dict[str, tuple[Any, str]] = {
    "no rows": (blocks().iloc[:0], "has 0 rows and no geometry in any"),
    "no geometry": (blocks().set_geometry([None] * 3, crs=CRS), "has 3 rows and no geometry in any"),
    "points of many parts": (
        blocks().set_geometry([shapely.MultiPoint([(1, 2), (3, 4)])] * 3, crs=CRS),
        "multipoints.*explode",
    ),
    "points and areas": (
        blocks().set_geometry([shapely.Point(1, 2), *blocks().geometry[1:]], crs=CRS),
        "Point, Polygon",
    ),
}


@pytest.mark.parametrize("kind", NO_LAYERS)
def test_a_frame_that_describes_no_layer_is_refused_with_what_it_lacks(town: Town, kind: str) -> None:
    frame, said = NO_LAYERS[kind]

    with pytest.raises(EditRefused, match=said):
        town.save_result(frame, "result", reason="odd")


def test_a_layer_is_not_called_as_another_table_of_the_catalogue(town: Town) -> None:
    with pytest.raises(CatalogueError, match="codes"):
        town.save_result(blocks(), "codes", reason="odd")
