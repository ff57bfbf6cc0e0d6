"""Tables, guards and indexes of a GeoPackage store: whether they are as `schema` makes them and agree with the rows, and
how they are made anew.

What a store should have is taken from an empty one of the same catalogue, made in memory.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.layer import SEARCH_KEY, Layer
from twin_model.rows.geometry import min_zoom
from twin_model.store.base import LayerCounters
from twin_model.store.damage import Damage
from twin_model.store.float32_box import rounded_outwards
from twin_model.store.geopackage.binary import header_bytes, to_blobs
from twin_model.store.geopackage.rtree import insert
from twin_model.store.geopackage.schema import (
    create_core,
    create_layer,
    history_of,
    indexed,
    keep_tolerance,
    srs_id,
    tolerances_held,
)
from twin_model.store.select import quoted

__all__ = ["damages", "rebuild"]

_ROWS = 20_000
_IN_AN_INDEX = ("missing from index", "wrong # of entries in index", "non-unique entry in index")
"""What SQLite says of an index that no longer agrees with its table: made anew, it does."""

_REGISTERED = {
    "gpkg_contents": ("table_name", "data_type", "srs_id"),
    "gpkg_geometry_columns": ("table_name", "column_name", "geometry_type_name", "srs_id", "z", "m"),
    "gpkg_extensions": ("table_name", "column_name", "extension_name", "definition", "scope"),
    "gpkg_spatial_ref_sys": ("srs_id", "organization", "organization_coordsys_id", "definition"),
}
"""Tables of the format by which others read the layers, and what of them must be as it was made."""


_KEPT = ("meta", "writer", "layer", "changeset", "change", "part", "alias", "link", "blob")
"""The tables that every store has had from its first day on, by their last word."""


def damages(connection: sqlite3.Connection, catalogue: Catalogue, crs: str) -> list[Damage]:
    """Return what is wrong with pages, tables, guards and indexes of a store."""
    layers = [layer for layer in catalogue if layer.kind == "feature"]
    held = [*_page_damages(connection), *_crs_damages(connection, crs)]
    if any(damage.rule == "audit.crs" for damage in held):
        return held
    with _EmptyStore(layers, crs) as pattern:
        held += _object_damages(connection, pattern)
        held += _registry_damages(connection, pattern)
    if connection.execute("SELECT 1 FROM vgpkg_twin_writer").fetchone():
        held.append(Damage("audit.guard", {"name": "vgpkg_twin_writer"}, True))
    tolerances = tolerances_held(connection)
    for layer in layers:
        if layer.id not in tolerances:
            held.append(Damage("audit.registry", {"table": "vgpkg_twin_meta", "name": layer.id}, True))
        held += _layer_damages(connection, layer, crs)
    return held


class _EmptyStore:
    """A context that lends an empty store in memory with the tables of some layers."""

    def __init__(self, layers: Sequence[Layer], crs: str) -> None:
        self._layers, self._crs = layers, crs

    def __enter__(self) -> sqlite3.Connection:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        create_core(self._connection, self._crs)
        for layer in self._layers:
            create_layer(self._connection, layer, self._crs)
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _crs_damages(connection: sqlite3.Connection, crs: str) -> Iterator[Damage]:
    """Say that the layers lie in another CRS than the store says: nobody can tell which of both was changed."""
    rows = connection.execute("SELECT srs_id, table_name FROM gpkg_geometry_columns ORDER BY table_name").fetchall()
    if rows and srs_id(crs) not in {number for number, _ in rows}:
        layers = [name for _, name in rows]
        yield Damage("audit.crs", {"found": f"srs_id {rows[0][0]}", "expected": crs, "layers": layers[:5]})


def _page_damages(connection: sqlite3.Connection) -> Iterator[Damage]:
    for (text,) in connection.execute("PRAGMA integrity_check(5)"):
        if text != "ok":
            yield Damage("audit.pages", {"cause": text}, any(part in text for part in _IN_AN_INDEX))


def _object_damages(connection: sqlite3.Connection, pattern: sqlite3.Connection) -> Iterator[Damage]:
    """Name tables, indexes and guards that are missing or do something else, and triggers that are not ours."""
    held, expected = _objects(connection), _objects(pattern)
    for (kind, name), text in expected.items():
        if kind == "table" and name.startswith("vgpkg_twin_") and name.removeprefix("vgpkg_twin_") not in _KEPT:
            continue  # what the town makes when it first needs it
        if (kind, name) not in held and not _is_unique_already(held, name):
            rule = (
                "audit.guard"
                if kind == "trigger"
                else "audit.index_missing"
                if kind == "index"
                else "audit.table_missing"
            )
            yield Damage(rule, {"name": name}, kind != "table" or name.startswith("rtree_"))
        elif kind == "trigger" and _without_words(held[kind, name]) != _without_words(text):
            yield Damage("audit.guard", {"name": name}, True)
    for kind, name in held.keys() - expected.keys():
        if kind == "trigger" and _table_of(connection, name) in {table for _, table in expected}:
            yield Damage("audit.foreign_trigger", {"name": name}, True)


def _is_unique_already(held: dict[tuple[str, str], str], index: str) -> bool:
    """Say whether a table that an older program made keeps its ids apart without an index of that name."""
    return "id TEXT NOT NULL UNIQUE" in held.get(("table", index.removesuffix("_id")), "")


def _without_words(trigger: str) -> str:
    """Return what a trigger does, without what it says: older programs said it otherwise."""
    return re.sub("'[^']*'", "''", trigger)


def _objects(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    text = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'index', 'trigger') AND sql IS NOT NULL"
    return {(kind, name): sql for kind, name, sql in connection.execute(text)}


def _table_of(connection: sqlite3.Connection, trigger: str) -> str:
    text = "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name = ?"
    return str(connection.execute(text, (trigger,)).fetchone()[0])


def _registry_damages(connection: sqlite3.Connection, pattern: sqlite3.Connection) -> Iterator[Damage]:
    for table, columns in _REGISTERED.items():
        text = f"SELECT {', '.join(columns)} FROM {table}"
        held = set(connection.execute(text).fetchall())
        for row in pattern.execute(text):
            if row not in held:
                yield Damage("audit.registry", {"table": table, "name": str(row[0])}, True)


def _layer_damages(connection: sqlite3.Connection, layer: Layer, crs: str) -> Iterator[Damage]:
    if not layer.has_geometry:
        return
    for past in (False, True):
        tree = _tree(layer, past=past)
        try:
            wrong = _wrong_boxes(connection, layer, crs, past=past)
            verdict = connection.execute("SELECT rtreecheck(?)", (tree,)).fetchone()[0]
        except sqlite3.DatabaseError as error:
            wrong, verdict = 0, str(error)
        if wrong:
            yield Damage("audit.rtree", {"layer": layer.id, "name": tree, "count": wrong}, True)
        elif verdict != "ok":
            yield Damage("audit.rtree_broken", {"layer": layer.id, "name": tree, "cause": verdict[:200]}, True)
    heads = sum(int(wrong.sum()) for past in (False, True) for wrong in _wrong_heads(connection, layer, crs, past=past))
    if heads:
        yield Damage("audit.heads", {"layer": layer.id, "count": heads}, True)


def _tree(layer: Layer, *, past: bool) -> str:
    return f"rtree_history_{layer.id}" if past else f"rtree_{layer.id}_geom"


def _table(layer: Layer, *, past: bool) -> tuple[str, str]:
    """Return table and key of the current or the past rows of a layer."""
    return (quoted(history_of(layer.id)), "row") if past else (quoted(layer.id), "fid")


def _shapes(
    connection: sqlite3.Connection, layer: Layer, *, past: bool
) -> Iterator[tuple[NDArray[np.int64], list[bytes], NDArray[Any], NDArray[np.float64]]]:
    """Yield keys, blobs, WKB and boxes (n, 4) of the rows that have a geometry, in batches."""
    table, key = _table(layer, past=past)
    head = header_bytes(layer)
    cursor = connection.execute(f"SELECT {key}, geom FROM {table} WHERE geom IS NOT NULL ORDER BY {key}")
    while rows := cursor.fetchmany(_ROWS):
        keys, blobs = zip(*rows, strict=True)
        wkb = np.array([*(blob[head:] for blob in blobs), None], dtype=object)[:-1]
        yield np.array(keys, dtype=np.int64), list(blobs), wkb, shapely.bounds(shapely.from_wkb(wkb))


def _wrong_boxes(connection: sqlite3.Connection, layer: Layer, crs: str, *, past: bool) -> int:
    """Return how many boxes an R-tree lacks, has too many, or has elsewhere than the geometry is."""
    text = f'SELECT id, minx, miny, maxx, maxy FROM "{_tree(layer, past=past)}" ORDER BY id'
    held = np.array(connection.execute(text).fetchall(), dtype=np.float64).reshape(-1, 5)
    batches = [(keys[np.isfinite(boxes[:, 0])], boxes[np.isfinite(boxes[:, 0])]) for keys, _, _, boxes in _shapes(connection, layer, past=past)]  # fmt: skip
    keys = np.concatenate([np.empty(0, dtype=np.int64), *(keys for keys, _ in batches)])
    boxes = rounded_outwards(np.concatenate([np.empty((0, 4)), *(boxes for _, boxes in batches)]))
    ids = held[:, 0].astype(np.int64)
    different = len(np.setxor1d(ids, keys))
    both = np.isin(keys, ids)
    theirs, ours = held[np.isin(ids, keys), 1:], boxes[both].astype(np.float64)
    near = np.abs(theirs - ours) <= 4 * np.spacing(np.abs(boxes[both])).astype(np.float64)
    inside = (theirs[:, :2] <= ours[:, :2]) & (theirs[:, 2:] >= ours[:, 2:])
    return different + int((~(near.all(axis=1) & inside.all(axis=1))).sum())


def _wrong_heads(connection: sqlite3.Connection, layer: Layer, crs: str, *, past: bool) -> Iterator[NDArray[np.bool_]]:
    """Yield which geometries begin with another CRS or box than theirs, by which other programs read them."""
    for _, blobs, wkb, boxes in _shapes(connection, layer, past=past):
        right = to_blobs(layer, wkb, boxes, srs_id(crs))
        yield np.array([held != blob for held, blob in zip(blobs, right, strict=True)]) & np.isfinite(boxes[:, 0])


def rebuild(connection: sqlite3.Connection, catalogue: Catalogue, crs: str, counters: Iterable[LayerCounters]) -> None:
    """Make guards, indexes and what hangs on the rows anew, within an open transaction; no row says anything else after it."""
    layers = [layer for layer in catalogue if layer.kind == "feature"]
    with _EmptyStore(layers, crs) as pattern:
        _rebuild_objects(connection, pattern)
        _rebuild_registry(connection, pattern)
    connection.execute("REINDEX")
    for layer in layers:
        for past in (False, True):
            _rebuild_rows(connection, layer, crs, past=past)
        indexed(connection, layer)
        keep_tolerance(connection, layer)
    for name in _counted_anew(connection):
        connection.execute(f"DELETE FROM {quoted(name)}")
    _rebuild_counters(connection, counters)
    connection.execute("DELETE FROM vgpkg_twin_meta WHERE key = 'checkpoint'")


def _counted_anew(connection: sqlite3.Connection) -> list[str]:
    """Return the tables that the town makes when it first needs them, and fills again when they are empty."""
    text = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'vgpkg_twin_%'"
    return [name for (name,) in connection.execute(text) if name.removeprefix("vgpkg_twin_") not in _KEPT]


def _rebuild_objects(connection: sqlite3.Connection, pattern: sqlite3.Connection) -> None:
    expected = _objects(pattern)
    tables = {name for kind, name in expected if kind == "table"}
    for kind, name in _objects(connection):
        if kind == "trigger" and _table_of(connection, name) in tables:
            connection.execute(f"DROP TRIGGER {quoted(name)}")
    held = _objects(connection)
    for (kind, name), text in expected.items():
        if (kind, name) not in held and (kind != "table" or text.startswith("CREATE VIRTUAL")):
            connection.execute(text)


def _rebuild_registry(connection: sqlite3.Connection, pattern: sqlite3.Connection) -> None:
    """Put back rows by which others read the layers; titles and extents of those that are there stay."""
    for table, columns in _REGISTERED.items():
        text = f"SELECT {', '.join(columns)} FROM {table}"
        held = set(connection.execute(text).fetchall())
        for row in pattern.execute(text).fetchall():
            if row not in held:
                _put_back(connection, pattern, table, columns, row)


def _put_back(
    connection: sqlite3.Connection,
    pattern: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    row: tuple[Any, ...],
) -> None:
    keys = columns[:3] if table == "gpkg_extensions" else columns[:1]
    chosen = " AND ".join(f"{name} IS ?" for name in keys)
    given = ", ".join(f"{name} = ?" for name in columns)
    if connection.execute(f"UPDATE {table} SET {given} WHERE {chosen}", (*row, *row[: len(keys)])).rowcount:
        return
    whole = pattern.execute(f"SELECT * FROM {table} WHERE {chosen}", row[: len(keys)]).fetchone()
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(whole))})", whole)


def _rebuild_rows(connection: sqlite3.Connection, layer: Layer, crs: str, *, past: bool) -> None:
    """Make the R-tree of a table anew, the heads of its geometries, and from which zoom its rows are drawn."""
    table, key = _table(layer, past=past)
    connection.execute(f"UPDATE {table} SET {SEARCH_KEY} = NULL WHERE {SEARCH_KEY} IS NOT NULL")
    start = int(min_zoom(layer, np.full((1, 4), np.nan), crs)[0])
    placeless = "WHERE geom IS NULL AND min_zoom IS NOT ?1" if layer.has_geometry else "WHERE min_zoom IS NOT ?1"
    connection.execute(f"UPDATE {table} SET min_zoom = ?1 {placeless}", (start,))
    if not layer.has_geometry:
        return
    tree, batches = _tree(layer, past=past), []
    for keys, blobs, wkb, boxes in [*_shapes(connection, layer, past=past)]:
        zooms, right = min_zoom(layer, boxes, crs).tolist(), to_blobs(layer, wkb, boxes, srs_id(crs))
        heads = [blob if held != blob and finite else None for held, blob, finite in zip(blobs, right, np.isfinite(boxes[:, 0]), strict=True)]  # fmt: skip
        connection.executemany(
            f"UPDATE {table} SET min_zoom = ?1, geom = coalesce(?2, geom) WHERE {key} = ?3 AND (min_zoom IS NOT ?1 OR ?2 IS NOT NULL)",
            zip(zooms, heads, keys.tolist(), strict=True),
        )
        placed = np.isfinite(boxes[:, 0])
        batches.append((keys[placed], boxes[placed]))
    connection.execute(f"DROP TABLE {quoted(tree)}")
    connection.execute(f"CREATE VIRTUAL TABLE {quoted(tree)} USING rtree(id, minx, maxx, miny, maxy)")
    if batches:
        keys, boxes = (np.concatenate(column) for column in zip(*batches, strict=True))
        if len(keys):
            insert(connection, tree, keys, boxes)


def _rebuild_counters(connection: sqlite3.Connection, counters: Iterable[LayerCounters]) -> None:
    """Write numbers of layers; of each all that it holds counts as changed by its newest version, for who asks what is stale."""
    connection.execute("DELETE FROM rtree_twin_touched")
    connection.execute("DROP TABLE IF EXISTS vgpkg_twin_touched_cell")
    for each in counters:
        box = (each.min_x, each.min_y, each.max_x, each.max_y)
        connection.execute(
            "INSERT OR REPLACE INTO vgpkg_twin_layer (layer, next_fid, features, version, next_planned) VALUES (?,?,?,?,?)",
            each[:5],
        )
        connection.execute(
            "UPDATE gpkg_contents SET min_x = ?, min_y = ?, max_x = ?, max_y = ? WHERE table_name = ?",
            (*box, each.layer),
        )
        if each.version and each.min_x is not None:
            connection.execute(
                "INSERT INTO rtree_twin_touched (minx, maxx, miny, maxy, layer, version) VALUES (?,?,?,?,?,?)",
                (each.min_x, each.max_x, each.min_y, each.max_y, each.layer, each.version),
            )
