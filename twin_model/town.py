"""A town: its folder, its settings in `town.toml`, its store. `open_town(path)` is how a notebook begins."""

import json
import math
import os
import re
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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
    transform_bounds,
    transform_geometries,
)
from twin_model.editing import rows_of
from twin_model.errors import CalledWrongly, CatalogueError, CrsRefused, TownExists, TownNotFound
from twin_model.filter import parse_filter
from twin_model.layer import Layer, Text
from twin_model.messages import render
from twin_model.query_area import seen_extent
from twin_model.replacement import complete_replacement
from twin_model.store.base import FeatureQuery, SortKey, Store
from twin_model.store.opening import create_store, ensure_location, open_store
from twin_model.temporal import now, parse_instant, parse_when
from twin_model.versioning import commit
from twin_model.view import OPEN, Policy, View

__all__ = ["Town", "TownSettings", "init_town", "open_town"]

_FILE = "town.toml"
_FRAME_ROWS = 50_000
_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class TownSettings:
    """What `town.toml` says. `height_offset` is added to every height that leaves for a globe, or is 0 for all."""

    name: Text
    crs: str
    store: str = "store.gpkg"
    timezone: str = "Asia/Shanghai"
    height_datum: str = "1985国家高程基准"
    height_offset: float = 0.0
    storey_height: float = 3.0
    languages: tuple[str, ...] = ("zh", "en")
    publish_underground: bool = False
    closed: tuple[str, ...] = ()
    map_approval: Mapping[str, str] = field(default_factory=dict)
    scenes: tuple[Mapping[str, Any], ...] = ()


class Town:
    """The town in a folder. Closes its store when left as a context.

    >>> town = open_town("town")                                    # doctest: +SKIP
    >>> town.features("building", where="storeys > 10")             # doctest: +SKIP
    """

    def __init__(
        self, path: Path, settings: TownSettings, catalogue: Catalogue, store: Store,
        left_out: Mapping[str, CatalogueError] = {},
    ) -> None:  # fmt: skip
        self.path, self.settings, self.catalogue, self.store = path, settings, catalogue, store
        self.left_out = left_out

    def __enter__(self) -> "Town":
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def remarks(self, lang: str) -> list[str]:
        """Return a sentence for each layer that was left out when the town was opened."""
        return [
            render("catalogue.left_out", lang, {"cause": error.text(lang)})
            for error in self.left_out.values()
        ]

    @property
    def cache(self) -> Path:
        """The folder that may be deleted at any time."""
        return self.path / "cache"

    def layers(self, lang: str = "zh") -> pd.DataFrame:
        """Return one row a layer that holds features: title, geometry, number of features, CIM class."""
        rows = []
        for layer in self.store.catalogue:
            summary = self.store.summary(layer.id)
            rows.append({"layer": layer.id, "title": layer.title(lang), "geometry": layer.geometry, "features": summary.features,
                         "cim_class": layer.cim_class})  # fmt: skip
        frame = pd.DataFrame(rows).set_index("layer")
        return frame[frame["features"] > 0]

    def look(
        self, datetime: str | None = None, recorded: int | str | None = None, policy: Policy = OPEN
    ) -> View:
        """Return how one looks at what was true at a time, as it was recorded by another; without them, now.

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
        return View(parse_when(datetime, zone), recorded, policy)

    def features(
        self, layer: str, *, bbox: Box | None = None, bbox_crs: str | None = None, where: str | dict[str, Any] | None = None,
        datetime: str | None = None, recorded: int | str | None = None, fields: Sequence[str] | None = None,
        sort: str | None = None, limit: int | None = None, crs: str | None = None,
    ) -> gpd.GeoDataFrame:  # fmt: skip
        """Return features of a layer: index is the feature id, CRS the town's unless `crs` says otherwise.

        `bbox` is minx, miny, maxx, maxy in the town's CRS, or in `bbox_crs` (x, y order). `where` is CQL2, text or
        JSON; literal geometries are longitude, latitude. `sort` lists fields, "-storeys" for descending. `datetime` and
        `recorded` are those of `look`: without them the state is that of now.
        """
        if bbox is not None and bbox_crs is not None:
            bbox = transform_bounds(bbox, bbox_crs, self.store.crs)
        query = FeatureQuery(
            self.store.catalogue[layer].id, view=self.look(datetime, recorded), bbox=bbox,
            where=None if where is None else parse_filter(where, lang="cql2-text" if isinstance(where, str) else "cql2-json"),
            fields=None if fields is None else tuple(fields), limit=limit,
            sort=tuple(SortKey(one.lstrip("+-"), not one.startswith("-")) for one in (sort or "").split(",") if one),
        )  # fmt: skip
        frame = self.store.features(query)
        if crs is None:
            return frame
        moved = transform_geometries(frame.geometry.to_numpy(), self.store.crs, crs)
        return frame.set_geometry(gpd.array.from_shapely(moved, crs=crs_code(crs)))

    def commit(
        self, frame: gpd.GeoDataFrame, *, layer: str, reason: str, effective: str | None = None, title: str = "",
        author: str = "notebook",
    ) -> Version:  # fmt: skip
        """Bring features into a layer and return the version that made; the API serves them at once.

        A layer that does not exist yet is described in the town's `catalogue/` from the frame's columns; committing to
        it again replaces what it holds, as a difference. Into any other layer it is an edit: an index named `id` (as
        `features` answers) names the features that get a new state, rows of a plain index are new, nothing ends. A column
        that the frame lacks keeps its values, None empties it. A frame that `features` answered may be given as it is.
        `effective` is since when it is true, now if left out. Raises `EditRefused` where the frame does not fit; nothing
        has changed then.
        """
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
        parts = [frame.iloc[start : start + _FRAME_ROWS] for start in range(0, len(frame), _FRAME_ROWS)]
        rows = [rows_of(described, part, self.store.crs, zone=self.settings.timezone) for part in parts]
        since = parse_instant(effective, self.settings.timezone)[0] if effective else now()
        changeset = Changeset(
            author, reason, since, tuple(Delivered.of(layer, part) for part in rows),
            edit=not is_result, scope=Scope("layer", layer), accept_removals=True,
        )  # fmt: skip
        if not is_result or (known is not None and known.field_names == described.field_names and not title):
            return commit(self.store, changeset)
        return self._commit_described(described, changeset, partial(write_table, own, layer, table))

    def _commit_described(self, layer: Layer, changeset: Changeset, describe: Callable[[], None]) -> Version:
        """Commit to a layer that is new or has new fields: its table and its rows first, its description last."""
        catalogue = Catalogue({**self.catalogue.layers, layer.id: layer})
        try:
            self.store.extend(catalogue.of_kind("feature"))
            version = commit(self.store, changeset)
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
    if (path / _FILE).exists():
        raise TownExists(path=str(path), name=_read_settings(path).name("zh"))
    code = crs_code(crs)
    if not is_projected(code):
        raise CrsRefused("crs.not_projected", crs=code, title=title_of(code))
    ensure_location(store)
    catalogue = catalogue or read_catalogue(path / "catalogue")
    create_store(store, catalogue.of_kind("feature"), code, folder=path).close()
    for folder in ("catalogue", "mappings", "private", "sources", "cache", "backups"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    (path / "private").chmod(0o700)
    part = path / f".{_FILE}.{os.getpid()}"
    part.write_text(_template(name, code, store), "utf-8")
    if "@" in store:  # the address of a server may hold a password
        part.chmod(0o600)
    part.replace(path / _FILE)
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
    settings = _read_settings(folder)
    left_out: dict[str, CatalogueError] = {}
    catalogue = read_catalogue(folder / "catalogue", left_out=left_out)
    _ensure_known(folder, settings, catalogue, left_out)
    kept = catalogue.of_kind("feature")
    store = open_store(settings.store, kept, folder=folder, zone=settings.timezone)
    return Town(folder, settings, catalogue, store, left_out)


def _read_settings(folder: Path) -> TownSettings:
    path = folder / _FILE
    if not path.is_file():
        raise TownNotFound(path=str(folder))
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CalledWrongly("town.invalid", path=str(folder), key=str(error), expected="TOML") from error
    unknown = sorted(set(table) - set(_READERS))
    if unknown or "name" not in table or "crs" not in table:
        raise CalledWrongly(
            "town.invalid", path=str(folder), key=unknown or "name, crs", expected=sorted(_READERS)
        )
    return TownSettings(**{key: _setting(folder, key, value) for key, value in table.items()})


def _setting(folder: Path, key: str, value: Any) -> Any:
    expected, read = _READERS[key]
    try:
        return read(value)
    except (TypeError, ValueError, KeyError, OSError) as error:
        raise CalledWrongly(
            "town.invalid", path=str(folder), key=f"{key} = {value!r}", expected=expected
        ) from error


def _ensure_known(
    folder: Path, settings: TownSettings, catalogue: Catalogue, left_out: Mapping[str, CatalogueError]
) -> None:
    """Refuse a layer that does not exist: a slip of the pen in `closed` would leave a layer open to everybody.

    A layer that was left out may be named.
    """
    for key, layers in (("closed", settings.closed), ("map_approval", tuple(settings.map_approval))):
        unknown = [layer for layer in layers if layer not in catalogue and layer not in left_out]
        if unknown:
            nearest = get_close_matches(unknown[0], catalogue.layers, 3, 0.4) or sorted(catalogue.layers)
            raise CalledWrongly(
                "town.invalid", path=str(folder), key=f"{key} names {unknown}", expected=nearest
            )


def _kind(*kinds: type) -> Callable[[Any], Any]:
    """Return a reader that takes a TOML value of these kinds as it is; true and false are no numbers."""

    def read(value: Any) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise TypeError(value)
        return value

    return read


def _name(value: Any) -> Text:
    table = value if isinstance(value, dict) else {"zh": value, "en": value}
    if set(table) - {"zh", "en"} or not any(table.values()):
        raise ValueError(value)
    return Text(*(_kind(str)(table.get(lang, "")) for lang in ("zh", "en")))


def _metres(value: Any) -> float:
    number = float(_kind(int, float)(value))
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_kind(str)(one) for one in _kind(list)(value))


def _time_zone(value: Any) -> str:
    return ZoneInfo(_kind(str)(value)).key


_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ('a text, or { zh = "...", en = "..." }', _name),
    "crs": ('a code such as "EPSG:4548"', lambda value: crs_code(_kind(str, int)(value))),
    "store": ("a path, or postgresql://...", _kind(str)),
    "timezone": ('a name such as "Asia/Shanghai"', _time_zone),
    "height_datum": ("a text", _kind(str)),
    "height_offset": ("metres", _metres),
    "storey_height": ("metres", _metres),
    "languages": ('a list such as ["zh", "en"]', _texts),
    "publish_underground": ("true or false", _kind(bool)),
    "closed": ("a list of layers", _texts),
    "map_approval": ("a table of layers and numbers", lambda value: {k: _kind(str)(v) for k, v in _kind(dict)(value).items()}),
    "scenes": ("a list of tables", lambda value: tuple(_kind(dict)(one) for one in _kind(list)(value))),
}  # fmt: skip
"""What each key of `town.toml` expects, in words and as its reader."""


def _template(name: str, crs: str, store: str) -> str:
    def shown(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)  # TOML's basic strings have the escapes of JSON

    return f"""# 城市库设置：名称、坐标系、高程；未写的项取默认值（见说明书“城市库文件夹”）。
# The town. Names, storage CRS and heights; everything else has a default (see README, The town's folder).
name = {{ zh = {shown(name)}, en = {shown(name)} }}    # 名称 name
crs = {shown(crs)}             # 数据库坐标系，建库后不可更改 storage CRS, fixed once the store is made
store = {shown(store)}          # 数据库：文件或 PostgreSQL 地址 store: a file or a PostgreSQL address
timezone = "Asia/Shanghai"     # 时区 time zone
height_datum = "1985国家高程基准"    # 高程基准 height datum
height_offset = 0.0            # 高程异常（米），输出到三维地球时加到高程上 added to every height that leaves for a globe
storey_height = 3.0            # 按层数推算高度时的层高（米） storey height where only storeys are known
publish_underground = false    # true 表示对外发布地下管线 true publishes pipelines on an address that is not loopback
closed = []                    # 不对所有人开放的图层 layers that are not open to everybody
"""
