"""What changed in a layer, who changed it, and every state of one feature, as frames.

    changes(store, layer, "2023-01-01", "2025-01-01", zone=zone)     # two days of valid time, as known now
    changes(store, layer, 3, 7, zone=zone)                           # two versions, with what they say of all time

Not here: how two states are compared and a version is undone (`twin_model.history`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.changeset import Touched
from twin_model.desk.answer_frame import typed
from twin_model.desk.question import Time, time_words
from twin_model.errors import FeatureNotFound, QueryRefused
from twin_model.history import ChangedStates, State, attributes_of, changed_states, differing_fields, states_of
from twin_model.history import history as changesets_of
from twin_model.layer import Layer
from twin_model.store.base import ChangesetRecord, FeatureQuery, Store
from twin_model.store.frames import from_wkb
from twin_model.temporal import ALWAYS, parse_instant
from twin_model.view import View

__all__ = ["When", "changes", "history", "local_times", "versions"]

When = Time | int
"""A day or an instant of valid time, or the number of a version."""

_AT_ONCE = 20_000
_VALIDITY = ("valid_from", "valid_to")
_COLUMNS = ("id", "change", "fields", "before", "after", "geometry", "geometry_before")


def changes(store: Store, layer: Layer, before: When, after: When | None = None, *, zone: str) -> gpd.GeoDataFrame:
    """Return what differs between two days, or between two versions: one row a changed feature.

    `before` and `after` are both days (text, date, datetime, pd.Timestamp: the town as known now on the one and on the
    other) or both numbers of versions (what each says of all time, so that a late correction of the past shows too);
    `after` left out is now, or the newest version. The earlier may be given last: the changes are then those backwards.

    Index `id`, in the order in which features were first recorded. Columns: `change` is "inserted", "updated" or "ended";
    `fields` lists what differs, `before` and `after` are dicts of these fields (`.str.get("storeys")` reads one of
    them) with values as they are stored, empty where the feature is not there; "geometry" among `fields` has its values in the columns `geometry`
    (after, or before where it ended) and `geometry_before`, both in the store's CRS. Between versions an updated feature
    of which the validity alone differs has `valid_from` or `valid_to` among them, as datetimes of the town's zone.
    Without changes the frame is empty.

    Raises `QueryRefused` for what is no day, a version that is not there, and a day beside a version.
    """
    pair = (before, after)
    numbers = [int(each) for each in pair if isinstance(each, int | np.integer) and not isinstance(each, bool)]
    given = [each for each in pair if each is not None]
    if before is None or len(numbers) not in (0, len(given)):
        raise QueryRefused("changes.mixed", before=_shown(before), after=_shown(after))
    if numbers:
        rows = _between_versions(store, layer, numbers[0], store.version() if after is None else numbers[1], zone)
    else:
        rows = _between_days(store, layer, *(None if each is None else _instant(each, zone) for each in pair))
    return _frame(list(rows), store.crs)


def _shown(value: Any) -> str:
    return "-" if value is None else repr(value)[:60]


def _instant(day: Any, zone: str) -> str:
    return parse_instant(time_words(day) or "", zone)[0]


def _between_versions(store: Store, layer: Layer, before: int, after: int, zone: str) -> Iterator[dict[str, Any]]:
    newest = store.version()
    for number in (before, after):
        if not 0 <= number <= newest:
            raise QueryRefused("changes.no_version", value=number, newest=newest)
    names = _names(layer)
    for states in changed_states(store, layer, before, after):
        yield _version_row(states, names, zone)


def _version_row(states: ChangedStates, names: Sequence[str], zone: str) -> dict[str, Any]:
    if not states.before:
        return _row({}, states.after[-1], names)
    if states.change == "terminated":
        return _row(states.before[-1], {}, names)
    old, new = states.latest
    row = _row(old, new, [*names, *_VALIDITY]) | {"id": states.after[-1]["id"], "change": "updated"}
    values = [name for name in row["fields"] if name not in _VALIDITY]
    sides = {side: {name: value for name, value in row[side].items() if name in values} for side in ("before", "after")}
    if values:  # when the new state began says nothing that `versions` does not
        return row | {"fields": values, **sides}
    times = {side: dict(zip(row[side], local_times([*row[side].values()], zone), strict=True)) for side in sides}
    return row | times


def _between_days(store: Store, layer: Layer, before: str | None, after: str | None) -> Iterator[dict[str, Any]]:
    views, names = (View(before), View(after)), _names(layer)
    old, new = (_begin_of_states(store, layer, view) for view in views)
    both = pd.concat([old, new], axis=1, keys=["old", "new"]).sort_index()
    # Of what is known now, two states of a feature never begin at the same instant.
    fids = both.index[(both["old"] != both["new"]).to_numpy()].tolist()
    for start in range(0, len(fids), _AT_ONCE):
        part = fids[start : start + _AT_ONCE]
        was, becomes = (states_of(store, layer, part, view) for view in views)
        for fid in part:
            row = _row(was.get(fid, [{}])[0], becomes.get(fid, [{}])[0], names)
            if row["fields"]:
                yield row


def _begin_of_states(store: Store, layer: Layer, view: View) -> "pd.Series[str]":
    frame = store.features(FeatureQuery(layer.id, view=view, fields=(), geometry=False))
    return pd.Series(frame["valid_from"].to_numpy(), index=frame["fid"].to_numpy())


def _names(layer: Layer) -> list[str]:
    return [*layer.field_names, *(["geometry"] if layer.has_geometry else [])]


def _row(before: State, after: State, names: Sequence[str]) -> dict[str, Any]:
    fields = differing_fields(before, after, [*names, *attributes_of(before, after)])
    shown = [name for name in fields if name != "geometry"]
    return {
        "id": (after or before)["id"],
        "change": "inserted" if not before else "updated" if after else "ended",
        "fields": fields,
        "before": {name: before.get(name) for name in shown} if before else {},
        "after": {name: after.get(name) for name in shown} if after else {},
        "geometry": (after or before).get("geometry"),
        "geometry_before": before.get("geometry"),
    }


def _frame(rows: list[dict[str, Any]], crs: str) -> gpd.GeoDataFrame:
    columns = {name: _objects([row[name] for row in rows]) for name in _COLUMNS}
    index = pd.Index(columns.pop("id"), dtype=object, name="id")
    shapes = {
        name: gpd.array.from_shapely(from_wkb(columns.pop(name)), crs=crs) for name in ("geometry", "geometry_before")
    }
    return gpd.GeoDataFrame({**columns, **shapes}, index=index, geometry="geometry", crs=crs)


def _objects(values: Sequence[Any]) -> NDArray[Any]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def history(store: Store, layer: Layer | None = None, *, zone: str) -> pd.DataFrame:
    """Return the versions of the town, or those that changed a layer: the newest first, index `version`.

    Columns: `recorded` and `effective` (datetimes of the town's zone), `author`, `reason`, `source` (the file, empty for
    an edit), `layers` (ids of those it changed), and how many features it `inserted`, `updated` and `ended`: of the
    layer, or of all layers together.
    """
    records = changesets_of(store, None if layer is None else layer.id)
    touched = [store.changes(each.number) for each in records]
    counted = [[of for name, of in layers.items() if layer is None or name == layer.id] for layers in touched]
    columns = {
        "recorded": local_times([each.recorded for each in records], zone),
        "effective": local_times([each.effective for each in records], zone),
        "author": [each.author for each in records],
        "reason": [each.reason for each in records],
        "source": [each.source or "" for each in records],
        "layers": [_layers_of(record, layers) for record, layers in zip(records, touched, strict=True)],
        "inserted": [sum(of.inserted for of in numbers) for numbers in counted],
        "updated": [sum(of.updated for of in numbers) for numbers in counted],
        "ended": [sum(of.terminated for of in numbers) for numbers in counted],
    }
    return pd.DataFrame(columns, index=pd.Index([each.number for each in records], dtype="int64", name="version"))


def _layers_of(record: ChangesetRecord, touched: Mapping[str, Touched]) -> list[str]:
    """Return the ids of the layers that a version changed, in features or description."""
    described = record.counts.get("described", {}).get("layer")
    return [name for name, of in touched.items() if of.changed or name == described] + [
        name for name in [described] if name is not None and name not in touched
    ]


def versions(store: Store, layer: Layer, feature_id: str, *, zone: str) -> gpd.GeoDataFrame:
    """Return every state of one feature as known now, the oldest first; geometry in the store's CRS.

    Index `id`; columns: the layer's fields in the dtypes of `answer_frame`, `valid_from` and `valid_to` (datetimes of the town's zone, NaT where it still
    holds), and the `version` that wrote the state. Raises `FeatureNotFound` with an id that is there.
    """
    query = FeatureQuery(layer.id, view=View(ALWAYS), ids=(str(feature_id),), states=True)
    frame = store.features(query)
    if not len(frame):
        first = store.features(FeatureQuery(layer.id, view=View(ALWAYS), fields=(), geometry=False, limit=1))
        example = first.index[0] if len(first) else "-"
        raise FeatureNotFound("changes.no_feature", id=str(feature_id)[:100], layer=layer.id, example=example)
    return typed(layer, frame.drop(columns="fid"), zone)


def local_times(instants: Sequence[str | None], zone: str) -> pd.DatetimeIndex:
    """Return the store's instants as datetimes of a zone, NaT for None."""
    moments = np.array([None if each is None else each.rstrip("Z") for each in instants], dtype="datetime64[us]")
    return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(zone)
