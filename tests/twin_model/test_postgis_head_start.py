"""A head start: the first rows of a layer go in while their source is read, nobody sees them before the commit, whoever
is in the way ends it, and what is committed is the same with and without it."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import geopandas as gpd
import numpy as np
import psycopg
import pytest
import shapely

from ingest.draft import Draft
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Changeset, Source, Version
from twin_model.errors import StoreError
from twin_model.history import verify
from twin_model.store.base import DeliveredState, FeatureQuery, HeadStart
from twin_model.store.copying import columns_of
from twin_model.store.postgis import server as postgis_server
from twin_model.store.postgis.store import PostgisStore
from twin_model.temporal import Instant, parse_instant
from twin_model.versioning import commit

CRS = "EPSG:4548"
CATALOGUE = Catalogue({one.id: one for one in read_catalogue() if one.id in ("building", "pipe_line", "finding")})
MANY = 6_000


@pytest.fixture
def store(postgis_url: str) -> Iterator[PostgisStore]:
    kept = PostgisStore.create(postgis_url, CATALOGUE, CRS)
    yield kept
    kept.close()


def houses(count: int, row: int = 0, **columns: Any) -> gpd.GeoDataFrame:
    x, y = 618_000 + 20.0 * (np.arange(count) % 500), 3_886_000 + 20.0 * (np.arange(count) // 500 + 40 * row)
    content = {"name": [f"{n}号楼" for n in range(count)], "storeys": np.arange(count) % 9 + 1} | columns
    return gpd.GeoDataFrame(content, geometry=shapely.box(x, y, x + 12, y + 10), crs=CRS)


class Reading:
    """A source that is being read: its frames are added one by one, with a head start, then it is committed."""

    def __init__(self, store: PostgisStore, name: str = "first", effective: str | None = "2024-01-01") -> None:
        self._store, self._open = store, ExitStack()
        self.ahead: HeadStart = self._open.enter_context(store.head_start())
        since = None if effective is None else parse_instant(effective)[0]
        self.draft = self._open.enter_context(
            Draft(Source(name, name), CATALOGUE, storage_crs=CRS, effective=since, ahead=self.ahead.take)
        )

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *told: Any) -> None:
        self._open.__exit__(*told)

    def read(self, frame: gpd.GeoDataFrame, layer: str = "building") -> None:
        self.draft.add(layer, frame)

    def commit(self) -> tuple[Version, bool]:
        """Commit; return the version and whether the rows taken ahead became part of it."""
        kept: list[Version | None] = []
        ahead = self.ahead

        class Told(HeadStart):
            def delivered_state(self, layer: str) -> DeliveredState | None:
                return ahead.delivered_state(layer)

            def commit(self, changeset: Changeset, plan: Any) -> Version | None:
                kept.append(ahead.commit(changeset, plan))
                return kept[-1]

        version = commit(self._store, self.draft.to_changeset(author="office", reason="first"), Told())
        return version, kept != [None]


def content(store: PostgisStore, table: str) -> list[tuple[Any, ...]]:
    """The rows of a logical table, without the instants at which they were recorded."""
    kept = [n for n, one in enumerate(columns_of(CATALOGUE, table)) if one not in ("recorded", "hash", "previous")]
    rows = [tuple(row[n] for n in kept) for batch in store.dump(table) for row in batch]
    return sorted(rows, key=repr)


def test_what_went_ahead_is_the_same_as_what_is_written_at_the_commit(store: PostgisStore, postgis_server: Any) -> None:
    other = PostgisStore.create(postgis_server.url("without_a_head_start"), CATALOGUE, CRS)
    frames = [
        houses(MANY),
        houses(MANY, 1, usage=["住宅"] * MANY, built=["1999-05-01"] * MANY),
        houses(70, 2),
    ]

    with Reading(store) as reading:
        for frame in frames:
            reading.read(frame)
        version, ahead = reading.commit()
    with Draft(Source("first", "first"), CATALOGUE, storage_crs=CRS, effective=parse_instant("2024-01-01")[0]) as draft:
        for frame in frames:
            draft.add("building", frame)
        commit(other, draft.to_changeset(author="office", reason="first"))

    assert ahead and version.touched["building"].inserted == 2 * MANY + 70
    for table in ("now:building", "part", "change", "touched", "layer", "changeset"):
        assert content(store, table) == content(other, table), table
    assert verify(store).changesets == 1
    other.close()


def test_nobody_sees_the_rows_before_the_commit_and_who_asks_the_store_does_not_wait(
    store: PostgisStore,
) -> None:
    with Reading(store) as reading:
        reading.read(houses(MANY))
        seen = (
            store.version(),
            store.count(FeatureQuery("building")),
            len(store.delivered_state("building").fids),
            len(store.features(FeatureQuery("building"))),
            store.summary("building").features,
        )
        _, ahead = reading.commit()

    assert seen == (0, 0, 0, 0, 0)
    assert ahead and store.count(FeatureQuery("building")) == MANY


def test_the_writers_place_is_free_while_a_source_is_read_and_a_version_made_meanwhile_loses_nothing(
    store: PostgisStore,
) -> None:
    pipes = gpd.GeoDataFrame(
        {"class": ["JS"]}, geometry=[shapely.LineString([(618_000, 3_886_000, 1), (618_009, 3_886_000, 1)])], crs=CRS
    )

    with Reading(store) as reading:
        reading.read(houses(MANY))
        with Draft(Source("pipes", "pipes"), CATALOGUE, storage_crs=CRS) as draft:
            draft.add("pipe_line", pipes)
            other = commit(store, draft.to_changeset(author="another", reason="pipes"))
        version, ahead = reading.commit()

    assert (other.number, version.number, ahead) == (1, 2, False)
    assert store.count(FeatureQuery("building")) == MANY and verify(store).changesets == 2


def test_who_waits_for_the_table_is_let_through_and_the_delivery_comes_in_all_the_same(
    store: PostgisStore, stranger: "psycopg.Connection[Any]"
) -> None:
    found: list[Any] = []
    waiting = threading.Thread(
        target=lambda: found.append(stranger.execute("SELECT count(*) FROM building").fetchone())
    )

    with Reading(store) as reading:
        reading.read(houses(MANY))
        waiting.start()
        row = 1
        while waiting.is_alive() and row < 60:
            reading.read(houses(100, row))
            waiting.join(0.1)
            row += 1
        let_through = list(found)
        version, ahead = reading.commit()

    assert let_through == [(0,)] and not ahead
    assert version.touched["building"].inserted == MANY + 100 * (row - 1)


def test_two_who_read_first_deliveries_of_one_layer_at_once_both_come_in(store: PostgisStore) -> None:
    with Reading(store) as one, Reading(store, "second") as two:
        one.read(houses(MANY))
        two.read(houses(MANY, 1, storeys=[3] * MANY))
        committing = threading.Thread(target=two.commit)
        committing.start()
        committing.join(0.3)
        one.read(houses(10, 2))
        one.read(houses(10, 3))
        committing.join(30)
        second, ahead = one.commit()

    assert (second.number, ahead) == (2, False)
    assert store.count(FeatureQuery("building")) == 2 * MANY + 20


def test_who_waits_for_a_reading_that_has_come_to_a_halt_waits_ten_seconds_at_most(
    store: PostgisStore, stranger: "psycopg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert postgis_server.AHEAD_IDLE_SECONDS == 10
    monkeypatch.setattr(postgis_server, "AHEAD_IDLE_SECONDS", 1)

    with Reading(store) as reading:
        reading.read(houses(MANY))
        seen = stranger.execute("SELECT count(*) FROM building").fetchone()
        version, ahead = reading.commit()

    assert seen == (0,)
    assert not ahead and version.touched["building"].inserted == MANY


def test_a_date_that_is_found_while_reading_holds_for_the_rows_before_it(store: PostgisStore) -> None:
    surveyed: Instant = parse_instant("2011-03-01")[0]

    with Reading(store, effective=None) as reading:
        reading.read(houses(MANY))
        reading.draft.surveyed = surveyed
        _, ahead = reading.commit()

    assert not ahead
    assert set(store.features(FeatureQuery("building", fields=()))["valid_from"]) == {surveyed}


def test_an_undated_source_is_true_since_the_moment_its_head_start_began(store: PostgisStore) -> None:
    with Reading(store, effective=None) as reading:
        reading.read(houses(MANY))
        version, ahead = reading.commit()

    (record,) = store.changesets()
    assert ahead and record.effective <= version.recorded
    assert set(store.features(FeatureQuery("building", fields=()))["valid_from"]) == {record.effective}


def test_a_reading_that_is_given_up_leaves_nothing_and_the_next_one_comes_in(
    store: PostgisStore, stranger: "psycopg.Connection[Any]"
) -> None:
    with pytest.raises(KeyboardInterrupt), Reading(store) as reading:
        reading.read(houses(MANY))
        raise KeyboardInterrupt

    left = [stranger.execute(f"SELECT count(*) FROM {one}").fetchone() for one in ("building", "twin_parts")]
    indexes = stranger.execute(
        "SELECT count(*) FROM pg_indexes WHERE tablename = 'building' AND schemaname = current_schema"
    ).fetchone()
    with Reading(store, "again") as reading:
        reading.read(houses(MANY))
        version, ahead = reading.commit()

    assert (left, indexes) == ([(0,), (0,)], (4,))
    assert ahead and version.number == 1 and store.count(FeatureQuery("building")) == MANY


def test_a_server_that_ends_the_head_start_does_not_end_the_delivery(
    store: PostgisStore, stranger: "psycopg.Connection[Any]"
) -> None:
    text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND application_name = 'twin'"

    with Reading(store) as reading:
        reading.read(houses(MANY))
        for _ in range(100):
            if stranger.execute(text).fetchall():
                break
            threading.Event().wait(0.05)
        reading.read(houses(MANY, 1))
        version, ahead = reading.commit()

    assert not ahead and version.touched["building"].inserted == 2 * MANY


@pytest.mark.parametrize("count", [4_999, MANY])
def test_a_small_delivery_and_one_of_a_layer_that_was_written_take_no_head_start(
    store: PostgisStore, count: int
) -> None:
    with Reading(store) as reading:
        reading.read(houses(10))
        first, ahead_first = reading.commit()
    with Reading(store, "second") as reading:
        reading.read(houses(count, 1))
        second, ahead_second = reading.commit()

    assert (ahead_first, ahead_second, first.number, second.number) == (False, False, 1, 2)
    assert store.count(FeatureQuery("building")) == 10 + count


def test_a_commit_that_fails_after_a_head_start_leaves_nothing(store: PostgisStore) -> None:
    def broken() -> Iterator[tuple[str, bytes]]:
        raise StoreError("store.error", cause="the mesh is gone")
        yield "", b""

    with Reading(store) as reading:
        reading.read(houses(MANY))
        changeset = reading.draft.to_changeset(author="office", reason="first")
        changeset = Changeset(**{**changeset.__dict__, "blobs": broken})
        with pytest.raises(StoreError, match="the mesh is gone"):
            commit(store, changeset, reading.ahead)

    assert store.version() == 0 and store.count(FeatureQuery("building")) == 0


def brought(store: PostgisStore, frame: gpd.GeoDataFrame, name: str) -> Version:
    with Reading(store, name) as reading:
        reading.read(frame)
        version, _ = reading.commit()
    return version


def test_what_is_known_of_a_layer_is_asked_while_a_source_is_read_and_compared_with_it(
    store: PostgisStore,
) -> None:
    brought(store, houses(100), "first")

    with Reading(store, "again") as reading:
        before = reading.ahead.delivered_state("building")
        reading.read(houses(100).iloc[::-1])
        known, now = reading.ahead.delivered_state("building"), store.delivered_state("building")
        version, _ = reading.commit()

    assert before is None and known is not None and reading.ahead.delivered_state("finding") is None
    assert (known.fids == now.fids).all() and (known.contents == now.contents).all() and len(now.fids) == 100
    assert not version.made and version.touched["building"].unchanged == 100


def test_what_was_known_before_somebody_elses_version_is_asked_again(store: PostgisStore) -> None:
    first, taller = houses(100), houses(100)
    taller.loc[:4, "storeys"] = 30
    brought(store, first, "first")

    with Reading(store, "again") as reading:
        reading.read(first)
        known = reading.ahead.delivered_state("building")
        brought(store, taller, "taller")
        stale = reading.ahead.delivered_state("building")
        version, _ = reading.commit()

    assert known is not None and stale is None
    assert version.number == 3 and version.touched["building"].updated == 5
    assert store.features(FeatureQuery("building"))["storeys"].tolist() == first["storeys"].tolist()


def test_an_answer_that_is_asked_ahead_and_never_comes_is_asked_for_at_the_commit(
    store: PostgisStore, stranger: "psycopg.Connection[Any]"
) -> None:
    brought(store, houses(100), "first")
    # pg_locks is read anew within a transaction; pg_stat_activity would not show the connection of the second try.
    ending = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = 'building'::regclass"

    with Reading(store, "again") as reading:
        with stranger.transaction():
            stranger.execute("LOCK TABLE building IN ACCESS EXCLUSIVE MODE")
            reading.read(houses(100))
            asked = threading.Thread(target=reading.ahead.delivered_state, args=("building",))
            asked.start()
            ended = 0
            deadline = time.monotonic() + 60
            while asked.is_alive() and time.monotonic() < deadline:
                ended += len(stranger.execute(ending).fetchall())
                asked.join(0.05)
        known = reading.ahead.delivered_state("building")
        version, _ = reading.commit()

    assert ended >= 1 and known is None
    assert not version.made and version.touched["building"].unchanged == 100
