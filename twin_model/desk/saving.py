"""What a notebook writes: results, which are layers of its own, and edits of the town's layers; checked before, told after.

    desk = Desk(store, zone="Asia/Shanghai", lang="zh")
    desk.edit(layer, frame, Order("heights measured", dry_run=True))      # 'building：将更新 3 ...'

Not here: what a frame's columns must be (`editing`), the catalogue's table of a result (`catalogue/layer_from_frame`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.catalogue.frame_values import with_plain_values
from twin_model.catalogue.layer_from_frame import without_system_columns
from twin_model.changeset import Changeset, Delivered, Rows, Scope, Touched, Version
from twin_model.desk.answer_frame import without_words
from twin_model.desk.merging import Merged, merged_with_newer
from twin_model.desk.names import nearest_fields, titled_field
from twin_model.desk.notices import notice_text
from twin_model.desk.progress import progress_line
from twin_model.desk.question import time_words
from twin_model.editing import ensure_text, ids_of, rows_of
from twin_model.errors import EditRefused, VersionConflict
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.messages import render
from twin_model.plan import UNCHANGED
from twin_model.rows.content import row_contents
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import now, parse_instant
from twin_model.versioning import commit, plan_changeset

__all__ = ["Desk", "EditWarning", "Mode", "Order", "Saved"]

Put = Callable[[Changeset], Version]
"""Brings a changeset into the store."""

Mode = Literal["replace", "update", "append"]
_FRAME_ROWS = 50_000
_MOST_COMPARED = 100_000
_TRIES = 5
"""So often an edit is made again on a newer state when others write at the same time."""
_MANY = 10
"""From so many features on it is worth a word that all of them change."""


class EditWarning(UserWarning):
    """What was written looks like a mistake; it was written all the same."""


@dataclass(frozen=True, repr=False)
class Saved:
    """What a result or an edit changed in its layer, or with `dry_run` would change.

    `version` is the number of the version it made; `made` is False where nothing changed or nothing was to be written.
    """

    layer: str
    version: int
    made: bool
    inserted: int = 0
    updated: int = 0
    ended: int = 0
    unchanged: int = 0
    dry_run: bool = False
    remarks: tuple[str, ...] = ()
    lang: str = "en"
    outcome: Version | None = None

    def __repr__(self) -> str:
        changed = self.inserted + self.updated + self.ended
        written = "saved.made" if changed else "saved.described" if self.made else "saved.nothing"
        rule = "saved.would" if self.dry_run else written
        counts = {name: getattr(self, name) for name in ("inserted", "updated", "ended", "unchanged")}
        return render(rule, self.lang, {"layer": self.layer, "version": self.version, **counts})


def base_of(frame: pd.DataFrame, layer: str, base: int | None) -> int | None:
    """Return the version at which a frame of a layer was read: the one given, else that of `Town.features`; None for unknown."""
    if base is not None:
        return int(base)
    read = frame.attrs.get("version") if frame.attrs.get("layer") == layer else None
    return read if isinstance(read, int) and read > 0 else None


def editable(store: Store, layer: Layer, frame: pd.DataFrame, zone: str) -> gpd.GeoDataFrame:
    """Return a frame of `Town.features`, or made from one, as an edit takes it.

    Codes instead of words, no system columns, days as precisely as the store has them where they are the same day; a table
    without geometry gets that of the features its index names.
    """
    lang = frame.attrs.get("labels") if frame.attrs.get("layer") == layer.id else None
    if not isinstance(frame, gpd.GeoDataFrame) or frame.active_geometry_name is None:
        frame = _with_geometry(store, layer, frame)
    frame = without_system_columns(frame)
    if lang in ("zh", "en"):
        frame = without_words(layer, frame, lang)
    frame = _with_field_names(layer, frame)
    _ensure_fields(layer, frame)
    return _as_precise(store, layer, with_plain_values(layer.id, frame), zone)


def _with_field_names(layer: Layer, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame in which columns that are called by a field's title or alias are called by its name."""
    titled = {name: titled_field(layer, name) for name in frame.columns if name != frame.geometry.name}
    names = {name: field.name for name, field in titled.items() if field is not None and name not in layer.field_names}
    for name, field in names.items():
        others = [other for other in frame.columns if other != name and names.get(other, other) == field]
        if others:
            raise EditRefused("edit.same_name", found=[str(others[0]), str(name)])
    return frame.rename(columns=names) if names else frame


def _ensure_fields(layer: Layer, frame: gpd.GeoDataFrame) -> None:
    """Refuse columns that are no fields, with the fields whose names or titles are nearest."""
    known = (*layer.field_names, ATTRIBUTES, frame.geometry.name)
    unknown = [str(name) for name in frame.columns if name not in known]
    if unknown:
        nearest = dict.fromkeys(name for each in unknown for name in nearest_fields(layer, each))
        expected = list(nearest) or list(layer.field_names)
        raise EditRefused("slip.no_column", layer=layer.id, found=unknown, nearest=expected)


def _with_geometry(store: Store, layer: Layer, table: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return a table with the geometry of the features that its index `id`, or column `id`, names."""
    if table.index.name is None and "id" in table.columns:
        table = table.set_index("id")
    if not layer.has_geometry:
        raise EditRefused("edit.no_frame", found=type(table).__name__)
    if table.index.name != "id":
        raise EditRefused("slip.no_ids", layer=layer.id, found=repr(table.index.name))
    ids = ids_of(layer, table).tolist()
    known = store.features(FeatureQuery(layer.id, ids=tuple(name for name in ids if name is not None), fields=()))
    missing = [each for each in ids if each not in known.index]
    if missing:
        raise EditRefused("edit.no_geometry", layer=layer.id, ids=missing[:5])
    shapes = known.geometry.loc[ids].to_numpy()
    return gpd.GeoDataFrame(table, geometry=gpd.array.from_shapely(shapes, crs=store.crs), crs=store.crs)


def _as_precise(store: Store, layer: Layer, frame: gpd.GeoDataFrame, zone: str) -> gpd.GeoDataFrame:
    """Return a frame whose days are the store's own texts ("2017") where they mean the same day."""
    names = [
        field.name
        for field in layer.fields
        if field.type == "date" and field.name in frame and pd.api.types.is_datetime64_any_dtype(frame[field.name])
    ]
    if not names or frame.index.name != "id":
        return frame
    own_ids = ids_of(layer, frame).tolist()
    known_ids = tuple(name for name in own_ids if name is not None)
    query = FeatureQuery(layer.id, ids=known_ids, fields=tuple(names), geometry=False)
    columns, records = store.rows(query)
    ids = [record[columns.index("id")] for record in records]
    return frame.assign(
        **{
            name: _texts_of_days(
                frame[name],
                own_ids,
                dict(zip(ids, (record[columns.index(name)] for record in records), strict=True)),
                zone,
            )
            for name in names
        }
    )


def _texts_of_days(
    days: "pd.Series[Any]", ids: Sequence[str | None], known: Mapping[str | None, str | None], zone: str
) -> NDArray[Any]:
    texts = [None if day is pd.NaT else day.date().isoformat() for day in days]
    former = [known.get(name) for name in ids]
    same = [
        text is not None and old is not None and _begins(old, zone) == _begins(text, zone)
        for text, old in zip(texts, former, strict=True)
    ]
    return np.array(
        [*(old if equal else text for text, old, equal in zip(texts, former, same, strict=True)), None], dtype=object
    )[:-1]


def _begins(text: str, zone: str) -> str:
    return parse_instant(text, zone)[0]


def rows_in_parts(layer: Layer, frame: gpd.GeoDataFrame, crs: str, zone: str) -> list[Rows]:
    """Return a frame's features as rows, at most 50,000 together; raises `EditRefused` where one does not fit."""
    starts = range(0, len(frame), _FRAME_ROWS)
    parts = [frame.iloc[start : start + _FRAME_ROWS] for start in starts] or [frame]
    return [rows_of(layer, part, crs, zone=zone) for part in parts]


def remarks_before(
    store: Store, layer: Layer, rows: Sequence[Rows], *, base: int | None, lang: str, all_new: bool = False
) -> list[str]:
    """Return what looks like a mistake in an edit before it is written: ids nobody knows, features that are there already.

    With `all_new` rows are meant to be new, so ids nobody knows are right.
    """
    remarks = []
    ids = [name for part in rows for name in part.ids.tolist() if name is not None]
    if ids:
        known = set(store.rows(FeatureQuery(layer.id, ids=tuple(ids), fields=(), geometry=False))[1])
        if not known and not all_new and store.summary(layer.id).features:
            remarks.append(render("edit.nothing_matched", lang, {"layer": layer.id, "count": len(ids), "ids": ids[:3]}))
        elif known and base is None:
            remarks.append(render("edit.no_base", lang, {"layer": layer.id}))
    remarks += _remarks_on_codes(store, layer, rows, lang)
    twice = _said_already(store, layer, rows)
    if twice:
        remarks.append(render("edit.said_already", lang, {"layer": layer.id, "count": len(twice), "ids": twice[:3]}))
    return remarks


def _remarks_on_codes(store: Store, layer: Layer, rows: Sequence[Rows], lang: str) -> list[str]:
    """Return a remark for each field that gets values which are none of its codes and are not in the layer yet."""
    remarks = []
    for field in layer.fields:
        columns = [part.columns[field.name] for part in rows if field.codes and field.name in part.columns]
        unknown = {str(value) for column in columns for value in column if value is not None} - set(field.codes)
        unknown -= _values_of(store, layer, field.name) if unknown else set()
        if unknown:
            values = {
                "layer": layer.id,
                "field": field.name,
                "values": sorted(unknown)[:5],
                "expected": [*field.codes][:9],
            }
            remarks.append(render("slip.no_code", lang, values))
    return remarks


def _values_of(store: Store, layer: Layer, field: str) -> set[str]:
    """Return the values that a field has now, as texts."""
    if layer.id not in store.catalogue or store.catalogue[layer.id].field_of(field) is None:
        return set()
    frames = store.frames(FeatureQuery(layer.id, fields=(field,), geometry=False), _FRAME_ROWS)
    return {str(value) for frame in frames for value in frame[field].dropna().unique()}


def _said_already(store: Store, layer: Layer, rows: Sequence[Rows]) -> list[str]:
    """Return the ids of features that say exactly what rows without an id say: a cell that ran twice."""
    new = [part.take(np.array([name is None for name in part.ids], dtype=bool)) for part in rows]
    new = [part for part in new if len(part)]
    if not new or not layer.has_geometry or sum(map(len, new)) > _MOST_COMPARED:
        return []
    bounds = np.concatenate([part.bounds for part in new])
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if not len(bounds):
        return []
    box = (*bounds[:, :2].min(axis=0).tolist(), *bounds[:, 2:].max(axis=0).tolist())
    names, records = store.rows(FeatureQuery(layer.id, bbox=box))
    columns = {name: [record[place] for record in records] for place, name in enumerate(names)}
    columns |= {name: [None] * len(records) for name in new[0].columns if name not in columns}
    known = dict(zip(row_contents(layer, columns, tuple(new[0].columns)).tolist(), columns["id"], strict=True))
    return [known[content] for part in new for content in part.content.tolist() if content in known]


def remarks_on(layer: str, features: int, counts: Mapping[str, int], lang: str) -> list[str]:
    """Return what looks like a mistake in what was written, or would be, to a layer that held so many `features`."""
    values = {"layer": layer, "count": features}
    if features and counts["ended"] == features and not counts["inserted"] and not counts["updated"]:
        return [render("edit.emptied", lang, values)]
    if features >= _MANY and counts["updated"] >= features:
        return [render("edit.all_changed", lang, values)]
    return []


@dataclass(frozen=True)
class Order:
    """How something is written: why, by whom, since when it is true, read at which version, or only tried."""

    reason: str
    author: str = "notebook"
    effective: Any = None
    base: int | None = None
    dry_run: bool = False


class Desk:
    """Writes to one store for one town, and remembers which versions were made here: those never conflict."""

    def __init__(self, store: Store, *, zone: str, lang: str) -> None:
        self.store, self.zone, self.lang = store, zone, lang
        self.own: set[int] = set()

    def edit(
        self, layer: Layer, frame: pd.DataFrame, order: Order, put: Put | None = None, *, all_new: bool = False
    ) -> Saved:
        """Write an edit of a layer: `Town.edit` says what that means. `put` brings the changeset into the store.

        With `all_new` every row is meant to be new, whatever its id.
        """
        self._ensure_texts(layer.id, order)
        base = base_of(frame, layer.id, order.base)
        known = editable(self.store, layer, frame, self.zone)
        rows = rows_in_parts(layer, known, self.store.crs, self.zone)
        for _ in range(_TRIES):
            newest = self.store.version()
            merged = [self._merged(layer, part, base) for part in rows]
            remarks = remarks_before(
                self.store, layer, [each.rows for each in merged], base=base, lang=self.lang, all_new=all_new
            )
            newer = sum(each.newer for each in merged)
            if newer:
                values = {"layer": layer.id, "count": newer, "base": base}
                remarks.append(render("edit.newer_kept", self.lang, values))
            changeset = self._changeset(
                layer, order, [each.rows for each in merged], edit=True, base=None if base is None else newest
            )
            try:
                return self.write(layer, changeset, order, remarks, put)
            except VersionConflict:
                if base is None or self.store.version() == newest:
                    raise
        raise VersionConflict("store.version_conflict", base=base, found=self.store.version(), features={layer.id: []})

    def replace(self, layer: Layer, frame: gpd.GeoDataFrame, order: Order, put: Put | None = None) -> Saved:
        """Let a layer hold what a frame holds; refused where others have written to it since the frame was read."""
        self._ensure_texts(layer.id, order)
        base = base_of(frame, layer.id, order.base)
        newest = self._ensure_not_replaced(layer, base)
        rows = rows_in_parts(layer, frame, self.store.crs, self.zone)
        changeset = self._changeset(layer, order, rows, edit=False, base=newest)
        try:
            return self.write(layer, changeset, order, [], put)
        except VersionConflict:  # others wrote between the look at the versions and the writing
            self._ensure_not_replaced(layer, base)
            raise

    def _ensure_not_replaced(self, layer: Layer, base: int | None) -> int | None:
        """Refuse to replace a layer that others have written to since a version; return the newest version looked at."""
        if base is None or layer.id not in self.store.catalogue:
            return None
        newest, later = self.store.version(), self.store.changed_since(layer.id, None)
        if later > base and not set(self._versions_of(layer.id, base)) <= self.own:
            raise VersionConflict(
                "desk.replaced", layer=layer.id, base=base, found=newest, version=later, features={layer.id: []}
            )
        return newest

    def write(
        self,
        layer: Layer,
        changeset: Changeset,
        order: Order,
        remarks: list[str],
        put: Put | None = None,
        *,
        meant_for_all: bool = False,
    ) -> Saved:
        """Bring a changeset of one layer into the store, or only plan it; warn of what looks like a mistake.

        `meant_for_all`: it is no mistake that every feature changes or ends.
        """
        known = layer.id in self.store.catalogue
        features = self.store.summary(layer.id).features if known else 0
        version = None
        if order.dry_run:
            counts = self._planned(layer, changeset) if known else {"inserted": sum(map(_count, changeset.delivered))}
        else:
            version = (put or self._put)(changeset)
            touched = version.touched.get(layer.id, Touched())
            counts = {"inserted": touched.inserted, "updated": touched.updated, "unchanged": touched.unchanged}
            counts["ended"] = touched.terminated
            self.own |= {version.number} if version.made else set()
        counts = dict.fromkeys(("inserted", "updated", "ended", "unchanged"), 0) | counts
        remarks = [*remarks, *([] if meant_for_all else remarks_on(layer.id, features, counts, self.lang))]
        for text in remarks:
            notice_text(text, EditWarning)
        return Saved(
            layer.id,
            self.store.version() if version is None else version.number,
            bool(version and version.made),
            **counts,
            dry_run=order.dry_run,
            remarks=tuple(remarks),
            lang=self.lang,
            outcome=version,
        )

    def _put(self, changeset: Changeset) -> Version:
        with progress_line(self.lang) as progress:
            return commit(self.store, changeset, progress=progress)

    def _merged(self, layer: Layer, rows: Rows, base: int | None) -> Merged:
        if base is None or layer.id not in self.store.catalogue:
            return Merged(rows)
        return merged_with_newer(self.store, layer, rows, base, own=self.own)

    def _changeset(
        self, layer: Layer, order: Order, rows: Sequence[Rows], *, edit: bool, base: int | None = None
    ) -> Changeset:
        effective = time_words(order.effective)
        return Changeset(
            order.author,
            order.reason,
            now() if effective is None else parse_instant(effective, self.zone)[0],
            tuple(Delivered.of(layer.id, part) for part in rows),
            edit=edit,
            scope=Scope("layer", layer.id),
            accept_removals=True,
            base=base,
            since_recorded=effective is None,
        )

    def _planned(self, layer: Layer, changeset: Changeset) -> dict[str, int]:
        """Return what a changeset would do; a field that the store does not have yet is new in every row that says it."""
        held = set(self.store.catalogue[layer.id].field_names)
        gained = [name for name in layer.field_names if name not in held]
        plan = plan_changeset(self.store, _without(changeset, gained)).get(layer.id)
        counts = dict.fromkeys(("inserted", "updated", "ended", "unchanged"), 0) if plan is None else dict(plan.counts)
        counts["ended"] = counts.pop("terminated", 0)
        counts.pop("kept", None)
        if plan is not None and gained:
            says = np.concatenate([_says(part.rows(), gained) for part in changeset.delivered])
            more = int(((plan.decisions == UNCHANGED) & says).sum())
            counts |= {"updated": counts["updated"] + more, "unchanged": counts["unchanged"] - more}
        return counts

    def _versions_of(self, layer: str, base: int) -> list[int]:
        versions = range(base + 1, self.store.version() + 1)
        return [version for version in versions if layer in self.store.changes(version)]

    def _ensure_texts(self, layer: str, order: Order) -> None:
        for name, text in (("reason", order.reason), ("author", order.author)):
            ensure_text(text, name=name, layer=layer)


def _count(delivered: Delivered) -> int:
    return delivered.count


def _without(changeset: Changeset, names: Sequence[str]) -> Changeset:
    """Return a changeset whose rows say nothing of some fields."""
    if not names:
        return changeset
    delivered = []
    for part in changeset.delivered:
        rows = part.rows()
        columns = {name: column for name, column in rows.columns.items() if name not in names}
        delivered.append(Delivered.of(part.layer, replace(rows, columns=columns)))
    return replace(changeset, delivered=tuple(delivered))


def _says(rows: Rows, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows have a value in one of some fields."""
    filled = [pd.notna(pd.Series(rows.columns[name])).to_numpy() for name in names if name in rows.columns]
    return np.logical_or.reduce(filled) if filled else np.zeros(len(rows), dtype=bool)
