"""Rows encoded for COPY: what is sent column by column comes back as it was given, whatever stands in the columns."""

import math
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors

from twin_model.store.postgis.rows import copy_rows

Connection = psycopg.Connection[Any]
KINDS = {"whole": "int8", "small": "int4", "number": "float8", "truth": "bool", "word": "text", "bytes": "bytea", "geom": "geometry"}  # fmt: skip
SRID = 4548
SHAPES = [
    shapely.Point(618_000.25, 3_886_000),
    shapely.Point(1, 2, 3),
    shapely.LineString([(0, 0, 1), (5, 5, 2)]),
    shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(3, 3, 4, 4)]),
    shapely.Polygon(),
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ROW = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.floats(allow_nan=False),
    st.none() | st.booleans(),
    st.none() | TEXTS,
    st.none() | st.binary(max_size=40),
    st.none() | st.sampled_from(SHAPES),
)


@pytest.fixture(scope="module")
def connection(postgis_server: Any) -> Iterator[Connection]:
    with psycopg.connect(postgis_server.url().partition("&schema=")[0], autocommit=True) as connected:
        connected.execute(
            "CREATE TEMPORARY TABLE sent (place serial, whole bigint, small integer, number double precision, truth boolean, "
            "word text, bytes bytea, geom geometry)"
        )
        yield connected


def sent_and_read(connection: Connection, columns: dict[str, list[Any]]) -> list[tuple[Any, ...]]:
    connection.execute("TRUNCATE sent")
    copy_rows(connection, "sent", columns, KINDS, SRID)
    listed = ", ".join("ST_AsBinary(geom, 'NDR'), ST_SRID(geom)" if one == "geom" else one for one in columns)
    return connection.execute(f"SELECT {listed} FROM sent ORDER BY place").fetchall()  # type: ignore[call-overload, no-any-return]


@given(st.lists(ROW, min_size=1, max_size=30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_come_back_as_they_were_given(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    columns = {name: [row[n] for row in rows] for n, name in enumerate(KINDS)}
    wkb = [None if one is None else shapely.to_wkb(one, byte_order=1, flavor="iso") for one in columns["geom"]]

    found = sent_and_read(connection, columns | {"geom": wkb})

    assert [row[:6] for row in found] == [row[:6] for row in rows]
    assert [row[6] for row in found] == wkb
    assert [row[7] for row in found] == [None if one is None else SRID for one in wkb]


def test_more_rows_than_are_encoded_at_once_all_arrive_in_their_order(connection: Connection) -> None:
    columns = {"whole": list(range(12_345)), "word": [f"第{n}行" if n % 3 else None for n in range(12_345)]}

    found = sent_and_read(connection, columns)

    assert found == list(zip(columns["whole"], columns["word"], strict=True))


def test_what_is_not_of_its_columns_kind_becomes_it_or_is_unknown(connection: Connection) -> None:
    columns = {
        "whole": [1.0, 2.7, math.nan, True],
        "number": [1, math.nan, 2**60, True],
        "truth": [1, 0, None, True],
        "word": ["a", 5, None, 1.5],
    }

    found = sent_and_read(connection, columns)

    assert found == [
        (1, 1.0, True, "a"),
        (2, None, False, "5"),
        (None, 2.0**60, None, None),
        (1, 1.0, True, "1.5"),
    ]


def test_a_number_that_no_column_holds_is_refused_and_nothing_is_sent(connection: Connection) -> None:
    with pytest.raises(errors.NumericValueOutOfRange):
        sent_and_read(connection, {"whole": [1, 2**70]})

    assert connection.execute("SELECT count(*) FROM sent").fetchone() == (0,)


def test_a_text_that_postgresql_cannot_keep_is_refused_by_it(connection: Connection) -> None:
    with pytest.raises(errors.DataError):
        sent_and_read(connection, {"word": ["a\0b"]})
