"""`psets.<set>.<property>` in a filter finds the same elements in both stores, by the kind it is compared with."""

import json
from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import pytest
import shapely

from twin_model import Town, init_town
from twin_model.catalogue import read_catalogue
from twin_model.errors import CalledWrongly
from twin_model.filter import FilterError, parse_filter, to_sql
from twin_model.filter.property_sets import with_property_sets
from twin_model.store.base import FeatureQuery
from twin_model.view import Policy, View

SETS: list[dict[str, Any] | None] = [
    {"Pset_WallCommon": {"FireRating": "2h", "IsExternal": True, "ThermalTransmittance": 0.25}},
    {"Pset_WallCommon": {"FireRating": "1h", "IsExternal": False, "ThermalTransmittance": 1}},
    {"Pset_WallCommon": {"FireRating": 2, "IsExternal": "true", "ThermalTransmittance": "0.25"}},
    {"Pset_WallCommon": {"FireRating": None}, "基本属性": {"耐火等级": "一级", "面积 (m2)": 12.5, "a.b": "x"}},
    {"Pset_WallCommon": ["2h"], 'It\'s "so"': {"100%": "{}"}},
    None,
]
RULES = {
    "psets.Pset_WallCommon.FireRating = '2h'": [1],
    "psets.Pset_WallCommon.FireRating <> '2h'": [2],
    "psets.Pset_WallCommon.FireRating = 2": [3],
    "psets.Pset_WallCommon.FireRating IN ('1h', '2h')": [1, 2],
    "psets.Pset_WallCommon.FireRating LIKE '_h'": [1, 2],
    "CASEI(psets.Pset_WallCommon.FireRating) = CASEI('2H')": [1],
    "psets.Pset_WallCommon.FireRating BETWEEN '1a' AND '1z'": [2],
    "psets.Pset_WallCommon.FireRating IS NULL": [4, 5, 6],
    "psets.Pset_WallCommon.FireRating IS NOT NULL": [1, 2, 3],
    "psets.Pset_WallCommon.IsExternal = TRUE": [1],
    "psets.Pset_WallCommon.IsExternal": [1],
    "psets.Pset_WallCommon.IsExternal = 1": [],
    "psets.Pset_WallCommon.ThermalTransmittance = TRUE": [],
    "NOT psets.Pset_WallCommon.IsExternal": [2],
    "psets.Pset_WallCommon.ThermalTransmittance > 0.2": [1, 2],
    "0.5 > psets.Pset_WallCommon.ThermalTransmittance": [1],
    "psets.Pset_WallCommon.ThermalTransmittance * 4 = 1": [1],
    "psets.Pset_WallCommon.ThermalTransmittance = top": [1],
    "psets.Pset_WallCommon.IsExternal AND ifc_class = 'IfcWall'": [1],
    "psets.基本属性.耐火等级 = '一级'": [4],
    '"psets.基本属性.面积 (m2)" >= 12.5': [4],
    "psets.基本属性.a.b = 'x'": [4],
    '"psets.It\'s ""so"".100%" = \'{}\'': [5],
    "psets.Pset_WallCommon.NoSuchProperty = 1": [],
    "psets.NoSuchSet.FireRating = '2h'": [],
}


@pytest.fixture(scope="module", params=["geopackage", "postgis"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town with six elements, of which each has other property sets. One a store, only read."""
    place = "store.gpkg" if request.param == "geopackage" else request.getfixturevalue("postgis_server").url("sets")
    shapes = [
        shapely.MultiPolygon([shapely.box(618_000 + n, 3_886_000, 618_000.5 + n, 3_886_001)]) for n in range(len(SETS))
    ]
    columns = {
        "global_id": [f"E{n}" for n in range(1, len(SETS) + 1)],
        "ifc_class": "IfcWall",
        "top": 0.25,
        "properties": [None if each is None else json.dumps(each, ensure_ascii=False) for each in SETS],
    }
    frame = gpd.GeoDataFrame(columns, geometry=[shapely.force_3d(each) for each in shapes], crs="EPSG:4548")
    with init_town(tmp_path_factory.mktemp("sets") / "town", name="测试", crs="EPSG:4548", store=place) as town:
        town.edit("bim_element", frame, effective="2020-01-01", reason="model")
        yield town


def matches(town: Town, where: str | dict[str, Any]) -> list[int]:
    return [int(each[1:]) for each in town.features("bim_element", where=where)["global_id"]]


def test_a_property_of_a_set_is_compared_as_the_kind_of_the_literal(town: Town) -> None:
    assert {where: matches(town, where) for where in RULES} == RULES


def test_text_and_json_of_a_filter_find_the_same_and_the_past_can_be_asked(town: Town) -> None:
    tree = {"op": "=", "args": [{"property": "psets.Pset_WallCommon.FireRating"}, "2h"]}

    assert matches(town, tree) == [1]
    assert len(town.features("bim_element", where="psets.Pset_WallCommon.IsExternal", at="2021-01-01")) == 1
    assert town.features("bim_element", where="psets.Pset_WallCommon.IsExternal", at="2019-01-01").empty


@pytest.mark.parametrize("name", ["psets.Pset_WallCommon", "psets..FireRating", "psets.Pset_WallCommon."])
def test_a_name_of_another_shape_is_refused_with_the_right_one(town: Town, name: str) -> None:
    with pytest.raises(FilterError, match=r"Expected psets\.<set>\.<property>, such as psets") as refused:
        matches(town, f"\"{name}\" = '2h'")

    assert isinstance(refused.value, CalledWrongly) and "应写作 psets.属性集.属性" in refused.value.text("zh")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("psets.A.B = psets.C.D", "two property sets.*compare a value of a property set with a text"),
        ("psets.A.B = DATE('2024-01-01')", "text and instant"),
        ("T_AFTER(psets.A.B, DATE('2024-01-01'))", "compare dates and timestamps"),
        ("psets.A.B IN ('a', 1)", "text and number"),
        ("psets.A.B < TRUE", "boolean"),
        ("psets.A.B = geometry", "geometry"),
    ],
)
def test_what_cannot_be_compared_is_refused(town: Town, where: str, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        matches(town, where)


def test_a_layer_without_property_sets_and_a_looker_who_may_not_see_them_have_no_such_names(town: Town) -> None:
    with pytest.raises(FilterError, match=r"'psets\.A\.B', which is not a queryable"):
        town.features("building", where="psets.A.B = 1")
    hidden = Policy(hidden={"bim_element": frozenset({"properties"})})
    where = parse_filter("psets.Pset_WallCommon.IsExternal")
    with pytest.raises(FilterError, match="not a queryable"):
        town.store.features(FeatureQuery("bim_element", view=View(policy=hidden), where=where))
    rows = Policy(rows={"bim_element": where}, hidden={"bim_element": frozenset({"properties"})})
    assert len(town.store.features(FeatureQuery("bim_element", view=View(policy=rows)))) == 1


def test_names_are_bound_never_pasted() -> None:
    expression = parse_filter('"psets.a\'b.c""d" = \'x\'')

    for dialect in ("sqlite", "postgis"):
        where = to_sql(expression, columns={}, queryables={}, dialect=dialect, json={"psets": 'm."properties"'})  # type: ignore[arg-type]
        assert "a'b" not in where.text and "x" in where.parameters
        assert {"a'b", 'c"d'} <= set(where.parameters) or '["a\'b","c\\"d"]' in where.parameters


def test_a_field_that_is_called_so_stays_a_field() -> None:
    expression = parse_filter('"psets.A.B" = 1')

    assert with_property_sets(expression, {"psets.A.B": "number"}) == expression


def test_the_layers_of_models_have_property_sets() -> None:
    from twin_model.store.select import has_property_sets

    assert {layer.id for layer in read_catalogue() if has_property_sets(layer)} == {"bim_element", "bim_space"}
