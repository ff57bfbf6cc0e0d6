"""A `FeatureQuery` -> one SQL statement: what both stores share. What they write differently is a `Dialect`.

Three ways to look: "now" reads the table of current rows alone; an instant or a recorded state adds the history
table; an interval takes of each feature the latest version valid within it. Each store's own dialect stands in
`geopackage/select.py` and `postgis/select.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.changeset import Box
from twin_model.crs import same_crs, transform_geometries
from twin_model.errors import QueryRefused
from twin_model.filter import Expression, SqlFilter, to_sql
from twin_model.filter.checking import FieldType
from twin_model.filter.compiling import Dialect as SqlDialect
from twin_model.filter.sql import Transform
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.store.base import FeatureQuery, SortKey
from twin_model.store.sort_index import SortIndex
from twin_model.temporal import Interval

__all__ = ["PROPERTY_SETS", "Condition", "Context", "Dialect", "Select", "Table", "ensure_sorts", "has_attributes", "has_property_sets", "or_unplaced", "queryables", "quoted", "search_fields", "select", "shown_fields", "wanted_sort_index"]  # fmt: skip

Table = Literal["now", "history"]
PROPERTY_SETS = "properties"
"""The field in which layers of models hold property sets: {set: {property: value}}, where its format is JSON."""

_INDEXED_ANYWAY = ("id", "fid")
_ALWAYS_THERE = ("id", "fid", "valid_from", "version_from")
"""Columns of which no row has NULL."""


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
    sort_index: SortIndex | None = None
    """The index by which the rows asked for are read in order, where there is one."""

    def covered_by(self, box: Box) -> bool:
        """Say whether a box holds everything of the layer."""
        extent = self.extent
        return (
            extent is not None
            and box[0] <= extent[0]
            and box[1] <= extent[1]
            and box[2] >= extent[2]
            and box[3] >= extent[3]
        )


@dataclass(frozen=True)
class Condition:
    """A condition and the parameters of its placeholders, in order."""

    text: str
    parameters: tuple[Any, ...] = ()


def or_unplaced(query: FeatureQuery, condition: Condition) -> Condition:
    """Return a condition on the geometry that features without one meet too, where the query says so."""
    return Condition(f"(m.geom IS NULL OR {condition.text})", condition.parameters) if query.unplaced else condition


class Dialect(ABC):
    """What a store writes in its own way. Rows of a layer are called `m`; its geometry column is `geom`."""

    sql: ClassVar[SqlDialect]
    """In which SQL a filter is written."""

    placeholder: ClassVar[str]
    same: ClassVar[str]
    """The operator that finds NULL equal to NULL."""

    srid: int = 0
    """The number that geometries of a filter carry, where the store's own carry one."""

    @abstractmethod
    def table(self, layer: Layer, table: Table) -> str:
        """Return the quoted name of a layer's table of current or of other rows."""

    @abstractmethod
    def wkb(self, layer: Layer) -> str:
        """Return the expression of the geometry as ISO WKB."""

    def filtered(
        self,
        expression: Expression,
        *,
        columns: Mapping[str, str],
        queryables: Mapping[str, FieldType],
        transform: Transform | None,
        zone: ZoneInfo,
        json: Mapping[str, str],
    ) -> SqlFilter:
        """Return a filter's SQL."""
        return to_sql(
            expression,
            columns=columns,
            queryables=queryables,
            dialect=self.sql,
            transform=transform,
            timezone=zone,
            srid=self.srid,
            json=json,
        )

    @abstractmethod
    def touching(self, context: Context, box: Box, table: Table) -> Condition:
        """Return the condition that the spatial index alone can tell: the feature's box meets a box."""

    @abstractmethod
    def intersects_box(self, context: Context, query: FeatureQuery, box: Box, table: Table) -> Condition:
        """Return the exact condition: the geometry itself meets a box (and, where the query says so, features without one)."""

    @abstractmethod
    def intersects_area(self, context: Context, query: FeatureQuery, area: BaseGeometry, table: Table) -> Condition:
        """Return the exact condition that the geometry meets an area, likewise."""

    @abstractmethod
    def reaches_heights(self, low: float, high: float) -> Condition:
        """Return the condition that the heights of the geometry reach into a range; one without heights does."""

    @abstractmethod
    def is_in(self, column: str, values: Sequence[Any]) -> Condition:
        """Return the condition that a column is one of some values."""

    @abstractmethod
    def contains_text(self, column: str) -> str:
        """Return the condition that the casefolded text of a column holds the one parameter."""

    @abstractmethod
    def not_before_newest(self) -> str:
        """Return the expression of the one parameter, an instant, or of the newest changeset's where that is later."""

    @abstractmethod
    def latest(self, rows: str) -> str:
        """Return the statement that keeps of each feature (`k_fid`) the row with the latest `k_from`."""

    @abstractmethod
    def sort_arms(self, column: str, layer: Layer, name: str) -> tuple[str, ...]:
        """Return conditions that part a layer's rows so that each part is in a sort index of a column, or are few."""

    @abstractmethod
    def order(self, column: str, *, ascending: bool, nullable: bool) -> str:
        """Return a key of ORDER BY: NULLs first ascending, last descending."""


@lru_cache(maxsize=256)
def queryables(layer: Layer) -> Mapping[str, FieldType]:
    """Return what may be asked of a layer: its queryable fields, id, validity and geometry."""
    names: dict[str, FieldType] = {"id": "string"}
    names |= {field.name: field.type for field in layer.fields if field.queryable}
    names |= {"valid_from": "datetime", "valid_to": "datetime"}
    return names | ({"geometry": "geometry"} if layer.has_geometry else {})


def has_property_sets(layer: Layer) -> bool:
    """Say whether a filter may name `psets.<set>.<property>`: the layer's features carry property sets as JSON."""
    field = layer.field_of(PROPERTY_SETS)
    return field is not None and field.format == "json"


def has_attributes(layer: Layer) -> bool:
    """Say whether a filter may name `attributes.<name>`: every layer's features may carry what no field takes."""
    return layer.id != "finding" and not layer.attributes_hidden


def search_fields(layer: Layer) -> tuple[str, ...]:
    """Return the columns in which `q` looks: ids, names, numbers, addresses."""
    return ("id", *(name for name in (*layer.label, *layer.searched) if layer.field_of(name)))


def shown_fields(layer: Layer, query: FeatureQuery) -> tuple[str, ...]:
    """Return the fields an answer carries, `attributes` the last: those asked for, without those the policy hides."""
    visible = query.view.policy.visible(layer)
    names = (*visible.field_names, *([ATTRIBUTES] if has_attributes(visible) else []))
    return names if query.fields is None else tuple(name for name in names if name in query.fields)


def quoted(name: str) -> str:
    """Return an SQL identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def select(dialect: Dialect, context: Context, query: FeatureQuery, *, what: str = "rows") -> Select:
    """Return the statement for rows ("rows"), or for their number ("count")."""
    build = _Statement(dialect, context, query)
    history = not query.view.is_now or context.planned
    if what == "count" and not history:
        text = f"SELECT count(*) FROM {dialect.table(context.layer, 'now')} m WHERE {build.where('now')}"
        return Select(text, tuple(build.parameters), ("count",))
    columns = _columns(dialect, context.layer, query) if what == "rows" else {"fid": "m.fid"}
    text, order = build.past(columns) if history else build.present(columns)
    if what == "count":
        return Select(f"SELECT count(*) FROM ({text}) counted", tuple(build.parameters), ("count",))
    text += " ORDER BY " + ", ".join(order)
    if query.limit is not None:
        text += f" LIMIT {dialect.placeholder}"
        build.parameters.append(query.limit)
    return Select(text, tuple(build.parameters), tuple(columns))


def _columns(dialect: Dialect, layer: Layer, query: FeatureQuery) -> dict[str, str]:
    columns = {"fid": "m.fid", "id": "m.id"}
    columns |= {name: f"m.{quoted(name)}" for name in shown_fields(layer, query)}
    columns |= {"valid_from": "m.valid_from", "valid_to": "m.valid_to", "version": "m.version_from"}
    columns |= {"valid_precision": "m.valid_precision"} if query.precision else {}
    if query.geometry and layer.has_geometry:
        columns["geometry"] = dialect.wkb(layer)
    return columns


def ensure_sorts(layer: Layer, name: str, rule: str = "query.sort_by_attribute") -> None:
    """Raise QueryRefused where a name to sort by is one in `attributes`: values there are of no one type."""
    column, _, attribute = name.partition(".")
    if column == ATTRIBUTES and layer.field_of(name) is None:
        nearest = get_close_matches(attribute.lower(), layer.field_names, 3, 0.4) or layer.field_names[:5]
        raise QueryRefused(rule, layer=layer.id, name=name[:100], nearest=nearest)


def wanted_sort_index(layer: Layer, query: FeatureQuery) -> SortIndex | None:
    """Return the index that would give the rows of a query in order, None where none would."""
    rows = query.view.policy.rows.get(layer.id)
    chosen = (query.bbox, query.where, query.ids, query.fids, query.text, query.max_zoom, rows)
    if len(query.sort) != 1 or query.limit is None or any(condition is not None for condition in chosen):
        return None
    column = _sort_column(query.view.policy.visible(layer), query.sort[0])
    if column in _INDEXED_ANYWAY or not query.view.is_now:
        return None
    return SortIndex(layer.id, column, query.sort[0].ascending)


def _sort_column(layer: Layer, key: SortKey) -> str:
    """Return the column of a sort key; one that is none of the layer's is refused."""
    ensure_sorts(layer, key.name)
    name = "version_from" if key.name == "version" else key.name
    if name not in {"id", "valid_from", "valid_to", "version_from", "fid", *layer.field_names}:
        nearest = get_close_matches(name, layer.field_names, 3, 0.4) or layer.field_names[:5]
        raise QueryRefused("query.unknown_property", layer=layer.id, name=key.name, nearest=nearest)
    return name


class _Statement:
    """The parts of a query's statement, with parameters collected in the order of the text."""

    def __init__(self, dialect: Dialect, context: Context, query: FeatureQuery) -> None:
        self.dialect, self.context, self.query = dialect, context, query
        self.visible = query.view.policy.visible(context.layer)
        """What the query may speak of: a hidden field is refused as one that is not there."""
        self.sorts = [_sort_column(self.visible, key) for key in query.sort]
        self.parameters: list[Any] = []

    def present(self, columns: Mapping[str, str]) -> tuple[str, list[str]]:
        """Return the statement that reads the current rows alone, and its order."""
        if self.context.sort_index is not None:
            return self._in_order_of_index(columns)
        shown = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in columns.items())
        text = f"SELECT {shown} FROM {self._table('now')} m WHERE {self.where('now')}"
        return text, self._order([f"m.{quoted(name)}" for name in self.sorts], ["m.fid"])

    def _in_order_of_index(self, columns: Mapping[str, str]) -> tuple[str, list[str]]:
        """Return the same for rows that an index gives in order: what lies behind the last page's row is read in arms, each
        a stretch of the index, which the database merges. Nothing but the page is read."""
        column, (key,) = f"m.{quoted(self.sorts[0])}", self.query.sort
        shown = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in columns.items())
        shown = f"{shown}, {column} AS k0, m.fid AS k_fid"
        arms = []
        for which, values in _stretches(column, key, self.query.after):
            for indexed in self.dialect.sort_arms(column, self.context.layer, self.sorts[0]):
                stretch = [self._bound(each, *values) for each in which]
                conditions = [*stretch, indexed, *self._time("now")]
                arms.append(
                    f"SELECT {shown} FROM {self._table('now')} m WHERE {' AND '.join(filter(None, conditions))}"
                )
        order = self._order(["k0"], ["k_fid"])
        self.parameters.append(self.query.limit)
        page = f"{' UNION ALL '.join(arms)} ORDER BY {', '.join(order)} LIMIT {self.dialect.placeholder}"
        return f"SELECT {', '.join(map(quoted, columns))} FROM ({page}) page", order

    def past(self, columns: Mapping[str, str]) -> tuple[str, list[str]]:
        """Return the statement that reads current and other rows together, and its order."""
        query = self.query
        if not self.sorts and not isinstance(query.view.datetime, Interval) and query.after is None:
            return self._union_in_order(columns, "fid")
        if not self.sorts and query.states and query.after is None and len(query.ids or ()) == 1:
            return self._union_in_order(columns, "valid_from")  # the states of one feature: an index has them in order
        shown = [f"{expression} AS {quoted(name)}" for name, expression in columns.items()]
        shown += [f"m.{quoted(name)} AS k{n}" for n, name in enumerate(self.sorts)]
        inner = ", ".join([*shown, "m.fid AS k_fid", "m.valid_from AS k_from"])
        tables: tuple[Table, ...] = ("now", "history")
        text = " UNION ALL ".join(
            f"SELECT {inner} FROM {self._table(table)} m WHERE {self.where(table)}" for table in tables
        )
        if isinstance(query.view.datetime, Interval) and not query.states:
            text = self.dialect.latest(text)
        text = f"SELECT {', '.join(quoted(name) for name in columns)} FROM ({text}) found{self._keyset_history()}"
        order = self._order([f"k{n}" for n in range(len(self.sorts))], ["k_fid", *(["k_from"] if query.states else [])])
        return text, order

    def _union_in_order(self, columns: Mapping[str, str], order: str) -> tuple[str, list[str]]:
        """Return the same for rows that each table gives in their order: nothing is gathered to be sorted."""
        shown = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in columns.items())
        tables: tuple[Table, ...] = ("now", "history")
        text = " UNION ALL ".join(
            f"SELECT {shown} FROM {self._table(table)} m WHERE {self.where(table)}" for table in tables
        )
        return text, self._order([], [quoted(order)])

    def _order(self, sorts: list[str], last: list[str]) -> list[str]:
        keys = zip(sorts, self.sorts, self.query.sort, strict=True)
        order = [
            self.dialect.order(column, ascending=key.ascending, nullable=name not in _ALWAYS_THERE)
            for column, name, key in keys
        ]
        return order + [self.dialect.order(column, ascending=True, nullable=False) for column in last]

    def where(self, table: Table) -> str:
        parts = [*self._time(table), *self._filters(table), *self._space(table), *self._near(table), *self._keys()]
        if table == "now" and self.query.view.is_now and not self.context.planned:
            parts += self._keyset_current()
        return " AND ".join(parts) or "1 = 1"

    def _table(self, table: Table) -> str:
        return self.dialect.table(self.context.layer, table)

    def _bound(self, condition: str, *values: Any) -> str:
        """Return a condition whose `{}` are its parameters, which are kept."""
        self.parameters.extend(values)
        return condition.replace("{}", self.dialect.placeholder)

    def _met(self, condition: Condition) -> str:
        self.parameters.extend(condition.parameters)
        return condition.text

    def _time(self, table: Table) -> list[str]:
        view, parts = self.query.view, []
        if view.recorded is not None:
            parts.append(self._bound("m.version_from <= {}", view.recorded))
            if table == "history":
                parts.append(self._bound("(m.version_to IS NULL OR m.version_to > {})", view.recorded))
        elif table == "history":
            parts.append("m.version_to IS NULL")
        if isinstance(view.datetime, Interval):
            return parts + self._interval(view.datetime)
        at = view.datetime or self.context.now
        # A commit between our look at the clock and the statement has rows that begin after `at`, and what was there before
        # them lies where this statement does not read: of the present it is asked with the newest commit's clock.
        is_present = view.is_now and not self.context.planned
        begun = self.dialect.not_before_newest() if is_present else self.dialect.placeholder
        self.parameters.append(at)
        parts.append(f"m.valid_from <= {begun}")
        return [*parts, self._bound("(m.valid_to IS NULL OR m.valid_to > {})", at)]

    def _interval(self, interval: Interval) -> list[str]:
        parts = []
        if interval.end is not None:
            parts.append(self._bound("m.valid_from <= {}", interval.end))
        if interval.start is not None:
            parts.append(self._bound("(m.valid_to IS NULL OR m.valid_to > {})", interval.start))
        return parts

    def _filters(self, table: Table) -> list[str]:
        layer, query, parts = self.context.layer, self.query, []
        rows = query.view.policy.rows.get(layer.id)  # may speak of fields that are hidden from the looker
        asked = ((query.where, query.where_crs, self.visible), (rows, self.context.crs, layer))
        for expression, crs, known in asked:
            if expression is None:
                continue
            names = queryables(known)
            columns = {name: f"m.{quoted('geom' if name == 'geometry' else name)}" for name in names}
            json = {ATTRIBUTES: f"m.{ATTRIBUTES}"} if has_attributes(known) else {}
            json |= {"psets": f"m.{quoted(PROPERTY_SETS)}"} if has_property_sets(known) else {}
            compiled = self.dialect.filtered(
                expression,
                columns=columns,
                queryables=names,
                transform=self._to_storage(crs),
                zone=self.context.zone,
                json=json,
            )
            parts.append(self._met(Condition(f"({compiled.text})", compiled.parameters)))
            if compiled.bounding_box is not None:
                parts.append(self._met(self.dialect.touching(self.context, compiled.bounding_box, table)))
        return parts

    def _to_storage(self, crs: str) -> Transform | None:
        if same_crs(crs, self.context.crs):
            return None

        def moved(geometry: BaseGeometry) -> BaseGeometry:
            dense = np.array([shapely.segmentize(geometry, _longest_side(geometry) / 16)])
            result: BaseGeometry = transform_geometries(dense, crs, self.context.crs)[0]
            return result

        return moved

    def _space(self, table: Table) -> list[str]:
        query, context = self.query, self.context
        if query.bbox is None and query.area is None:
            return []
        if not context.layer.has_geometry:
            return [] if query.unplaced else ["1 = 0"]
        parts = []
        if query.bbox is not None:
            parts.append(self._met(self.dialect.intersects_box(context, query, query.bbox, table)))
        if query.area is not None:
            parts.append(self._met(self.dialect.intersects_area(context, query, query.area, table)))
        if query.heights is not None and context.layer.has_z:
            parts.append(self._met(or_unplaced(query, self.dialect.reaches_heights(*query.heights))))
        return [part for part in parts if part]

    def _near(self, table: Table) -> list[str]:
        if self.query.near is None:
            return []
        return [self._met(self.dialect.touching(self.context, self.query.near, table))]

    def _keys(self) -> list[str]:
        query, parts = self.query, []
        for column, wanted in (("m.id", query.ids), ("m.fid", query.fids)):
            if wanted is not None:
                one = len(wanted) == 1
                parts.append(
                    self._bound(f"{column} = {{}}", *wanted) if one else self._met(self.dialect.is_in(column, wanted))
                )
        if query.max_zoom is not None:
            parts.append(self._bound("m.min_zoom <= {}", query.max_zoom))
        for word in query.text.split() if query.text else ():
            looked = [self.dialect.contains_text(f"m.{quoted(name)}") for name in search_fields(self.visible)]
            self.parameters.extend([word.casefold()] * len(looked))
            parts.append(f"({' OR '.join(looked)})")
        return parts

    def _keyset_current(self) -> list[str]:
        after = self._after([f"m.{quoted(name)}" for name in self.sorts], "m.fid")
        return [after] if after else []

    def _keyset_history(self) -> str:
        after = self._after([f"k{n}" for n in range(len(self.sorts))], "k_fid")
        return f" WHERE {after}" if after else ""

    def _after(self, columns: list[str], fid: str) -> str:
        """Return the keyset condition: behind the row with these sort values and fid, NULLs where the order has them."""
        if self.query.after is None:
            return ""
        *values, last_fid = self.query.after
        alternatives: list[str] = []
        equal: list[str] = []
        bound: list[Any] = []
        for column, value, key in zip(columns, values, self.query.sort, strict=True):
            ahead, needed = _after_in_column(column, value, key.ascending)
            if ahead:
                alternatives.append(self._bound(" AND ".join([*equal, ahead]), *bound, *needed))
            equal.append(f"{column} {self.dialect.same} {{}}")
            bound.append(value)
        alternatives.append(self._bound(" AND ".join([*equal, f"{fid} > {{}}"]), *bound, last_fid))
        return "(" + " OR ".join(f"({alternative})" for alternative in alternatives) + ")"


def _stretches(column: str, key: SortKey, after: tuple[Any, ...] | None) -> list[tuple[list[str], list[Any]]]:
    """Return the stretches of an order that lie behind a row, each as conditions and their parameters."""
    if after is None:
        return [([], [])]
    value, fid = after
    nulls, behind = f"{column} IS NULL", "m.fid > {}"
    if value is None:
        return [([f"{nulls} AND {behind}"], [fid]), *([([f"{column} IS NOT NULL"], [])] if key.ascending else [])]
    further = ([f"{column} {'>' if key.ascending else '<'} {{}}"], [value])
    return [([f"{column} = {{}} AND {behind}"], [value, fid]), further, *([] if key.ascending else [([nulls], [])])]


def _after_in_column(column: str, value: Any, ascending: bool) -> tuple[str, list[Any]]:
    """Return the condition of lying strictly behind a value in one column; NULL comes first ascending."""
    if ascending:
        return (f"{column} IS NOT NULL", []) if value is None else (f"{column} > {{}}", [value])
    return ("", []) if value is None else (f"({column} < {{}} OR {column} IS NULL)", [value])


def _longest_side(geometry: BaseGeometry) -> float:
    minx, miny, maxx, maxy = geometry.bounds
    return max(maxx - minx, maxy - miny, 1e-9)
