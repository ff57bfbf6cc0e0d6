"""Mappings: which entry fits, which column feeds a field, and which tables are refused before anything is read."""

from pathlib import Path

import pytest

from ingest.mapping import LayerMapping, Mapping, ensure_fits, read_mapping, standard_mapping
from twin_model.catalogue import read_catalogue
from twin_model.errors import CatalogueError, CrsRefused, LayerNotFound


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "office.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_first_entry_whose_pattern_fits_wins(tmp_path: Path) -> None:
    mapping = read_mapping(
        written(tmp_path, '[[layer]]\nfrom = ["房*"]\nto = "building"\n[[layer]]\nfrom = "*"\nto = "road_area"\n')
    )

    assert mapping.layer_for("房屋面").to == "building"  # type: ignore[union-attr]
    assert mapping.layer_for("道路").to == "road_area"  # type: ignore[union-attr]


def test_a_field_takes_the_first_of_its_names_that_is_there_in_any_case() -> None:
    entry = LayerMapping(("*",), "building", fields={"name": ("名称", "NAME"), "height": ("高度",)})

    assert entry.source_fields(["Name", "id"]) == {"name": "Name"}


def test_a_column_that_is_called_as_a_field_feeds_it_where_the_entry_finds_no_other() -> None:
    entry = LayerMapping(("*",), "building", fields={"storeys_below": ("地下层数",), "name": ("usage",), "code": ()})
    names = ["storeys_below", "name", "usage", "code", "height"]

    assert entry.columns_of_fields(names, ["storeys_below", "code", "Height"]) == {
        "storeys_below": "storeys_below",
        "height": "Height",
    }
    assert entry.columns_of_fields(names, ["地下层数", "storeys_below"]) == {"storeys_below": "地下层数"}
    assert entry.columns_of_fields(["name", "usage"], ["usage"]) == {"name": "usage", "usage": "usage"}


@pytest.mark.parametrize(
    ("full", "cut"),
    [("地上总建筑层数", "地上总建筑"), ("地上总建筑层数", "地上总"), ("foundation_depth", "foundation")],
)
def test_a_name_cut_to_ten_bytes_of_gbk_or_utf_8_is_found(full: str, cut: str) -> None:
    entry = LayerMapping(("*",), "building", fields={"storeys": (full,)}, valid_from=full)

    assert entry.source_fields([cut]) == {"storeys": cut}
    assert entry.dated_by([cut]) == cut


def test_every_entry_of_the_standard_mapping_names_layers_and_fields_of_the_catalogue() -> None:
    ensure_fits(standard_mapping("vector"), read_catalogue())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer = 3", "cannot be used: layer"),
        ('[[layer]]\nfrom = "a"\n', "cannot be used: from, to"),
        ('[[layer]]\nfrom = "a"\nto = "building"\nfeilds = {}\n', "cannot be used: feilds"),
        ('[[layer]]\nfrom = "a"\nto = "building"\nfields = "name"\n', "cannot be used: fields"),
        (
            '[[layer]]\nfrom = "a"\nto = "building"\nvalues = { usage = "x" }\n',
            r"cannot be used: values\.usage",
        ),
        ('[option]\nunits = "mm"\n', r"cannot be used: option\. .*options"),
        ("[options]\nclosing_gop = 0.5\n", r"cannot be used: options\.closing_gop.*closing_gap"),
        ('options = "mm"\n', r"cannot be used: options\.mm"),
        ("[[layer", "cannot be read"),
    ],
)
def test_a_table_that_means_nothing_is_refused_with_what_would(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=message):
        read_mapping(written(tmp_path, text))


def test_a_field_the_layer_has_not_is_refused_with_those_it_has(tmp_path: Path) -> None:
    mapping = read_mapping(
        written(tmp_path, '[[layer]]\nfrom = "a"\nto = "building"\nconstants = { colour = "red" }\n')
    )

    with pytest.raises(CatalogueError, match=r"building: colour.*storeys"):
        ensure_fits(mapping, read_catalogue())


def test_a_layer_the_town_has_not_is_refused(tmp_path: Path) -> None:
    mapping = read_mapping(written(tmp_path, '[[layer]]\nfrom = "a"\nto = "bilding"\n'))

    with pytest.raises(LayerNotFound, match="Nearest: building"):
        ensure_fits(mapping, read_catalogue())


def test_the_crs_of_a_mapping_is_checked_when_it_is_read(tmp_path: Path) -> None:
    assert read_mapping(written(tmp_path, "crs = 4548")).crs == "EPSG:4548"
    with pytest.raises(CrsRefused):
        read_mapping(written(tmp_path, 'crs = "EPSG:99999999"'))


def test_a_name_without_a_bar_never_names_a_kind_of_geometry_or_an_entity_type() -> None:
    plain = LayerMapping(("*point*",), "annotation")
    narrowed = LayerMapping(("road*|LineString",), "road_line")

    assert plain.fits("points2d") and not plain.fits_part("geometry2d", "Point")
    assert narrowed.fits_part("roads", "LineString") and not narrowed.fits("roads")
    assert Mapping("m", (plain, narrowed)).entries_for("geometry2d") == []
    assert Mapping("m", (plain, narrowed)).entries_for("roads") == [narrowed]
