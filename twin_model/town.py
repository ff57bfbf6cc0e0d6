"""A town: its folder, its settings in `town.toml`, its store. `open_town(path)` is how a notebook begins."""

import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.cache_folder import CacheFolder
from twin_model.catalogue import Catalogue, layer_of, read_catalogue
from twin_model.catalogue.frame_values import with_plain_values
from twin_model.catalogue.layer_from_frame import (
    fitted_to_layer,
    is_result_table,
    read_table,
    table_of_frame,
)
from twin_model.changeset import Box, Changeset, Version
from twin_model.crs import (
    CRS84,
    crs_code,
    is_projected,
    placed_bounds,
    title_of,
    transform_geometries,
)
from twin_model.desk import changes as desk_changes
from twin_model.desk.above import RunningService, TownMap, above
from twin_model.desk.answer_frame import SYSTEM_COLUMNS, in_words, typed
from twin_model.desk.description import codes_of, describe, layers_of
from twin_model.desk.heights import height_at
from twin_model.desk.measures import (
    GREEN_KINDS,
    building_density,
    features_of,
    green_ratio,
    pipe_length,
    plot_ratio,
)
from twin_model.desk.names import fields_named, layer_named
from twin_model.desk.notices import notice
from twin_model.desk.plain_errors import plainly
from twin_model.desk.plot_style import use_plot_style
from twin_model.desk.progress import progress_line
from twin_model.desk.psets import bim_properties
from twin_model.desk.question import Place, Time, feature_query, first_known, time_words
from twin_model.desk.reshaping import Reshaping, drop, redescribe, rename_field
from twin_model.desk.saving import Desk, Mode, Order, Saved
from twin_model.desk.shown import Features, town_html, town_text
from twin_model.editing import ensure_text, ids_of
from twin_model.errors import CatalogueError, CrsRefused, EditRefused, LayerNotFound, QueryRefused, TownExists
from twin_model.history import revert
from twin_model.layer import Layer
from twin_model.messages import render
from twin_model.query_area import seen_extent
from twin_model.relief.ground import Ground
from twin_model.replacement import complete_replacement
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.opening import create_store, ensure_location, open_store
from twin_model.store.select import PROPERTY_SETS
from twin_model.temporal import Instant, Interval, local_time, parse_instant, parse_when
from twin_model.town_catalogue import (
    CatalogueReading,
    CatalogueWatch,
    FollowedCatalogue,
    commit_described,
    complete_descriptions,
    fitted_to_store,
    read_town_catalogue,
)
from twin_model.town_settings import TOWN_FILE, TownSettings, read_settings, settings_text
from twin_model.versioning import commit
from twin_model.view import OPEN, Policy, View

__all__ = ["Town", "TownSettings", "init_town", "open_town"]

_FRAME_ROWS = 50_000
_NUMBER = re.compile("[0-9]{1,9}")


class Town:
    """The town in a folder. Closes its store when left as a context.

    >>> with open_town("town") as town:
    ...     town.features("building", where="storeys > 10").index.tolist()
    ['building.2']
    """

    def __init__(
        self,
        path: Path,
        settings: TownSettings,
        catalogue: Catalogue,
        store: Store,
        left_out: Mapping[str, CatalogueError] = {},
        watch: CatalogueWatch | None = None,
    ) -> None:
        self.path, self.settings, self.store = path, settings, store
        reading = CatalogueReading(catalogue, dict(left_out))
        self._followed = FollowedCatalogue(path, settings, store, reading, watch or CatalogueWatch(path / "catalogue"))
        self._ground: Ground | None = None
        self._desk = Desk(store, zone=settings.timezone, lang=self.lang)

    @property
    def catalogue(self) -> Catalogue:
        """Every layer that the town describes, as the files in `catalogue/` are at this moment."""
        self.follow()
        return self._followed.catalogue

    @property
    def left_out(self) -> Mapping[str, CatalogueError]:
        """The results whose tables are no layers, with what is wrong in each."""
        return self._followed.left_out

    def follow(self) -> None:
        """Take over what others have put into `catalogue/` since; every method begins so. Costs one look at a folder.

        A table that cannot be used is named by one warning, and the town goes on with what it had.
        """
        self._followed.follow()

    def _named(self, layer: str) -> Layer:
        """Return a layer of the store by id or title, as the catalogue is at this moment."""
        self.follow()
        return layer_named(self.store.catalogue, layer)

    def __enter__(self) -> "Town":
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def remarks(self, lang: str) -> list[str]:
        """Return a sentence for each layer that was left out when the town was opened."""
        return [render("catalogue.left_out", lang, {"cause": error.text(lang)}) for error in self.left_out.values()]

    @property
    def lang(self) -> str:
        """The language in which the town shows itself: the first of `languages` in town.toml."""
        return self.settings.languages[0] if self.settings.languages else "zh"

    @property
    def cache(self) -> Path:
        """The folder that may be deleted at any time."""
        return self.path / "cache"

    def layers(self, lang: str | None = None) -> pd.DataFrame:
        """Return one row a layer that holds features: title, geometry, features, CIM class, first and last day.

        `first` and `last` are the days on which its features first and last begin or end to be true.
        """
        self.follow()
        return layers_of(self.store, lang=lang or self.lang, zone=self.settings.timezone)

    @plainly
    def view(
        self,
        at: Time | None = None,
        as_known: Time | int | None = None,
        policy: Policy = OPEN,
        *,
        datetime: Time | None = None,
        recorded: Time | int | None = None,
    ) -> View:
        """Return the view for a valid time and a recorded state; both default to now.

        `at` is a day, an instant or an interval ("a/b", "a/..", or a pair), as text or anything of `datetime`, numpy or
        pandas; `as_known` is the number of a version, or a day or an instant: the newest version of then. Days are the
        town's. `datetime` and `recorded` are the former names of both. Raises `QueryRefused` for what is no time, and
        for a version that is not there.
        """
        at, as_known = (
            _now_called("at", at, "datetime", datetime),
            _now_called("as_known", as_known, "recorded", recorded),
        )
        self.follow()
        zone = self.settings.timezone
        version = as_known if isinstance(as_known, int) else None
        if version is None and as_known is not None:
            text = time_words(as_known) or ""
            version = int(text) if _NUMBER.fullmatch(text) else self.store.recorded_at(parse_instant(text, zone)[0])
        if version is not None:
            self.store.ensure_version(version)
        return View(parse_when(time_words(at), zone), version, policy)

    def look(
        self, datetime: str | date | None = None, recorded: int | str | None = None, policy: Policy = OPEN
    ) -> View:
        """Return the same as `view`, which is its name now."""
        notice("desk.renamed", category=DeprecationWarning, before="Town.look", now="Town.view")
        return self.view(datetime, recorded, policy)

    @plainly
    def features(
        self,
        layer: str,
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
            _now_called("at", at, "datetime", datetime),
            _now_called("as_known", as_known, "recorded", recorded),
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
        if missing and query.where is None and query.bbox is None:
            notice(
                "desk.missing_ids",
                self.lang,
                count=len(missing),
                all=len(query.ids or ()),
                layer=layer.id,
                ids=missing[:5],
            )
        if at is None or len(frame):
            return
        first = first_known(self.store, layer, query.view)
        begins = _end_of(query.view.datetime)
        if first is not None and begins is not None and first > begins:
            day = local_time(first, self.settings.timezone)
            notice("desk.not_yet_known", self.lang, layer=layer.id, at=time_words(at), first=day)

    @plainly
    def changes(
        self, layer: str, before: desk_changes.When, after: desk_changes.When | None = None
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
    def history(self, layer: str | None = None) -> pd.DataFrame:
        """Return the versions of the town, or those that changed a layer, newest first: who, when, why, how many.

        >>> town.history("building")[["reason", "inserted"]].values.tolist()[-1]
        ['survey', 2]
        """
        described = None if layer is None else self._named(layer)
        return desk_changes.history(self.store, described, zone=self.settings.timezone)

    @plainly
    def versions(self, layer: str, id: str) -> gpd.GeoDataFrame:
        """Return every state of one feature as known now, oldest first; `valid_to` is NaT where it still holds.

        >>> town.versions("building", "building.1")["storeys"].tolist()[0]
        6
        """
        described = self._named(layer)
        return desk_changes.versions(self.store, described, id, zone=self.settings.timezone)

    def ground(self) -> Ground:
        """Return the ground of what the town knows now, triangulated once a version and held in its cache.

        `ground().surface()` is the triangulation; `ground().heights(x, y)` answers outside the survey too, with the
        nearest height that is known.
        """
        if self._ground is None:
            self._ground = Ground(self.store, CacheFolder(self.cache))
        return self._ground

    @plainly
    def height_at(self, points: Any) -> "pd.Series[float] | NDArray[np.float64] | float":
        """Return the height of the ground at points, in metres of the town's height datum; NaN outside the survey.

        A GeoDataFrame or GeoSeries of points in any CRS gives a Series with its index; an array (n, 2) of x, y in the
        town's CRS, or a list of shapely points, an array; one point a float.

            wells["ground"] = town.height_at(wells)
        """
        return height_at(self.ground(), points, crs=self.store.crs)

    @plainly
    def bim_properties(
        self, elements: pd.DataFrame | str | None = None, psets: Sequence[str] | str | None = None
    ) -> pd.DataFrame:
        """Return the property sets of BIM elements as columns, such as "Pset_WallCommon.FireRating".

        `elements` is a frame of `features`, or the layer (by id or title) of which all are taken, "bim_element" if left out;
        `psets` names sets or single properties, all if left out. Types, units and errors: `twin_model.desk.psets`.

            walls = town.features("bim_element", where="psets.Pset_WallCommon.FireRating = '2h'")
            walls.join(town.bim_properties(walls, ["Pset_WallCommon"]))
        """
        if elements is not None and not isinstance(elements, str):
            return bim_properties(elements, psets)
        layer = self._named(elements or "bim_element")
        query = FeatureQuery(layer.id, fields=(PROPERTY_SETS,), geometry=False)
        return bim_properties(self.store.features(query), psets)

    @plainly
    def plot_ratio(
        self,
        parcels: gpd.GeoDataFrame | str = "land_use",
        buildings: gpd.GeoDataFrame | str = "building",
        *,
        at: Time | None = None,
        as_known: Time | int | None = None,
    ) -> gpd.GeoDataFrame:
        """Return the plot ratio (容积率) of each parcel, an estimate: footprint x storeys above ground / parcel area.

        `parcels` and `buildings` are layers (ids or titles) of the day `at`, as known by the version or day `as_known`, or
        frames of your own. Columns, choices and the definition: `twin_model.desk.measures.plot_ratio`.

            ratio = town.plot_ratio()
            ratio[ratio["plot_ratio_estimate"] > town.features("land_use")["floor_area_ratio"]]
        """
        return plot_ratio(*self._frames((parcels, buildings), at, as_known))

    @plainly
    def building_density(
        self,
        parcels: gpd.GeoDataFrame | str = "land_use",
        buildings: gpd.GeoDataFrame | str = "building",
        *,
        at: Time | None = None,
        as_known: Time | int | None = None,
    ) -> gpd.GeoDataFrame:
        """Return the building density (建筑密度) of each parcel in per cent, an estimate: footprints / parcel area.

        Parameters are those of `plot_ratio`, columns and the definition: `twin_model.desk.measures.building_density`.
        """
        return building_density(*self._frames((parcels, buildings), at, as_known))

    @plainly
    def green_ratio(
        self,
        parcels: gpd.GeoDataFrame | str = "land_use",
        vegetation: gpd.GeoDataFrame | str = "vegetation_area",
        *,
        kinds: Sequence[str] | None = GREEN_KINDS,
        at: Time | None = None,
        as_known: Time | int | None = None,
    ) -> gpd.GeoDataFrame:
        """Return the green ratio (绿地率) of each parcel in per cent, an estimate: green space / parcel area.

        `kinds` are the kinds of vegetation that count, None for all; the other parameters are those of `plot_ratio`,
        columns and the definition: `twin_model.desk.measures.green_ratio`.
        """
        return green_ratio(*self._frames((parcels, vegetation), at, as_known), kinds=kinds)

    @plainly
    def pipe_length(
        self,
        by: Sequence[str] | str = ("class",),
        *,
        pipes: gpd.GeoDataFrame | str = "pipe_line",
        at: Time | None = None,
        as_known: Time | int | None = None,
    ) -> pd.DataFrame:
        """Return the length of pipes in kilometres by fields (ids or titles), along the axis and in plan.

        `pipes` is a layer of the day `at`, as known by `as_known`, or a frame. Columns: `twin_model.desk.measures.pipe_length`.

            town.pipe_length(["class", "material"])
        """
        if isinstance(pipes, str):
            by = fields_named(self._named(pipes), by)
        return pipe_length(self._frames((pipes,), at, as_known)[0], by)

    def _frames(
        self, layers: Sequence[gpd.GeoDataFrame | str], at: Time | None, as_known: Time | int | None
    ) -> list[gpd.GeoDataFrame]:
        """Return frames as they are, and of layers the features of a day."""
        view = self.view(at, as_known)
        return [features_of(self.store, each, view, zone=self.settings.timezone) for each in layers]

    @plainly
    def serve(self, port: int | None = None) -> RunningService:
        """Return the town's service, started in a process of its own on 127.0.0.1, once it answers.

        `port` is free to choose; without it any free one is taken. The service ends with the `with` block, with `stop()`,
        when nobody holds the object any more, and with this Python at the latest. It takes a second or two to start.
        Raises `CalledWrongly` for a port that is taken, `ServiceFailed` with the service's last lines if it does not start.

        >>> with town.serve() as service:
        ...     len(gpd.read_file(f"OAPIF:{service.url}", layer="building"))
        2
        """
        service: RunningService = above("serve")(self, port)
        return service

    @plainly
    def map(
        self,
        layers: str | gpd.GeoDataFrame | gpd.GeoSeries | Sequence[Any] | Mapping[str, Any],
        *,
        column: str | None = None,
        palette: str | Sequence[str] | Mapping[Any, str] | None = None,
        breaks: str | Sequence[Any] = "quantile",
        legend: bool = True,
        ground: Callable[[Any, Any], Any] | float | None = None,
        flat: bool = False,
        at: str | date | None = None,
        as_known: int | str | None = None,
        lang: str | None = None,
        height: int = 520,
    ) -> TownMap:
        """Return a map of any frames and layers, in three dimensions or `flat`; it needs no network.

        `layers` is a layer (by id or title), a frame of any CRS, a list of them, or frames by their titles; a title that is
        a layer's draws the frame as that layer. Areas of a frame with a column `height` (metres) are raised.

        `column` colours what has it, by name or title: numbers and times in classes (`breaks`: "quantile", "equal" or their
        borders), texts and codes by value. `palette` is "heat", "blues", "greens", "viridis" or "diverging", colours
        "#rrggbb" from low to high, or the colour of each value. `ground` is a height or a function of x, y; the town's own
        ground if left out. `at` and `as_known` are the valid and the recorded time of layers given by name. `height` is in
        pixels. Raises `QueryRefused` for a column that nothing has and for more than 2 million corners.

        >>> town.map("建筑物", column="地上层数").to_html("buildings.html").name
        'buildings.html'
        """
        shown: TownMap = above("map")(
            self,
            layers,
            column=column,
            palette=palette,
            breaks=breaks,
            legend=legend,
            ground=ground,
            flat=flat,
            at=at,
            as_known=as_known,
            lang=lang,
            height=height,
        )
        return shown

    def plot_style(self) -> str:
        """Give matplotlib a Chinese font and the house's look for this session; return the language for labels.

        That is the town's, or "en" where no Chinese font is installed, which is said once. Raises `PackageMissing`
        without matplotlib.

        >>> town.catalogue["building"].title(town.plot_style()) in ("建筑物", "Buildings")
        True
        """
        return use_plot_style(self.lang)

    @plainly
    def describe(
        self, layer: str, *, at: Time | None = None, as_known: Time | int | None = None, lang: str | None = None
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
    def codes(self, layer: str, field: str, *, lang: str | None = None) -> "pd.Series[Any]":
        """Return what the codes of a field mean: a Series of words, its index the codes.

        Raises `QueryRefused` for a field without codes, with those that have some.

        >>> town.codes("building", "structure", lang="en").head(1).to_dict()
        {'砼': 'reinforced concrete'}
        """
        return codes_of(self._named(layer), field, lang=lang or self.lang)

    def __repr__(self) -> str:
        return town_text(self.settings, self.store, self.lang)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: name, CRS, newest version, what the town holds, and a small map."""
        return town_html(self.settings, self.store, self.lang, self.extent)

    @plainly
    def edit(
        self,
        layer: str,
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
        Nothing ends. A column that the frame lacks keeps its values, an explicit None empties it; a table without geometry
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
        layer: str,
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
        changeset = revert(self.store, version, author=author, reason=reason)
        for name, text in (("reason", changeset.reason), ("author", author)):
            ensure_text(text, name=name, layer=str(version))
        described = changeset.counts.get("described")
        if described is None:
            made = commit(self.store, changeset)
        else:
            made = self._put_described(described["layer"], described["before"], described["after"], changeset)
        self._desk.own.add(made.number)
        return made

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
        return self._desk.write(layer, changeset, Order(changeset.reason, changeset.author), [], put)

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
            version = commit_described(self.store, self.path / "catalogue", both, after, changeset, gone, progress)
        self._followed.add(layer_of(name, after))
        return version

    @plainly
    def commit(
        self,
        frame: gpd.GeoDataFrame,
        *,
        layer: str,
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

    def _save(self, frame: gpd.GeoDataFrame, name: str, order: Order, title: str, mode: Mode) -> Saved:
        ensure_text(name, name="layer", layer=str(name))
        for label, text in (("reason", order.reason), ("title", title or order.reason)):
            ensure_text(text, name=label, layer=name)
        attrs = frame.attrs if isinstance(frame, gpd.GeoDataFrame) else {}
        frame = fitted_to_layer(frame)
        frame.attrs = attrs
        path = self._table_path(name)
        before = read_table(path, name) if name in self.catalogue and is_result_table(path) else None
        table = table_of_frame(name, frame, title=title, reason=order.reason, before=before)
        described = layer_of(name, table)
        frame = with_plain_values(name, frame)
        put = None if table == before else partial(self._put_described, name, before, table)
        if mode == "append":
            self._ensure_new_ids(described, frame)
        if mode == "replace" or before is None:
            return self._desk.replace(described, frame, order, put)
        return self._desk.edit(described, frame, order, put)

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

    def extent(self, crs: str = CRS84, policy: Policy = OPEN) -> Box | None:
        """Return the box of everything a looker may see of the town, None where that is nothing.

        A layer some of which has no place on the globe is left out: it would draw the town out to nowhere.
        """
        layers = [layer.id for layer in self.store.catalogue if policy.admits(layer.id)]
        extents = [seen_extent(self.store, layer, policy) for layer in layers]
        boxes = [one for one in extents if one and placed_bounds(one, self.store.crs, CRS84)]
        if not boxes:
            return None
        west, south = (min(one[axis] for one in boxes) for axis in (0, 1))
        east, north = (max(one[axis] for one in boxes) for axis in (2, 3))
        return placed_bounds((west, south, east, north), self.store.crs, crs)


def _now_called(name: str, value: Any, former: str, former_value: Any) -> Any:
    """Return a value, or that of the parameter's former name with a warning."""
    if former_value is None:
        return value
    notice("desk.renamed", category=DeprecationWarning, before=f"{former}=", now=f"{name}=")
    return former_value


def _language(labels: str) -> str:
    if labels not in ("zh", "en"):
        raise QueryRefused("desk.labels", value=repr(labels)[:80])
    return labels


def _end_of(when: Instant | Interval | None) -> Instant | None:
    return when.end if isinstance(when, Interval) else when


def init_town(
    path: Path, *, name: str, crs: str, store: str = "store.gpkg", catalogue: Catalogue | None = None
) -> Town:
    """Make an empty town in a folder and return it; a folder that already holds one is refused."""
    complete_replacement(path)
    if (path / TOWN_FILE).exists():
        raise TownExists(path=str(path), name=read_settings(path).name("zh"))
    code = crs_code(crs)
    if not is_projected(code):
        raise CrsRefused("crs.not_projected", crs=code, title=title_of(code))
    ensure_location(store)
    catalogue = catalogue or read_catalogue(path / "catalogue")
    create_store(store, catalogue.of_kind("feature"), code, folder=path).close()
    for folder in ("catalogue", "mappings", "private", "sources", "cache", "backups"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    (path / "private").chmod(0o700)
    part = path / f".{TOWN_FILE}.{os.getpid()}"
    part.write_text(settings_text(name, code, store), "utf-8")
    if "@" in store:  # the address of a server may hold a password
        part.chmod(0o600)
    part.replace(path / TOWN_FILE)
    return open_town(path)


def open_town(path: str | Path = "town") -> Town:
    """Return the town in a folder; its store is opened, its catalogue read with the town's own tables laid over.

    A result whose table is no layer is left out, with a warning that names the file (`Town.left_out`).
    """
    town = open_quietly(path)
    for text in town.remarks("en"):
        warnings.warn(text, stacklevel=2)
    return town


def open_quietly(path: str | Path) -> Town:
    """Return the same town without warnings, for callers that show `Town.remarks` themselves."""
    folder = Path(path).expanduser()
    complete_replacement(folder)
    settings = read_settings(folder)
    watch = CatalogueWatch(folder / "catalogue")
    reading = read_town_catalogue(folder, settings)
    opened = partial(open_store, settings.store, folder=folder, zone=settings.timezone)
    store = fitted_to_store(reading, folder, opened)
    complete_descriptions(store, folder / "catalogue")
    return Town(folder, settings, reading.catalogue, store, reading.left_out, watch)
