"""Layers of ours that are proposed for a layer of a source: by name and columns, and none where nothing is like it."""

from dataclasses import replace

from ingest.layer_likeness import fitting_layers, nearest_layer, proposals
from ingest.outline import ColumnOutline, LayerOutline
from twin_model.catalogue import Catalogue, layer_of, read_catalogue
from twin_model.catalogue.layer_from_source import SourceColumn
from twin_model.messages import render

CATALOGUE = read_catalogue()


def outline(name: str, kind: str, *columns: str) -> LayerOutline:
    described = tuple(ColumnOutline(SourceColumn(each, "string"), ("x",)) for each in columns)
    return LayerOutline(name, {kind: 1}, columns=described)


def test_the_layer_to_name_with_as_is_like_the_source_or_none_is() -> None:
    nearest = {
        "roads_cl": nearest_layer(outline("roads_cl", "LineString", "RNAME", "CLASS"), "LineString", CATALOGUE),
        "道路": nearest_layer(outline("道路", "LineString", "名称"), "LineString", CATALOGUE),
        "parcels": nearest_layer(outline("parcels", "Polygon", "NO", "USE"), "Polygon", CATALOGUE),
        "local": nearest_layer(outline("local", "Point", "ID"), "Point", CATALOGUE),
        "wall": nearest_layer(outline("BIM element", "Polygon", "ID"), "Polygon", CATALOGUE),
    }

    assert nearest == {"roads_cl": "road_line", "道路": "road_line", "parcels": "", "local": "", "wall": ""}


def test_no_layer_of_building_models_and_no_layer_of_the_towns_own_is_listed_for_a_source() -> None:
    own = replace(layer_of("plan_points", {"geometry": "Point", "fields": {}}), delivered_as=("plan/points",))
    catalogue = Catalogue({**CATALOGUE.layers, own.id: own})

    for dimensions in ((0,), (1,), (2,), ()):
        layers = fitting_layers(catalogue, set(dimensions), ["bim_element", "plan_points"])
        assert layers and not [each for each in layers if each.startswith("bim_") or each == own.id]


def test_a_layer_of_the_towns_own_is_proposed_only_for_a_source_that_is_named_so() -> None:
    """Every drawing has the columns of every other: they say nothing."""
    columns = {name: {"zh": name, "en": name} for name in ("layer", "text", "color", "block")}
    own = replace(layer_of("plan_points", {"geometry": "Point", "fields": columns}), delivered_as=("plan/points",))
    catalogue = Catalogue({**CATALOGUE.layers, own.id: own})

    other = proposals(outline("建筑|INSERT", "Point", *columns), "Point", catalogue)
    same = proposals(outline("plan_points", "Point", *columns), "Point", catalogue)

    assert own.id not in [each.layer.id for each in other]
    assert same[0].layer.id == own.id


def test_a_name_of_the_layer_in_the_name_of_a_column_says_nothing_of_its_field() -> None:
    """BUILDING_N is what a shapefile leaves of BUILDING_NAME, not what the building is used for."""
    best = proposals(outline("房屋", "Polygon", "BUILDING_N", "FWYT"), "Polygon", CATALOGUE)[0]

    fields = {each.field.name: each.column.name for each in best.fields}
    assert fields.get("usage") == "FWYT" and "BUILDING_N" not in fields.values()


def test_a_finding_proposes_no_layer_where_none_is_near() -> None:
    values = {"source": "宗地.shp", "source_layer": "宗地", "own_layer": "zd", "fields": 1}

    for lang in ("en", "zh"):
        assert "--as building" in render("vector.own_layer", lang, values | {"nearest": "building"})
        alone = render("vector.own_layer", lang, values | {"nearest": ""})
        assert "--as" not in alone and "twin mapping draft 宗地.shp" in alone
