"""Names of any script as ids of layers."""

import pytest

from twin_model.catalogue.ascii_name import ascii_name
from twin_model.catalogue.layer_from_frame import is_layer_id


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("parcels", "parcels"),
        ("Parcels-2020", "parcels_2020"),
        ("地块界线 2020", "dkjx_2020"),
        ("房屋建筑", "fwjz"),
        ("啊座", "az"),
        ("Grüße", "gru_e"),
        ("2020 roads", "layer_2020_roads"),
        ("дорога", "layer"),
        ("", "layer"),
        ("x" * 60, "x" * 40),
    ],
)
def test_a_name_becomes_letters_digits_and_underscores(name: str, expected: str) -> None:
    assert ascii_name(name) == expected
    assert is_layer_id(ascii_name(name))
