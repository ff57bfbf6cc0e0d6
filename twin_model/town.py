"""A town: its folder, its settings in `town.toml`, its store. `open_town(path)` is how a notebook begins."""

import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from twin_model.catalogue import Catalogue, layer_of, read_catalogue
from twin_model.catalogue.layer_from_frame import (
    fitted_to_layer,
    is_result_table,
    table_of_frame,
    without_system_columns,
    write_table,
)
from twin_model.changeset import Box, Changeset, Delivered, Scope, Version
from twin_model.crs import (
    CRS84,
    crs_code,
    is_projected,
    placed_bounds,
    title_of,
    transform_geometries,
)
from twin_model.desk.progress import progress_line
from twin_model.editing import ensure_text, rows_of
from twin_model.errors import CatalogueError, CrsRefused, TownExists
from twin_model.filter import Expression, parse_filter
from twin_model.layer import Layer
from twin_model.messages import render
from twin_model.query_area import box_area, filter_in_storage_crs, narrowed_to, seen_extent
from twin_model.replacement import complete_replacement
from twin_model.store.base import FeatureQuery, SortKey, Store
from twin_model.store.former_fields import with_tolerances
from twin_model.store.opening import create_store, ensure_location, open_store
from twin_model.temporal import now, parse_instant, parse_when, time_text
from twin_model.town_settings import (
    TOWN_FILE,
    TownSettings,
    ensure_known_layers,
    read_settings,
    settings_text,
)
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
    ) -> None:
        self.path, self.settings, self.catalogue, self.store = path, settings, catalogue, store
        self.left_out = left_out

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

    def layers(self, lang: str = "zh") -> pd.DataFrame:
        """Return one row a layer that holds features: title, geometry, number of features, CIM class."""
        rows = []
        for layer in self.store.catalogue:
            summary = self.store.summary(layer.id)
            rows.append(
                {
                    "layer": layer.id,
                    "title": layer.title(lang),
                    "geometry": layer.geometry,
                    "features": summary.features,
                    "cim_class": layer.cim_class,
                }
            )
        frame = pd.DataFrame(rows).set_index("layer")
        return frame[frame["features"] > 0]

    def view(
        self, datetime: str | date | None = None, recorded: int | str | None = None, policy: Policy = OPEN
    ) -> View:
        """Return the view for a valid time and a recorded state; both default to now.

        `datetime` is a date, an instant or an interval "a/b", "a/..", "../b"; `recorded` is the number of a version, or a
        date or an instant: the newest version of then. Days are the town's. Raises `QueryRefused` for what is no time, and
        for a version that is not there.
        """
        zone = self.settings.timezone
        if isinstance(recorded, str) and not _NUMBER.fullmatch(recorded):
            recorded = self.store.recorded_at(parse_instant(recorded, zone)[0])
        if recorded is not None:
            recorded = int(recorded)
            self.store.ensure_version(recorded)
        return View(parse_when(None if datetime is None else time_text(datetime), zone), recorded, policy)

    def look(
        self, datetime: str | date | None = None, recorded: int | str | None = None, policy: Policy = OPEN
    ) -> View:
        """Return the same as `view`, which is its name now."""
        warnings.warn("Town.look is called Town.view now", DeprecationWarning, stacklevel=2)
        return self.view(datetime, recorded, policy)

    def features(
        self, layer: str, *, bbox: Box | None = None, bbox_crs: str | None = None, where: str | dict[str, Any] | None = None,
        datetime: str | date | None = None, recorded: int | str | None = None, fields: Sequence[str] | None = None,
        sort: str | None = None, limit: int | None = None, crs: str | None = None,
    ) -> gpd.GeoDataFrame:  # fmt: skip
        """Return features of a layer: index is the feature id, CRS the town's unless `crs` says otherwise.

        `bbox` is minx, miny, maxx, maxy in the town's CRS, or in `bbox_crs` (x, y order): features meet it as they meet
        the same box over HTTP, in degrees an area with curved sides. `where` is CQL2, text or
        JSON; literal geometries are longitude, latitude. `sort` lists fields, "-storeys" for descending. `datetime` and
        `recorded` are those of `view`: without them the state is that of now.
        """
        layer_id, storage_crs = self.store.catalogue[layer].id, self.store.crs
        extent = self.store.summary(layer_id).extent
        query = FeatureQuery(
            layer_id,
            view=self.view(datetime, recorded),
            where=self._filter(where, extent),
            where_crs=storage_crs,
            fields=None if fields is None else tuple(fields),
            limit=limit,
            sort=tuple(SortKey(one.lstrip("+-"), not one.startswith("-")) for one in (sort or "").split(",") if one),
        )
        if bbox is not None:
            box_crs = crs_code(bbox_crs or storage_crs)
            query = narrowed_to(query, box_area(bbox, box_crs), box_crs, storage_crs, extent)
        frame = self.store.features(query)
        if crs is None:
            return frame
        moved = transform_geometries(frame.geometry.to_numpy(), self.store.crs, crs)
        return frame.set_geometry(gpd.array.from_shapely(moved, crs=crs_code(crs)))

    def _filter(self, where: str | dict[str, Any] | None, extent: Box | None) -> Expression | None:
        """Return a CQL2 filter with its geometries in the storage CRS."""
        if where is None:
            return None
        expression = parse_filter(where, lang="cql2-text" if isinstance(where, str) else "cql2-json")
        return filter_in_storage_crs(expression, CRS84, self.store.crs, extent)

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
        """Bring features into a layer and return the version that made; the API serves them at once.

        A layer that does not exist yet is described in the town's `catalogue/` from the frame's columns; committing to
        it again replaces what it holds, as a difference. Into any other layer it is an edit: an index named `id` (as
        `features` answers) names the features that get a new state, rows of a plain index are new, nothing ends. A column
        that the frame lacks keeps its values, None empties it. A frame that `features` answered may be given as it is.
        `effective` is since when it is true, now if left out. Raises `EditRefused` where the frame does not fit; nothing
        has changed then.
        """
        for name, text in (("layer", layer), ("reason", reason), ("author", author), ("title", title or reason)):
            ensure_text(text, name=name, layer=str(layer))
        own = self.path / "catalogue" / f"{layer}.toml"
        is_result = layer not in self.catalogue or is_result_table(own)
        if is_result:
            frame = fitted_to_layer(frame)
            known = self.catalogue.layers.get(layer)
            table = table_of_frame(layer, frame, title=title, reason=reason, known=known)
            described = layer_of(layer, table)
        else:
            frame = without_system_columns(frame)
            described = self.store.catalogue[layer]
        parts = [frame.iloc[start : start + _FRAME_ROWS] for start in range(0, len(frame), _FRAME_ROWS)] or [frame]
        rows = [rows_of(described, part, self.store.crs, zone=self.settings.timezone) for part in parts]
        since = parse_instant(time_text(effective), self.settings.timezone)[0] if effective is not None else now()
        changeset = Changeset(
            author,
            reason,
            since,
            tuple(Delivered.of(layer, part) for part in rows),
            edit=not is_result,
            scope=Scope("layer", layer),
            accept_removals=True,
        )
        if not is_result or (known is not None and known.field_names == described.field_names and not title):
            return self._committed(changeset)
        return self._commit_described(described, changeset, partial(write_table, own, layer, table))

    def _committed(self, changeset: Changeset) -> Version:
        with progress_line(self.lang) as progress:
            return commit(self.store, changeset, progress=progress)

    def _commit_described(self, layer: Layer, changeset: Changeset, describe: Callable[[], None]) -> Version:
        """Commit to a layer that is new or has new fields: its table and its rows first, its description last."""
        catalogue = Catalogue({**self.catalogue.layers, layer.id: layer})
        try:
            self.store.extend(catalogue.of_kind("feature"))
            version = self._committed(changeset)
            describe()
        except BaseException:
            self.store.extend(self.catalogue.of_kind("feature"))
            raise
        self.catalogue = catalogue
        return version

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
    folder = Path(path)
    complete_replacement(folder)
    settings = read_settings(folder)
    left_out: dict[str, CatalogueError] = {}
    catalogue = read_catalogue(folder / "catalogue", left_out=left_out)
    ensure_known_layers(folder, settings, catalogue, left_out)
    while True:
        try:
            store = open_store(settings.store, catalogue.of_kind("feature"), folder=folder, zone=settings.timezone)
            break
        except CatalogueError as error:
            layer = str(error.values.get("layer"))
            if not is_result_table(folder / "catalogue" / f"{layer}.toml"):
                raise
            left_out[layer] = error
            catalogue = Catalogue({name: each for name, each in catalogue.layers.items() if name != layer})
    kept = {layer.id: layer.tolerance for layer in store.catalogue}
    catalogue = with_tolerances(catalogue, kept)
    return Town(folder, settings, catalogue, store, left_out)
