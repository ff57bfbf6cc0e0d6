"""Guards, indexes and types of a PostGIS store: whether they are as `schema` makes them, and how they are made anew."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import psycopg
import shapely

from twin_model.catalogue import Catalogue
from twin_model.layer import SEARCH_KEY, Layer
from twin_model.rows.geometry import min_zoom
from twin_model.store.base import LayerCounters
from twin_model.store.damage import Damage
from twin_model.store.postgis.flat_shapes import as_wkb
from twin_model.store.postgis.schema import (
    execute,
    guard,
    guard_function,
    guarded_tables,
    history_of,
    index_statements,
    keep_tolerance,
    srid_of,
    tolerances_held,
)
from twin_model.store.select import quoted

__all__ = ["damages", "rebuild"]

_ROWS = 20_000

Connection = psycopg.Connection[Any]


def damages(connection: Connection, catalogue: Catalogue, schema: str, crs: str) -> list[Damage]:
    """Return what is wrong with guards, indexes and geometry columns of a store."""
    layers = [layer for layer in catalogue if layer.kind == "feature"]
    return [
        *_guard_damages(connection, layers, schema),
        *_index_damages(connection, layers, schema),
        *_srid_damages(connection, layers, schema, crs),
        *_tolerance_damages(connection, layers),
    ]


def _triggers(connection: Connection, schema: str) -> dict[tuple[str, str], bool]:
    """Return table and name of each trigger, and whether it fires and calls our guard."""
    text = (
        "SELECT c.relname, t.tgname, t.tgenabled IN ('O', 'A') AND p.proname = 'twin_guard' AND t.tgtype & 60 = 60 "
        "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND n.nspname = %s"
    )
    return {(table, name): works for table, name, works in connection.execute(text, (schema,)).fetchall()}


def _guard_damages(connection: Connection, layers: list[Layer], schema: str) -> Iterator[Damage]:
    held, tables = _triggers(connection, schema), guarded_tables(layers)
    for table in tables:
        if not held.get((table, "twin_guard")):
            yield Damage("audit.guard", {"name": table}, True)
    for table, name in held:
        if table in tables and name != "twin_guard":
            yield Damage("audit.foreign_trigger", {"name": f"{table}.{name}"}, True)
    if not _guard_function_is_ours(connection, schema):
        yield Damage("audit.guard", {"name": "twin_guard()"}, True)


def _guard_function_is_ours(connection: Connection, schema: str) -> bool:
    text = (
        "SELECT p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = %s AND p.proname = 'twin_guard'"
    )
    sources = [source for (source,) in connection.execute(text, (schema,)).fetchall()]
    return [_without_words(source) for source in sources] == [_without_words(guard_function().split("$$")[1])]


def _without_words(source: str) -> str:
    """Return what the guard does, without what it says: older programs said it otherwise."""
    return re.sub("EXCEPTION '(?:[^']|'')*'", "EXCEPTION", source).strip()


def _index_damages(connection: Connection, layers: list[Layer], schema: str) -> Iterator[Damage]:
    text = (
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.indisvalid AND i.indisready AND n.nspname = %s"
    )
    held = {name for (name,) in connection.execute(text, (schema,)).fetchall()}
    for layer in layers:
        for name in index_statements(layer):
            if name not in held:
                yield Damage("audit.index_missing", {"name": name}, True)


def _srid_damages(connection: Connection, layers: list[Layer], schema: str, crs: str) -> Iterator[Damage]:
    """Name layers whose geometry lies in another CRS than the store says: nobody can tell which of both was changed."""
    text = "SELECT f_table_name, srid FROM geometry_columns WHERE f_table_schema = %s"
    held = dict(connection.execute(text, (schema,)).fetchall())
    wrong = [layer.id for layer in layers if layer.has_geometry and held.get(layer.id) != srid_of(crs)]
    if wrong:
        yield Damage("audit.crs", {"found": f"EPSG:{held.get(wrong[0])}", "expected": crs, "layers": wrong[:5]})


def _tolerance_damages(connection: Connection, layers: list[Layer]) -> Iterator[Damage]:
    held = tolerances_held(connection)
    for layer in layers:
        if layer.id not in held:
            yield Damage("audit.registry", {"table": "twin_meta", "name": layer.id}, True)


def rebuild(
    connection: Connection, catalogue: Catalogue, schema: str, crs: str, counters: Iterable[LayerCounters]
) -> None:
    """Make guards, indexes and what hangs on the rows anew, within an open transaction; no row says anything else after it."""
    layers = [layer for layer in catalogue if layer.kind == "feature"]
    execute(connection, guard_function())
    tables = guarded_tables(layers)
    for table, name in _triggers(connection, schema):
        if table in tables:
            execute(connection, f"DROP TRIGGER {quoted(name)} ON {quoted(table)}")
    for table in tables:
        execute(connection, guard(table))
    for layer in layers:
        keep_tolerance(connection, layer)
        for name, statement in index_statements(layer).items():
            if any(damage.values["name"] == name for damage in _index_damages(connection, [layer], schema)):
                execute(connection, f"DROP INDEX IF EXISTS {quoted(name)}")
                execute(connection, statement)
        for table in (layer.id, history_of(layer.id)):
            _rebuild_rows(connection, layer, table, crs)
    _rebuild_counters(connection, counters)
    connection.execute("DELETE FROM twin_meta WHERE key = 'checkpoint'")


def _rebuild_rows(connection: Connection, layer: Layer, table: str, crs: str) -> None:
    """Write anew from which zoom rows are drawn, where it is another."""
    execute(connection, f"UPDATE {quoted(table)} SET {SEARCH_KEY} = NULL WHERE {SEARCH_KEY} IS NOT NULL")
    start = int(min_zoom(layer, np.full((1, 4), np.nan), crs)[0])
    placeless = "geom IS NULL AND " if layer.has_geometry else ""
    text = f"UPDATE {quoted(table)} SET min_zoom = %s WHERE {placeless}min_zoom IS DISTINCT FROM %s"
    execute(connection, text, start, start)
    if not layer.has_geometry:
        return
    rows = execute(connection, f"SELECT ctid::text, min_zoom, {as_wkb(layer, 'geom')} FROM {quoted(table)} WHERE geom IS NOT NULL").fetchall()  # fmt: skip
    for at in range(0, len(rows), _ROWS):
        keys, zooms, shapes = zip(*rows[at : at + _ROWS], strict=True)
        boxes = shapely.bounds(shapely.from_wkb([bytes(shape) for shape in shapes]))
        wanted = min_zoom(layer, boxes, crs).tolist()
        changed = [(key, zoom) for key, held, zoom in zip(keys, zooms, wanted, strict=True) if held != zoom]
        if changed:
            text = (
                f"UPDATE {quoted(table)} m SET min_zoom = v.zoom FROM unnest(%s::text[], %s::integer[]) AS v (key, zoom) "
                "WHERE m.ctid = v.key::tid"
            )
            execute(connection, text, [key for key, _ in changed], [zoom for _, zoom in changed])


def _rebuild_counters(connection: Connection, counters: Iterable[LayerCounters]) -> None:
    """Write numbers of layers; of each all that it holds counts as changed by its newest version, for who asks what is stale."""
    connection.execute("DELETE FROM twin_touched")
    for each in counters:
        connection.execute(
            "INSERT INTO twin_layer (layer, next_fid, features, version, next_planned, min_x, min_y, max_x, max_y) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (layer) DO UPDATE SET next_fid = excluded.next_fid, "
            "features = excluded.features, version = excluded.version, next_planned = excluded.next_planned, "
            "min_x = excluded.min_x, min_y = excluded.min_y, max_x = excluded.max_x, max_y = excluded.max_y",
            each,
        )
        if each.version and each.min_x is not None:
            box = (each.min_x, each.min_y, each.max_x, each.max_y)
            connection.execute(
                "INSERT INTO twin_touched VALUES (%s, %s, %s, %s, %s, %s)", (each.layer, each.version, *box)
            )
