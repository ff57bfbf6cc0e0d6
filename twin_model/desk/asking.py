"""What a notebook asks of a town: features, what a layer holds, what changed, every state of a feature.

How a question becomes a query stands in `question`, what the answer is made of in `answer_frame` and `shown`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import geopandas as gpd
import pandas as pd

from twin_model.crs import (
    crs_code,
    transform_geometries,
)
from twin_model.desk import changes as desk_changes
from twin_model.desk.answer_frame import SYSTEM_COLUMNS, in_words, typed, with_attributes
from twin_model.desk.description import codes_of, describe, layers_of
from twin_model.desk.names import LayerName
from twin_model.desk.notices import notice
from twin_model.desk.opened import OpenedTown, now_called
from twin_model.desk.plain_errors import plainly
from twin_model.desk.question import Place, Time, feature_query, first_known, time_words
from twin_model.desk.shown import Features
from twin_model.errors import LayerNotFound, QueryRefused
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.temporal import Instant, Interval, local_time

__all__ = ["Asking"]


class Asking(OpenedTown):
    """The part of a town that answers."""

    @plainly
    def layers(self, lang: str | None = None) -> pd.DataFrame:
        """Return one row a layer that holds features: title, geometry, features, CIM class, first and last day.

        `first` and `last` are the days on which its features first and last begin or end to be true.
        """
        self.follow()
        return layers_of(self.store, lang=lang or self.lang, zone=self.settings.timezone)

    @plainly
    def features(
        self,
        layer: LayerName,
        *,
        at: Time | None = None,
        as_known: Time | int | None = None,
        within: Place | None = None,
        bbox: Place | None = None,
        bbox_crs: Any = None,
        where: str | Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        ids: Iterable[Any] | str | None = None,
        fields: Sequence[str] | str | None = None,
        sort: Sequence[str] | str | None = None,
        limit: int | None = None,
        labels: str | None = None,
        system: bool = False,
        crs: Any = None,
        datetime: Time | None = None,
        recorded: Time | int | None = None,
    ) -> gpd.GeoDataFrame:
        """Return features of a layer: index is the feature id, CRS the town's unless `crs` says otherwise.

        `layer`, `fields`, `sort` and the names in `where` may be titles ("建筑物", "层数"). `at` and `as_known` are those of
        `view`: without them the state is that of now.

        - `where` is CQL2, text or JSON. Values come from `params`, by `:name`; a geometry among them is in the town's CRS
          (a series or frame: in its own), one that is written in the text is longitude, latitude.
          `DWITHIN(geometry, :place, 50)` is true within 50 metres.
        - `bbox` is minx, miny, maxx, maxy in the town's CRS or in `bbox_crs` (x, y), or the box of a geometry, series or
          frame: features meet it. `within` is an area: features lie in it.
        - What a source said and no field takes is the column `attributes`, dicts, where some feature has any; `fields` and
          `where` also name one of them: "attributes.OWNER".
        - `sort` lists fields, "-storeys" for descending; `limit` comes after it.
        - `labels` "zh" or "en" gives words instead of codes. `system` adds fid, valid_from, valid_to, valid_precision and
          version. The dtypes are those of `twin_model/desk/answer_frame.py`, whatever the rows.

        `frame.attrs["version"]` is the version that was read: an edit of the frame is checked against it. Raises
        `LayerNotFound`, `QueryRefused` or `FilterError`; warns of a box far off, of ids that are not there, and of a day
        before anything was known.

        >>> town.features("建筑物", where="层数 > :least", params={"least": 10}, fields="storeys").index.tolist()
        ['building.2']
        """
        described = self._named(layer)
        if described.dropped and as_known is None and recorded is None:
            raise LayerNotFound("desk.dropped", name=described.id)
        at, as_known = (
            now_called("at", at, "datetime", datetime),
            now_called("as_known", as_known, "recorded", recorded),
        )
        view, version = self.view(at, as_known), self.store.version()
        query = feature_query(
            self.store,
            described,
            view,
            zone=self.settings.timezone,
            lang=self.lang,
            where=where,
            params=params,
            bbox=bbox,
            bbox_crs=bbox_crs,
            within=within,
            ids=ids,
            fields=fields,
            sort=sort,
            limit=limit,
        ).with_(precision=system)
        frame = typed(described, self.store.features(query), self.settings.timezone)
        frame = with_attributes(frame, fields)
        self._warn_of_absence(described, query, frame, at)
        frame = frame[[name for name in frame.columns if system or name not in SYSTEM_COLUMNS]]
        if labels is not None:
            frame = in_words(described, frame, _language(labels))
        if crs is not None:
            moved = transform_geometries(frame.geometry.to_numpy(), self.store.crs, crs)
            frame = frame.set_geometry(gpd.array.from_shapely(moved, crs=crs_code(crs)))
        attrs = {
            "layer": described.id,
            "title": described.title(self.lang),
            "version": view.recorded or version,
            "at": time_words(at),
            "as_known": view.recorded,
            "labels": labels,
            "lang": self.lang,
            "style": dict(described.style),
        }
        return Features.of(frame, attrs)

    def _warn_of_absence(self, layer: Layer, query: FeatureQuery, frame: gpd.GeoDataFrame, at: Any) -> None:
        """Warn of ids that are not there, and of a time at which the layer holds nothing yet."""
        missing = [each for each in query.ids or () if each not in frame.index] if query.limit is None else []
        if missing and query.where is None and query.bbox is None and query.area is None:
            notice(
                "desk.missing_ids",
                self.lang,
                count=len(missing),
                all=len(query.ids or ()),
                layer=layer.id,
                ids=missing[:5],
            )
        if len(frame) or (at is None and query.view.recorded is None):
            return
        first = first_known(self.store, layer, query.view)
        if first is None and query.view.recorded is not None:
            notice("slip.not_yet_recorded", self.lang, layer=layer.id, version=query.view.recorded)
        begins = _end_of(query.view.datetime)
        if first is not None and begins is not None and first > begins:
            day = local_time(first, self.settings.timezone)
            notice("desk.not_yet_known", self.lang, layer=layer.id, at=time_words(at), first=day)

    @plainly
    def describe(
        self, layer: LayerName, *, at: Time | None = None, as_known: Time | int | None = None, lang: str | None = None
    ) -> pd.DataFrame:
        """Return what a layer holds: one row a field with title, type, unit, codes, filled_percent, example, range.

        `layer` is an id or a title. `at` and `as_known` are those of `view`: without them the features of now are counted.
        Words are in `lang` ("zh" or "en"), the town's language if left out.

        >>> town.describe("building").loc["storeys", ["type", "range"]].tolist()
        ['integer', '6 .. 12']
        """
        described = self._named(layer)
        view = self.view(at, as_known)
        return describe(self.store, described, lang=lang or self.lang, view=view, zone=self.settings.timezone)

    @plainly
    def codes(self, layer: LayerName, field: str, *, lang: str | None = None) -> "pd.Series[Any]":
        """Return what the codes of a field mean: a Series of words, its index the codes.

        Raises `QueryRefused` for a field without codes, with those that have some.

        >>> town.codes("building", "structure", lang="en").head(1).to_dict()
        {'砼': 'reinforced concrete'}
        """
        return codes_of(self._named(layer), field, lang=lang or self.lang)

    @plainly
    def changes(
        self, layer: LayerName, before: desk_changes.When, after: desk_changes.When | None = None
    ) -> gpd.GeoDataFrame:
        """Return what was inserted, updated and ended in a layer between two days, or between two versions.

        Days are those of valid time, as known now; version numbers compare what was recorded. Columns: `change`, `fields`,
        `before` and `after` (dicts of the fields that differ), `geometry`, `geometry_before`; see `twin_model.desk.changes`.

        >>> town.changes("building", "2019-01-01", "2021-01-01")["change"].tolist()
        ['inserted', 'inserted']
        >>> town.changes("建筑物", 0, 1)["after"].str.get("storeys").tolist()
        [6, 12]
        """
        described = self._named(layer)
        return desk_changes.changes(self.store, described, before, after, zone=self.settings.timezone)

    @plainly
    def history(self, layer: LayerName | None = None) -> pd.DataFrame:
        """Return the versions of the town, or those that changed a layer, newest first: who, when, why, how many.

        >>> town.history("building")[["reason", "inserted"]].values.tolist()[-1]
        ['survey', 2]
        """
        described = None if layer is None else self._named(layer)
        return desk_changes.history(self.store, described, zone=self.settings.timezone)

    @plainly
    def versions(self, layer: LayerName, id: str) -> gpd.GeoDataFrame:
        """Return every state of one feature as known now, oldest first; `valid_to` is NaT where it still holds.

        >>> town.versions("building", "building.1")["storeys"].tolist()[0]
        6
        """
        described = self._named(layer)
        return desk_changes.versions(self.store, described, id, zone=self.settings.timezone)


def _language(labels: str) -> str:
    if labels not in ("zh", "en"):
        raise QueryRefused("desk.labels", value=repr(labels)[:80])
    return labels


def _end_of(when: Instant | Interval | None) -> Instant | None:
    return when.end if isinstance(when, Interval) else when
