"""One contract for every store: many features at once, many readers beside one writer, all of a change or nothing."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_contract import CATALOGUE, CRS, at, deliver, houses

from ingest.draft import Draft
from twin_model.changeset import Changeset, Delivered, Source
from twin_model.editing import rows_of
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.opening import open_store
from twin_model.temporal import now
from twin_model.versioning import commit


def test_readers_see_the_old_state_or_the_new_never_a_mixture(store: Store) -> None:
    deliver(store, "building", houses(50, usage=["v0"] * 50))
    stop, mixed = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            found = set(store.features(FeatureQuery("building"))["usage"])
            if len(found) != 1:
                mixed.append(found)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for step in range(1, 6):
        deliver(store, "building", houses(50, usage=[f"v{step}"] * 50), f"2024-01-0{step + 1}")
    stop.set()
    for reader in readers:
        reader.join()

    assert mixed == []


def test_a_reader_who_looked_at_the_clock_before_a_commit_misses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at the clock and its statement a reader may be overtaken; its clock may be slow, too."""
    before = now()
    deliver(store, "building", houses(5), "2020-01-01")
    edited = store.features(FeatureQuery("building", fields=("usage",))).iloc[:2].assign(usage="改")
    layer = store.catalogue["building"]
    rows = rows_of(layer, edited[["usage", "geometry"]], store.crs)
    commit(store, Changeset("a", "edit", now(), (Delivered.of("building", rows),), edit=True))
    for kind in ("geopackage", "postgis"):
        monkeypatch.setattr(f"twin_model.store.{kind}.store.now", lambda: before)

    found = store.features(FeatureQuery("building"))

    assert sorted(found["usage"].fillna("-")) == ["-", "-", "-", "改", "改"]
    assert store.count(FeatureQuery("building")) == 5
    assert store.count(FeatureQuery("building", ids=tuple(found.index))) == 5
    assert (
        sum(map(len, store.frames(FeatureQuery("building", bbox=(618_000.0, 3_886_000.0, 618_500.0, 3_886_500.0)))))
        == 5
    )


def test_a_changeset_that_fails_leaves_the_store_as_it_was(store: Store) -> None:
    deliver(store, "building", houses(5))
    before = store.features(FeatureQuery("building"))

    with (
        pytest.raises(RuntimeError, match="power cut"),
        Draft(Source("x", "x"), CATALOGUE, storage_crs=CRS) as draft,
    ):
        draft.add("building", houses(7))
        changeset = draft.to_changeset(author="a", reason="r")

        def broken() -> Iterator[tuple[str, bytes]]:
            raise RuntimeError("power cut")
            yield

        commit(store, Changeset(**{**changeset.__dict__, "blobs": broken}))

    after = store.features(FeatureQuery("building"))
    assert store.version() == 1
    assert after.equals(before)


def test_frames_hold_everything_once_while_others_are_asked(store: Store) -> None:
    deliver(store, "building", houses(25))

    sizes = [
        (len(one), store.count(FeatureQuery("building"))) for one in store.frames(FeatureQuery("building"), rows=10)
    ]

    assert sizes == [(10, 25), (10, 25), (5, 25)]


def test_a_bulk_load_leaves_every_index_in_its_place(store: Store) -> None:
    deliver(store, "building", houses(6_000))
    deliver(store, "building", houses(9_000, usage=["住宅"] * 9_000), "2024-02-01")

    assert store.summary("building").features == 9_000
    assert store.count(FeatureQuery("building", bbox=(618_000.0, 3_886_000.0, 618_100.0, 3_886_001.0))) == 6
    assert store.count(FeatureQuery("building", ids=("building.7",))) == 1
    assert store.count(FeatureQuery("building", view=at("2024-01-15"))) == 6_000


def test_a_bulk_load_whose_parts_share_other_values_keeps_each_row_as_it_came(store: Store) -> None:
    mixed = ["住宅", None] * 3_000
    parts = [
        houses(6_000, usage=["住宅"] * 6_000, storeys=[6] * 6_000),
        houses(6_000, usage=mixed, storeys=[6] * 6_000),
        houses(6_000),
        houses(6_000, usage=["商业's"] * 6_000, storeys=[None] * 6_000),
    ]
    with Draft(Source("big", "big"), CATALOGUE, storage_crs=CRS) as draft:
        for number, part in enumerate(parts):
            draft.add("building", part.set_geometry(part.geometry.translate(0, 50 * number)))
        commit(store, draft.to_changeset(author="a", reason="r"))
    later = houses(1, storeys=[None])
    deliver(store, "building", later.set_geometry(later.geometry.translate(-8_000, 0)), name="later")

    found = store.features(FeatureQuery("building", fields=("usage", "storeys"))).sort_values("fid")

    usage = found["usage"].astype(object).where(found["usage"].notna(), None).tolist()
    assert usage == ["住宅"] * 6_000 + mixed + [None] * 6_000 + ["商业's"] * 6_000 + [None]
    assert found["storeys"].isna().tolist() == [False] * 18_000 + [True] * 6_001


def test_who_asks_while_the_first_features_of_a_layer_come_in_does_not_wait(store: Store) -> None:
    half, answered = threading.Event(), threading.Event()

    def stalled() -> Iterator[tuple[str, bytes]]:
        half.set()
        assert answered.wait(60), "the reader waited for the writer"
        yield "a" * 64, b"a mesh"

    with Draft(Source("big", "big"), CATALOGUE, storage_crs=CRS) as draft:
        draft.add("building", houses(6_000))
        changeset = Changeset(**{**draft.to_changeset(author="a", reason="r").__dict__, "blobs": stalled})
        writer = threading.Thread(target=lambda: commit(store, changeset))
        writer.start()
        assert half.wait(60)
        seen = [len(store.features(FeatureQuery("building"))), store.count(FeatureQuery("building"))]
        seen += [store.summary("building").features, sum(map(len, store.frames(FeatureQuery("building"))))]
        answered.set()
        writer.join()

    assert seen == [0, 0, 0, 0]
    assert store.count(FeatureQuery("building")) == 6_000


def test_two_who_deliver_at_once_do_so_one_after_the_other(store: Store, location: str, tmp_path: Path) -> None:
    stores = [store, open_store(location, CATALOGUE, folder=tmp_path)]
    failed: list[BaseException] = []

    def bring(which: int) -> None:
        try:
            for step in range(4):
                frame = houses(3).translate(0, 1_000 * (which + 1) + 100 * step)
                deliver(stores[which], "building", houses(3).set_geometry(frame), name=f"{which}-{step}")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=bring, args=(which,)) for which in (0, 1)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    lines = stores[1].changesets()
    assert failed == []
    assert [one.number for one in lines] == list(range(8, 0, -1))
    assert len({one.recorded for one in lines}) == 8
    assert all(new.previous == old.hash and new.recorded > old.recorded for new, old in itertools.pairwise(lines))
    assert store.summary("building").features == 24
    stores[1].close()
