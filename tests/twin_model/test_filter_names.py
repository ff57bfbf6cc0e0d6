"""A filter is checked against a layer before it reaches a store."""

from typing import Any

import pytest

from twin_model.filter import FieldType, check_names, parse_filter, properties
from twin_model.filter.errors import TypeMismatch, UnknownProperty

QUERYABLES: dict[str, FieldType] = {
    "storeys": "integer",
    "height": "number",
    "name": "string",
    "楼层数": "integer",
    "is_listed": "boolean",
    "built": "date",
    "surveyed": "datetime",
    "geometry": "geometry",
}

FITTING = [
    "storeys > 10 AND height / 3 > storeys",
    "CASEI(name) LIKE 'a%' OR name IN ('a', 'b') OR ACCENTI(name) < 'c'",
    "is_listed AND NOT is_listed = FALSE AND is_listed IS NOT NULL",
    "built = DATE('2024-06-01') AND built < TIMESTAMP('2024-06-01T00:00:00Z')",
    "T_DURING(surveyed, INTERVAL('2024-01-01', '..')) OR surveyed > DATE('2024-06-01')",
    "S_INTERSECTS(geometry, POINT(1 2)) OR geometry IS NULL",
    "built BETWEEN DATE('2024-01-01') AND DATE('2024-12-31')",
    "楼层数 >= storeys",
    "TRUE",
]


@pytest.mark.parametrize("text", FITTING)
def test_a_filter_that_fits_the_layer_passes(text: str) -> None:
    expression = parse_filter(text)

    check_names(expression, QUERYABLES)

    assert properties(expression) <= QUERYABLES.keys()


@pytest.mark.parametrize(
    ("text", "name", "nearest"),
    [
        ("storey > 10", "storey", "storeys"),
        ("NOT (height > 1 OR Storeys = 2)", "Storeys", "storeys"),
        ("楼层 > 10", "楼层", "楼层数"),
        ("S_INTERSECTS(geom, POINT(1 2))", "geom", "geometry"),
        ("T_AFTER(survey, DATE('2024-06-01'))", "survey", "surveyed"),
        ("name IN ('a', nam)", "nam", "name"),
        ("heigt IS NULL", "heigt", "height"),
    ],
)
def test_an_unknown_property_is_named_with_its_nearest(text: str, name: str, nearest: str) -> None:
    with pytest.raises(UnknownProperty) as refusal:
        check_names(parse_filter(text), QUERYABLES)

    assert refusal.value.values["name"] == name
    assert refusal.value.values["nearest"][0] == nearest


MISMATCHES: list[tuple[str, dict[str, Any]]] = [
    ("storeys > '10'", {"operator": ">", "found": "number and text"}),
    ("storeys < '10'", {"hint": "write numbers without quotes, texts in single quotes"}),
    ("name = 5", {"found": "text and number"}),
    ("is_listed = 1", {"hint": "write TRUE or FALSE"}),
    ("is_listed > FALSE", {"found": "boolean"}),
    ("built = '2024-06-01'", {"hint": "write DATE('2024-06-01')"}),
    ("built = surveyed", {"found": "date and datetime"}),
    ("storeys LIKE '1%'", {"operator": "LIKE", "expected": "text"}),
    ("CASEI(storeys) = 'a'", {"operator": "CASEI"}),
    ("name + 1 = 2", {"operator": "+", "expected": "number"}),
    ("storeys BETWEEN 1 AND 'b'", {"operator": "BETWEEN"}),
    ("storeys IN (1, 'b')", {"operator": "IN"}),
    ("S_INTERSECTS(name, POINT(1 2))", {"hint": "the geometry is called geometry"}),
    ("geometry = name", {"found": "geometry"}),
    ("geometry IN (geometry)", {"found": "geometry"}),
    ("T_AFTER(storeys, DATE('2024-06-01'))", {"operator": "T_AFTER", "found": "number"}),
    ("T_INTERSECTS(INTERVAL(built, surveyed), DATE('2024-06-01'))", {"found": "date and datetime"}),
    ("name", {"found": "text and boolean"}),
]


@pytest.mark.parametrize(("text", "values"), MISMATCHES, ids=[text for text, _ in MISMATCHES])
def test_operands_of_the_wrong_type_are_refused_with_a_hint(text: str, values: dict[str, Any]) -> None:
    with pytest.raises(TypeMismatch) as refusal:
        check_names(parse_filter(text), QUERYABLES)

    assert values.items() <= refusal.value.values.items()
    assert refusal.value.values["hint"]
