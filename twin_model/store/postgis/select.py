"""How the PostGIS store asks: psycopg's placeholders, GiST boxes, arrays, NULLs where SQLite has them (`store/select.py`)."""

from collections.abc import Sequence
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.changeset import Box
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.float32_box import rounded_inwards
from twin_model.store.postgis.flat_shapes import as_wkb
from twin_model.store.postgis.schema import LONG, SHORT, history_of, is_text
from twin_model.store.select import Condition, Context, Dialect, Table, or_unplaced, quoted

__all__ = ["PostgisDialect"]

_NEWEST = "SELECT recorded FROM twin_changeset ORDER BY number DESC LIMIT 1"
_ENVELOPE = "ST_MakeEnvelope(%s, %s, %s, %s, %s)"


class PostgisDialect(Dialect):
    """PostgreSQL's way; `srid` is that of the geometry columns. Names are found on the search path of our connections."""

    sql = "postgis"
    placeholder = "%s"
    same = "IS NOT DISTINCT FROM"

    def __init__(self, srid: int) -> None:
        self.srid = srid

    def table(self, layer: Layer, table: Table) -> str:
        return quoted(layer.id if table == "now" else history_of(layer.id))

    def wkb(self, layer: Layer) -> str:
        return as_wkb(layer, "m.geom")

    def touching(self, context: Context, box: Box, table: Table) -> Condition:
        return Condition(f"m.geom && {_ENVELOPE}", (*box, self.srid))

    def intersects_box(self, context: Context, query: FeatureQuery, box: Box, table: Table) -> Condition:
        """Ask the index, and for features whose box sticks out of the query's box the geometry itself.

        PostGIS keeps boxes as float32, rounded outwards. A box proves that the geometry lies within the query's box
        only where it lies within that box rounded inwards.
        """
        if context.covered_by(box):
            return Condition("" if query.unplaced else "m.geom IS NOT NULL")
        touching, inner = self.touching(context, box, table), rounded_inwards(box)
        exact = Condition(f"ST_Intersects(m.geom, {_ENVELOPE})", (*box, self.srid))
        if inner is None:
            text, parameters = f"({touching.text} AND {exact.text})", touching.parameters + exact.parameters
        else:
            text = f"({touching.text} AND (m.geom @ {_ENVELOPE} OR {exact.text}))"
            parameters = (*touching.parameters, *inner, self.srid, *exact.parameters)
        return or_unplaced(query, Condition(text, parameters))

    def intersects_area(self, context: Context, query: FeatureQuery, area: BaseGeometry, table: Table) -> Condition:
        if area.is_empty:
            return Condition("m.geom IS NULL" if query.unplaced else "1 = 0")
        touching = self.touching(context, area.bounds, table)
        text = f"({touching.text} AND twin_intersects(m.geom, ST_GeomFromWKB(%s, %s)))"
        return or_unplaced(query, Condition(text, (*touching.parameters, shapely.to_wkb(area), self.srid)))

    def reaches_heights(self, low: float, high: float) -> Condition:
        """A geometry without heights has NaN as each of them, which PostgreSQL finds greater than any number."""
        text = "(ST_ZMax(m.geom) = 'NaN' OR (ST_ZMax(m.geom) >= %s AND ST_ZMin(m.geom) <= %s))"
        return Condition(text, (low, high))

    def is_in(self, column: str, values: Sequence[Any]) -> Condition:
        return Condition(f"{column} = ANY(%s)", (list(values),))

    def contains_text(self, column: str) -> str:
        return f"strpos(twin_casefold({column}), %s) > 0"

    def not_before_newest(self) -> str:
        return f"greatest(%s, ({_NEWEST}))"

    def latest(self, rows: str) -> str:
        return f"SELECT DISTINCT ON (k_fid) * FROM ({rows}) every ORDER BY k_fid, k_from DESC"

    def sort_arms(self, column: str, layer: Layer, name: str) -> tuple[str, ...]:
        return ("",) if not is_text(layer, name) else (SHORT.format(column), LONG.format(column))

    def order(self, column: str, *, ascending: bool, nullable: bool) -> str:
        nulls = (" NULLS FIRST" if ascending else " NULLS LAST") if nullable else ""
        return f"{column} {'ASC' if ascending else 'DESC'}{nulls}"
