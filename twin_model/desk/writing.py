"""What a notebook writes into a town: edits of its layers, results of its own, what becomes of their description.

How an edit meets what others wrote stands in `saving` and `merging`, how a description changes in `reshaping`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from twin_model.catalogue import layer_of
from twin_model.catalogue.frame_values import with_plain_values
from twin_model.catalogue.layer_from_frame import (
    fitted_to_layer,
    is_result_table,
    read_table,
    table_of_frame,
)
from twin_model.changeset import Changeset, Version
from twin_model.desk.names import LayerName, layer_named
from twin_model.desk.notices import notice
from twin_model.desk.opened import OpenedTown
from twin_model.desk.plain_errors import plainly
from twin_model.desk.progress import progress_line
from twin_model.desk.question import Time
from twin_model.desk.reshaping import Reshaping, drop, redescribe, rename_field
from twin_model.desk.saving import Desk, Mode, Order, Saved
from twin_model.editing import ensure_text, ids_of
from twin_model.errors import EditRefused
from twin_model.filter.expression import IsNull, Not, Property
from twin_model.history import revert
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, HeadStart
from twin_model.temporal import ALWAYS
from twin_model.town_catalogue import Description, commit_described
from twin_model.versioning import commit
from twin_model.view import View

__all__ = ["Writing"]


class Writing(OpenedTown):
    """The part of a town that is written to."""

    @cached_property
    def _desk(self) -> Desk:
        return Desk(self.store, zone=self.settings.timezone, lang=self.lang)

    @plainly
    def edit(
        self,
        layer: LayerName,
        frame: pd.DataFrame,
        *,
        reason: str,
        base: int | None = None,
        effective: Time | None = None,
        author: str = "notebook",
        dry_run: bool = False,
    ) -> Saved:
        """Change features of a layer and return what changed; the service shows it at once.

        An index named `id` (as `features` answers) names the features that get a new state; rows of a plain index are new.
        Nothing ends. Columns are fields, by name or title. A column that the frame lacks keeps its values, an explicit None empties it; a table without geometry
        keeps the geometry. `effective` is since when it is true, now if left out.

        The frame is compared with what it was read from (`base`, a version; `frame.attrs` has it after `features`): a value
        that is as it was then is no change. Where somebody else has changed the same value since, `VersionConflict` names
        the features and nothing is written; `base=town.store.version()` overwrites. With `dry_run` nothing is written.
        Raises `EditRefused` where the frame does not fit. Warns (`EditWarning`) of what looks like a mistake.

        >>> high = town.features("building", fields=["storeys"]).assign(storeys=[7, 12])
        >>> town.edit("building", high, reason="one storey more").updated
        1
        """
        described = self._named(layer)
        return self._desk.edit(described, frame, Order(reason, author, effective, base, dry_run))

    @plainly
    def save_result(
        self,
        frame: gpd.GeoDataFrame,
        name: str,
        *,
        reason: str,
        title: str = "",
        mode: Mode = "replace",
        base: int | None = None,
        effective: Time | None = None,
        author: str = "notebook",
        dry_run: bool = False,
    ) -> Saved:
        """Keep a frame as a layer of your own and return what changed; the service shows it at once.

        A `name` that does not exist yet becomes a layer, described from the frame's columns. With `mode` "replace" the
        layer holds what the frame holds and nothing else (an empty frame empties it), as a difference from before;
        "update" gives the features that an index `id` names a new state and adds the others; "append" only adds. `base`,
        `effective`, `dry_run` and the warnings are those of `edit`. Raises `EditRefused` where the frame does not fit or
        `name` is a layer of the town, `CatalogueError` for a name that cannot be one.
        """
        if mode not in ("replace", "update", "append"):
            raise EditRefused("edit.mode", value=repr(mode)[:80])
        if name in self.catalogue and not is_result_table(self._table_path(name)):
            raise EditRefused("edit.not_a_result", layer=name)
        return self._save(frame, name, Order(reason, author, effective, base, dry_run), title, mode)

    @plainly
    def drop_layer(self, name: str, *, reason: str, author: str = "notebook") -> Saved:
        """End every feature of a layer of your own and take it off all lists; its past stays, and the name is free again.

        What it held can still be asked for with `as_known=`, and `revert` brings it back. Raises `LayerNotFound`, and
        `EditRefused` for a layer of the town.

        >>> town.save_result(town.features("building"), "copy", reason="try").inserted
        2
        >>> town.drop_layer("copy", reason="it was a try").ended
        2
        """
        layer, table = self._own_layer(name)
        return self._reshape(layer, drop(self.store, layer, table, reason=reason, author=author))

    @plainly
    def rename_field(self, layer: str, field: str, name: str, *, reason: str, author: str = "notebook") -> Saved:
        """Give a field of a layer of your own another name; its values go along, the past keeps the former one.

        Raises `QueryRefused` for a field that is not there, `EditRefused` for a name that is taken or cannot be a field's.
        """
        described, table = self._own_layer(layer)
        zone = self.settings.timezone
        reshaping = rename_field(self.store, described, table, field, name, reason=reason, author=author, zone=zone)
        return self._reshape(described, reshaping)

    @plainly
    def redescribe(
        self,
        layer: LayerName,
        *,
        title: str | Mapping[str, str] | None = None,
        description: str | Mapping[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
        reason: str = "described anew",
        author: str = "notebook",
    ) -> Saved:
        """Change the words of a layer of your own: titles, description, and titles, units and codes of fields.

        A text stands for both languages, {"zh": ..., "en": ...} tells them apart; `fields` maps a field to its title, or to
        {"zh": ..., "en": ..., "unit": ..., "codes": {"1": "..."}}. No feature changes; `revert` undoes it.
        """
        described, table = self._own_layer(layer)
        words = redescribe(
            described, table, title=title, description=description, fields=fields or {}, reason=reason, author=author
        )
        return self._reshape(described, words)

    @plainly
    def revert(self, version: int, *, reason: str = "", author: str = "notebook") -> Version:
        """Undo a version by a new one, its description with it; the town is as it was known before.

        Raises `VersionConflict` where later versions changed the same again, `QueryRefused` where there is nothing to undo.
        """
        changeset = revert(self.store, int(version), author=author, reason=reason)
        for name, text in (("reason", changeset.reason), ("author", author)):
            ensure_text(text, name=name, layer=str(version))
        described = changeset.counts.get("described")
        if described is None:
            made = commit(self.store, changeset)
        else:
            made = self._put_described(described["layer"], described["before"], described["after"], changeset)
        self._desk.own.add(made.number)
        return made

    @plainly
    def commit(
        self,
        frame: gpd.GeoDataFrame,
        *,
        layer: LayerName,
        reason: str,
        effective: str | date | None = None,
        title: str = "",
        author: str = "notebook",
    ) -> Version:
        """Do what `save_result` does for a layer of your own, and `edit` for any other: its former name, for one release."""
        notice(
            "desk.renamed",
            category=DeprecationWarning,
            before="Town.commit",
            now="Town.save_result (your own layers) or Town.edit",
        )
        order = Order(reason, author, effective)
        if layer in self.catalogue and not is_result_table(self._table_path(layer)):
            saved = self._desk.edit(self.store.catalogue[layer], frame, order)
        else:
            saved = self._save(frame, layer, order, title, "replace")
        assert saved.outcome is not None
        return saved.outcome

    def _own_layer(self, name: str) -> tuple[Layer, dict[str, Any]]:
        """Return a layer of one's own and its table in the catalogue's folder."""
        layer = layer_named(self.catalogue, name)
        path = self._table_path(layer.id)
        if not is_result_table(path):
            raise EditRefused("edit.not_yours", layer=layer.id)
        return self.store.catalogue[layer.id], read_table(path, layer.id)

    def _reshape(self, layer: Layer, reshaping: Reshaping) -> Saved:
        changeset = reshaping.changeset
        for name, text in (("reason", changeset.reason), ("author", changeset.author)):
            ensure_text(text, name=name, layer=layer.id)
        put = partial(self._put_described, layer.id, reshaping.before, reshaping.after)
        order = Order(changeset.reason, changeset.author)
        return self._desk.write(layer, changeset, order, [], put, meant_for_all=True)

    def _put_described(
        self, name: str, before: dict[str, Any] | None, after: dict[str, Any], changeset: Changeset
    ) -> Version:
        """Commit a changeset that changes a description: all of it is there afterwards, or nothing.

        The store knows the fields of both descriptions while it is written.
        """
        former = (before or {}).get("fields", {})
        both = layer_of(name, {**after, "fields": {**after["fields"], **former, **after["fields"]}})
        described = {"layer": name, "before": before, "after": after}
        changeset = replace(changeset, counts={**changeset.counts, "described": described})
        gone = set(former) - set(after["fields"])
        with progress_line(self.lang) as progress:
            description = Description(both, after, gone)
            version = commit_described(self.store, self.path / "catalogue", [description], changeset, progress)
        self._followed.add(layer_of(name, after))
        return version

    def commit_delivery(
        self, changeset: Changeset, tables: Mapping[str, dict[str, Any]], ahead: HeadStart | None = None
    ) -> Version:
        """Commit a delivery with the tables of the layers of its own, by id: those are new, or gain the fields named there.

        Tables, columns and rows come whole or not at all.
        """
        if not tables:
            return commit(self.store, changeset, ahead)
        descriptions = []
        for name, table in tables.items():
            before = read_table(self._table_path(name), name)
            before.pop("dropped", None)
            merged = {**before, **table, "fields": {**before.get("fields", {}), **table["fields"]}}
            descriptions.append(Description(layer_of(name, merged), merged))
        version = commit_described(self.store, self.path / "catalogue", descriptions, changeset)
        for each in descriptions:
            self._followed.add(each.layer)
        return version

    def _save(self, frame: gpd.GeoDataFrame, name: str, order: Order, title: str, mode: Mode) -> Saved:
        ensure_text(name, name="layer", layer=str(name))
        for label, text in (("reason", order.reason), ("title", title or order.reason)):
            ensure_text(text, name=label, layer=name)
        attrs = frame.attrs if isinstance(frame, gpd.GeoDataFrame) else {}
        frame = fitted_to_layer(frame)
        frame.attrs = attrs
        path = self._table_path(name)
        before = read_table(path, name) if name in self.catalogue and is_result_table(path) else None
        unused = self._unused_fields(name) if before else ()
        table = table_of_frame(name, frame, title=title, reason=order.reason, before=before, unused=unused)
        described = layer_of(name, table)
        frame = with_plain_values(name, frame)
        put = None if table == before else partial(self._put_described, name, before, table)
        if mode == "append":
            self._ensure_new_ids(described, frame)
        if mode == "replace" or before is None:
            return self._desk.replace(described, frame, order, put)
        return self._desk.edit(described, frame, order, put, all_new=mode == "append")

    def _unused_fields(self, name: str) -> list[str]:
        """Return the fields of which no state of a layer has a value: their type may still become any."""
        columns, rows = self.store.rows(FeatureQuery(name, view=View(ALWAYS), states=True, geometry=False, limit=1_000))
        # another hand may have added a field since the rows were read: nothing is known of that one
        fields = [field for field in self.store.catalogue[name].field_names if field in columns]
        empty = [field for field in fields if all(row[columns.index(field)] is None for row in rows)]
        held = (
            f
            for f in empty
            if not self.store.count(FeatureQuery(name, view=View(ALWAYS), where=Not(IsNull(Property(f)))))
        )
        return list(held)

    def _ensure_new_ids(self, layer: Layer, frame: gpd.GeoDataFrame) -> None:
        """Refuse ids that a layer has already: what is appended is new."""
        if frame.index.name != "id" or layer.id not in self.store.catalogue:
            return
        ids = tuple(name for name in ids_of(layer, frame) if name is not None)
        known = self.store.features(FeatureQuery(layer.id, ids=ids, fields=(), geometry=False))
        if len(known):
            raise EditRefused("edit.id_known", layer=layer.id, ids=known.index[:5].tolist(), count=len(known))

    def _table_path(self, layer: str) -> Path:
        return self.path / "catalogue" / f"{layer}.toml"
