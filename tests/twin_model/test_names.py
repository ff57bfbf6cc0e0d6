"""Layers and fields by their id or by their title: what a person would call them, and a slip answered with the nearest."""

from typing import get_args

import pytest

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.desk.names import LayerName, field_named, fields_named, layer_named
from twin_model.errors import LayerNotFound, QueryRefused


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return read_catalogue()


@pytest.mark.parametrize("name", ["building", "建筑物", "Buildings", " 建筑物 "])
def test_a_layer_is_found_by_its_id_and_by_its_title_in_either_language(catalogue: Catalogue, name: str) -> None:
    assert layer_named(catalogue, name).id == "building"


@pytest.mark.parametrize("name", ["storeys", "地上层数", "层数", "Storeys above ground"])
def test_a_field_is_found_by_its_name_its_titles_and_its_aliases(catalogue: Catalogue, name: str) -> None:
    assert field_named(catalogue["building"], name).name == "storeys"


def test_an_alias_that_fits_another_field_is_not_taken_for_it(catalogue: Catalogue) -> None:
    assert fields_named(catalogue["building"], ["层数", "storeys_below", "层数"]) == ("storeys", "storeys_below")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("建筑", "building"), ("bulding", "building"), ("buildings", "building"), ("管线", "pipe_line"), (7, "")],
)
def test_a_slip_in_a_layers_name_is_answered_with_the_nearest(catalogue: Catalogue, name: str, nearest: str) -> None:
    with pytest.raises(LayerNotFound) as caught:
        layer_named(catalogue, name)

    assert nearest in caught.value.text("en") and nearest in caught.value.text("zh")
    assert "town.layers()" in caught.value.text("zh") and "twin status" not in caught.value.text("en")


def test_a_slip_in_a_fields_name_is_answered_with_the_nearest_or_with_all(catalogue: Catalogue) -> None:
    with pytest.raises(QueryRefused, match="storeys"):
        field_named(catalogue["building"], "storey")
    with pytest.raises(QueryRefused) as caught:
        field_named(catalogue["building"], "weather")
    for name in catalogue["building"].field_names:
        assert name in caught.value.text("en")


def test_an_editor_offers_every_layer_of_the_house(catalogue: Catalogue) -> None:
    (offered,) = (set(get_args(kind)) for kind in get_args(LayerName) if get_args(kind))

    assert offered == {layer.id for layer in catalogue.of_kind("feature")}
    assert {"building", "建筑物", "Buildings"} <= set(catalogue._ipython_key_completions_())
