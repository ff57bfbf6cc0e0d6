"""A `FeatureQuery` -> one SQL statement of the GeoPackage store.

Three ways to look: "now" reads the table of current rows alone; an instant or a recorded state adds the history
table; an interval takes of each feature the latest version valid within it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from itertools import zip_longest
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.changeset import Box
from twin_model.crs import same_crs, transform_geometries
from twin_model.errors import QueryRefused
from twin_model.filter import to_sql
from twin_model.filter.checking import FieldType
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, SortKey
from twin_model.store.gpkg_binary import header_bytes
from twin_model.store.gpkg_schema import quoted
from twin_model.temporal import Interval

__all__ = ["Select", "queryables", "search_fields", "select", "shown_fields"]

_WIDE_SHARE = 0.3
_SEARCHED = ("name", "id", "text", "survey_no", "map_no", "start_no", "end_no", "road_name", "address", "global_id", "parcel_no",
             "project_no", "pole_no", "number", "usage", "kind")  # fmt: skip


@dataclass(frozen=True)
class Select:
    """A statement with its parameters; `columns` are those of the result in order."""

    text: str
    parameters: tuple[Any, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """What the statement depends on besides the query: the moment, whether a planned row has begun, and the layer."""

    layer: Layer
    crs: str
    now: str
    planned: bool
    extent: Box | None
    zone: ZoneInfo


@lru_cache(maxsize=256)
def queryables(layer: Layer) -> Mapping[str, FieldType]:
    """Return what may be asked of a layer: its queryable fields, id, validity and geometry."""
    names: dict[str, FieldType] = {"id": "string"}
    names |= {one.name: one.type for one in layer.fields if one.queryable}
    names |= {"valid_from": "datetime", "valid_to": "datetime"}
    return names | ({"geometry": "geometry"} if layer.has_geometry else {})


def search_fields(layer: Layer) -> tuple[str, ...]:
    """Return the columns in which `q` looks: ids, names, numbers, addresses."""
    return ("id", *(name for name in _SEARCHED if name != "id" and layer.field_of(name)))


def shown_fields(layer: Layer, query: FeatureQuery) -> tuple[str, ...]:
    """Return the fields an answer carries: those asked for, without those the policy hides."""
    hidden = query.view.policy.hidden.get(layer.id, frozenset())
    return tuple(
        n for n in layer.field_names if n not in hidden and (query.fields is None or n in query.fields)
    )


def select(context: Context, query: FeatureQuery, *, what: str = "rows") -> Select:
    """Return the statement for rows ("rows"), their number ("count") or their fids and boxes ("boxes")."""
    layer, view = context.layer, query.view
    build = _Statement(context, query)
    history = not view.is_now or context.planned
    if what == "count" and not history:
        return Select(
            f"SELECT count(*) FROM {quoted(layer.id)} m WHERE {build.where('now')}",
            tuple(build.parameters),
            ("count",),
        )
    columns = _columns(layer, query) if what == "rows" else {"fid": "m.fid"}
    shown = [f"{expression} AS {quoted(name)}" for name, expression in columns.items()]
    sorts = [_sort_column(layer, key) for key in query.sort]
    if not history:
        text = f"SELECT {', '.join(shown)} FROM {quoted(layer.id)} m WHERE {build.where('now')}"
        order = [*sorts, "m.fid"]
    else:
        inner = ", ".join(
            [
                *shown,
                *(f"{sort} AS k{n}" for n, sort in enumerate(sorts)),
                "m.fid AS k_fid",
                "m.valid_from AS k_from",
            ]
        )
        text = f"SELECT {inner} FROM {quoted(layer.id)} m WHERE {build.where('now')} UNION ALL "
        text += f"SELECT {inner} FROM {quoted(f'vgpkg_history_{layer.id}')} m WHERE {build.where('history')}"
        if isinstance(view.datetime, Interval) and not query.states:
            text = f"SELECT *, max(k_from) FROM ({text}) GROUP BY k_fid"
        text = f"SELECT {', '.join(quoted(name) for name in columns)} FROM ({text}){build.behind()}"
        order = [*(f"k{n}" for n in range(len(sorts))), "k_fid", *(["k_from"] if query.states else [])]
    if what == "count":
        return Select(f"SELECT count(*) FROM ({text})", tuple(build.parameters), ("count",))
    text += " ORDER BY " + ", ".join(
        f"{one} {'ASC' if up else 'DESC'}"
        for one, up in zip_longest(order, (k.ascending for k in query.sort), fillvalue=True)
    )
    if query.limit is not None:
        text += " LIMIT ?"
        build.parameters.append(query.limit)
    return Select(text, tuple(build.parameters), tuple(columns))


def _columns(layer: Layer, query: FeatureQuery) -> dict[str, str]:
    columns = {"fid": "m.fid", "id": "m.id"}
    columns |= {name: f"m.{quoted(name)}" for name in shown_fields(layer, query)}
    columns |= {"valid_from": "m.valid_from", "valid_to": "m.valid_to", "version": "m.version_from"}
    if query.geometry and layer.has_geometry:
        columns["geometry"] = f"substr(m.geom, {header_bytes(layer) + 1})"
    return columns


def _sort_column(layer: Layer, key: SortKey) -> str:
    name = "version_from" if key.name == "version" else key.name
    if name not in {"id", "valid_from", "valid_to", "version_from", "fid", *layer.field_names}:
        nearest = get_close_matches(name, layer.field_names, 3, 0.4) or layer.field_names[:5]
        raise QueryRefused("query.unknown_property", layer=layer.id, name=key.name, nearest=nearest)
    return f"m.{quoted(name)}"


class _Statement:
    """The conditions of a query, with parameters collected in the order of the text."""

    def __init__(self, context: Context, query: FeatureQuery) -> None:
        self.context, self.query = context, query
        self.parameters: list[Any] = []

    def where(self, table: str) -> str:
        parts = [*self._time(table), *self._filters(table), *self._space(table), *self._keys()]
        if table == "now" and self.query.view.is_now and not self.context.planned:
            parts += self._behind_now()
        return " AND ".join(parts) or "1"

    def _bind(self, *values: Any) -> None:
        self.parameters.extend(values)

    def _time(self, table: str) -> list[str]:
        view, parts = self.query.view, []
        if view.recorded is not None:
            parts.append("m.version_from <= ?")
            self._bind(view.recorded)
            if table == "history":
                parts.append("(m.version_to IS NULL OR m.version_to > ?)")
                self._bind(view.recorded)
        elif table == "history":
            parts.append("m.version_to IS NULL")
        if isinstance(view.datetime, Interval):
            return parts + self._interval(view.datetime)
        at = view.datetime or self.context.now
        self._bind(at, at)
        return [*parts, "m.valid_from <= ?", "(m.valid_to IS NULL OR m.valid_to > ?)"]

    def _interval(self, interval: Interval) -> list[str]:
        parts = []
        if interval.end is not None:
            parts.append("m.valid_from <= ?")
            self._bind(interval.end)
        if interval.start is not None:
            parts.append("(m.valid_to IS NULL OR m.valid_to > ?)")
            self._bind(interval.start)
        return parts

    def _filters(self, table: str) -> list[str]:
        layer, query, parts = self.context.layer, self.query, []
        rows = query.view.policy.rows.get(layer.id)
        for expression, crs in ((query.where, query.where_crs), (rows, self.context.crs)):
            if expression is None:
                continue
            columns = {
                name: f"m.{quoted('geom' if name == 'geometry' else name)}" for name in queryables(layer)
            }
            compiled = to_sql(expression, columns=columns, queryables=queryables(layer), dialect="sqlite",
                              transform=self._to_storage(crs), timezone=self.context.zone)  # fmt: skip
            parts.append(f"({compiled.text})")
            self._bind(*compiled.parameters)
            if compiled.bounding_box is not None:
                parts.append(self._touching(compiled.bounding_box, table))
        return parts

    def _to_storage(self, crs: str) -> Any:
        if same_crs(crs, self.context.crs):
            return None

        def moved(geometry: BaseGeometry) -> BaseGeometry:
            dense = np.array([shapely.segmentize(geometry, _longest_side(geometry) / 16)])
            result: BaseGeometry = transform_geometries(dense, crs, self.context.crs)[0]
            return result

        return moved

    def _space(self, table: str) -> list[str]:
        bbox, layer = self.query.bbox, self.context.layer
        if bbox is None:
            return []
        if not layer.has_geometry:
            return ["0"]
        return [self._exactly_touching(bbox, table)]

    def _rtree(self, table: str) -> str:
        layer = self.context.layer.id
        return quoted(f"rtree_{layer}_geom" if table == "now" else f"rtree_history_{layer}")

    def _touching(self, box: Box, table: str) -> str:
        minx, miny, maxx, maxy = box
        self._bind(maxx, minx, maxy, miny)
        row = "m.fid" if table == "now" else "m.row"
        return f"{row} IN (SELECT id FROM {self._rtree(table)} WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?)"

    def _exactly_touching(self, box: Box, table: str) -> str:
        """Ask the R-tree, and for features whose box sticks out of the query's box the geometry itself."""
        minx, miny, maxx, maxy = box
        row = "m.fid" if table == "now" else "m.row"
        source = quoted(self.context.layer.id if table == "now" else f"vgpkg_history_{self.context.layer.id}")
        key = "fid" if table == "now" else "row"
        if self._covers(box):
            return (
                f"{row} IN (SELECT id FROM {self._rtree(table)})"
                if not self.query.limit
                else "m.geom IS NOT NULL"
            )
        wkb = shapely.to_wkb(shapely.box(*box))
        self._bind(maxx, minx, maxy, miny, minx, maxx, miny, maxy, wkb)
        test = "r.minx <= ? AND r.maxx >= ? AND r.miny <= ? AND r.maxy >= ?"
        inside = "(r.minx >= ? AND r.maxx <= ? AND r.miny >= ? AND r.maxy <= ?)"
        exact = f"({inside} OR twin_spatial('intersects', g.geom, ?))"
        if self._wide(box):
            return f"EXISTS (SELECT 1 FROM {self._rtree(table)} r, {source} g WHERE r.id = {row} AND g.{key} = r.id AND {test} AND {exact})"
        return f"{row} IN (SELECT r.id FROM {self._rtree(table)} r CROSS JOIN {source} g ON g.{key} = r.id WHERE {test} AND {exact})"

    def _covers(self, box: Box) -> bool:
        extent = self.context.extent
        return (
            extent is not None
            and box[0] <= extent[0]
            and box[1] <= extent[1]
            and box[2] >= extent[2]
            and box[3] >= extent[3]
        )

    def _wide(self, box: Box) -> bool:
        """Say whether the box takes in so much of the layer that walking rows in order beats collecting them first."""
        extent = self.context.extent
        if extent is None or self.query.limit is None or self.query.sort:
            return False
        share = 1.0
        for low, high in ((0, 2), (1, 3)):
            side = max(extent[high] - extent[low], 1e-9)
            share *= max(0.0, min(box[high], extent[high]) - max(box[low], extent[low])) / side
        return share > _WIDE_SHARE

    def _keys(self) -> list[str]:
        query, parts = self.query, []
        for column, wanted in (("m.id", query.ids), ("m.fid", query.fids)):
            if wanted is not None:
                parts.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                self._bind(*wanted)
        if query.max_zoom is not None:
            parts.append("m.min_zoom <= ?")
            self._bind(query.max_zoom)
        if query.text:
            for word in query.text.split():
                fields = search_fields(self.context.layer)
                parts.append(
                    "(" + " OR ".join(f"instr(twin_casefold(m.{quoted(f)}), ?) > 0" for f in fields) + ")"
                )
                self._bind(*[word.casefold()] * len(fields))
        return parts

    def _behind_now(self) -> list[str]:
        after = self._after(
            [f"m.{quoted('version_from' if k.name == 'version' else k.name)}" for k in self.query.sort],
            "m.fid",
        )
        return [after] if after else []

    def behind(self) -> str:
        after = self._after([f"k{n}" for n in range(len(self.query.sort))], "k_fid")
        return f" WHERE {after}" if after else ""

    def _after(self, columns: list[str], fid: str) -> str:
        """Return the keyset condition: behind the row with these sort values and fid, NULLs where SQLite sorts them."""
        if self.query.after is None:
            return ""
        *values, last_fid = self.query.after
        alternatives: list[str] = []
        equal: list[str] = []
        bound: list[Any] = []
        for column, value, key in zip(columns, values, self.query.sort, strict=True):
            ahead, needed = _ahead(column, value, key.ascending)
            if ahead:
                alternatives.append(" AND ".join([*equal, ahead]))
                self._bind(*bound, *needed)
            equal.append(f"{column} IS ?")
            bound.append(value)
        alternatives.append(" AND ".join([*equal, f"{fid} > ?"]))
        self._bind(*bound, last_fid)
        return "(" + " OR ".join(f"({one})" for one in alternatives) + ")"


def _ahead(column: str, value: Any, ascending: bool) -> tuple[str, list[Any]]:
    """Return the condition of lying strictly behind a value in one column; SQLite sorts NULL first ascending."""
    if ascending:
        return (f"{column} IS NOT NULL", []) if value is None else (f"{column} > ?", [value])
    return ("", []) if value is None else (f"({column} < ? OR {column} IS NULL)", [value])


def _longest_side(geometry: BaseGeometry) -> float:
    minx, miny, maxx, maxy = geometry.bounds
    return max(maxx - minx, maxy - miny, 1e-9)
