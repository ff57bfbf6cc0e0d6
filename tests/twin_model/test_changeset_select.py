"""Some changesets are found without reading the history: what a delivery, a page and a tile cost stays as it was."""

from collections.abc import Callable

import pytest
from many_versions import FIRST_DAY, add_versions, deliver_buildings
from store_contract import deliver, houses

from twin_model.history import changeset_of, history, revert
from twin_model.store.base import ChangesetQuery, FeatureQuery, Store
from twin_model.store.changeset_select import changeset_indexes, select_changesets
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.temporal import ALWAYS, now, to_instant
from twin_model.versioning import commit
from twin_model.view import View

FIRST_STATES = FeatureQuery("building", view=View(ALWAYS), ids=("building.1",), states=True, limit=1)
PLACE = (618_000.0, 3_886_000.0, 618_300.0, 3_886_300.0)


def test_chosen_changesets_are_those_of_the_whole_history(store: Store) -> None:
    deliver(store, "building", houses(2), "2024-01-01", "a.shp")
    deliver(store, "building", houses(3), "2024-05-01", "b.shp")
    deliver(store, "road_area", houses(1)[["geometry", "name"]], "2024-03-01", "a.shp")
    commit(store, revert(store, 2, author="tester"))
    whole = store.changesets()

    chosen = {
        "source": store.chosen_changesets(ChangesetQuery(source="a.shp")),
        "later": store.chosen_changesets(ChangesetQuery(effective_after=whole[-1].effective)),
        "numbers": store.chosen_changesets(ChangesetQuery(numbers=(4, 1, 99))),
        "nothing": store.chosen_changesets(ChangesetQuery(numbers=())),
        "noted": store.chosen_changesets(ChangesetQuery(noted=True)),
        "touching": store.chosen_changesets(ChangesetQuery(touching="building")),
        "newest": store.chosen_changesets(ChangesetQuery(1, touching="building")),
    }

    expected = {"source": [3, 1], "later": [3, 2], "numbers": [4, 1], "nothing": [], "noted": [4], "touching": [4, 2, 1], "newest": [4]}  # fmt: skip
    assert {name: [record.number for record in records] for name, records in chosen.items()} == expected
    assert chosen["numbers"] == [whole[0], whole[3]]
    assert (changeset_of(store, 2), [one.number for one in history(store, "building", 2)]) == (whole[2], [4, 2])
    assert store.recorded_at(whole[1].recorded) == 3 and store.recorded_at("1970-01-01T00:00:00.000Z") == 0
    assert store.recorded_at(now()) == 4


@pytest.mark.parametrize("location", ["geopackage"], indirect=True)
def test_every_choice_is_made_by_an_index(store: GeoPackageStore) -> None:
    """PostgreSQL's planner reads a table of two rows whole, and is right."""
    deliver(store, "building", houses(2))
    queries = (
        ChangesetQuery(source="a.shp"),
        ChangesetQuery(effective_after=now()),
        ChangesetQuery(numbers=(1,)),
        ChangesetQuery(noted=True),
        ChangesetQuery(5, touching="building"),
    )

    store.changesets(1)  # EXPLAIN alone does not notice that the schema has changed
    plans = {}
    for query in queries:
        text, parameters = select_changesets(query, tables="vgpkg_twin", placeholder="?", find="instr")
        rows = store._connection().execute(f"EXPLAIN QUERY PLAN {text}", parameters)
        plans[query] = " ".join(row[3] for row in rows)

    assert {query: plan for query, plan in plans.items() if "USING" not in plan} == {}
    assert set(changeset_indexes(tables="twin", find="strpos")) == {
        name.replace("vgpkg_twin", "twin") for name in changeset_indexes(tables="vgpkg_twin", find="instr")
    }


@pytest.mark.parametrize("location", ["geopackage"], indirect=True)
def test_what_is_asked_every_day_reads_no_more_after_many_versions(
    store: GeoPackageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of SQLite's machine are counted, for seconds differ; to make the versions takes a second."""
    deliver_buildings(store, 5)
    counted = _steps_of(monkeypatch)
    roads, day = houses(9)[["name", "geometry"]], to_instant(FIRST_DAY.replace(year=2024))

    def steps() -> dict[str, int]:
        version = store.version()
        return {
            "tile": counted(lambda: store.changed_since("building", PLACE)),
            "history": counted(lambda: history(store, "building", 10)),
            "changeset": counted(lambda: changeset_of(store, 1)),
            "states": counted(lambda: store.rows(FIRST_STATES)),
            "recorded": counted(lambda: store.recorded_at(day)),
            "delivery": counted(lambda: deliver(store, "road_area", roads.assign(name=f"路{version}"), day)),
        }

    add_versions(store, 20)
    steps()
    few = steps()
    add_versions(store, 160)
    many = steps()

    assert {name: round(many[name] / few[name], 2) for name in few if many[name] > 1.2 * few[name] + 1} == {}


def _steps_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Return what counts the steps of all statements of GeoPackage stores while something is done."""
    steps = 0
    connect = GeoPackageStore._connect

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def watched(store: GeoPackageStore):  # type: ignore[no-untyped-def]
        connection = connect(store)
        connection.set_progress_handler(step, 20)
        return connection

    def count(work: Callable[[], object]) -> int:
        nonlocal steps
        steps = 0
        work()
        return steps

    monkeypatch.setattr(GeoPackageStore, "_connect", watched)
    return count
