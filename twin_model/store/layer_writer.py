"""Writing one layer within an open transaction: what both stores share while they write its rows and parts.

A store gives the SQL (`geopackage/write.py`, `postgis/write.py`); the thinking about time stands in `timeline`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Box, Rows, Scope, Touched
from twin_model.identity import finer_class
from twin_model.layer import ATTRIBUTES, SEARCH_KEY, Layer
from twin_model.plan import LayerPlan, no_fids
from twin_model.rows.attributes import with_known_attributes
from twin_model.rows.content import contents_from, words_of
from twin_model.rows.known_heights import with_known_heights
from twin_model.rows.partial_content import partial_contents
from twin_model.rows.row_geometry import RowGeometry
from twin_model.store.census import Census, has_heights_of_its_own, shaping_fields
from twin_model.store.digests import (
    FINDING,
    alias_words,
    change_words,
    closing_words,
    finding_words,
    link_words,
    parts_digest,
    parts_words,
    row_words,
    stored_contents,
)
from twin_model.store.succession import Columns, Succession, followed_at_once, of_places
from twin_model.store.timeline import Row, Steps, as_seen, begun, boundaries, current_of, ended, stated, steps
from twin_model.store.touched import TouchedCells, TouchedGathering
from twin_model.temporal import Instant

__all__ = [
    "LayerWriter",
    "TimelineExtent",
    "Writing",
    "constants",
    "row_columns",
]

TimelineExtent = Literal["current", "believed", "whole"]
"""How much of a feature's timeline is read."""

LinkRow = tuple[int, str, int, int]
"""A link as a store keeps it: the version that made it, kind, predecessor, successor."""

_LONGEST_CONSTANT = 80

_AT_ONCE = 2_000
"""So many timelines are rewritten at once: memory stays bounded however much an edit changes."""

_FOLLOWED_AT_ONCE = 20_000
"""So many current rows get followers at once: they are columns, which take less memory than timelines."""


def row_columns(layer: Layer) -> tuple[str, ...]:
    """Return the columns of a layer's rows in the order they are written."""
    geometry = ("geom",) if layer.has_geometry else ()
    return ("fid", *geometry, "id", *layer.stored_names, SEARCH_KEY, "valid_from", "valid_to", "valid_precision", "version_from", "min_zoom")  # fmt: skip


def constants(columns: Mapping[str, list[Any]]) -> dict[str, str | int]:
    """Return the short texts and whole numbers that all values of a column are: they need not be sent row by row."""
    found: dict[str, str | int] = {}
    for name, values in columns.items():
        first = values[0]
        if type(first) not in (str, int) or values[-1] != first or values.count(first) < len(values):
            continue
        if abs(first) < 2**63 if type(first) is int else len(first) <= _LONGEST_CONSTANT and "\x00" not in first:
            found[name] = first
    return found


@dataclass(frozen=True)
class Writing:
    """What every row of a changeset is written with: the version it makes, its instants, whether it is an edit.

    An edit leaves the parts as they were delivered. Rows that are `whole` say all there is of a feature: what they lack
    is empty.
    """

    version: int
    effective: Instant
    moment: Instant
    edit: bool = False
    scope: Scope = Scope()
    whole: bool = False


class LayerWriter(ABC):
    """Writes the rows of one layer within an open transaction and remembers what it touched.

    `reserved` are ids that rows still to come are given by hand: none of them is minted before. `shown_on` are, where a
    delivery comes late, the days of the deliveries that showed a feature, by fid: what they said goes on from there.
    """

    def __init__(self, layer: Layer, writing: Writing) -> None:
        self.layer, self.writing = layer, writing
        self.inserted = self.updated = self.terminated = self.unchanged = 0
        self.tick: Callable[[int], None] = lambda rows: None
        self._new_fids: list[NDArray[np.int64]] = []
        self.shown_on: Mapping[int, Sequence[Instant]] = {}
        self.reserved: set[str] = set()
        self._began_empty = False
        self._touched = TouchedGathering()
        self._census = Census(layer)
        self._delivered, self._written, self._closed, self._beside = (np.zeros(2, dtype=np.uint64) for _ in range(4))

    # --- what happens

    def write(self, rows: Rows, decisions: NDArray[np.int64], until: NDArray[Any] | None = None) -> None:
        """Write delivered rows: new ones (0), new states of known ones (their fid); leave out those without change (-1).

        Rows that have an instant in `until` are true up to it; None is open.
        """
        self.unchanged += int((decisions == -1).sum())
        ends = np.full(len(rows), None, dtype=object) if until is None else until
        new = rows.take(decisions == 0) if (decisions != 0).any() else rows
        if len(new):
            self._insert(new, ends[decisions == 0])
        updates = np.flatnonzero(decisions > 0)
        order = updates[np.argsort(decisions[updates], kind="stable")]
        for start in range(0, len(order), _FOLLOWED_AT_ONCE):
            chosen = order[start : start + _FOLLOWED_AT_ONCE]
            self._update(rows.take(chosen), decisions[chosen], ends[chosen])

    def _insert(self, rows: Rows, until: NDArray[Any]) -> None:
        first = self.take_fids(len(rows))
        self._began_empty = self._began_empty or first == 1
        fids = np.arange(first, first + len(rows), dtype=np.int64)
        self._new_fids.append(fids)
        columns = self._columns(rows, fids, [None] * len(rows))
        self._deliver(fids, rows)
        self.inserted += len(rows)
        self.tick(len(rows))
        lasting = np.array([end is None for end in until.tolist()], dtype=bool)
        if not lasting.all():
            self._insert_ended(of_places(columns, np.flatnonzero(~lasting).tolist()), until[~lasting].tolist())
            columns = of_places(columns, np.flatnonzero(lasting).tolist())
            rows, fids = rows.take(lasting), fids[lasting]
        if len(rows):
            self._insert_lasting(rows, fids, columns)

    def _insert_ended(self, columns: Columns, until: list[Instant]) -> None:
        """Write new features that have ended since."""
        todo = Steps()
        for values, end in zip(zip(*columns.values(), strict=True), until, strict=True):
            row = dict(zip(columns, values, strict=True)) | {"_row": None, "valid_to": end}
            if row["valid_from"] >= end:
                row |= {"valid_from": self.writing.effective, "valid_precision": None}
            self._change([], [row], todo)
        self._apply(todo)

    def _insert_lasting(self, rows: Rows, fids: NDArray[np.int64], columns: dict[str, list[Any]]) -> None:
        """Write new features that have no end."""
        self.insert(columns, rows.bounds)
        if self.layer.has_geometry:
            self._touched.add(rows.bounds)
        self._count(columns, rows.bounds)
        self._count_written(fids, words_of(rows.content.tolist()), columns)
        ahead = min((instant for instant in set(columns["valid_from"]) if instant > self.writing.moment), default=None)
        if ahead is not None:
            self.expect(ahead)

    @property
    def new_fids(self) -> NDArray[np.int64]:
        """The fids of the new features, in the order in which they were written."""
        return np.concatenate([no_fids(), *self._new_fids])

    def _columns(self, rows: Rows, fids: NDArray[np.int64], known_ids: Sequence[str | None]) -> dict[str, list[Any]]:
        """Return values by column of `row_columns`; an id is the known one, the delivered one, or minted from the fid."""
        columns: dict[str, list[Any]] = {"fid": fids.tolist()}
        if self.layer.has_geometry:
            columns["geom"] = self.geometries(rows)
        own = rows.ids.tolist()
        columns["id"] = self._minted(
            columns["fid"], [known or given for known, given in zip(known_ids, own, strict=True)]
        )
        nothing = [None] * len(rows)
        columns |= {
            name: _plain(rows.columns[name]) if name in rows.columns else nothing
            for name in (*self.layer.stored_names, SEARCH_KEY)
        }
        columns["valid_from"] = [instant or self.writing.effective for instant in rows.valid_from.tolist()]
        columns["valid_to"] = [None] * len(rows)
        columns["valid_precision"] = rows.valid_precision.tolist()
        columns["version_from"] = [self.writing.version] * len(rows)
        columns["min_zoom"] = rows.min_zoom.tolist()
        return columns

    def _minted(self, fids: list[int], given: list[str | None]) -> list[str]:
        """Return the ids of rows: the given one, else one made of the layer and the fid, and of a further number where
        somebody has given that id by hand before."""
        minted = [name or f"{self.layer.id}.{fid}" for name, fid in zip(given, fids, strict=True)]
        new = [row for row, name in enumerate(given) if name is None]
        self.reserved |= {name for name in given if name is not None and name.startswith(f"{self.layer.id}.")}
        if not new:
            return minted
        taken = self.reserved if self._began_empty else self.reserved | self.ids_in_use([minted[row] for row in new])
        for row in new if taken else ():
            number = 1
            while minted[row] in taken:
                number += 1
                minted[row] = f"{self.layer.id}.{fids[row]}.{number}"
                taken = taken | self.ids_in_use([minted[row]])
        return minted

    def _update(self, rows: Rows, fids: NDArray[np.int64], until: NDArray[Any]) -> None:
        """Give known features a new state from its instant on, up to the next state recorded for later; fids rise."""
        others = ~self._follow(rows, fids)
        for batch in _batches(np.flatnonzero(others).tolist()):
            self._restate(rows.take(np.array(batch)), fids[batch], until[batch])

    def _follow(self, rows: Rows, fids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Give a new state to those features whose current row it follows at once (`succession`); say which they are."""
        before = self.current_rows(np.unique(fids).tolist())
        at = np.searchsorted(fids, before["fid"])
        begun = self._beginnings(rows.take(at), before)
        once = np.searchsorted(fids, before["fid"], side="right") - at == 1
        chosen = once & followed_at_once(before, begun["valid_from"], self.writing.version, self.writing.moment)
        chosen &= ~np.isin(np.array(before["fid"], dtype=np.int64), [*self.shown_on])
        followed = np.zeros(len(fids), dtype=bool)
        followed[at[chosen]] = True
        if followed.any():
            new = rows.take(followed)
            before, begun = (of_places(columns, np.flatnonzero(chosen).tolist()) for columns in (before, begun))
            new, raised = self._with_heights(new, before)
            untold = {name: before[name] for name in self._untold(new)}
            after = self._columns(new, fids[followed], before["id"]) | begun | untold
            after |= self._with_attributes(new, before, after)
            after |= self._finer_classes(before, after)
            self._succeed(new, Succession(before, after), raised=raised)
        return followed

    def _beginnings(self, rows: Rows, before: Columns) -> dict[str, list[Any]]:
        """Return since when new states of current rows are true, and how exactly that is known (`_since`)."""
        own = [instant or self.writing.effective for instant in rows.valid_from.tolist()]
        later = [instant > begun for instant, begun in zip(own, before["valid_from"], strict=True)]
        precision = rows.valid_precision.tolist()
        return {
            "valid_from": [
                instant if after else self.writing.effective for instant, after in zip(own, later, strict=True)
            ],
            "valid_precision": [each if after else None for each, after in zip(precision, later, strict=True)],
        }

    def _succeed(self, rows: Rows, both: Succession, *, raised: bool) -> None:
        """Write rows that follow current ones, and account for them."""
        fids, version = np.array(both.fids, dtype=np.int64), self.writing.version
        if self.layer.has_geometry:
            self._touched.add(rows.bounds)
            shapes = [shape for place in both.moved if (shape := both.before["geom"][place]) is not None]
            if shapes:
                self._touched.add(self.boxes(shapes))
        contents = words_of(rows.content.tolist())
        hashes = self._contents(both.after) if raised or self._keeps_more(rows, both.after) else contents
        self._count_written(fids, hashes, both.after)
        ending = both.ending(version)
        if ending["fid"]:
            self._count_written(np.array(ending["fid"], dtype=np.int64), self._contents(ending), ending)
        self._closed += _closing_total(both.before)
        self._count(both.before, None, sign=-1)
        self._count(ending, None)
        self._count(both.after, rows.bounds)
        self.succeed(both)
        self._deliver(fids, self._with_marks(rows, both.after), again=True)
        self._keep_numbers(rows, both.before["id"], fids)
        self.updated += len(fids)
        self.tick(len(fids))

    def _restate(self, rows: Rows, fids: NDArray[np.int64], until: NDArray[Any]) -> None:
        """Give features a new state somewhere in their timelines."""
        timelines, seen = self._timelines_to_restate(fids.tolist())
        former = self.timelines([fid for fid in fids.tolist() if fid not in timelines], "whole")
        known_ids = [str((timelines.get(fid) or former[fid])[0]["id"]) for fid in fids.tolist()]
        columns = self._columns(rows, fids, known_ids)
        columns["_row"] = [None] * len(rows)
        untold = self._untold(rows)
        columns["_content"] = rows.content.tolist()
        names, todo = tuple(columns), Steps()
        newest: list[bool] = []
        states: list[Row] = []
        for values, end in zip(zip(*columns.values(), strict=True), until.tolist(), strict=True):
            state = dict(zip(names, values, strict=True))
            before = seen.get(state["fid"], [])
            state |= self._since(state, before)
            held = _held_at(before or former[state["fid"]], state["valid_from"])
            more = {name: held[name] for name in untold}
            more |= {
                name: one[0] for name, one in self._with_attributes(rows, _as_columns(held), _as_columns(state)).items()
            }
            more |= {name: one[0] for name, one in self._finer_classes(_as_columns(held), _as_columns(state)).items()}
            if any(state[name] != value for name, value in more.items()):
                del state["_content"]
            state |= more
            states.append(state)
            newest.append(all(row["valid_from"] <= state["valid_from"] for row in before))
            after_it = stated(before, state, self.writing.version, end)
            self._change(timelines.get(state["fid"], []), after_it, todo)
        self._apply(todo)
        after = {name: [state[name] for state in states] for name in (*untold, ATTRIBUTES)}
        self._deliver(fids[newest], self._with_marks(rows, after).take(np.array(newest)), again=True)
        self._keep_numbers(rows, known_ids, fids)
        self.updated += len(fids)
        self.tick(len(fids))

    def _keep_numbers(self, rows: Rows, known_ids: Sequence[str], fids: NDArray[np.int64]) -> None:
        """Keep the numbers by which a delivery calls known features otherwise."""
        own_ids = rows.ids.tolist()
        if not self.writing.edit and any(own_ids):
            triples = zip(own_ids, known_ids, fids.tolist(), strict=True)
            self._keep_aliases([(own, fid) for own, known, fid in triples if own is not None and own != known])

    def _keep_aliases(self, renumbered: list[tuple[str, int]]) -> None:
        self._beside += _total(alias_words(self.keep_aliases(renumbered)))

    def _keep_links(self, links: list[tuple[str, int, int]]) -> None:
        self._beside += _total(link_words(self.keep_links(links)))

    def _untold(self, rows: Rows) -> tuple[str, ...]:
        """Return the columns of which rows say nothing: known features keep what they have there.

        A field that the catalogue has no more is none that a delivery could name: it is not carried on.
        """
        if self.writing.whole:
            return ()
        edited = (*self.layer.stored_names, SEARCH_KEY)
        names = edited if self.writing.edit else (*self.layer.field_names, ATTRIBUTES)
        return tuple(name for name in names if name not in rows.columns)

    def _with_attributes(self, rows: Rows, before: Columns, after: Columns) -> dict[str, list[Any]]:
        """Return the column of attributes where rows say only some of them: known features keep the others."""
        names = rows.attribute_names
        if self.writing.edit or self.writing.whole or names is None or ATTRIBUTES not in rows.columns:
            return {}
        return {ATTRIBUTES: with_known_attributes(after[ATTRIBUTES], before[ATTRIBUTES], names)}

    def _with_heights(self, rows: Rows, before: Columns) -> tuple[Rows, bool]:
        """Return rows with the heights of the ones before them where they have none, and whether there are such."""
        layer, writing = self.layer, self.writing
        if not layer.keeps_heights or writing.edit or writing.whole:
            return rows, False
        wkb, raised = with_known_heights(rows.wkb, self.wkb(before["geom"]), 2 * layer.plan_error)
        return (replace(rows, shapes=RowGeometry.of(wkb)), True) if len(raised) else (rows, False)

    def _finer_classes(self, before: Columns, after: Columns) -> dict[str, list[Any]]:
        """Return the columns of the class where a delivery would make it coarser than it is (`identity.finer_class`)."""
        names = self.layer.classes
        if self.writing.edit or self.writing.whole or all(before[name] == after[name] for name in names):
            return {}
        known, delivered = (zip(*(state[name] for name in names), strict=True) for state in (before, after))
        finer = [finer_class(*pair) for pair in zip(known, delivered, strict=True)]
        return {name: [values[n] for values in finer] for n, name in enumerate(names)}

    def _keeps_more(self, rows: Rows, after: Columns) -> bool:
        """Say whether new states hold more than what was delivered of them: what is not there counts for nothing."""
        names = [name for name in (*self.layer.classes, ATTRIBUTES) if name in rows.columns]
        untold = (after[name] for name in self._untold(rows))
        return any(values.count(None) < len(values) for values in untold) or any(
            after[name] != _plain(rows.columns[name]) for name in names
        )

    def _with_marks(self, rows: Rows, after: Columns) -> Rows:
        """Return rows of which those that say only part of their new states are known by their hash (`partial_content`)."""
        partial = np.zeros(0, dtype=bool) if self.writing.edit else self._partial(rows, after)
        if not partial.any():
            return rows
        return replace(rows, content=contents_from(partial_contents(words_of(rows.content.tolist()), partial)))

    def _partial(self, rows: Rows, after: Columns) -> NDArray[np.bool_]:
        """Say which rows have no column for something that their new states hold."""
        partial = np.zeros(len(rows), dtype=bool)
        for name in self._untold(rows):
            if after[name].count(None) < len(rows):
                partial |= np.array([value is not None for value in after[name]])
        if rows.attribute_names is not None and ATTRIBUTES in rows.columns:
            pairs = zip(after[ATTRIBUTES], _plain(rows.columns[ATTRIBUTES]), strict=True)
            partial |= np.array([held != delivered for held, delivered in pairs])
        return partial

    def _timelines_to_restate(self, fids: list[int]) -> tuple[dict[int, list[Row]], dict[int, list[Row]]]:
        """Return timelines as they are recorded, and as far as their states had been seen when they began (`as_seen`)."""
        if not self.shown_on:
            timelines = self._until_now(fids)
            return timelines, timelines
        timelines = self.timelines(fids, "believed")
        at, version = self.writing.effective, self.writing.version
        seen = {fid: as_seen(rows, self.shown_on.get(fid, ()), at, version) for fid, rows in timelines.items()}
        return timelines, seen

    def _until_now(self, fids: Sequence[int]) -> dict[int, list[Row]]:
        """Return the timelines of features as far as a change from the changeset's instant on can touch them.

        Of a feature whose current row began before that and has no end, this is the row alone: what was before it stays as
        it is, and nothing is recorded for later. The history of the others is looked into.
        """
        found = {
            fid: rows
            for fid, rows in self.timelines(fids, "current").items()
            if rows[0]["valid_to"] is None and rows[0]["valid_from"] <= self.writing.effective
        }
        found |= self.timelines([fid for fid in fids if fid not in found], "believed")
        return {fid: found[fid] for fid in fids if fid in found}

    def _since(self, state: Row, before: list[Row]) -> Row:
        """Return since when a state is true: a date of its own that says when the thing began is not that of a later
        change of it, which took effect when the delivery was true."""
        effective = self.writing.effective
        began = [row["valid_from"] for row in before if not self.shown_on or row["valid_from"] <= effective]
        if began and state["valid_from"] <= max(began):
            return {"valid_from": self.writing.effective, "valid_precision": None}
        return {}

    def _deliver(self, fids: NDArray[np.int64], rows: Rows, *, again: bool = False) -> None:
        """Keep rows as parts, as they were last delivered; an edit delivers none, and what a late delivery puts between
        older and newer states takes no part's place."""
        if self.writing.edit:
            return
        if again:
            self.close_parts(fids.tolist())
        hashes = rows.content.tolist()
        self.keep_parts(fids.tolist(), hashes)
        self._delivered += _total(parts_words(fids, words_of(hashes)))

    def end(self, fids: Iterable[int]) -> None:
        """End features at the changeset's instant: they are true until then and absent after it."""
        for batch in _batches(fids):
            todo = Steps()
            for before in self._until_now(batch).values():
                self._change(before, ended(before, self.writing.effective, self.writing.version), todo)
                self.terminated += 1
            self._apply(todo)
            self.tick(len(batch))

    def begin(self, instants: Mapping[int, Instant]) -> None:
        """Have features, by fid, begin at an instant: they are absent before it."""
        for batch in _batches(instants):
            todo = Steps()
            for fid, before in self.timelines(batch, "believed").items():
                after = begun(before, instants[fid], self.writing.version)
                if any(row is not was for row, was in zip(after, before, strict=False)) or len(after) < len(before):
                    self._change(before, after, todo)
                    self.updated += 1
            self._apply(todo)
            self.tick(len(batch))

    def link(self, plan: LayerPlan) -> None:
        """Keep the links of a plan: which written features follow which others, and which ones go by another's id too."""
        if plan.joined:
            self._keep_aliases([(former_id, stays) for _, former_id, _, stays in plan.joined])
            self._keep_links([(kind, ends, stays) for kind, _, ends, stays in plan.joined])
        if plan.links or plan.late.links:
            self._keep_links(plan.linked_fids(self.new_fids))

    def restore(self, fids: Iterable[int], version: int) -> None:
        """Believe again what was recorded of features as of a version, what had been delivered of them by then and what
        followed what: the delivery that is undone can come again."""
        for batch in _batches(fids):
            again, closed = self.restore_links(list(batch), version)
            self._beside += _total(link_words(again)) + _total(link_words(closed, closed=True))
            todo = Steps()
            for rows in self.timelines(batch, "whole").values():
                before = [row for row in rows if row["version_to"] is None]
                after = [self._again(row) for row in rows if _recorded(row, version)]
                was, becomes = (current_of(state, self.writing.moment) is not None for state in (before, after))
                self.inserted += becomes and not was
                self.terminated += was and not becomes
                self.updated += was == becomes
                self._change(before, after, todo)
            self._apply(todo)
            self.tick(len(batch))
            parts = self.restore_parts(list(batch), version)
            if parts:
                fids_again = np.array([fid for fid, _ in parts], dtype=np.int64)
                contents = words_of([bytes(content) for _, content in parts])
                self._delivered += _total(parts_words(fids_again, contents))

    def _again(self, row: Row) -> Row:
        if row["version_to"] is None:
            return row
        return row | {"_row": None, "version_from": self.writing.version, "version_to": None}

    def _change(self, before: list[Row], after: list[Row], todo: Steps) -> None:
        todo.extend(steps(before, after, self.writing.moment, self.writing.version))
        ahead = min(boundaries(after, self.writing.moment), default=None)
        if ahead is not None:
            self.expect(ahead)

    def _boxes_of_rows(self, rows: Iterable[Row]) -> list[NDArray[np.float64]]:
        """Return the boxes of rows, each shape once, as one array, or nothing."""
        shapes = {row["geom"] for row in rows} - {None} if self.layer.has_geometry else set()
        return [self.boxes(list(shapes))] if shapes else []

    def _apply(self, todo: Steps) -> None:
        for boxes in self._boxes_of_rows((*todo.take, *(place.row for place in todo.put))):
            self._touched.add(boxes)
        version = self.writing.version
        self._count_rows(
            [place.row for place in todo.put if place.version_to is None and place.row["version_from"] == version]
        )
        self._count_rows([row for row in todo.take if row["version_from"] == version], taken=True)
        closed = [place.row for place in todo.put if place.version_to == version]
        self._closed += _closing_total({name: [row[name] for row in closed] for name in _CLOSING})
        self._count(self._columns_of(todo.take), None, sign=-1)
        believed = [place.row for place in todo.put if place.version_to is None]
        self._count(self._columns_of(believed), np.concatenate([np.empty((0, 4)), *self._boxes_of_rows(believed)]))
        self.apply(todo)

    def _columns_of(self, rows: list[Row]) -> Columns:
        """Return rows by the columns that a census counts."""
        names = ("valid_from", "valid_to", *self._counted_columns())
        return {name: [row[name] for row in rows] for name in names}

    def _counted_columns(self) -> tuple[str, ...]:
        geometry = ("geom",) if has_heights_of_its_own(self.layer) else ()
        return (*shaping_fields(self.layer), *geometry)

    def _count(self, columns: Columns, bounds: NDArray[np.float64] | None, *, sign: int = 1) -> None:
        """Count rows that are believed from now on, with their boxes where these are new, or no longer (`sign` -1)."""
        self._census.add_validity(columns["valid_from"], columns["valid_to"], sign=sign)
        if bounds is None:
            return
        if self.layer.has_geometry:
            self._census.add_boxes(bounds)
        shapes = columns["geom"] if has_heights_of_its_own(self.layer) else []
        self._census.add_values(columns, shapely.from_wkb(np.array([*self.wkb(shapes), None], dtype=object)))

    def _count_written(
        self, fids: NDArray[np.int64], contents: NDArray[np.uint64], columns: Columns, *, taken: bool = False
    ) -> None:
        """Add rows to what this version has written, or take them from it."""
        words = _total(row_words(fids, contents, columns))
        beside = np.zeros(2, dtype=np.uint64)
        if self.layer.id == FINDING:
            beside = _total(finding_words(self.layer, self._with_wkb(columns)))
        self._written = self._written - words if taken else self._written + words
        self._beside = self._beside - beside if taken else self._beside + beside

    def _count_rows(self, rows: list[Row], *, taken: bool = False) -> None:
        """Do the same with rows by column; what a row says is hashed where nobody has hashed it yet."""
        if not rows:
            return
        unknown = [row for row in rows if "_content" not in row]
        if unknown:
            columns = {name: [row[name] for row in unknown] for name in row_columns(self.layer)}
            for row, content in zip(unknown, self._hashes(columns), strict=True):
                row["_content"] = content
        fids = np.array([row["fid"] for row in rows], dtype=np.int64)
        columns = {name: [row[name] for row in rows] for name in row_columns(self.layer)}
        self._count_written(fids, words_of(row["_content"] for row in rows), columns, taken=taken)

    def _contents(self, columns: Columns) -> NDArray[np.uint64]:
        """Return the words of what rows say, (n, 2)."""
        return words_of(self._hashes(columns))

    def _hashes(self, columns: Columns) -> list[bytes]:
        hashes: list[bytes] = stored_contents(self.layer, self._with_wkb(columns)).tolist()
        return hashes

    def _with_wkb(self, columns: Columns) -> Columns:
        return {**columns, "geometry": self.wkb(columns["geom"])} if self.layer.has_geometry else columns

    def finish(self) -> tuple[Touched, str]:
        """Write the touched boxes and the layer's numbers; return what was touched and the digest of the content."""
        settled = self.settle()
        cells = self._touched.cells()
        box: Box | None = None
        if len(cells.boxes):
            low, high = cells.boxes[:, :2].min(axis=0).tolist(), cells.boxes[:, 2:].max(axis=0).tolist()
            box = (low[0], low[1], high[0], high[1])
        touched = Touched(self.inserted, self.updated, self.terminated, self.unchanged, box)
        stands = self.census_stands()
        for boxes in settled:
            self._touched.add(boxes)
        self.summarise(touched, self._touched.cells())
        self.keep_census(self._census if stands else self._census_anew(), anew=not stands)
        numbers = (touched.inserted, touched.updated, touched.terminated, touched.unchanged, *(box or (None,) * 4))
        self._beside += _total(change_words([numbers]))
        sums = (self._delivered, self._written, self._closed, self._beside)
        return touched, "-".join(map(parts_digest, sums))

    def settle(self) -> list[NDArray[np.float64]]:
        """File again the rows whose time has come since they were written: "now" then reads the current rows alone.

        Returns their boxes: this version touches them, for who holds a tile from before has to be sent the new one.
        """
        boxes: list[NDArray[np.float64]] = []
        for batch in _batches(self.overtaken()):
            todo = Steps()
            for rows in self.timelines(batch, "believed").values():
                self._change(rows, rows, todo)
                boxes += self._boxes_of_rows(rows)
            self.apply(todo)
        return boxes

    def take_census(self) -> None:
        """Take the layer's census of what lies in it now: rows that were loaded from another store bring none."""
        self.keep_census(self._census_anew(), anew=True)

    def _census_anew(self) -> Census:
        """Return the census of every row of the layer, as it has been written."""
        census = self._census = Census(self.layer)
        for columns in self.every_row(("valid_from", "valid_to", "version_to", *self._counted_columns())):
            bounds = np.empty((0, 4))
            if self.layer.has_geometry:
                shapes = [shape for shape in columns["geom"] if shape is not None]
                bounds = self.boxes(shapes) if shapes else bounds
            believed = [place for place, closed in enumerate(columns["version_to"]) if closed is None]
            self._count(columns | {"valid_from": [], "valid_to": []}, bounds)
            census.add_validity(*([columns[name][place] for place in believed] for name in ("valid_from", "valid_to")))
        return census

    # --- how it is written

    @abstractmethod
    def census_stands(self) -> bool:
        """Say whether the layer's census counts all that was written before this version, by today's rule."""

    @abstractmethod
    def every_row(self, names: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
        """Yield all rows of the layer, current and former, by some of their columns and the geometry, in batches."""

    @abstractmethod
    def keep_census(self, census: Census, *, anew: bool) -> None:
        """Add to the layer's census, or put another in its place, as of this version."""

    @abstractmethod
    def take_fids(self, count: int) -> int:
        """Return the first of `count` new fids."""

    @abstractmethod
    def ids_in_use(self, ids: list[str]) -> set[str]:
        """Return those of some ids that features have, had, or go by otherwise."""

    @abstractmethod
    def geometries(self, rows: Rows) -> list[Any]:
        """Return the values of the geometry column."""

    @abstractmethod
    def boxes(self, shapes: list[Any]) -> NDArray[np.float64]:
        """Return the boxes (n, 4) of values of the geometry column: minx, miny, maxx, maxy."""

    @abstractmethod
    def wkb(self, shapes: list[Any]) -> list[bytes | None]:
        """Return the ISO WKB of values of the geometry column."""

    @abstractmethod
    def insert(self, columns: Mapping[str, list[Any]], bounds: NDArray[np.float64]) -> None:
        """Put new features among the current rows; called with many at once."""

    @abstractmethod
    def timelines(self, fids: Sequence[int], reach: TimelineExtent) -> dict[int, list[Row]]:
        """Return the recorded rows of features by valid time: the current one, those believed now, or every one ever.

        Keys of a row are those of `row_columns`, `_row` and `version_to`.
        """

    @abstractmethod
    def current_rows(self, fids: Sequence[int]) -> dict[str, list[Any]]:
        """Return by column of `row_columns`, by rising fid, the current rows of features, whose fids rise."""

    @abstractmethod
    def succeed(self, both: Succession) -> None:
        """Put current rows into the history, as closed and as ended, and others in their place."""

    @abstractmethod
    def apply(self, todo: Steps) -> None:
        """Take rows out of their tables, then put rows into theirs."""

    @abstractmethod
    def keep_parts(self, fids: list[int], contents: list[bytes]) -> None:
        """Keep what was delivered of features: content hash, scope, version."""

    @abstractmethod
    def close_parts(self, fids: list[int]) -> None:
        """Close what was delivered of features before this version."""

    @abstractmethod
    def restore_parts(self, fids: list[int], version: int) -> list[tuple[int, bytes]]:
        """Close what was delivered of features after a version and open again what stood then; return fid and content
        of what was opened."""

    @abstractmethod
    def keep_aliases(self, renumbered: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Keep other numbers of features: (number, fid); return those that were not known."""

    @abstractmethod
    def keep_links(self, links: list[tuple[str, int, int]]) -> list[LinkRow]:
        """Keep links between features: (kind, predecessor, successor); return those that were not known."""

    @abstractmethod
    def restore_links(self, fids: list[int], version: int) -> tuple[list[LinkRow], list[LinkRow]]:
        """Close the links of features that were made after a version, and make those again that held then.

        Returns what is made again, and what is closed.
        """

    @abstractmethod
    def expect(self, instant: Instant) -> None:
        """Remember an instant to come at which something of the layer begins or ends."""

    @abstractmethod
    def overtaken(self) -> list[int]:
        """Return features that have begun or ended since the layer was last written, and forget the instants that have passed.

        Their rows may be filed for a moment before that.
        """

    @abstractmethod
    def changed_since(self, fids: list[int], version: int) -> list[str]:
        """Return the ids of those features of which a later version says something else."""

    @abstractmethod
    def summarise(self, touched: Touched, cells: TouchedCells) -> None:
        """Write what a version touched, the layer's number of features, its extent."""


def _total(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.asarray(words.sum(axis=0, dtype=np.uint64))


_CLOSING = ("fid", "version_from", "valid_from", "valid_to")


def _closing_total(columns: Columns) -> NDArray[np.uint64]:
    """Return the sum of the words of rows that are closed; columns are those of `_CLOSING`."""
    fids, versions = (np.array(columns[name], dtype=np.int64) for name in ("fid", "version_from"))
    return _total(closing_words(fids, versions, columns["valid_from"], columns["valid_to"]))


def _held_at(before: list[Row], since: Instant) -> Row:
    """Return the row of a feature that holds at an instant."""
    held = [row for row in before if row["valid_from"] <= since] or before
    return held[-1]


def _as_columns(row: Row) -> dict[str, list[Any]]:
    return {name: [value] for name, value in row.items()}


def _recorded(row: Row, version: int) -> bool:
    return row["version_from"] <= version and (row["version_to"] is None or row["version_to"] > version)


def _plain(column: NDArray[Any]) -> list[Any]:
    """Return the values of a column as Python's own, None where a number is unknown."""
    values: list[Any] = column.tolist()
    if column.dtype.kind == "f" and np.isnan(column).any():
        return [None if value != value else value for value in values]
    return values


def _batches(fids: Iterable[int]) -> Iterator[list[int]]:
    listed = list(fids)
    for start in range(0, len(listed), _AT_ONCE):
        yield listed[start : start + _AT_ONCE]
