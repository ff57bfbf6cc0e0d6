"""The catalogue: every layer of the model is there, sound, and in both languages; a town's tables lie over it."""

import re
from pathlib import Path
from typing import get_args

import pytest

from twin_model.catalogue import CIM_CLASSES, Catalogue, read_catalogue
from twin_model.errors import CatalogueError, LayerNotFound
from twin_model.layer import FieldType

CATALOGUE = read_catalogue()
_LISTED = """
    control_point water_area water_line building structure road_area road_line rail contour spot_height vegetation_area vegetation_point
    boundary facility annotation map_sheet pipe_point pipe_line manhole utility_tunnel underground_space bim_model bim_storey bim_space
    bim_element bim_alignment planning_area land_use control_line project street_lamp traffic_signal car_park camera ev_charger
    cover_sensor monitoring_station weather_station telecom_station bus_stop finding dem orthophoto
"""
IDS = _LISTED.split()


def laid_over(folder: Path, text: str) -> Catalogue:
    (folder / "own.toml").write_text(text, "utf-8")
    return read_catalogue(folder)


def test_every_layer_of_the_model_has_its_table() -> None:
    assert sorted(layer.id for layer in CATALOGUE) == sorted(IDS)


def test_rasters_are_named_but_hold_no_features() -> None:
    assert [layer.id for layer in CATALOGUE.of_kind("raster")] == ["dem", "orthophoto"]
    assert not any(layer.has_geometry for layer in CATALOGUE.of_kind("raster"))
    assert len(CATALOGUE.of_kind("feature")) == len(IDS) - 2


def test_titles_and_descriptions_are_written_in_both_languages() -> None:
    for layer in CATALOGUE:
        for text in (layer.title, layer.description, *(field.title for field in layer.fields)):
            assert text.zh and text.en, (layer.id, text)
        assert re.search(r"[\u4e00-\u9fff]", layer.title.zh + layer.description.zh), layer.id
        assert layer.title.en.isascii(), layer.id
        assert layer.cim_class in CIM_CLASSES, layer.id


def test_every_name_a_layer_uses_is_a_field_of_it() -> None:
    unknown, types = {}, {}
    for layer in CATALOGUE:
        used = [*layer.prefix, *layer.model.get("properties", ())]
        keys = ("height", "base", "shape", "width_mm", "height_mm")
        used += [layer.model[key] for key in keys if key in layer.model]
        used += [name for name in (layer.identity_field, layer.valid_from_field) if name]
        used += [layer.style[key] for key in ("by", "label") if key in layer.style]
        unknown[layer.id] = set(used) - set(layer.field_names)
        types[layer.id] = {field.type for field in layer.fields} - set(get_args(FieldType))

    assert {layer: names for layer, names in unknown.items() if names} == {}
    assert {layer: names for layer, names in types.items() if names} == {}


def test_colours_can_be_drawn_and_codes_have_words() -> None:
    for layer in CATALOGUE:
        colors = [layer.style[key] for key in ("color", "line_color") if key in layer.style]
        for color in [*colors, *layer.style.get("colors", {}).values()]:
            assert re.fullmatch("#[0-9a-f]{6}", color), (layer.id, color)
        for field in layer.fields:
            assert all(words.zh and words.en for words in field.codes.values()), (layer.id, field.name)


def test_a_colour_by_code_stands_for_a_code_that_exists() -> None:
    for layer in CATALOGUE:
        by = layer.field_of(layer.style.get("by", ""))
        if by is not None and by.codes:
            assert set(layer.style["colors"]) <= set(by.codes), layer.id


def test_pipe_classes_are_the_eight_of_the_standard_with_their_subclasses() -> None:
    line = CATALOGUE["pipe_line"]
    classes, subclasses = line.field_of("class"), line.field_of("subclass")

    assert classes is not None
    assert set(classes.codes) == {"JS", "PS", "RQ", "RL", "DL", "TX", "GY", "QT"}
    assert set(line.style["colors"]) == set(classes.codes)
    assert subclasses is not None
    assert len(subclasses.codes) == 37


def test_a_layer_that_is_not_there_is_refused_with_its_nearest() -> None:
    with pytest.raises(LayerNotFound, match=r"No layer named 'buildings'. Nearest: building"):
        CATALOGUE["buildings"]


def test_a_town_adds_a_layer_and_changes_one_by_what_it_says_only(tmp_path: Path) -> None:
    own = laid_over(
        tmp_path,
        """
[bench]
title = { zh = "长椅", en = "Benches" }
geometry = "Point"
identity = "field:number"
fields = { number = { zh = "编号", en = "Number" } }

[building]
title = { en = "Houses" }
[building.fields.owner]
zh = "业主"
en = "Owner"
codes = "owners"

[codes.owners]
S = { zh = "国有", en = "state" }
""",
    )

    owner = own["building"].field_of("owner")
    assert own["bench"].dimension == 0
    assert (own["building"].title.zh, own["building"].title.en) == ("建筑物", "Houses")
    assert own["building"].geometry == "MultiPolygon"
    assert own["building"].field_names == (*CATALOGUE["building"].field_names, "owner")
    assert owner is not None
    assert owner.codes["S"]("zh") == "国有"
    assert len(own) == len(CATALOGUE) + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[bench", "is not TOML"),
        ("bench = 3", "a table"),
        ("[Bench]", "small letters"),
        ('[bench]\ncolour = "red"', "colour"),
        ('[bench]\nkind = "features"', "kind = 'features'.*feature, raster, observation"),
        ('[bench]\ngeometry = "Polygon"', "geometry = 'Polygon'.*MultiPolygon"),
        ('[bench]\ncim_class = "furniture"', "cim_class = 'furniture'.*sensing"),
        ('[bench]\nidentity = "field:number"', "identity = 'field:number'"),
        ('[bench]\nprefix = ["class"]', "prefix = 'class'"),
        ('[bench]\nfields = { built = {} }\nvalid_from_field = "built"', "valid_from_field = 'built'"),
        ("[bench]\nfields = { a = 3 }", "a table"),
        ('[bench]\nfields = { a = { type = "text" } }', "type = 'text'.*string"),
        ('[bench]\nfields = { a = { codes = "pipe_clas" } }', "codes = 'pipe_clas'.*pipe_class"),
        ("[bench]\nfields = { geometry = {} }", "geometry"),
        ('[bench]\nfields = { "a b" = {} }', "a b"),
        ('[bench]\nstyle = { color = "red" }', "color = 'red'.*#rrggbb"),
        ('[bench]\nstyle = { by = "kind", colors = { x = "#12345" } }\nfields = { kind = {} }', "#12345"),
        ('[bench]\nmodel = { kind = "extrude", height = "height" }', "model.height = 'height'"),
        ('[bench]\nmodel = { kind = "grow" }', "model.kind = 'grow'.*extrude, sweep, mesh"),
        ("[bench]\nzoom = { start = 1.5 }", "start = 1.5"),
        ("[bench]\ntolerance = true", "tolerance = True"),
        ("[bench]\ntolerance = 0", "above 0"),
        ('[bench]\nunderground = "no"', "underground = 'no'.*bool"),
    ],
)
def test_a_broken_table_is_refused_by_name_with_what_was_expected_and_what_to_do(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(CatalogueError, match=f"(?i){said}") as refused:
        laid_over(tmp_path, text)

    assert re.search(r"cannot be used|is not TOML", str(refused.value))
    assert re.search(r"Expected .*\. Correct (the table|that line)", str(refused.value))
    assert refused.value.text("zh") != str(refused.value)
