"""One feature made of two that are the same: what the older one lacks is taken from the newer one.

Where both say something, the older one's word stays and the difference is counted. A line that is drawn the other way
round says what it says of its start of the other's end.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from twin_model.changeset import Rows
from twin_model.doctor.doubled import DoubledPairs
from twin_model.identity import finer_class
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.attributes import attributes_text, read_attributes
from twin_model.rows.content import content_hashes
from twin_model.rows.geometry import min_zoom
from twin_model.rows.known_heights import with_known_heights
from twin_model.rows.row_geometry import RowGeometry
from twin_model.store.base import FeatureQuery, Store

__all__ = ["ENDS", "JoinedStates", "State", "join_features", "redirect_ends", "rows_of_states", "states_by_fid"]

State = dict[str, Any]
"""What a row of the store says, by column; geometry as WKB."""

ENDS = {"start_no": 0, "end_no": -1}
"""The fields of a line that name the points at its ends, and the vertex where each lies."""

_AT_ONCE = 4_000
_ROWS_AT_ONCE = 50_000
_TURNED = {"+": "-", "-": "+"}
"""A code of direction along a line, as the line drawn the other way round says it."""


@dataclass
class JoinedStates:
    """What becomes of a layer: states by fid of features that change; how many values were taken over and differ, by field.

    `before` holds the states of all that are concerned, `redirected` counts ends of lines that go to another point now.
    """

    before: dict[int, State] = field(default_factory=dict)
    after: dict[int, State] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    redirected: int = 0


def states_by_fid(store: Store, layer: Layer, fids: Iterable[int]) -> dict[int, State]:
    """Return what features say now, by fid."""
    wanted = sorted(set(fids))
    states: dict[int, State] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        names, rows = store.rows(FeatureQuery(layer.id, fids=tuple(wanted[start : start + _AT_ONCE])))
        at = names.index("fid")
        states |= {row[at]: dict(zip(names, row, strict=True)) for row in rows}
    return states


def join_features(store: Store, layer: Layer, pairs: DoubledPairs) -> JoinedStates:
    """Return what the features that stay say when they know what those that stand there once more know."""
    joined = JoinedStates(states_by_fid(store, layer, [*pairs.older.tolist(), *pairs.newer.tolist()]))
    for older, newer in zip(pairs.older.tolist(), pairs.newer.tolist(), strict=True):
        known, other = joined.after.get(older, joined.before[older]), joined.before[newer]
        state = _joined(layer, known, _turned(layer, other) if _runs_against(known, other) else other, joined)
        if state != known:
            joined.after[older] = state
    return joined


def _joined(layer: Layer, known: State, other: State, joined: JoinedStates) -> State:
    state = dict(known)
    for name in layer.field_names:
        if name in (layer.identity_field, *layer.classes, *layer.projects) or other.get(name) is None:
            continue
        if known.get(name) is None:
            state[name] = other[name]
            joined.taken[name] += 1
        elif known[name] != other[name] and name not in ENDS:  # of numbers, those of the older one are meant to stay
            joined.differing[name] += 1
    classes = finer_class(*(tuple(row[name] or None for name in layer.classes) for row in (known, other)))
    for name, value in zip(layer.classes, classes, strict=True):
        joined.taken[name] += (known[name] or None) != value
        state[name] = value
    attributes = read_attributes(other.get(ATTRIBUTES)) | read_attributes(known.get(ATTRIBUTES))
    if attributes != read_attributes(known.get(ATTRIBUTES)):
        state[ATTRIBUTES] = attributes_text(attributes)
        joined.taken[ATTRIBUTES] += 1
    if layer.keeps_heights:
        wkb, raised = with_known_heights(_objects([known["geometry"]]), [other["geometry"]], 2 * layer.plan_error)
        state["geometry"] = wkb[0]
        joined.taken["geometry"] += len(raised)
    joined.taken = +joined.taken
    return state


def _runs_against(known: State, other: State) -> bool:
    """Say whether a line runs the other way round than another at its place."""
    first, second = (shapely.get_coordinates(shapely.from_wkb(row["geometry"])) for row in (known, other))
    if len(first) < 2:
        return False
    along = np.hypot(*(first[0] - second[0])) + np.hypot(*(first[-1] - second[-1]))
    return bool(along > np.hypot(*(first[0] - second[-1])) + np.hypot(*(first[-1] - second[0])))


def _turned(layer: Layer, state: State) -> State:
    """Return what a line would say if it were drawn the other way round."""
    turned = dict(state)
    for each in layer.fields:
        start = each.name.startswith("start_")
        partner = each.name.replace("start_", "end_", 1) if start else each.name.replace("end_", "start_", 1)
        if each.name.startswith(("start_", "end_")) and partner in state:
            turned[each.name] = state[partner]
        if set(_TURNED) <= set(each.codes):
            turned[each.name] = _TURNED.get(state[each.name], state[each.name])
    return turned


def redirect_ends(
    store: Store, layer: Layer, lines: JoinedStates, leaving: Sequence[int], points: Sequence[tuple[State, State]]
) -> None:
    """Name the points that stay at the ends of lines that stay; `lines` is filled in.

    `points` are pairs of (point that stays, point that leaves). A number is redirected where it is the leaving one's
    and the end lies at that point: elsewhere another office may have given the same number.
    """
    renamed: dict[str, list[tuple[Any, str]]] = {}
    for stays, leaves in points:
        if leaves["survey_no"] and stays["survey_no"] and leaves["survey_no"] != stays["survey_no"]:
            place = shapely.from_wkb(leaves["geometry"])
            renamed.setdefault(leaves["survey_no"], []).append((place, stays["survey_no"]))
    if not renamed:
        return
    fids = [fid for fid in _naming(store, layer, renamed) if fid not in set(leaving)]
    unread = [fid for fid in fids if fid not in lines.before]
    lines.before |= states_by_fid(store, layer, unread)
    for fid in {*fids, *lines.after}:
        state = dict(lines.after.get(fid, lines.before[fid]))
        for name, vertex in ENDS.items():
            number = _redirected(state, name, vertex, renamed, 2 * layer.plan_error)
            if number is not None:
                state[name] = number
                lines.redirected += 1
                lines.after[fid] = state


def _naming(store: Store, layer: Layer, numbers: Mapping[str, Any]) -> list[int]:
    """Return the fids of the lines that name one of some numbers at an end."""
    fids: list[int] = []
    for frame in store.frames(FeatureQuery(layer.id, fields=tuple(ENDS), geometry=False)):
        chosen = frame[list(ENDS)].isin(list(numbers)).any(axis=1)
        fids += frame["fid"][chosen].tolist()
    return fids


def _redirected(
    state: State, name: str, vertex: int, renamed: Mapping[str, list[tuple[Any, str]]], reach: float
) -> str | None:
    """Return the number of the point that stays at an end of a line, None where the one it names is right."""
    if state[name] not in renamed or state["geometry"] is None:
        return None
    end = shapely.Point(shapely.get_coordinates(shapely.from_wkb(state["geometry"]))[vertex])
    near = sorted((shapely.distance(place, end), number) for place, number in renamed[state[name]])
    return near[0][1] if near[0][0] <= reach else None


def rows_of_states(layer: Layer, states: Sequence[State], crs: str) -> list[Rows]:
    """Return states as rows of an edit, in the storage CRS, with all fields of the layer; 50,000 at once."""
    return [_rows(layer, states[n : n + _ROWS_AT_ONCE], crs) for n in range(0, len(states), _ROWS_AT_ONCE)]


def _rows(layer: Layer, states: Sequence[State], crs: str) -> Rows:
    wkb = _objects([state["geometry"] for state in states])
    geometry = np.asarray(shapely.from_wkb(wkb), dtype=object)
    columns = {name: _objects([state.get(name) for state in states]) for name in (*layer.field_names, ATTRIBUTES)}
    for each in layer.fields:
        if each.type == "number":
            columns[each.name] = columns[each.name].astype(np.float64)
        if each.type == "boolean":
            columns[each.name] = _objects([None if value is None else bool(value) for value in columns[each.name]])
    nothing = np.full(len(states), None, dtype=object)
    return Rows(
        ids=_objects([state["id"] for state in states]),
        shapes=RowGeometry.of(wkb),
        bounds=shapely.bounds(geometry),
        columns=columns,
        valid_from=nothing,
        valid_precision=nothing,
        min_zoom=min_zoom(layer, shapely.bounds(geometry), crs),
        content=content_hashes(layer, geometry, columns),
    )


def _objects(values: list[Any]) -> Any:
    return np.array([*values, None], dtype=object)[:-1]
