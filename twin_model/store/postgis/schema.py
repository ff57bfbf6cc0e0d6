"""The tables of a PostGIS store, made from the catalogue in one schema a town.

Current rows of a layer lie in the table named as the layer; closed and planned rows in `twin_history_<layer>`, so that
"now" stays as fast as without history. Titles in Chinese and English are the comments of tables and columns. Texts are
kept in the order of code points and instants as texts, as in the other store. Writes from outside are refused by
triggers: our own transactions say `SET LOCAL twin.writer = 'yes'`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, cast

import psycopg
from psycopg import sql

from twin_model.catalogue import Catalogue
from twin_model.crs import epsg_of
from twin_model.filter.postgis_functions import NEWEST, create_functions
from twin_model.layer import ATTRIBUTES, SEARCH_KEY, Field, FieldType, Layer
from twin_model.store.changeset_select import changeset_indexes
from twin_model.store.former_fields import (
    Held,
    ensure_same_kinds,
    gained,
    retyped,
    with_former_fields,
    with_tolerances,
)
from twin_model.store.postgis.census import CENSUS_TABLES
from twin_model.store.postgis.parts import CREATE_PACKED, CREATE_VIEW
from twin_model.store.postgis.server import ServerAddress
from twin_model.store.postgis.touched import CREATE_CELLS
from twin_model.store.select import quoted
from twin_model.store.sort_index import SortIndex

__all__ = [
    "FORMAT",
    "LONG",
    "SHORT",
    "add_field",
    "columns_held",
    "create_core",
    "create_layer",
    "descriptions",
    "ensure_history_indexes",
    "execute",
    "forget_description",
    "geometries_held",
    "guard",
    "guard_function",
    "guarded_tables",
    "has_functions",
    "history_of",
    "index_statements",
    "indexed",
    "is_text",
    "keep_description",
    "keep_tolerance",
    "known_columns",
    "make_functions",
    "make_room",
    "make_sort_index",
    "newest_version",
    "pack_parts",
    "set_defaults",
    "srid_of",
    "tolerances_held",
    "unindexed",
]

FORMAT = 3
"""Number of the store's format; `migrations` lead from each earlier number to the next."""

SHORT = "coalesce(octet_length({}), 0) <= 1000"
LONG = "coalesce(octet_length({}), 0) > 1000"
"""What an index of texts holds, for a longer one would be refused with its row, and what lies beside it."""

_WIDE = 14
"""Below this zoom a tile is so wide that the zoom chooses better than the place; above, the place alone does."""

_SQL_TYPE = {
    "string": 'text COLLATE "C"',
    "integer": "bigint",
    "number": "double precision",
    "boolean": "boolean",
    "date": 'text COLLATE "C"',
    "datetime": 'text COLLATE "C"',
}
_FIELD_TYPES: dict[str, FieldType] = {"bigint": "integer", "double precision": "number", "boolean": "boolean"}
_REFUSAL = "This layer is kept by the town: write with twin ingest or over the API. 本图层由城市库维护，请用 twin ingest 或接口写入。"

_CORE = """
CREATE TABLE twin_meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE twin_layer (layer text COLLATE "C" PRIMARY KEY, next_fid bigint NOT NULL DEFAULT 1, features bigint NOT NULL DEFAULT 0,
  version bigint NOT NULL DEFAULT 0, next_planned text COLLATE "C", min_x double precision, min_y double precision,
  max_x double precision, max_y double precision);
CREATE TABLE twin_changeset (number bigint PRIMARY KEY, recorded text COLLATE "C" NOT NULL UNIQUE, effective text COLLATE "C" NOT NULL,
  author text NOT NULL, reason text NOT NULL, source text, sha256 text, kind text, delivery text, counts text NOT NULL,
  previous text NOT NULL, hash text NOT NULL, rule integer NOT NULL DEFAULT 1, identity text);
CREATE INDEX twin_changeset_sha256 ON twin_changeset(sha256);
CREATE TABLE twin_change (version bigint NOT NULL, layer text COLLATE "C" NOT NULL, inserted bigint NOT NULL, updated bigint NOT NULL,
  terminated bigint NOT NULL, unchanged bigint NOT NULL, min_x double precision, min_y double precision, max_x double precision,
  max_y double precision, PRIMARY KEY (version, layer));
CREATE TABLE twin_touched (layer text COLLATE "C" NOT NULL, version bigint NOT NULL, minx double precision NOT NULL,
  miny double precision NOT NULL, maxx double precision NOT NULL, maxy double precision NOT NULL, cell bigint);
CREATE INDEX twin_touched_box ON twin_touched USING gist (box(point(minx, miny), point(maxx, maxy)));
CREATE TABLE twin_part (layer text COLLATE "C" NOT NULL, fid bigint NOT NULL, part integer NOT NULL, content bytea NOT NULL, scope text,
  series text, version_from bigint NOT NULL, version_to bigint, first_content bytea, PRIMARY KEY (layer, fid, part, version_from));
CREATE TABLE twin_alias (layer text COLLATE "C" NOT NULL, alias text COLLATE "C" NOT NULL, fid bigint NOT NULL, version bigint NOT NULL,
  PRIMARY KEY (layer, alias, fid));
CREATE TABLE twin_link (version bigint NOT NULL, kind text NOT NULL, layer text COLLATE "C" NOT NULL, from_fid bigint NOT NULL,
  to_fid bigint NOT NULL, version_to bigint, PRIMARY KEY (layer, from_fid, to_fid, kind, version));
CREATE TABLE twin_blob (digest text COLLATE "C" PRIMARY KEY, content bytea NOT NULL);
ALTER TABLE twin_blob ALTER content SET STORAGE EXTERNAL;
"""

_OPEN_PARTS = "CREATE INDEX IF NOT EXISTS twin_part_open ON twin_part(layer, fid) WHERE version_to IS NULL"
"""By it what stands delivered is read without what is closed, of which a long history has more."""

_TABLES = ("meta", "layer", "changeset", "change", "touched", "part", "alias", "link", "blob")

_GUARD = """CREATE OR REPLACE FUNCTION twin_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('twin.writer', true) IS DISTINCT FROM 'yes' THEN
    RAISE EXCEPTION '{refusal}' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $$"""


def execute(connection: "psycopg.Connection[Any]", text: str, *parameters: Any) -> "psycopg.Cursor[Any]":
    """Run a statement whose text is made here and not literally; parameters are bound."""
    return connection.execute(cast("sql.SQL", text), parameters or None)


def history_of(layer_id: str) -> str:
    """Return the name of the table of a layer's closed and planned rows."""
    return f"twin_history_{layer_id}"


def srid_of(crs: str) -> int:
    """Return the number of a CRS in PostGIS: its EPSG number, 0 where it has none."""
    return epsg_of(crs) or 0


def newest_version(connection: "psycopg.Connection[Any]", address: ServerAddress) -> int | None:
    """Return the newest version of the town in a schema, None where there is no town."""
    text = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'twin_meta'"
    if connection.execute(text, (address.schema,)).fetchone() is None:
        return None
    text = f"SELECT coalesce(max(number), 0) FROM {quoted(address.schema)}.twin_changeset"
    return int(execute(connection, text).fetchall()[0][0])


def create_core(connection: "psycopg.Connection[Any]", crs: str) -> None:
    """Make the functions and tables that every store has, for a town in `crs`."""
    make_functions(connection)
    execute(connection, guard_function())
    execute(connection, f"{_CORE}{CREATE_CELLS}")
    for key, value in (("format", str(FORMAT)), ("crs", crs)):
        connection.execute("INSERT INTO twin_meta VALUES (%s, %s)", (key, value))
    execute(connection, ";\n".join(guard(f"twin_{table}") for table in _TABLES))
    pack_parts(connection)
    execute(connection, CREATE_VIEW)
    execute(connection, CENSUS_TABLES)


def ensure_history_indexes(connection: "psycopg.Connection[Any]") -> None:
    """Make the indexes by which some of the history is found; where they are there, nothing is locked."""
    missing = "SELECT name FROM unnest(%s::text[]) AS given (name) WHERE to_regclass(quote_ident(name)) IS NULL"
    statements = changeset_indexes(tables="twin", find="strpos") | {"twin_part_open": _OPEN_PARTS}
    for (name,) in connection.execute(missing, (list(statements),)).fetchall():
        execute(connection, statements[name])


def has_functions(connection: "psycopg.Connection[Any]", schema: str) -> bool:
    """Say whether a schema has all the functions that filters call."""
    text = (
        "SELECT 1 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = %s AND p.proname = %s"
    )
    return connection.execute(text, (schema, NEWEST)).fetchone() is not None


def make_functions(connection: "psycopg.Connection[Any]") -> None:
    """Make them anew in the first schema of the search path."""
    execute(connection, ";\n".join(create_functions()))


def pack_parts(connection: "psycopg.Connection[Any]") -> None:
    """Make the table of packed parts."""
    execute(connection, CREATE_PACKED + guard("twin_packed_part"))


def retype_field(connection: "psycopg.Connection[Any]", layer: Layer, field: Field) -> None:
    """Give the column of a field the type that the catalogue says now; what it holds is kept as that type."""
    declared, column = _SQL_TYPE[field.type], quoted(field.name)
    kind = declared.split(" COLLATE")[0]
    for table in (layer.id, history_of(layer.id)):
        text = f"ALTER TABLE {quoted(table)} ALTER COLUMN {column} TYPE {declared} USING {column}::text::{kind}"
        execute(connection, text)


def _is_empty(connection: "psycopg.Connection[Any]", layer: Layer, field: Field) -> bool:
    texts = (
        f"SELECT 1 FROM {quoted(table)} WHERE {quoted(field.name)} IS NOT NULL LIMIT 1"
        for table in (layer.id, history_of(layer.id))
    )
    return all(execute(connection, text).fetchone() is None for text in texts)


def make_room(connection: "psycopg.Connection[Any]", catalogue: Catalogue, crs: str, schema: str) -> Catalogue:
    """Make the tables and columns that layers have gained; return the layers with all that their tables hold.

    Within an open transaction: what is there is asked where nobody else can add to it. Raises `CatalogueError` for a type
    that is not the one stored.
    """
    held = columns_held(connection, schema, catalogue.layers)
    ensure_same_kinds(catalogue, held, geometries_held(connection, schema), partial(_is_empty, connection))
    missing, fields = gained(catalogue, held)
    for layer, field in retyped(catalogue, held):
        retype_field(connection, layer, field)
    for layer in missing:
        create_layer(connection, layer, crs)
    for layer, field in fields:
        add_field(connection, layer, field)
    return _with_tables(connection, catalogue, columns_held(connection, schema, catalogue.layers))


def known_columns(connection: "psycopg.Connection[Any]", catalogue: Catalogue, held: Held, schema: str) -> Catalogue:
    """Return layers with what the store holds of them beyond their description: former fields, their tolerance."""
    ensure_same_kinds(catalogue, held, geometries_held(connection, schema), partial(_is_empty, connection))
    return _with_tables(connection, catalogue, held)


def _with_tables(connection: "psycopg.Connection[Any]", catalogue: Catalogue, held: Held) -> Catalogue:
    return with_tolerances(with_former_fields(catalogue, held), tolerances_held(connection))


def columns_held(
    connection: "psycopg.Connection[Any]", schema: str, names: Collection[str] | None = None
) -> dict[str, dict[str, FieldType]]:
    """Return the columns that the tables of current rows have, by layer, with their types; of all layers or of some."""
    text = (
        "SELECT l.layer, a.attname, format_type(a.atttypid, NULL) FROM twin_layer l JOIN pg_class c ON c.relname = l.layer "
        "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = %s "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE %s::text[] IS NULL OR l.layer = ANY(%s::text[]) ORDER BY a.attnum"
    )
    asked = None if names is None else list(names)
    held: dict[str, dict[str, FieldType]] = {}
    for layer, name, declared in connection.execute(text, (schema, asked, asked)):
        held.setdefault(layer, {})[name] = _FIELD_TYPES.get(declared, "string")
    return held


def create_layer(connection: "psycopg.Connection[Any]", layer: Layer, crs: str) -> None:
    """Make the tables, indexes, guards and comments of one layer."""
    execute(connection, ";\n".join(_layer_statements(layer, srid_of(crs))))
    connection.execute("INSERT INTO twin_layer (layer) VALUES (%s)", (layer.id,))
    keep_tolerance(connection, layer)


def add_field(connection: "psycopg.Connection[Any]", layer: Layer, field: Field) -> None:
    """Add a field that the catalogue has since gained."""
    for table in (layer.id, history_of(layer.id)):
        execute(connection, f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(field.name)} {_SQL_TYPE[field.type]}")
        execute(connection, _field_comment(table, field))


def geometries_held(connection: "psycopg.Connection[Any]", schema: str) -> dict[str, tuple[str, bool]]:
    """Return the type of geometry of each layer that has one, and whether it has heights."""
    text = "SELECT f_table_name, type, coord_dimension FROM geometry_columns WHERE f_table_schema = %s"
    return {table: (name.upper(), size == 3) for table, name, size in connection.execute(text, (schema,))}


def tolerances_held(connection: "psycopg.Connection[Any]") -> dict[str, float]:
    """Return the tolerance with which what is stored of each layer was hashed."""
    rows = connection.execute("SELECT substr(key, 11), value FROM twin_meta WHERE key LIKE 'tolerance:%'")
    return {layer: float(value) for layer, value in rows}


def keep_tolerance(connection: "psycopg.Connection[Any]", layer: Layer) -> None:
    """Write down the tolerance of a layer: it stays, whatever a table of the town says later."""
    row = (f"tolerance:{layer.id}", repr(layer.tolerance))
    connection.execute("INSERT INTO twin_meta VALUES (%s, %s) ON CONFLICT DO NOTHING", row)


def keep_description(connection: "psycopg.Connection[Any]", layer: str, table: str) -> None:
    """Write down what the file of a layer is to say, until it is in place."""
    text = "INSERT INTO twin_meta VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    connection.execute(text, (f"description:{layer}", table))


def forget_description(connection: "psycopg.Connection[Any]", layer: str, table: str) -> None:
    connection.execute("DELETE FROM twin_meta WHERE key = %s AND value = %s", (f"description:{layer}", table))


def descriptions(connection: "psycopg.Connection[Any]") -> dict[str, str]:
    """Return what was written down of layers whose files are not in place, by layer."""
    rows = connection.execute("SELECT substr(key, 13), value FROM twin_meta WHERE key LIKE 'description:%'")
    return dict(rows.fetchall())


def _layer_statements(layer: Layer, srid: int) -> Iterator[str]:
    fields = "".join(f"{quoted(each.name)} {_SQL_TYPE[each.type]}, " for each in (*layer.fields, *layer.former_fields))
    fields += f"{ATTRIBUTES} text, {SEARCH_KEY} text, "
    geometry = f"geom geometry({layer.geometry},{srid}), " if layer.has_geometry else ""
    text = 'text COLLATE "C"'
    common = (
        f"{geometry}id {text} NOT NULL, {fields}valid_from {text} NOT NULL, valid_to {text}, valid_precision {text}, "
        "version_from bigint NOT NULL, min_zoom integer"
    )
    past = history_of(layer.id)
    yield f"CREATE TABLE {quoted(layer.id)} (fid bigint PRIMARY KEY, {common})"
    yield (
        f'CREATE TABLE {quoted(past)} ("row" bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, fid bigint NOT NULL, '
        f"{common}, version_to bigint)"
    )
    yield from index_statements(layer).values()
    yield from (guard(layer.id), guard(past))
    yield from _comments(layer)


def _key(layer: Layer) -> str:
    return quoted(f"{layer.id}_pkey")


def index_statements(layer: Layer) -> dict[str, str]:
    """Return the statements that make the indexes of a layer's two tables, by the name of the index."""
    past = history_of(layer.id)
    names = {f"{past}_fid": "(fid)", f"{past}_id": "(id, valid_from)"}
    names |= {f"{past}_geom": " USING gist (geom)"} if layer.has_geometry else {}
    statements = {name: f"CREATE INDEX {quoted(name)} ON {quoted(past)}{columns}" for name, columns in names.items()}
    return statements | {_index_name(text): text for text in _indexes(layer)}


def _index_name(statement: str) -> str:
    return statement.partition("EXISTS ")[2].partition(" ON ")[0].strip('"')


def _indexes(layer: Layer) -> Iterator[str]:
    table = quoted(layer.id)
    yield f"CREATE UNIQUE INDEX IF NOT EXISTS {quoted(f'{layer.id}_id')} ON {table}(id)"
    if layer.zoom.pixels > 0:
        name = quoted(f"{layer.id}_min_zoom")
        yield f"CREATE INDEX IF NOT EXISTS {name} ON {table}(min_zoom) WHERE min_zoom < {_WIDE}"
    if layer.has_geometry:
        yield f"CREATE INDEX IF NOT EXISTS {quoted(f'{layer.id}_geom')} ON {table} USING gist (geom)"


def unindexed(connection: "psycopg.Connection[Any]", layer: Layer) -> None:
    """Take key and indexes of the current rows away for a bulk load; who looks into the table waits until it is committed."""
    names = ", ".join(quoted(f"{layer.id}_{name}") for name in ("id", "min_zoom", "geom"))
    execute(
        connection,
        f"ALTER TABLE {quoted(layer.id)} DROP CONSTRAINT IF EXISTS {_key(layer)}; DROP INDEX IF EXISTS {names}",
    )


def is_text(layer: Layer, name: str) -> bool:
    """Say whether a column holds texts, which may be longer than an index can hold."""
    field = layer.field_of(name)
    return (
        name in ("id", "valid_from", "valid_to", SEARCH_KEY, ATTRIBUTES)
        if field is None
        else _SQL_TYPE[field.type].startswith("text")
    )


def make_sort_index(connection: "psycopg.Connection[Any]", layer: Layer, index: SortIndex) -> None:
    """Make an index by which current rows are read in the order of a column, then of fid, while others read and write."""
    column = quoted(index.column)
    direction = "ASC NULLS FIRST" if index.ascending else "DESC NULLS LAST"
    condition = f" WHERE {SHORT.format(column)}" if is_text(layer, index.column) else ""
    execute(
        connection, f"DROP INDEX IF EXISTS {quoted(index.name)}"
    )  # one that was broken off is there and holds nothing
    execute(
        connection,
        f"CREATE INDEX CONCURRENTLY {quoted(index.name)} ON {quoted(index.layer)}({column} {direction}, fid){condition}",
    )
    if condition:
        name = quoted(f"{index.name}_long")
        execute(
            connection,
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {quoted(index.layer)}(fid) WHERE {LONG.format(column)}",
        )


def set_defaults(
    connection: "psycopg.Connection[Any]",
    layer: Layer,
    before: Mapping[str, str | int],
    after: Mapping[str, str | int],
) -> None:
    """Change what columns hold that a row says nothing of: for a bulk load, within its transaction."""
    dropped = [f"ALTER {quoted(name)} DROP DEFAULT" for name in before if name not in after]
    given = [f"ALTER {quoted(name)} SET DEFAULT {_literal(value)}" for name, value in after.items()]
    if dropped or given:
        execute(connection, f"ALTER TABLE {quoted(layer.id)} {', '.join((*dropped, *given))}")


def indexed(connection: "psycopg.Connection[Any]", layer: Layer) -> None:
    """Make key and indexes again that a bulk load took away, and let the planner know what every query asks for; the
    server looks at the other columns in its own time."""
    table = quoted(layer.id)
    asked = ("fid", "id", "valid_from", "valid_to", "min_zoom", *(("geom",) if layer.has_geometry else ()))
    key = f"ALTER TABLE {table} ADD CONSTRAINT {_key(layer)} PRIMARY KEY (fid)"
    execute(connection, ";\n".join((key, *_indexes(layer), f"ANALYZE {table} ({', '.join(asked)})")))


def guard_function() -> str:
    """Return what makes the function that every guard calls."""
    return _GUARD.format(refusal=_REFUSAL.replace("'", "''"))


def guarded_tables(layers: Iterable[Layer]) -> list[str]:
    """Return the tables into which nobody but the town writes."""
    shared = [f"twin_{table}" for table in (*_TABLES, "packed_part")]
    return [*shared, *(table for layer in layers for table in (layer.id, history_of(layer.id)))]


def guard(table: str) -> str:
    """Return the trigger that refuses writes from sessions that are not ours."""
    return (
        f"CREATE TRIGGER twin_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {quoted(table)} "
        "FOR EACH STATEMENT EXECUTE FUNCTION twin_guard()"
    )


def _comments(layer: Layer) -> Iterator[str]:
    titles = f"{layer.title('zh')} {layer.title('en')}"
    described = f"{titles}\n{layer.description('zh')} / {layer.description('en')}"
    yield f"COMMENT ON TABLE {quoted(layer.id)} IS {_literal(described)}"
    yield f"COMMENT ON TABLE {quoted(history_of(layer.id))} IS {_literal(f'{titles} · 历史 history')}"
    for field in layer.fields:
        yield _field_comment(layer.id, field)


def _field_comment(table: str, field: Field) -> str:
    unit = f" ({field.unit})" if field.unit else ""
    titles = f"{field.title('zh')} / {field.title('en')}{unit}"
    return f"COMMENT ON COLUMN {quoted(table)}.{quoted(field.name)} IS {_literal(titles)}"


def _literal(value: str | int) -> str:
    return sql.Literal(value).as_string(None)
