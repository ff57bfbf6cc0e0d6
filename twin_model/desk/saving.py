"""What a notebook writes: results, which are layers of its own, and edits of the town's layers; checked before, told after.

    desk = Desk(store, zone="Asia/Shanghai", lang="zh")
    desk.edit(layer, frame, Order("heights measured", dry_run=True))      # 'building：将更新 3 ...'

Not here: a frame as an edit takes it (`edited_frame`), what is warned of (`edit_remarks`), the catalogue's table of a result
(`catalogue/layer_from_frame`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.changeset import Changeset, Delivered, Rows, Scope, Touched, Version
from twin_model.desk.edit_remarks import remarks_before, remarks_on
from twin_model.desk.edited_frame import base_of, editable, rows_in_parts
from twin_model.desk.merging import Merged, merged_with_newer
from twin_model.desk.notices import notice_text
from twin_model.desk.progress import progress_line
from twin_model.desk.question import time_words
from twin_model.editing import ensure_text
from twin_model.errors import VersionConflict
from twin_model.layer import Layer
from twin_model.messages import render
from twin_model.plan import UNCHANGED
from twin_model.store.base import Store
from twin_model.temporal import now, parse_instant
from twin_model.versioning import commit, plan_changeset

__all__ = ["Desk", "EditWarning", "Mode", "Order", "Saved"]

Put = Callable[[Changeset], Version]
"""Brings a changeset into the store."""

Mode = Literal["replace", "update", "append"]
_TRIES = 5
"""So often an edit is made again on a newer state when others write at the same time."""


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
            remarks = self._remarks(layer, merged, base, all_new=all_new)
            parts = [part.rows for part in merged]
            changeset = self._changeset(layer, order, parts, edit=True, base=None if base is None else newest)
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

    def _remarks(self, layer: Layer, merged: Sequence[Merged], base: int | None, *, all_new: bool) -> list[str]:
        """Return what looks like a mistake in an edit, and that newer values stay where others wrote them."""
        rows = [part.rows for part in merged]
        remarks = remarks_before(self.store, layer, rows, base=base, lang=self.lang, all_new=all_new)
        newer = sum(part.newer for part in merged)
        values = {"layer": layer.id, "count": newer, "base": base}
        return [*remarks, render("edit.newer_kept", self.lang, values)] if newer else remarks

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
            counts = _counts(version.touched.get(layer.id, Touched()))
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


def _counts(touched: Touched) -> dict[str, int]:
    counts = {"inserted": touched.inserted, "updated": touched.updated, "unchanged": touched.unchanged}
    return counts | {"ended": touched.terminated}


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
