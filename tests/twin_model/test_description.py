"""What a layer holds, field by field, and which layers a town has; in both stores."""

import math
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from twin_model import Town, commit, init_town
from twin_model.changeset import Changeset
from twin_model.desk.description import Tally, describe, layers_of, share
from twin_model.errors import AccessRefused, LayerNotFound, QueryRefused
from twin_model.filter import parse_filter
from twin_model.layer import Field, Text
from twin_model.temporal import parse_instant
from twin_model.view import Policy, View

OWN = """
[plot]
title = { zh = "地块", en = "Plots" }
geometry = "Point"
[plot.fields]
name = { zh = "名称", en = "Name" }
area = { type = "number", unit = "m2", zh = "面积", en = "Area" }
floors = { type = "integer", zh = "层数", en = "Floors" }
listed = { type = "boolean", zh = "是否保护", en = "Listed" }
built = { type = "date", zh = "建成", en = "Built" }
seen = { type = "datetime", zh = "巡查时间", en = "Seen" }
use = { zh = "用途", en = "Use", codes = { R = { zh = "居住", en = "housing" }, B = { zh = "商业", en = "trade" } } }
note = { zh = "备注", en = "Note" }
"""


def plots() -> gpd.GeoDataFrame:
    content = {
        "name": ["甲", "乙", "丙", None],
        "area": [0.005, 1234567.5, np.nan, 80.0],
        "floors": pd.array([3, 3, None, 12], dtype="Int64"),
        "listed": pd.array([True, False, True, None], dtype="boolean"),
        "built": ["2017", "2024-03-01", None, "1999-12"],
        "seen": ["2024-05-31T16:00:00Z", "2024-06-01T02:30:00Z", None, None],
        "use": ["R", "R", "B", "R"],
    }
    return gpd.GeoDataFrame(
        content, geometry=shapely.points([[618_000 + x, 3_886_000] for x in range(4)]), crs="EPSG:4548"
    )


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    """A town with four plots since 2020: the first has 5 floors since 2023, the last is gone since 2025."""
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "own.toml").write_text(OWN, "utf-8")
    with init_town(tmp_path, name="小城", crs="EPSG:4548", store=location) as made:
        made.edit("plot", plots(), reason="survey", effective="2020-01-01")
        before = made.features("plot", fields=["floors"])
        made.edit("plot", before.iloc[:1].assign(floors=5), reason="storey added", effective="2023-01-01")
        gone = {"plot": (str(before.index[-1]),)}
        commit(made.store, Changeset("tester", "merged", parse_instant("2025-01-01")[0], terminated=gone))
        yield made


def test_each_field_has_its_type_its_words_and_what_it_holds(town: Town) -> None:
    table = town.describe("plot", at="2020-06-01", lang="en")

    assert table.index.name == "field"
    assert list(table.columns) == ["title", "type", "unit", "codes", "filled_percent", "example", "range"]
    assert table.loc["area"].tolist() == ["Area", "number", "m2", "", 75.0, 0.005, "0.005 .. 1234567.5"]
    assert table.loc["floors"].tolist() == ["Floors", "integer", "", "", 75.0, 3, "3 .. 12"]
    assert table.loc["listed", ["filled_percent", "example", "range"]].tolist() == [75.0, True, "2 different"]
    assert table.loc["built", "range"] == "1999-12 .. 2024-03-01"
    assert table.loc["seen", ["example", "range"]].tolist() == ["2024-06-01", "2024-06-01 .. 2024-06-01 10:30"]
    assert table.loc["use", ["codes", "example", "range"]].tolist() == ["R housing; B trade", "R", "2 different"]
    assert table.loc["note", ["filled_percent", "example", "range"]].tolist() == [0.0, None, ""]
    assert table.attrs == {"layer": "plot", "title": "Plots", "features": 4, "geometry": "Point", "crs": "EPSG:4548"}


def test_a_description_is_in_the_language_of_the_town_and_the_layer_may_be_named_by_its_title(town: Town) -> None:
    table = town.describe("地块")

    assert table.loc["use", ["title", "codes", "range"]].tolist() == ["用途", "R 居住; B 商业", "2 种取值"]


def test_a_description_counts_the_features_of_its_view(town: Town) -> None:
    assert town.describe("plot").loc["floors", "range"] == "3 .. 5"
    assert town.describe("plot", at="2021").loc["floors", "range"] == "3 .. 12"
    assert town.describe("plot", as_known=1).loc["floors", "range"] == "3 .. 12"
    assert town.describe("plot", at="2024").loc["floors", "range"] == "3 .. 12"
    assert town.describe("plot", at="2019").attrs["features"] == 0


def test_a_layer_without_features_is_described_too(town: Town) -> None:
    table = town.describe("building")

    assert table["filled_percent"].tolist() == [0.0] * len(table)
    assert table["example"].tolist() == [None] * len(table)
    assert set(table["range"]) == {""}
    assert "structure" in table.index


def test_what_a_policy_hides_is_not_described(town: Town) -> None:
    layer = town.store.catalogue["plot"]
    rows = {"plot": parse_filter("floors > 3", lang="cql2-text")}
    hiding = Policy(rows=rows, hidden={"plot": frozenset({"name"})})

    table = describe(town.store, layer, lang="en", view=View(policy=hiding))

    assert "name" not in table.index
    assert table.attrs["features"] == 1
    assert table.loc["floors", "range"] == "5"
    with pytest.raises(AccessRefused):
        describe(town.store, layer, lang="en", view=View(policy=Policy(layers=frozenset())))


def test_a_slip_in_the_layers_name_is_answered_with_the_nearest(town: Town) -> None:
    with pytest.raises(LayerNotFound, match="plot"):
        town.describe("plott")


def test_codes_are_a_series_of_words(town: Town) -> None:
    codes = town.codes("plot", "用途")

    assert codes.to_dict() == {"R": "居住", "B": "商业"}
    assert (codes.index.name, codes.name) == ("code", "use")
    assert town.codes("Plots", "use", lang="en")["B"] == "trade"


def test_a_field_without_codes_is_refused_with_those_that_have_some(town: Town) -> None:
    with pytest.raises(QueryRefused) as refused:
        town.codes("plot", "name")

    assert "Fields that have codes: use." in refused.value.text("en")
    assert "有代码的字段：use。" in refused.value.text("zh")


def test_layers_tell_the_days_between_which_their_features_change(town: Town) -> None:
    town.save_result(plots().iloc[:1], "result", reason="computed", effective="2031-05-05")

    table = town.layers("en")

    assert table.loc["plot"].tolist() == [
        "Plots",
        "Point",
        3,
        "base",
        pd.Timestamp("2020-01-01"),
        pd.Timestamp("2025-01-01"),
    ]
    assert table.loc["result", "first"] == table.loc["result", "last"] == pd.Timestamp("2031-05-05")
    assert town.layers().loc["plot", "title"] == "地块"
    assert table["features"].dtype == "int64"


def test_the_table_of_an_empty_town_has_its_columns(town: Town, tmp_path: Path) -> None:
    with init_town(tmp_path / "empty", name="空", crs="EPSG:4548") as empty:
        table = layers_of(empty.store, lang="zh")

    assert table.empty
    assert list(table.columns) == ["title", "geometry", "features", "cim_class", "first", "last"]


def test_a_share_is_whole_only_where_it_is() -> None:
    assert (share(1, 10_000), share(9_999, 10_000)) == (0.1, 99.9)
    assert (share(0, 3), share(3, 3), share(0, 0)) == (0.0, 100.0, 0.0)
    assert share(1, 3) == 33.3


def test_a_field_is_counted_over_all_frames_with_little_memory() -> None:
    """More different values than are kept; the common one is in every frame."""
    texts = Tally(Field("name", "string", Text("名称", "Name")))
    numbers = Tally(Field("area", "number", Text("面积", "Area")))

    for start in range(0, 20_000, 5_000):
        texts.add(pd.Series([*(f"{n}号" for n in range(start, start + 5_000)), "公园", "公园"], dtype=object))
        numbers.add(pd.Series([start - 0.5, math.nan, start + 0.5]))

    assert texts.distinct == 20_001
    assert texts.example == "公园"
    assert len(texts._common) <= 1_000
    assert (numbers.least, numbers.greatest, numbers.filled) == (-0.5, 15_000.5, 8)
