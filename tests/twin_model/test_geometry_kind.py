"""Every name that GDAL or the catalogue has for points, lines and areas tells their dimension."""

from typing import get_args

import pytest

from twin_model.geometry_kind import GEOMETRY_KINDS, LAYER_GEOMETRIES, GeometryType, dimension_of

OF_GDAL = [
    "Measured 3D {}",
    "Measured 3D Multi{}",
    "Measured {}",
    "Measured Multi{}",
    "{} Z",
    "Multi{} Z",
    "{}M",
    "{}",
    "Multi{}",
]


@pytest.mark.parametrize(("dimension", "kind"), list(enumerate(GEOMETRY_KINDS)))
def test_a_dimension_is_known_by_every_name_with_heights_and_measures_or_without(dimension: int, kind: str) -> None:
    names = [name.format(kind) for name in OF_GDAL] + [name for name in get_args(GeometryType) if kind in name]

    assert {name: dimension_of(name) for name in names} == dict.fromkeys(names, dimension)


def test_what_holds_anything_or_nothing_has_no_dimension() -> None:
    names = (None, "", "Unknown", "None", "GeometryCollection", "GeometryCollection Z", "LinearRing")

    assert [dimension_of(name) for name in names] == [None] * len(names)


def test_layers_described_from_data_hold_each_dimension() -> None:
    assert [dimension_of(geometry) for geometry in LAYER_GEOMETRIES] == [0, 1, 2]
