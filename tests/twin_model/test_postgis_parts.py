"""What was delivered of features, packed and apart: the same is found whatever has happened to whichever of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from drawn_examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Scope
from twin_model.store.postgis.copy_queue import CopyQueue
from twin_model.store.postgis.parts import PartsWriter, delivered
from twin_model.store.postgis.store import PostgisStore

Connection = psycopg.Connection[Any]
CATALOGUE = Catalogue({one.id: one for one in read_catalogue() if one.id in ("building", "finding")})
COLUMNS = "fid, content, scope, version_from, version_to"
Story = list[tuple[str, list[int]]]


@pytest.fixture(scope="module")
def connection(postgis_server: Any) -> Iterator[Connection]:
    url = postgis_server.url("parts")
    PostgisStore.create(url, CATALOGUE, "EPSG:4548").close()
    with psycopg.connect(url.partition("&schema=")[0], autocommit=True) as connected:
        connected.execute("SET search_path = parts, public; SET twin.writer = 'yes'")
        yield connected


@pytest.fixture
def empty(connection: Connection) -> Connection:
    connection.execute("TRUNCATE twin_part, twin_packed_part")
    return connection


def said(version: int, fid: int) -> bytes:
    return f"v{version:05d} {fid:09d}".encode()


def keep(connection: Connection, version: int, fids: list[int], *, packed: bool) -> None:
    with CopyQueue(connection) as lane:
        parts = PartsWriter(lane, "building", version, Scope(name="s", series="1:500"))
        half = len(fids) // 3
        for some in (fids[:half], fids[half:]):
            if some:
                parts.keep(some, [said(version, fid) for fid in some], packed=packed)
        parts.finish()


def rows(connection: Connection) -> set[tuple[Any, ...]]:
    return set(connection.execute(f"SELECT {COLUMNS} FROM twin_parts").fetchall())


def asked(connection: Connection) -> dict[int, bytes]:
    fids, contents = delivered(lambda text, layer: connection.execute(text, (layer,)).fetchall(), "building")  # type: ignore[call-overload]
    return {fid: contents[16 * n : 16 * n + 16] for n, fid in enumerate(fids.tolist())}


@pytest.mark.parametrize("count", [1, 62, 63, 64, 127, 128, 1_000])
def test_a_first_load_is_packed_and_shown_a_row_a_part(empty: Connection, count: int) -> None:
    keep(empty, 1, list(range(1, count + 1)), packed=True)

    assert rows(empty) == {(fid, said(1, fid), "s", 1, None) for fid in range(1, count + 1)}
    assert asked(empty) == {fid: said(1, fid) for fid in range(1, count + 1)}
    apart = empty.execute("SELECT count(*) FROM twin_part").fetchone()
    packed = empty.execute("SELECT count(*) FROM twin_packed_part").fetchone()
    assert (apart, packed) == ((0,), (-(-(count + 1) // 64),))


def test_a_load_that_begins_in_the_middle_of_a_packed_row_leaves_that_row_as_it_is(empty: Connection) -> None:
    keep(empty, 1, list(range(1, 101)), packed=True)
    before = rows(empty)

    keep(empty, 2, list(range(101, 400)), packed=True)

    assert rows(empty) == before | {(fid, said(2, fid), "s", 2, None) for fid in range(101, 400)}
    assert empty.execute("SELECT count(*) FROM twin_part").fetchone() == (27,), "those up to the next packed row"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["load", "deliver", "restore"]),
        st.lists(st.integers(1, 300), min_size=1, max_size=20, unique=True),
    ),
    min_size=1,
    max_size=6,
)


@given(first=st.integers(1, 200), story=STEPS)
@examples(12, proof=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_packed_parts_tell_the_same_as_parts_kept_apart(
    connection: Connection, first: int, story: Story
) -> None:
    """The same story told twice: once with packed rows, once without; the second is the plain way of old."""
    found = []
    for packed in (True, False):
        connection.execute("TRUNCATE twin_part, twin_packed_part")
        keep(connection, 1, list(range(1, first + 1)), packed=packed)
        last = first
        opened = []
        for version, (step, fids) in enumerate(story, 2):
            known = [fid for fid in fids if fid <= last]
            with CopyQueue(connection) as lane:
                parts = PartsWriter(lane, "building", version, Scope(name=step, series=""))
                if step == "load":
                    new = list(range(last + 1, last + 1 + 10 * len(fids)))
                    parts.keep(new, [said(version, fid) for fid in new], packed=packed)
                    last = new[-1]
                elif step == "deliver" and known:
                    parts.close(known)
                    parts.keep(known, [said(version, fid) for fid in known], packed=False)
                elif known:
                    opened.append(sorted(parts.restore(known, version - 2)))
                parts.finish()
        found.append((rows(connection), asked(connection), opened))

    assert found[0] == found[1]


def test_parts_of_other_lengths_are_kept_apart(empty: Connection) -> None:
    with CopyQueue(empty) as lane:
        parts = PartsWriter(lane, "building", 1, Scope())
        parts.keep([1, 2, 3], [b"short", b"", said(1, 3)], packed=True)
        parts.finish()

    assert [row[1] for row in sorted(rows(empty))] == [b"short", b"", said(1, 3)]
    assert asked(empty) == {3: said(1, 3)}


def test_of_a_layer_of_which_nothing_was_delivered_nothing_is_found(empty: Connection) -> None:
    fids, contents = delivered(lambda text, layer: empty.execute(text, (layer,)).fetchall(), "building")  # type: ignore[call-overload]

    assert (fids.dtype, len(fids), contents) == (np.int64, 0, b"")
