"""The tables of a GeoPackage store, made from the catalogue.

Current rows of a layer lie in the table named as the layer; closed and planned rows in `vgpkg_history_<layer>`, so that
"now" stays as fast as without history. Clients list catalogue layers only: our own tables carry prefixes (`vgpkg_`,
`rtree_`) that GDAL and QGIS both take for the format's own; beside the layers stands QGIS's `layer_styles`, registered
as QGIS itself does, for it loads styles and aliases from nowhere else. Writes from outside are refused by triggers: our own
connection puts a row into `vgpkg_twin_writer` inside its transaction, which nobody else can see.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from twin_model.catalogue import Catalogue
from twin_model.crs import epsg_of, title_of, well_known_text
from twin_model.errors import StoreError
from twin_model.layer import ATTRIBUTES, SEARCH_KEY, Field, FieldType, Layer
from twin_model.store.former_fields import (
    Held,
    ensure_same_kinds,
    gained,
    retyped,
    with_former_fields,
    with_tolerances,
)
from twin_model.store.geopackage.census import CENSUS_TABLES
from twin_model.store.geopackage.style import qml, sld
from twin_model.store.select import quoted
from twin_model.store.sort_index import SortIndex

__all__ = [
    "FORMAT",
    "SORTED_ROWS",
    "add_field",
    "columns_held",
    "create_core",
    "create_layer",
    "descriptions",
    "forget_description",
    "geometries_held",
    "has_sort_index",
    "history_of",
    "indexed",
    "keep_description",
    "keep_tolerance",
    "known_columns",
    "list_unplaced",
    "lists_unplaced",
    "make_room",
    "make_sort_index",
    "srs_id",
    "tolerances_held",
    "unguarded",
    "unindexed",
]

FORMAT = 3
"""Number of the store's format; migrations lead from each earlier number to the next."""

SORTED_ROWS = "version_from > 0"
"""The condition of sort indexes, which every row meets: only a query that says it reads by one. Without it SQLite would
choose such an index for a filter, whatever else that could be answered by."""

_APPLICATION_ID, _USER_VERSION = 0x47504B47, 10300
_SQL_TYPE: dict[FieldType, str] = {
    "string": "TEXT",
    "integer": "INTEGER",
    "number": "REAL",
    "boolean": "BOOLEAN",
    "date": "TEXT",
    "datetime": "DATETIME",
}
_REFUSAL = "This layer is kept by the town: write with twin ingest or over the API. 本图层由城市库维护，请用 twin ingest 或接口写入。"

_CORE = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name));
CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
CREATE TABLE gpkg_data_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT, CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name));
CREATE TABLE gpkg_data_column_constraints (constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT,
  min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));
CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT(256), f_table_schema TEXT(256),
  f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
  description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME DEFAULT CURRENT_TIMESTAMP);
INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('layer_styles', 'attributes', 'layer_styles');
INSERT INTO gpkg_extensions VALUES ('gpkg_data_columns', NULL, 'gpkg_schema', 'http://www.geopackage.org/spec121/#extension_schema', 'read-write');
INSERT INTO gpkg_extensions VALUES ('gpkg_data_column_constraints', NULL, 'gpkg_schema', 'http://www.geopackage.org/spec121/#extension_schema', 'read-write');
CREATE TABLE vgpkg_twin_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE vgpkg_twin_writer (pid INTEGER);
CREATE TABLE vgpkg_twin_layer (layer TEXT PRIMARY KEY, next_fid INTEGER NOT NULL DEFAULT 1, features INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL DEFAULT 0, next_planned TEXT) WITHOUT ROWID;
CREATE TABLE vgpkg_twin_changeset (number INTEGER PRIMARY KEY, recorded TEXT NOT NULL UNIQUE, effective TEXT NOT NULL,
  author TEXT NOT NULL, reason TEXT NOT NULL, source TEXT, sha256 TEXT, kind TEXT, delivery TEXT, counts TEXT NOT NULL,
  previous TEXT NOT NULL, hash TEXT NOT NULL, rule INTEGER NOT NULL DEFAULT 1, identity TEXT);
CREATE INDEX vgpkg_twin_changeset_sha256 ON vgpkg_twin_changeset(sha256);
CREATE TABLE vgpkg_twin_change (version INTEGER NOT NULL, layer TEXT NOT NULL, inserted INTEGER NOT NULL, updated INTEGER NOT NULL,
  terminated INTEGER NOT NULL, unchanged INTEGER NOT NULL, min_x REAL, min_y REAL, max_x REAL, max_y REAL,
  PRIMARY KEY (version, layer)) WITHOUT ROWID;
CREATE VIRTUAL TABLE rtree_twin_touched USING rtree(id, minx, maxx, miny, maxy, +layer TEXT, +version INTEGER);
CREATE TABLE vgpkg_twin_part (layer TEXT NOT NULL, fid INTEGER NOT NULL, part INTEGER NOT NULL, content BLOB NOT NULL, scope TEXT,
  series TEXT, version_from INTEGER NOT NULL, version_to INTEGER, first_content BLOB, PRIMARY KEY (layer, fid, part, version_from)) WITHOUT ROWID;
CREATE TABLE vgpkg_twin_alias (layer TEXT NOT NULL, alias TEXT NOT NULL, fid INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (layer, alias, fid)) WITHOUT ROWID;
CREATE TABLE vgpkg_twin_link (version INTEGER NOT NULL, kind TEXT NOT NULL, layer TEXT NOT NULL, from_fid INTEGER NOT NULL,
  to_fid INTEGER NOT NULL, version_to INTEGER, PRIMARY KEY (layer, from_fid, to_fid, kind, version)) WITHOUT ROWID;
CREATE TABLE vgpkg_twin_blob (digest TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
"""


def history_of(layer_id: str) -> str:
    """Return the name of the table of a layer's closed and planned rows."""
    return f"vgpkg_history_{layer_id}"


def create_core(connection: sqlite3.Connection, crs: str) -> None:
    """Make the tables that every store has, for a town in `crs`."""
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_USER_VERSION}")
    for statement in (*_CORE.split(";\n"), *CENSUS_TABLES):
        connection.execute(statement)
    rows = [
        ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined", ""),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined", ""),
        ("WGS 84 geodetic", 4326, "EPSG", 4326, well_known_text("EPSG:4326"), "longitude/latitude"),
    ]
    if srs_id(crs) != 4326:
        rows.append((title_of(crs), srs_id(crs), "EPSG", srs_id(crs), well_known_text(crs), "x east, y north"))
    connection.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?,?,?,?,?,?)", rows)
    connection.executemany("INSERT INTO vgpkg_twin_meta VALUES (?,?)", [("format", str(FORMAT)), ("crs", crs)])


def srs_id(crs: str) -> int:
    """Return the GeoPackage number of a CRS: its EPSG number, else a number of our own for the town's system."""
    return epsg_of(crs) or 999_001


def create_layer(connection: sqlite3.Connection, layer: Layer, crs: str) -> None:
    """Make the tables, R-trees, guards, titles, aliases and style of one layer."""
    for statement in _layer_statements(layer):
        connection.execute(statement)
    _describe(connection, layer, crs)
    connection.execute("INSERT INTO vgpkg_twin_layer (layer) VALUES (?)", (layer.id,))
    keep_tolerance(connection, layer)


def add_field(connection: sqlite3.Connection, layer: Layer, field: Field) -> None:
    """Add a field that the catalogue has since gained."""
    for table in (layer.id, history_of(layer.id)):
        connection.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(field.name)} {_SQL_TYPE[field.type]}")
    connection.execute(*_alias_row(layer, field))


def retype_field(connection: sqlite3.Connection, layer: Layer, field: Field) -> None:
    """Give the column of a field the type that the catalogue says now; what it holds is kept as that type."""
    declared, column, spare = _SQL_TYPE[field.type], quoted(field.name), quoted(f"{field.name} retyped")
    _drop_sort_indexes(connection, layer, field.name)
    for table in (quoted(layer.id), quoted(history_of(layer.id))):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {spare} {declared}")
        connection.execute(f"UPDATE {table} SET {spare} = {column} WHERE {column} IS NOT NULL")
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute(f"ALTER TABLE {table} RENAME COLUMN {spare} TO {column}")


def _is_empty(connection: sqlite3.Connection, layer: Layer, field: Field) -> bool:
    texts = (
        f"SELECT 1 FROM {quoted(table)} WHERE {quoted(field.name)} IS NOT NULL LIMIT 1"
        for table in (layer.id, history_of(layer.id))
    )
    return all(connection.execute(text).fetchone() is None for text in texts)


def make_room(connection: sqlite3.Connection, catalogue: Catalogue, crs: str) -> Catalogue:
    """Make the tables and columns that layers have gained; return the layers with all that their tables hold.

    Within an open transaction: what is there is asked where nobody else can add to it. Raises `CatalogueError` for a type
    that is not the one stored.
    """
    held = columns_held(connection, catalogue.layers)
    ensure_same_kinds(catalogue, held, geometries_held(connection), partial(_is_empty, connection))
    missing, fields = gained(catalogue, held)
    _ensure_unlisted(connection, missing)
    for layer, field in retyped(catalogue, held):
        retype_field(connection, layer, field)
    for layer in missing:
        create_layer(connection, layer, crs)
    for layer, field in fields:
        add_field(connection, layer, field)
    return _with_tables(connection, catalogue, columns_held(connection, catalogue.layers))


def _ensure_unlisted(connection: sqlite3.Connection, missing: Iterable[Layer]) -> None:
    """Refuse a store that has the table of a layer and does not count it among its own."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    unlisted = sorted(layer.id for layer in missing if layer.id in tables)
    if unlisted:
        raise StoreError("store.damaged", cause=f"vgpkg_twin_layer: {', '.join(unlisted[:5])}")


def known_columns(connection: sqlite3.Connection, catalogue: Catalogue, held: Held) -> Catalogue:
    """Return layers with what the store holds of them beyond their description: former fields, their tolerance."""
    ensure_same_kinds(catalogue, held, geometries_held(connection), partial(_is_empty, connection))
    return _with_tables(connection, catalogue, held)


def _with_tables(connection: sqlite3.Connection, catalogue: Catalogue, held: Held) -> Catalogue:
    return with_tolerances(with_former_fields(catalogue, held), tolerances_held(connection))


def columns_held(
    connection: sqlite3.Connection, names: Collection[str] | None = None
) -> dict[str, dict[str, FieldType]]:
    """Return the columns that the tables of current rows have, by layer, with their types; of all layers or of some."""
    layers = [row[0] for row in connection.execute("SELECT layer FROM vgpkg_twin_layer")]
    layers = layers if names is None else [layer for layer in layers if layer in names]
    kinds: dict[str, FieldType] = {declared: kind for kind, declared in _SQL_TYPE.items() if kind != "date"}
    return {
        layer: {
            row[1]: kinds.get(row[2], "string") for row in connection.execute(f"PRAGMA table_info({quoted(layer)})")
        }
        for layer in layers
    }


def geometries_held(connection: sqlite3.Connection) -> dict[str, tuple[str, bool]]:
    """Return the type of geometry of each layer that has one, and whether it has heights."""
    rows = connection.execute("SELECT table_name, geometry_type_name, z FROM gpkg_geometry_columns")
    return {table: (name.upper(), z == 2) for table, name, z in rows}


def tolerances_held(connection: sqlite3.Connection) -> dict[str, float]:
    """Return the tolerance with which what is stored of each layer was hashed."""
    rows = connection.execute("SELECT substr(key, 11), value FROM vgpkg_twin_meta WHERE key LIKE 'tolerance:%'")
    return {layer: float(value) for layer, value in rows}


def keep_tolerance(connection: sqlite3.Connection, layer: Layer) -> None:
    """Write down the tolerance of a layer: it stays, whatever a table of the town says later."""
    row = (f"tolerance:{layer.id}", repr(layer.tolerance))
    connection.execute("INSERT OR IGNORE INTO vgpkg_twin_meta VALUES (?,?)", row)


def keep_description(connection: sqlite3.Connection, layer: str, table: str) -> None:
    """Write down what the file of a layer is to say, until it is in place."""
    connection.execute("INSERT OR REPLACE INTO vgpkg_twin_meta VALUES (?,?)", (f"description:{layer}", table))


def forget_description(connection: sqlite3.Connection, layer: str, table: str) -> None:
    connection.execute("DELETE FROM vgpkg_twin_meta WHERE key = ? AND value = ?", (f"description:{layer}", table))


def descriptions(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what was written down of layers whose files are not in place, by layer."""
    rows = connection.execute("SELECT substr(key, 13), value FROM vgpkg_twin_meta WHERE key LIKE 'description:%'")
    return dict(rows.fetchall())


def _layer_statements(layer: Layer) -> Iterator[str]:
    fields = ", ".join(f"{quoted(each.name)} {_SQL_TYPE[each.type]}" for each in (*layer.fields, *layer.former_fields))
    fields = f"{fields}, {ATTRIBUTES} TEXT, {SEARCH_KEY} TEXT".removeprefix(", ")
    geometry = f"geom {layer.geometry.removesuffix('Z').upper()}, " if layer.has_geometry else ""
    common = f"{fields}, valid_from DATETIME NOT NULL, valid_to DATETIME, valid_precision TEXT, version_from INTEGER NOT NULL, min_zoom INTEGER"
    now, past = quoted(layer.id), quoted(history_of(layer.id))
    yield f"CREATE TABLE {now} (fid INTEGER PRIMARY KEY NOT NULL, {geometry}id TEXT NOT NULL, {common})"
    yield f"CREATE TABLE {past} (row INTEGER PRIMARY KEY, fid INTEGER NOT NULL, {geometry}id TEXT NOT NULL, {common}, version_to INTEGER)"
    yield f"CREATE INDEX {quoted(f'vgpkg_history_{layer.id}_fid')} ON {past}(fid)"
    yield f"CREATE INDEX {quoted(f'vgpkg_history_{layer.id}_id')} ON {past}(id, valid_from)"
    yield from _indexes(layer)
    if layer.has_geometry:
        yield f"CREATE VIRTUAL TABLE {quoted(f'rtree_{layer.id}_geom')} USING rtree(id, minx, maxx, miny, maxy)"
        yield f"CREATE VIRTUAL TABLE {quoted(f'rtree_history_{layer.id}')} USING rtree(id, minx, maxx, miny, maxy)"
    yield from guards(layer)


def _indexes(layer: Layer) -> Iterator[str]:
    yield f"CREATE UNIQUE INDEX IF NOT EXISTS {quoted(f'{layer.id}_id')} ON {quoted(layer.id)}(id)"
    if layer.zoom.pixels > 0:
        yield f"CREATE INDEX IF NOT EXISTS {quoted(f'{layer.id}_min_zoom')} ON {quoted(layer.id)}(min_zoom)"
    yield from _unplaced_indexes(layer)


def _unplaced_indexes(layer: Layer) -> Iterator[str]:
    """Yield what lists the rows without geometry, which are in no R-tree and which every box takes in."""
    for table, key in ((layer.id, "fid"), (history_of(layer.id), "row")) if layer.has_geometry else ():
        yield f"CREATE INDEX IF NOT EXISTS {quoted(f'{table}_unplaced')} ON {quoted(table)}({key}) WHERE geom IS NULL"


def lists_unplaced(connection: sqlite3.Connection, catalogue: Catalogue) -> bool:
    """Say whether every layer of a store has the indexes of its rows without geometry: earlier programs made none."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    return all(f"{layer.id}_unplaced" in names for layer in catalogue.of_kind("feature") if layer.has_geometry)


def list_unplaced(connection: sqlite3.Connection, catalogue: Catalogue) -> None:
    """Make those indexes."""
    for layer in catalogue.of_kind("feature"):
        for statement in _unplaced_indexes(layer):
            connection.execute(statement)


def has_sort_index(connection: sqlite3.Connection, index: SortIndex) -> bool:
    """Say whether an index is there as far as the connection knows: it learns of a new one with its next statement."""
    return connection.execute(f"PRAGMA index_info({quoted(index.name)})").fetchone() is not None


def make_sort_index(connection: sqlite3.Connection, index: SortIndex) -> None:
    """Make an index by which current rows are read in the order of a column, then of fid, which ends every entry."""
    direction = "ASC" if index.ascending else "DESC"
    connection.execute(
        f"CREATE INDEX IF NOT EXISTS {quoted(index.name)} ON {quoted(index.layer)}({quoted(index.column)} {direction}) "
        f"WHERE {SORTED_ROWS}"
    )


def _drop_sort_indexes(connection: sqlite3.Connection, layer: Layer, column: str | None = None) -> None:
    """Take away the sort indexes of a layer, or those of a column; the next question of its kind has them made again."""
    held = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
    names = {row[0] for row in connection.execute(held, (layer.id,))}
    columns = [column] if column else [*layer.stored_names, "valid_from", "valid_to", "version_from"]
    for index in (SortIndex(layer.id, each, ascending) for each in columns for ascending in (True, False)):
        if index.name in names:
            connection.execute(f"DROP INDEX {quoted(index.name)}")


def unindexed(connection: sqlite3.Connection, layer: Layer) -> None:
    """Take the indexes of the current rows away for a bulk load: made from sorted rows at its end they cost a third."""
    for name in ("id", "min_zoom"):
        connection.execute(f"DROP INDEX IF EXISTS {quoted(f'{layer.id}_{name}')}")
    _drop_sort_indexes(connection, layer)


def indexed(connection: sqlite3.Connection, layer: Layer) -> None:
    for statement in _indexes(layer):
        connection.execute(statement)


def guards(layer: Layer) -> Iterator[str]:
    """Yield the triggers that refuse writes from connections that are not ours."""
    for verb in ("INSERT", "UPDATE", "DELETE"):
        yield (
            f"CREATE TRIGGER {quoted(f'guard_{layer.id}_{verb.lower()}')} BEFORE {verb} ON {quoted(layer.id)} "
            f"WHEN NOT EXISTS (SELECT 1 FROM vgpkg_twin_writer) BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )


@contextmanager
def unguarded(connection: sqlite3.Connection, layer: Layer) -> Iterator[None]:
    """Take the triggers away for a bulk load within an open transaction; nobody else ever sees the layer without them."""
    for verb in ("insert", "update", "delete"):
        connection.execute(f"DROP TRIGGER {quoted(f'guard_{layer.id}_{verb}')}")
    yield
    for statement in guards(layer):
        connection.execute(statement)


def _describe(connection: sqlite3.Connection, layer: Layer, crs: str) -> None:
    number = srs_id(crs)
    titles = f"{layer.title('zh')} {layer.title('en')}"
    taken = connection.execute("SELECT 1 FROM gpkg_contents WHERE identifier = ?", (titles,)).fetchone()
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES (?,?,?,?,?)",
        (
            layer.id,
            "features" if layer.has_geometry else "attributes",
            f"{titles} ({layer.id})" if taken else titles,
            f"{layer.description('zh')} / {layer.description('en')}",
            number,
        ),
    )
    for field in layer.fields:
        connection.execute(*_alias_row(layer, field))
    if not layer.has_geometry:
        return
    kind = layer.geometry.removesuffix("Z").upper()
    connection.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?,?,?,?,?,0)",
        (layer.id, "geom", kind, number, 2 if layer.has_z else 0),
    )
    connection.execute(
        "INSERT INTO gpkg_extensions VALUES (?,?,?,?,?)",
        (layer.id, "geom", "gpkg_rtree_index", "http://www.geopackage.org/spec120/#extension_rtree", "write-only"),
    )
    connection.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, styleSLD,"
        " useAsDefault, description, owner) VALUES ('', '', ?, 'geom', 'default', ?, ?, 1, ?, '')",
        (layer.id, qml(layer), sld(layer), layer.title("zh")),
    )


def _alias_row(layer: Layer, field: Field) -> tuple[str, tuple[str, ...]]:
    unit = f" ({field.unit})" if field.unit else ""
    return ("INSERT INTO gpkg_data_columns (table_name, column_name, name, title, description) VALUES (?,?,?,?,?)",
            (layer.id, field.name, field.title("zh") + unit, field.title("en") + unit, f"{field.title('zh')} / {field.title('en')}{unit}"))  # fmt: skip
