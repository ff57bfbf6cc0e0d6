"""CQL2 text and JSON become one tree, and nothing that is not a filter gets further than a `FilterError`."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from time import perf_counter
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from twin_model.filter import FilterError, parse_filter
from twin_model.filter.errors import (
    FilterSyntaxError,
    FilterTooDeep,
    FilterTooLong,
    GeometryTooDeep,
    InvalidFilter,
    InvalidGeometry,
    InvalidLiteral,
    UnsupportedLanguage,
    UnsupportedOperator,
)
from twin_model.filter.expression import (
    Arithmetic,
    Comparison,
    Constant,
    FunctionCall,
    Instant,
    IntervalLiteral,
    Logical,
    Not,
    Property,
    Spatial,
    Temporal,
)
from twin_model.filter.json_form import MAX_HEIGHT
from twin_model.filter.spatial import GEOMETRY_TYPES
from twin_model.filter.text_form import MAX_TERMS

A_IS_1 = {"op": "=", "args": [{"property": "a"}, 1]}
B_IS_2 = {"op": "=", "args": [{"property": "b"}, 2]}
EO, AREA = {"property": "eo:cloud_cover"}, {"property": "area"}
GEOMETRY, UPDATED = {"property": "geometry"}, {"property": "updated"}
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 3], [0, 3], [0, 0]]]}

# Filters of the kinds shown in OGC 21-065r2, in both encodings.
PAIRS: list[tuple[str, Any]] = [
    ("eo:cloud_cover < 0.1", {"op": "<", "args": [EO, 0.1]}),
    ("avg_height <> 3", {"op": "<>", "args": [{"property": "avg_height"}, 3]}),
    ("area * 2 + 1 >= 7.0", {"op": ">=", "args": [
        {"op": "+", "args": [{"op": "*", "args": [AREA, 2]}, 1]}, 7]}),
    ("vehicle_height > (bridge_clearance - 1)", {"op": ">", "args": [{"property": "vehicle_height"}, {
        "op": "-", "args": [{"property": "bridge_clearance"}, 1]}]}),
    ("owner LIKE 'Mike%'", {"op": "like", "args": [{"property": "owner"}, "Mike%"]}),
    ("owner NOT LIKE '%Mike%'", {"op": "not", "args": [
        {"op": "like", "args": [{"property": "owner"}, "%Mike%"]}]}),
    ("CASEI(owner) LIKE casei('Mike%')", {"op": "like", "args": [
        {"op": "casei", "args": [{"property": "owner"}]}, {"op": "casei", "args": ["Mike%"]}]}),
    ("ACCENTI(etat) = ACCENTI('débárquér')", {"op": "=", "args": [
        {"op": "accenti", "args": [{"property": "etat"}]}, {"op": "accenti", "args": ["débárquér"]}]}),
    ("depth BETWEEN 100.0 AND 150.5", {"op": "between", "args": [{"property": "depth"}, 100, 150.5]}),
    ("category IN (1, 2, 3)", {"op": "in", "args": [{"property": "category"}, [1, 2, 3]]}),
    ("geophys:MIN IS NOT NULL", {"op": "not", "args": [
        {"op": "isNull", "args": [{"property": "geophys:MIN"}]}]}),
    ("(a = 1 OR b = 2) AND NOT c = TRUE", {"op": "and", "args": [
        {"op": "or", "args": [A_IS_1, B_IS_2]},
        {"op": "not", "args": [{"op": "=", "args": [{"property": "c"}, True]}]}]}),
    ("a = 1 AND (b = 2 AND c = 3)", {"op": "and", "args": [
        {"op": "and", "args": [A_IS_1, B_IS_2]},
        {"op": "=", "args": [{"property": "c"}, 3]}]}),
    ("S_INTERSECTS(geometry, POINT(36.3 32.2))", {"op": "s_intersects", "args": [
        GEOMETRY, {"type": "Point", "coordinates": [36.3, 32.2]}]}),
    ("S_INTERSECTS(geometry, BBOX(-180, -90, 180, 90))", {"op": "s_intersects", "args": [
        GEOMETRY, {"bbox": [-180, -90, 180, 90]}]}),
    ("S_WITHIN(POLYGON((0 0, 4 0, 4 3, 0 3, 0 0)), geometry)", {"op": "s_within", "args": [
        SQUARE, GEOMETRY]}),
    ("S_CROSSES(geometry, LINESTRING(1.5 -2.25, 1e1 2E-1))", {"op": "s_crosses", "args": [
        GEOMETRY, {"type": "LineString", "coordinates": [[1.5, -2.25], [10, 0.2]]}]}),
    ("updated >= date('1999-11-05')", {"op": ">=", "args": [UPDATED, {"date": "1999-11-05"}]}),
    ("T_AFTER(updated, TIMESTAMP('2012-08-10T05:30:00Z'))", {"op": "t_after", "args": [
        UPDATED, {"timestamp": "2012-08-10T05:30:00Z"}]}),
    ("T_DURING(updated, INTERVAL('2017-06-10', '..'))", {"op": "t_during", "args": [
        UPDATED, {"interval": ["2017-06-10", ".."]}]}),
    ("T_INTERSECTS(INTERVAL(valid_from, valid_to), INTERVAL('1969-07-16T05:32:00Z', '1969-07-24T16:50:35Z'))",
     {"op": "t_intersects", "args": [
         {"interval": [{"property": "valid_from"}, {"property": "valid_to"}]},
         {"interval": ["1969-07-16T05:32:00Z", "1969-07-24T16:50:35Z"]}]}),
    ("楼层数 > 10 AND 名称 = '高铁''新城'", {"op": "and", "args": [
        {"op": ">", "args": [{"property": "楼层数"}, 10]},
        {"op": "=", "args": [{"property": "名称"}, "高铁'新城"]}]}),
    ('"层 数""x" = \'a"b\'', {"op": "=", "args": [{"property": '层 数"x'}, 'a"b']}),
    ("TRUE", True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), PAIRS, ids=[text for text, _ in PAIRS])
def test_text_and_json_of_one_filter_are_the_same_expression(text: str, tree: Any) -> None:
    from_text = parse_filter(text)

    assert parse_filter(tree, lang="cql2-json") == from_text
    assert parse_filter(json.dumps(tree), lang="cql2-json") == from_text
    assert hash(parse_filter(tree, lang="cql2-json")) == hash(from_text)


def test_keywords_and_functions_may_be_written_in_any_case() -> None:
    lower = parse_filter("not (a between 1 and 2) or casei(b) in (casei('X')) and c is null")

    assert lower == parse_filter("NOT (a BETWEEN 1 AND 2) OR CASEI(b) IN (CASEI('X')) AND c IS NULL")


def test_and_binds_more_tightly_than_or_and_brackets_bind_most() -> None:
    loose = parse_filter("a = 1 OR b = 2 AND c = 3")
    bound = parse_filter("(a = 1 OR b = 2) AND c = 3")

    assert isinstance(loose, Logical) and loose.operator == "or"
    assert isinstance(bound, Logical) and bound.operator == "and"


def test_arithmetic_keeps_precedence_through_brackets() -> None:
    a, b = Property("a"), Property("b")

    expression = parse_filter("(a + b) * 2 = a - (b - 1)")

    left = Arithmetic("*", Arithmetic("+", a, b), Constant(2))
    assert expression == Comparison("=", left, Arithmetic("-", a, Arithmetic("-", b, Constant(1))))


def test_a_whole_number_is_an_integer_and_true_is_not_one() -> None:
    assert parse_filter("a = 10.0") == Comparison("=", Property("a"), Constant(10))
    assert parse_filter("a = TRUE") != parse_filter("a = 1")
    assert parse_filter("a") == parse_filter("a = TRUE")


def test_a_backslash_before_a_quote_is_a_quote_where_nothing_else_makes_a_filter() -> None:
    assert parse_filter(r"a = 'it\'s'") == parse_filter("a = 'it''s'")
    assert parse_filter(r"a = 'C:\' AND b = 'x'") == Logical(
        "and",
        (
            Comparison("=", Property("a"), Constant("C:\\")),
            Comparison("=", Property("b"), Constant("x")),
        ),
    )


def test_names_may_begin_with_an_underscore_and_quoted_names_may_be_keywords() -> None:
    assert parse_filter("_a = 1") == Comparison("=", Property("_a"), Constant(1))
    assert parse_filter('"not" = 1') == Comparison("=", Property("not"), Constant(1))


def test_temporal_literals_are_days_or_instants_in_utc() -> None:
    expression = parse_filter("T_DURING(seen, INTERVAL('2024-01-01', TIMESTAMP('2024-06-01T08:00:00+08:00')))")

    end = Instant(datetime(2024, 6, 1, tzinfo=UTC))
    assert expression == Temporal("during", Property("seen"), IntervalLiteral(Instant(date(2024, 1, 1)), end))


def test_the_property_of_a_spatial_predicate_stands_first_and_within_turns_into_contains() -> None:
    expression = parse_filter("S_WITHIN(POINT(1 2), geometry)")

    assert isinstance(expression, Spatial)
    assert (expression.operator, expression.property.name) == ("contains", "geometry")
    assert parse_filter("S_WITHIN(POINT(1 1), BBOX(0, 0, 2, 2))") == parse_filter("TRUE")


def test_a_box_without_area_is_a_line_or_a_point() -> None:
    point, line = (
        parse_filter("S_INTERSECTS(g, BBOX(1,2,1,2))"),
        parse_filter("S_INTERSECTS(g, BBOX(1,2,1,5))"),
    )

    assert isinstance(point, Spatial) and point.geometry.shape == shapely.Point(1, 2)
    assert isinstance(line, Spatial) and line.geometry.shape == shapely.LineString([(1, 2), (1, 5)])


REFUSED: list[tuple[Any, type[FilterError], dict[str, Any]]] = [
    ("", FilterSyntaxError, {"position": 1}),
    ("a = 1 AND (b = 2 AND c 3)", FilterSyntaxError, {"position": 24, "near": "3)"}),
    ("a = 1\nAND\nb == 2", FilterSyntaxError, {"position": 14, "expected": "= to compare"}),
    ("_x = 1 AND (y = 2) nonsense", FilterSyntaxError, {"position": 20, "near": "nonsense"}),
    ("(a = 1", FilterSyntaxError, {"position": 7, "expected": "a closing bracket"}),
    ("a = 1)", FilterSyntaxError, {"position": 6}),
    ("名称 = '高铁", FilterSyntaxError, {"position": 6}),
    ("楼层＝1", FilterSyntaxError, {"position": 3, "expected": "ASCII punctuation"}),
    ("a ILIKE 'x'", FilterSyntaxError, {"near": "ILIKE 'x'"}),
    ('"a\x01" = 1', FilterSyntaxError, {}),
    ("a = NULL", InvalidFilter, {"found": "NULL"}),
    ("a < b < c", InvalidFilter, {}),
    ("a + 1", InvalidFilter, {}),
    ("name LIKE other", InvalidFilter, {}),
    ("S_INTERSECTS(g, h)", InvalidFilter, {}),
    ("S_INTERSECTS(g, BBOX(1, 2, 3))", InvalidFilter, {}),
    ("T_MEETS(d, DATE('2024-01-01'))", InvalidFilter, {"found": "an instant in T_MEETS"}),
    ("d = DATE('2024-02-30')", InvalidLiteral, {"text": "2024-02-30"}),
    ("d = TIMESTAMP('2024-02-03')", InvalidLiteral, {"kind": "timestamp"}),
    ("T_AFTER(d, INTERVAL('2024-02-01', '2023-02-01'))", InvalidLiteral, {"kind": "interval"}),
    ("a = 9007199254740993", InvalidLiteral, {"kind": "number", "text": "9007199254740993"}),
    ("a = 1e400", InvalidLiteral, {"kind": "number"}),
    ("a = 'x\x00y'", InvalidLiteral, {"kind": "text"}),
    ("a = '\ud800'", InvalidLiteral, {"kind": "text"}),
    ("S_INTERSECTS(g, POLYGON((0 0, 2 2, 2 0, 0 2, 0 0)))", InvalidGeometry, {"kind": "Polygon"}),
    ("S_INTERSECTS(g, POLYGON EMPTY)", InvalidGeometry, {"reason": "it is empty"}),
    ("S_INTERSECTS(g, BBOX(3, 0, 1, 1))", InvalidGeometry, {"kind": "BBOX"}),
    ("A_CONTAINS(tags, ('a', 'b'))", UnsupportedOperator, {"name": "a_contains", "nearest": ("in",)}),
    ("S_INTERSECT(g, POINT(1 2))", UnsupportedOperator, {"name": "S_INTERSECT"}),
    ("UPPER(name) = 'A'", UnsupportedOperator, {"name": "UPPER"}),
    ({"op": "="}, InvalidFilter, {}),
    ({"op": "=", "args": [1]}, InvalidFilter, {"expected": "2 arguments for ="}),
    ({"op": "in", "args": [1, []]}, InvalidFilter, {}),
    ({"op": "=", "args": [1, 2**63]}, InvalidLiteral, {}),
    ({"op": "=", "args": [1, {1, 2}]}, InvalidFilter, {"found": "set"}),
    (None, InvalidFilter, {}),
    ('{"op": "=", "args": [1, NaN]}', InvalidLiteral, {"text": "NaN"}),
    ('{"op": "=", "args": [1, ' + "9" * 5000 + "]}", InvalidLiteral, {}),
    ('{"op": "=", ', FilterSyntaxError, {"position": 13}),
]


@pytest.mark.parametrize(("source", "error", "values"), REFUSED, ids=[ascii(one[0])[:60] for one in REFUSED])
def test_what_is_not_a_filter_is_refused_with_the_place_and_the_reason(
    source: Any, error: type[FilterError], values: dict[str, Any]
) -> None:
    is_json = not isinstance(source, str) or source.startswith("{")

    with pytest.raises(error) as refusal:
        parse_filter(source, lang="cql2-json" if is_json else "cql2-text")

    assert values.items() <= refusal.value.values.items()


def test_a_misspelt_operator_names_its_neighbour() -> None:
    with pytest.raises(UnsupportedOperator) as refusal:
        parse_filter("S_INTERSECT(g, POINT(1 2))")

    assert refusal.value.values["nearest"][0] == "s_intersects"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UnsupportedLanguage) as refusal:
        parse_filter("a = 1", lang="ecql")  # type: ignore[arg-type]

    assert refusal.value.values["lang"] == "ecql"


def test_length_is_checked_before_anything_else() -> None:
    with pytest.raises(FilterTooLong) as refusal:
        parse_filter("(" * 100_000)

    assert refusal.value.values == {"length": 100_000, "limit": 16_384, "unit": "characters"}


DEEP = {
    "brackets": "(" * 100_000 + "a = 1" + ")" * 100_000,
    "not": "NOT " * 100_000 + "a = 1",
    "minus": "a = " + "-" * 100_000 + "1",
    "plus": "a = " + "+".join(["1"] * 100_000),
    "compare": "<".join(["a"] * 100_000),
    "between": "a" + " BETWEEN 1 AND 1" * 100_000,
    "calls": "CASEI(" * 100_000 + "a" + ")" * 100_000 + " = 'x'",
    "lists": "a IN " + "(" * 100_000 + "1" + ")" * 100_000,
    "wkt": "S_INTERSECTS(g, POLYGON" + "(" * 100_000 + "1 1" + ")" * 100_001,
    "or in brackets": "(a OR " * 100_000 + "a" + ")" * 100_000,
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP.keys())
def test_a_deep_text_is_refused_before_the_parser_that_would_end_the_process(source: str) -> None:
    with pytest.raises(FilterTooDeep) as refusal:
        parse_filter(source, max_length=10_000_000)

    assert refusal.value.values["limit"] == (2 if "POLYGON" in source else 64)


@pytest.mark.parametrize("source", ["[" * 100_000, '{"a":' * 100_000, '{"op":"not","args":[' * 100_000])
def test_a_deep_json_text_is_refused_before_the_parser(source: str) -> None:
    with pytest.raises(FilterTooDeep):
        parse_filter(source, lang="cql2-json", max_length=10_000_000)


def test_deep_and_endless_json_values_are_refused() -> None:
    tree: dict[str, Any] = {"op": "not", "args": []}
    tree["args"].append(tree)

    with pytest.raises(FilterTooDeep):
        parse_filter(tree, lang="cql2-json")


def test_a_wide_json_value_is_too_long() -> None:
    wide: dict[str, Any] = {"op": "in", "args": [{"property": "a"}, list(range(20_000))]}

    with pytest.raises(FilterTooLong):
        parse_filter(wide, lang="cql2-json")


def test_too_many_terms_are_refused_and_many_are_read() -> None:
    many = parse_filter(" OR ".join(["a = 1"] * 1_000))

    assert isinstance(many, Logical) and len(many.arguments) == 1_000
    with pytest.raises(FilterTooLong) as refusal:
        parse_filter(" OR ".join(["a"] * (MAX_TERMS + 1)), max_length=1_000_000)
    assert refusal.value.values["unit"] == "terms"


def test_brackets_around_brackets_do_not_count_as_height_but_alternating_conditions_do() -> None:
    assert parse_filter("(" * 60 + "a = 1" + ")" * 60) == parse_filter("a = 1")
    with pytest.raises(FilterTooDeep) as refusal:
        parse_filter("(a OR (b AND " * MAX_HEIGHT + "c" + "))" * MAX_HEIGHT)
    assert refusal.value.values["limit"] == MAX_HEIGHT


@pytest.mark.parametrize("text", ["(" * 50 + "a = " + ")" * 50, "NOT (" * 30 + "a b" + ")" * 30, "(" * 50 + "a"])
def test_a_mistake_inside_many_brackets_is_found_at_once(text: str) -> None:
    """The parser alone needs 2^n steps for n brackets: this test would not end."""
    with pytest.raises(FilterSyntaxError):
        parse_filter(text)


# What opens a bracket or continues a chain, and what closes it.
LEVELS = [
    ("(", ")"), ("(a = ", ")"), ("NOT (", ")"), ("-(", ")"), ("1 + (", ")"), ("a < (", ")"), ("a LIKE (", ")"), ("a BETWEEN (", ") AND (1)"),
    ("a BETWEEN 1 AND (", ")"), ("a IS NULL AND (", ")"), ("(1, ", ")"), ("(\n\t(", "))"),
    ("a IN (", ")"), ("a in(", ")"), ("a NOT IN\n (", ")"), ("a IN (1, ", ", 2)"), ("(a IN (", "))"), ("'x' IN (", ")"), ("a IN ((", "))"), ("CASEI(a) IN (CASEI(", "))"),
    ("f(", ")"), ("f (1, ", ", 2)"), ('"f"(', ")"), ("CASEI(", ")"), ("ACCENTI( CASEI(", "))"), ("f(a IN (", "))"), ("f(a = (", "))"), ("a IN (f(", "))"), ("f((", "))"),
    ("BBOX(", ")"), ("ENVELOPE(", ")"), ("INTERVAL(", ")"), ("DATE(", ")"), ("TIMESTAMP(", ")"), ("S_WITHIN(g, ", ")"), ("T_AFTER(a, ", ")"), ("A_EQUALS(a, (", "))"),
    *((f"{name}{suffix}(", ")") for name in map(str.upper, sorted(GEOMETRY_TYPES)) for suffix in ("", "Z", " ZM ")),
    ("POLYGON((", "))"), ("multipolygon(((", ")))"), ("a IN (POLYGON(", "))"), ("POLYGON(a IN (", "))"), ("GEOMETRYCOLLECTION(POINT(1 1), POLYGON(", "))"), ("POLYGON EMPTY(", ")"),
    ("NOT ", ""), ("-", ""), ("a = ", ""), ("a + ", ""), ("a ^ ", ""), ("a LIKE ", ""), ("a BETWEEN ", " AND 1"), ("a AND ", ""), ("a = 1 OR ", ""), ("a IS NOT NULL AND ", ""), ("'", ""), ('"', ""),
]  # fmt: skip


@pytest.mark.parametrize("middle", ["!!", "1", ""])
def test_no_construct_makes_the_time_of_reading_grow_faster_than_its_levels(middle: str) -> None:
    """The parser alone needs 2^n steps for n levels of IN or of a geometry's brackets."""
    for start, end in LEVELS:
        wrapped = start * 20 + middle
        for closed in (True, False):
            short, half, long = (
                _reading_time(start * levels + middle + end * levels * closed) for levels in (12, 16, 20)
            )

            assert half < 8 * short and long < 16 * short, (wrapped, closed)


# Of CQL2 JSON: what stands around an inner value, once a level.
JSON_LEVELS = [
    ('{"op":"not","args":[', "]}"), ('{"op":"and","args":[true,', "]}"), ('{"op":"or","args":[', ",false]}"), ('{"op":"casei","args":[', "]}"), ('{"op":"accenti","args":[', "]}"),
    ('{"op":"+","args":[1,', "]}"), ('{"op":"-","args":[', "]}"), ('{"op":"^","args":[', ",2]}"), ('{"op":"=","args":[', ",1]}"), ('{"op":"in","args":[{"property":"a"},[', "]]}"),
    ('{"op":"like","args":[', ",'a']}"), ('{"op":"between","args":[', ",1,2]}"), ('{"op":"isNull","args":[', "]}"), ('{"op":"f","args":[', "]}"), ("[", "]"), ('{"a":', "}"),
    ('{"property":', "}"), ('{"date":', "}"), ('{"interval":[', ",1]}"), ('{"bbox":[', "]}"), ('{"type":"Polygon","coordinates":[', "]}"), ('{"op":"a_equals","args":[[', "]]}"),
    ('{"op":"s_within","args":[{"property":"g"},', "]}"), ('{"op":"t_after","args":[{"property":"a"},', "]}"), ('{"type":"GeometryCollection","geometries":[', "]}"),
]  # fmt: skip


@pytest.mark.parametrize("middle", ["!!", "1", '{"property":"a"}'])
def test_no_construct_of_json_makes_the_time_of_reading_grow_faster_than_its_levels(middle: str) -> None:
    for start, end in JSON_LEVELS:
        for closed in (True, False):
            short, long = (
                _reading_time(start * levels + middle + end * levels * closed, "cql2-json") for levels in (12, 48)
            )

            assert long < 16 * short + 0.002, (start, middle, closed)


WIDE = {
    "many names": lambda n: " OR ".join(["(a = 1)"] * n),
    "many strings": lambda n: "a IN (" + ", ".join(["'it''s'"] * n) + ")",
    "quotes": lambda n: "a = '" + "''" * n + "'",
    "other quotes": lambda n: "a = '" + "\\'" * n + "' x",
    "an open text": lambda n: "'" * (2 * n + 1),
    "commas": lambda n: "," * n,
    "a mistake at the end": lambda n: " OR ".join(["(a = 1)"] * n) + " OR (x y)",
    "a line": lambda n: "S_WITHIN(g, LINESTRING(" + ", ".join(f"{k} 1e1" for k in range(n)) + "))",
    "many points": lambda n: "S_WITHIN(g, MULTIPOINT(" + ", ".join(f"({k} 1)" for k in range(n)) + ",))",
    "a long name": lambda n: "a.b" * n + " = 1",
    "digits": lambda n: "a = 0." + "1" * n,
}


def test_nothing_wide_makes_the_time_of_reading_grow_faster_than_its_width() -> None:
    for name, wide in WIDE.items():
        short, long = (_reading_time(wide(number)) for number in (300, 1_500))

        assert long < 15 * short + 0.002, name


def _reading_time(text: str, lang: Any = "cql2-text") -> float:
    """Return the best time of several readings, spaces after the text keep them out of the memory of texts."""
    times = []
    for spaces in range(3):
        started = perf_counter()
        with suppress(FilterError):
            parse_filter(text + " " * spaces, lang=lang)
        times.append(perf_counter() - started)
    return min(times)


GEOMETRIES = [
    "POINT(1 2)",
    "Point Z (1 2 3)",
    "LINESTRINGZ(0 0 1, 1 1 1)",
    "polygon ( ( 0 0, 1 0, 1 1, 0 0 ), (0.3 0.1, 0.4 0.1, 0.4 0.2, 0.3 0.1) )",
    "MULTIPOINT((1 2), (3 4))",
    "MULTIPOINT(1 2, 3 4)",
    "MULTILINESTRING((0 0, 1 1), (2 2, 3 3))",
    "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((2 2, 3 2, 3 3, 2 2)))",
    "GEOMETRYCOLLECTION(POINT(1 2), MULTIPOLYGON\n(((0 0, 1 0, 1 1, 0 0))))",
]


def test_every_kind_of_geometry_is_read_with_the_brackets_it_has() -> None:
    for text in GEOMETRIES:
        expression = parse_filter(f"S_INTERSECTS(geometry, {text}) AND f IN (1, 2)")

        assert isinstance(expression, Logical) and isinstance(expression.arguments[0], Spatial)
        assert expression.arguments[0].geometry.shape == shapely.force_2d(shapely.from_wkt(text))


@pytest.mark.parametrize(
    ("text", "kind", "limit", "position"),
    [
        ("S_WITHIN(g, POINT((1 2)))", "POINT", 1, 19),
        ("S_WITHIN(g, multipolygon z ((((0 0", "MULTIPOLYGON", 3, 31),
        ("POLYGONZ" + "(" * 60, "POLYGON", 2, 11),
    ],
)
def test_a_geometry_with_more_brackets_than_its_kind_has_is_refused_where_they_begin(
    text: str, kind: str, limit: int, position: int
) -> None:
    with pytest.raises(GeometryTooDeep) as refusal:
        parse_filter(text)

    assert refusal.value.values == {"kind": kind, "limit": limit, "position": position}


def test_lists_calls_and_brackets_inside_each_other_keep_their_places() -> None:
    text = "a IN (CASEI('x'), (b + 1), -(2)) AND NOT CASEI(c) IN ('y') AND d NOT IN ((3))"
    tree = {"op": "and", "args": [
        {"op": "in", "args": [{"property": "a"}, [{"op": "casei", "args": ["x"]}, {"op": "+", "args": [{"property": "b"}, 1]}, -2]]},
        {"op": "not", "args": [{"op": "in", "args": [{"op": "casei", "args": [{"property": "c"}]}, ["y"]]}]},
        {"op": "not", "args": [{"op": "in", "args": [{"property": "d"}, [3]]}]}]}  # fmt: skip

    assert parse_filter(text) == parse_filter(tree, lang="cql2-json")
    with pytest.raises(InvalidFilter):
        parse_filter("a IN ((1, 2), 3)")


PIECES = st.sampled_from(
    [
        "(",
        ")",
        ",",
        "'",
        '"',
        "''",
        "\\'",
        "AND",
        "OR",
        "NOT",
        "LIKE",
        "BETWEEN",
        "IN",
        "IS",
        "NULL",
        "TRUE",
        "a",
        "b",
        "楼层",
        "_x",
        "1",
        "2.5",
        "1e3",
        "1e999",
        "=",
        "<>",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "DIV",
        "'x%'",
        '"q"',
        "CASEI(",
        "ACCENTI(",
        "S_INTERSECTS(g,",
        "POINT(",
        "POLYGON((",
        "BBOX(",
        "0",
        "0",
        "DATE('2024-01-01')",
        "T_AFTER(",
        "INTERVAL(",
        "'..'",
        "A_EQUALS(",
        "foo(",
        "；",
        "＝",
        "\x00",
        "\x01",
        "\n",
        "--",
        "/*",
        ";",
        "[",
        "]",
        "{",
        "}",
        "$1",
        "?",
        ":p",
        "@",
        ".",
        "9999999999999999999",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=25).map(" ".join), st.lists(PIECES, max_size=25).map("".join), st.text()))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    _assert_answered(text, "cql2-text")
    _assert_answered(text, "cql2-json")


KEYS = st.sampled_from(["op", "args", "property", "date", "timestamp", "interval", "type", "coordinates", "bbox", "x"])
OPERATORS = st.sampled_from(
    [
        "and",
        "or",
        "not",
        "=",
        "<",
        "like",
        "in",
        "between",
        "isNull",
        "casei",
        "+",
        "div",
        "s_within",
        "t_during",
    ]
)
WORDS = st.sampled_from(["Point", "Polygon", "2024-01-01", "..", "2024-01-01T00:00:00Z"])
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), OPERATORS, WORDS)


def _branches(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    operations = st.fixed_dictionaries({"op": OPERATORS, "args": st.lists(children, max_size=3)})
    return st.one_of(st.lists(children, max_size=4), st.dictionaries(KEYS, children, max_size=3), operations)


@settings(max_examples=300, deadline=None)
@given(st.recursive(LEAVES, _branches, max_leaves=20))
def test_any_json_value_is_a_filter_or_a_filter_error(tree: Any) -> None:
    _assert_answered(tree, "cql2-json")


def _assert_answered(source: Any, lang: Any) -> None:
    try:
        answer: object = parse_filter(source, lang=lang)
    except FilterError as error:
        answer = error
        assert isinstance(error, ValueError) and error.rule_id.startswith("filter.")
    assert answer is not None


def test_calls_may_nest() -> None:
    expression = parse_filter("NOT CASEI(ACCENTI(a)) = 'x'")

    call = FunctionCall("casei", FunctionCall("accenti", Property("a")))
    assert expression == Not(Comparison("=", call, Constant("x")))
