"""Columns that come again are the fields they are, whatever case they have and wherever a shapefile cut them."""

import pytest

from twin_model.catalogue import layer_of
from twin_model.catalogue.known_columns import cut_names, known_columns
from twin_model.layer import Layer

NAMES = ["地块编号", "OWNER", "建筑物名称说明", "长文本说明字段", "长文本说明字段二", "description"]


def layer(names: list[str]) -> Layer:
    fields = {f"f{n}": {"type": "string", "zh": name, "en": name, "aliases": [name]} for n, name in enumerate(names)}
    return layer_of("own", {"geometry": "Point", "fields": fields})


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_names_that_a_shapefile_cuts_are_the_fields_they_were_and_the_other_way_round(encoding: str) -> None:
    cut = list(cut_names(NAMES, encoding))

    again, whole = known_columns(layer(NAMES), cut), known_columns(layer(cut), NAMES)

    assert [again[name].name for name in cut] == [f"f{n}" for n in range(len(NAMES))]
    assert {"地块编号", "OWNER", "建筑物名称说明", "description"} <= set(whole)
    assert all(field.name == f"f{NAMES.index(name)}" for name, field in whole.items())


def test_names_that_are_alike_when_cut_are_told_apart_by_a_number_as_gdal_does() -> None:
    assert list(cut_names(NAMES, "utf-8"))[3:] == ["长文本", "长文_1", "descriptio"]


def test_a_whole_name_comes_first_and_a_field_is_taken_once() -> None:
    known = known_columns(layer(["地块编号", "地块编", "Area"]), ["地块编", "area", "AREA"])

    assert {name: field.name for name, field in known.items()} == {"地块编": "f1", "area": "f2"}


def test_names_that_merely_begin_alike_are_two() -> None:
    assert known_columns(layer(["name", "建筑"]), ["name_en", "建筑物名称说明"]) == {}
