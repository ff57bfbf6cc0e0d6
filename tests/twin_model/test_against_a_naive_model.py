"""Random sequences of deliveries, edits, ends and reverts against a model that keeps every recorded state in memory.

The model knows nothing of tables, parts or trees: for each version it keeps, per feature, the stretches of valid time
with their values, and answers a look by reading through them.
"""

import copy
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from drawn_examples import examples
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ingest.draft import Draft
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Changeset, Delivered, ScopeKind, Source
from twin_model.editing import rows_of
from twin_model.errors import QueryRefused, VersionConflict
from twin_model.history import revert, verify
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.opening import create_store
from twin_model.temporal import Interval, parse_instant
from twin_model.versioning import commit
from twin_model.view import View

CRS, LAYER = "EPSG:4548", "pipe_point"
CATALOGUE = Catalogue({one.id: one for one in read_catalogue() if one.id in (LAYER, "finding")})
NUMBERS = [f"P{n}" for n in range(4)]
YEARS = st.integers(2000, 2007)
VALUES = st.sampled_from(["甲", "乙", "丙"])

Segment = tuple[int, int | None, str]
"""Year from, year to (None: still), value."""


@dataclass(frozen=True)
class Shown:
    """What a version says: of what year, with which numbers; an edit has no `ends`, a delivery has, if it ends what it lacks. `ended_by` are the
    versions by which numbers of one that came late have ended."""

    year: int
    numbers: frozenset[str]
    ends: bool | None = None
    version: int = 0
    ended_by: dict[str, int] = field(default_factory=dict)


@dataclass
class State:
    """What is believed at one version: of each feature its segments, and what was last delivered of it."""

    segments: dict[str, list[Segment]] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    shown: Shown | None = None
    touched: set[str] = field(default_factory=set)

    def put(self, number: str, value: str, year: int, until: int | None = None) -> None:
        before = self.segments.get(number, [])
        later = [one for one in before if one[0] > year]
        ends = [one[0] for one in later] + [b for a, b, _ in before if a <= year and b is not None and b > year]
        end = min([*ends, *([] if until is None else [until])], default=None)
        self.segments[number] = sorted([*_cut(before, year), (year, end, value), *later], key=lambda one: one[0])
        self.touched.add(number)

    def end(self, number: str, year: int) -> None:
        self.segments[number] = _cut(self.segments[number], year)
        self.touched.add(number)

    def alive(self) -> list[str]:
        return [number for number, segments in self.segments.items() if segments and segments[-1][1] is None]

    def knows(self, number: str, value: str, day: int | None) -> bool:
        """Say whether a delivery of a network says nothing new: what was last delivered, or what holds now; on its day
        where it is late or the thing has ended."""
        if day is not None:
            return self.value(number, day) == value
        return number in self.alive() and value in (self.parts.get(number), self.segments[number][-1][2])

    def value(self, number: str, year: int) -> str | None:
        return next((v for a, b, v in self.segments.get(number, []) if a <= year and (b is None or year < b)), None)


def _cut(segments: list[Segment], year: int) -> list[Segment]:
    return [(a, year if b is None or b > year else b, v) for a, b, v in segments if a < year]


class Against(RuleBasedStateMachine):
    """One store and its model, version by version."""

    store: Store

    @initialize()
    def begin(self) -> None:
        self.states: list[State] = [State()]
        self.reverts: dict[int, int] = {}
        self.named = 0

    @property
    def now(self) -> State:
        return self.states[-1]

    def _next(self) -> State:
        state = copy.deepcopy(self.now)
        state.touched = set()
        return state

    def _standing_numbers(self) -> list[int]:
        """Return the versions that are not reverted, the newest first."""
        reverted: set[int] = set()
        numbers = []
        for number in range(len(self.states) - 1, 0, -1):
            if number not in reverted:
                numbers.append(number)
                reverted |= {self.reverts[number]} if number in self.reverts else set()
        return numbers

    def _standing(self) -> list[Shown]:
        """Return what versions say that are not reverted."""
        return [shown for number in self._standing_numbers() if (shown := self.states[number].shown) is not None]

    def _keep(self, state: State, made: bool) -> None:
        assert made == bool(state.touched), (state.touched, made)
        if made:
            self.states.append(state)

    @rule(
        said=st.dictionaries(st.sampled_from(NUMBERS), VALUES, min_size=1),
        year=YEARS,
        reach=st.sampled_from(["layer", "nothing"]),
    )
    def deliver(self, said: dict[str, str], year: int, reach: ScopeKind) -> None:
        self.named += 1
        frame = _frame(said)
        source = Source(f"d{self.named}.csv", f"{self.named:064d}")
        with Draft(source, CATALOGUE, storage_crs=CRS, effective=_day(year)) as draft:
            draft.add(LAYER, frame)
            version = commit(
                self.store, draft.to_changeset(author="office", reason="d", reach=reach, accept_removals=True)
            )
        state = self._next()
        state.shown = shown = Shown(year, frozenset(said), reach == "layer", len(self.states))
        younger = [one for one in self._standing() if one.year > year and one.ends is not None]
        younger.sort(key=lambda one: (one.year, one.version))
        for number, value in said.items():
            if state.knows(number, value, year if younger or number not in state.alive() else None):
                continue
            lasting = all(b is not None and b <= year for _, b, _ in state.segments.get(number, []))
            ending = [one for one in younger if one.ends and number not in one.numbers] if lasting else []
            if ending:
                shown.ended_by[number] = ending[0].version
            newest = all(a <= year for a, _, _ in state.segments.get(number, []))
            state.put(number, value, year, ending[0].year if ending else None)
            if newest:
                state.parts[number] = value
        for number in self._ended(said, year, late=bool(younger)) if reach == "layer" else ():
            state.end(number, year)
        self._keep(state, version.made)

    def _ended(self, said: dict[str, str], year: int, *, late: bool) -> list[str]:
        """Return what a delivery of the whole layer ends: of what stands; if it is late, of what stands in its year what was
        shown by then and of which no later version says anything."""
        if not late:
            return [number for number in self.now.alive() if number not in said]
        by_then, later = (
            set().union(*(one.numbers for one in self._standing() if (one.year > year) == after))
            for after in (False, True)
        )
        standing = [number for number in self.now.segments if self.now.value(number, year) is not None]
        return [number for number in standing if number not in said and number in by_then - later]

    @rule(number=st.sampled_from(NUMBERS), value=VALUES, year=YEARS)
    def edit(self, number: str, value: str, year: int) -> None:
        frame = _frame({number: value})
        frame.index = [_id(number)]
        frame.index.name = "id"
        rows = rows_of(CATALOGUE[LAYER], frame, CRS)
        base = self.store.version()
        version = commit(
            self.store,
            Changeset("planner", "e", _day(year), (Delivered(LAYER, lambda: rows, 1),), edit=True, base=base),
        )
        state = self._next()
        state.shown = Shown(year, frozenset([number]))
        last = state.segments.get(number, [])
        if not (number in state.alive() and last[-1][2] == value):
            state.put(number, value, year)
        self._keep(state, version.made)

    @rule(number=st.sampled_from(NUMBERS), year=YEARS)
    def end(self, number: str, year: int) -> None:
        if number not in self.now.alive():
            return
        version = commit(
            self.store,
            Changeset("planner", "gone", _day(year), terminated={LAYER: (_id(number),)}, edit=True),
        )
        state = self._next()
        state.shown = Shown(year, frozenset([number]))
        state.end(number, year)
        self._keep(state, version.made)

    @rule(data=st.data())
    def undo(self, data: Any) -> None:
        newest = len(self.states) - 1
        if not newest:
            return
        number = data.draw(st.integers(1, newest))
        undone = self.states[number].touched
        again = set().union(*(self.states[later].touched for later in self._lasting_after(number))) & undone
        again = again or self._late_and_ended_by(number)
        try:
            version = commit(self.store, revert(self.store, number, author="planner"))
        except VersionConflict as conflict:
            assert set(conflict.values["features"][LAYER]) == {_id(one) for one in again}
            return
        except QueryRefused:
            assert not undone
            return
        assert not again
        state, before = self._next(), self.states[number - 1]
        for one in undone:
            state.segments[one] = list(before.segments.get(one, []))
            state.parts.pop(one, None)
            state.parts |= {one: before.parts[one]} if one in before.parts else {}
            state.touched.add(one)
        state.shown = Shown(9999, frozenset(undone))
        self.reverts[len(self.states)] = number
        self._keep(state, version.made)

    def _lasting_after(self, number: int) -> list[int]:
        """Return the later versions that stand, without those that undo another later one."""
        later = self._standing_numbers()
        return [one for one in later if one > number and self.reverts.get(one, 0) <= number]

    def _late_and_ended_by(self, version: int) -> set[str]:
        """Return numbers that came late and whose end is that which a version made."""
        shown = self.states[version].shown
        ended = {n for one in self._standing() for n, number in one.ended_by.items() if number == version}
        return {n for n in ended if self.now.segments[n] and shown and self.now.segments[n][-1][1] == shown.year}

    @rule(year=YEARS, data=st.data())
    def look(self, year: int, data: Any) -> None:
        recorded = data.draw(st.integers(0, len(self.states) - 1))
        state = self.states[recorded]
        expected = {_id(n): v for n in NUMBERS if (v := state.value(n, year)) is not None}
        found = self.store.features(FeatureQuery(LAYER, view=View(_day(year), recorded)))
        assert found["owner"].to_dict() == expected
        assert self.store.count(FeatureQuery(LAYER, view=View(_day(year), recorded))) == len(expected)

    @rule(first=YEARS, length=st.integers(0, 5), data=st.data())
    def look_at_a_stretch(self, first: int, length: int, data: Any) -> None:
        """Of each feature the latest state that was valid some time between two years."""
        recorded = data.draw(st.integers(0, len(self.states) - 1))
        last = first + length
        expected = {}
        for number, segments in self.states[recorded].segments.items():
            within = [v for a, b, v in segments if a <= last and (b is None or b > first)]
            if within:
                expected[_id(number)] = within[-1]
        view = View(Interval(_day(first), _day(last)), recorded)
        assert self.store.features(FeatureQuery(LAYER, view=view))["owner"].to_dict() == expected

    @invariant()
    def now_is_what_the_model_says(self) -> None:
        assert self.store.version() == len(self.states) - 1
        found = self.store.features(FeatureQuery(LAYER))
        assert found["owner"].to_dict() == {_id(n): self.now.segments[n][-1][2] for n in sorted(self.now.alive())}
        assert self.store.summary(LAYER).features == len(self.now.alive())
        segments = [segment for every in self.now.segments.values() for segment in every]
        instants = self.store.census_instants(LAYER)
        assert instants is not None
        assert instants.begins == Counter(_day(begin) for begin, _, _ in segments)
        assert instants.ends == Counter(_day(end) for _, end, _ in segments if end is not None)

    def teardown(self) -> None:
        verify(self.store)


def _frame(said: dict[str, str]) -> gpd.GeoDataFrame:
    points = [shapely.Point(618_000 + 100 * NUMBERS.index(number), 3_886_000, 65.0) for number in said]
    return gpd.GeoDataFrame(
        {"survey_no": list(said), "class": "JS", "owner": list(said.values())}, geometry=points, crs=CRS
    )


def _id(number: str) -> str:
    return f"JS.{number}"


def _day(year: int) -> str:
    return parse_instant(f"{year}-01-01")[0]


@pytest.mark.parametrize("kind", ["geopackage", "postgis"])
def test_random_histories_are_what_a_naive_model_says(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    made: list[Store] = []
    server = request.getfixturevalue("postgis_server") if kind == "postgis" else None

    def machine() -> Against:
        one = Against()
        location = f"{len(made)}.gpkg" if server is None else server.url(f"naive{len(made)}")
        one.store = create_store(location, CATALOGUE, CRS, folder=tmp_path)
        made.append(one.store)
        return one

    run_state_machine_as_test(
        machine,
        settings=examples(
            10, proof=25, stateful_step_count=15, derandomize=True, suppress_health_check=list(HealthCheck)
        ),
    )
    for store in made:
        store.close()
