"""How the GeoPackage store asks: placeholders, blobs behind a header, R-trees beside their tables (`store/select.py`)."""

from collections.abc import Sequence
from typing import Any

import orjson
import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.changeset import Box
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.geopackage.binary import header_bytes
from twin_model.store.geopackage.schema import SORTED_ROWS, history_of
from twin_model.store.select import Condition, Context, Dialect, Table, or_unplaced, quoted

__all__ = ["GeoPackageDialect"]

_WIDE_SHARE = 0.3
_NEWEST = "SELECT recorded FROM vgpkg_twin_changeset ORDER BY number DESC LIMIT 1"
_FEW = 100
"""So many values have a placeholder each; SQLite has no more than some ten thousand of them."""


class GeoPackageDialect(Dialect):
    """SQLite's way: NULL is the smallest value by itself, `IS` compares with it, the R-tree is a table to look into."""

    sql = "sqlite"
    placeholder = "?"
    same = "IS"

    def table(self, layer: Layer, table: Table) -> str:
        return quoted(layer.id if table == "now" else history_of(layer.id))

    def wkb(self, layer: Layer) -> str:
        return f"substr(m.geom, {header_bytes(layer) + 1})"

    def touching(self, context: Context, box: Box, table: Table) -> Condition:
        minx, miny, maxx, maxy = box
        tree = _rtree(context.layer, table)
        text = f"m.{_key(table)} IN (SELECT id FROM {tree} WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?)"
        return Condition(text, (maxx, minx, maxy, miny))

    def intersects_box(self, context: Context, query: FeatureQuery, box: Box, table: Table) -> Condition:
        """Ask the R-tree, and for features whose box sticks out of the query's box the geometry itself."""
        minx, miny, maxx, maxy = box
        tree, key, source = _rtree(context.layer, table), _key(table), self.table(context.layer, table)
        if context.covered_by(box):
            within = f"m.{key} IN (SELECT id FROM {tree})"
            return Condition("" if query.unplaced else "m.geom IS NOT NULL" if query.limit else within)
        wkb, around = shapely.to_wkb(shapely.box(*box)), (maxx, minx, maxy, miny)
        test = "r.minx <= ? AND r.maxx >= ? AND r.miny <= ? AND r.maxy >= ?"
        if _is_wide(context, query, box):
            inside = "(r.minx >= ? AND r.maxx <= ? AND r.miny >= ? AND r.maxy <= ?)"
            exact = f"{test} AND ({inside} OR twin_spatial('intersects', g.geom, ?))"
            text = f"EXISTS (SELECT 1 FROM {tree} r, {source} g WHERE r.id = m.{key} AND g.{key} = r.id AND {exact})"
            return or_unplaced(query, Condition(text, (*around, minx, maxx, miny, maxy, wkb)))
        within = f"m.{key} IN (SELECT id FROM {tree} WHERE minx >= ? AND maxx <= ? AND miny >= ? AND maxy <= ?)"
        meets = or_unplaced(query, Condition(f"({within} OR twin_spatial('intersects', m.geom, ?))"))
        listed = f"SELECT id FROM {tree} r WHERE {test}{self._unplaced(context, query, table)}"
        text = f"(m.{key} IN ({listed}) AND {meets.text})"
        return Condition(text, (*around, minx, maxx, miny, maxy, wkb))

    def intersects_area(self, context: Context, query: FeatureQuery, area: BaseGeometry, table: Table) -> Condition:
        if area.is_empty:
            return Condition("m.geom IS NULL" if query.unplaced else "1 = 0")
        minx, miny, maxx, maxy = area.bounds
        tree, exact = _rtree(context.layer, table), "twin_spatial('intersects', m.geom, ?)"
        listed = f"SELECT id FROM {tree} WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?"
        listed += self._unplaced(context, query, table)
        text = f"(m.{_key(table)} IN ({listed}) AND {or_unplaced(query, Condition(exact)).text})"
        return Condition(text, (maxx, minx, maxy, miny, shapely.to_wkb(area)))

    def _unplaced(self, context: Context, query: FeatureQuery, table: Table) -> str:
        """Return what adds the rows without geometry, which are in no R-tree, to a list of keys: an index holds just them."""
        rows = f"SELECT {_key(table)} FROM {self.table(context.layer, table)} WHERE geom IS NULL"
        return f" UNION ALL {rows}" if query.unplaced else ""

    def reaches_heights(self, low: float, high: float) -> Condition:
        return Condition("twin_reaches(m.geom, ?, ?)", (low, high))

    def is_in(self, column: str, values: Sequence[Any]) -> Condition:
        if len(values) <= _FEW:
            return Condition(f"{column} IN ({', '.join('?' * len(values))})", tuple(values))
        return Condition(f"{column} IN (SELECT value FROM json_each(?))", (orjson.dumps(list(values)).decode(),))

    def contains_text(self, column: str) -> str:
        return f"instr(twin_casefold({column}), ?) > 0"

    def not_before_newest(self) -> str:
        return f"max(?, coalesce(({_NEWEST}), ''))"

    def latest(self, rows: str) -> str:
        return f"SELECT *, max(k_from) FROM ({rows}) GROUP BY k_fid"

    def sort_arms(self, column: str, layer: Layer, name: str) -> tuple[str, ...]:
        return (SORTED_ROWS,)

    def order(self, column: str, *, ascending: bool, nullable: bool) -> str:
        return f"{column} {'ASC' if ascending else 'DESC'}"


def _rtree(layer: Layer, table: Table) -> str:
    return quoted(f"rtree_{layer.id}_geom" if table == "now" else f"rtree_history_{layer.id}")


def _key(table: Table) -> str:
    return "fid" if table == "now" else "row"


def _is_wide(context: Context, query: FeatureQuery, box: Box) -> bool:
    """Say whether the box takes in so much of the layer that walking rows in order beats collecting them first."""
    extent = context.extent
    if extent is None or query.limit is None or query.sort:
        return False
    share = 1.0
    for low, high in ((0, 2), (1, 3)):
        side = max(extent[high] - extent[low], 1e-9)
        share *= max(0.0, min(box[high], extent[high]) - max(box[low], extent[low])) / side
    return share > _WIDE_SHARE
