"""The PostGIS store as a whole: its logical tables (`twin_model/store/copying.py`) out and in, and its backups.

A backup is an archive of `pg_dump` with the town's schema; the programs are PostgreSQL's own, found on the path or
where Debian keeps them.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from twin_model.catalogue import Catalogue
from twin_model.errors import StoreError
from twin_model.layer import Layer
from twin_model.store.copying import columns_of, selection
from twin_model.store.postgis.flat_shapes import as_wkb
from twin_model.store.postgis.schema import guarded_tables, history_of, indexed, newest_version, unindexed
from twin_model.store.postgis.server import LONGEST_NAME, ServerAddress, connect, in_our_words
from twin_model.store.postgis.write import RowCopy
from twin_model.store.select import quoted

__all__ = ["backup", "dump", "empty", "load", "restore", "streamed"]

_ROWS = 20_000
_LIBRARIES = Path("/usr/lib/postgresql")

Connection = psycopg.Connection[Any]
PlainRows = list[tuple[Any, ...]]


def streamed(connection: Connection, text: str, parameters: tuple[Any, ...], rows: int) -> Iterator[PlainRows]:
    """Yield the rows of a statement in batches; neither side holds them all."""
    with connection.transaction(), connection.cursor("twin", binary=True) as cursor:
        cursor.itersize = rows
        cursor.execute(cast("sql.SQL", text), parameters or None)
        while batch := cursor.fetchmany(rows):
            yield batch


def dump(connection: Connection, catalogue: Catalogue, table: str) -> Iterator[PlainRows]:
    """Yield the rows of a logical table in batches."""
    yield from streamed(connection, selection(catalogue, table, _place, _shown), (), _ROWS)


def _place(table: str) -> str:
    """Return the table, or the view, a logical one lies in."""
    kind, _, name = table.partition(":")
    if name:
        return quoted(name if kind == "now" else history_of(name))
    return "twin_parts" if table == "part" else f"twin_{table}"


def _shown(layer: Layer, column: str) -> str:
    """Return the expression of a column as the other store has it: geometry as ISO WKB, true and false as 1 and 0."""
    field = layer.column_of(column)
    if column == "geom":
        return as_wkb(layer, "geom")
    return f"{quoted(column)}::integer" if field is not None and field.type == "boolean" else quoted(column)


def empty(connection: Connection, catalogue: Catalogue) -> None:
    """Take every row out of a store but for what its layers are counted by, which `load` writes anew."""
    tables = guarded_tables([layer for layer in catalogue if layer.kind == "feature"])
    emptied = [quoted(table) for table in tables if table not in ("twin_meta", "twin_layer")]
    connection.execute(cast("sql.SQL", f"TRUNCATE {', '.join(emptied)}"))


def load(connection: Connection, catalogue: Catalogue, table: str, batches: Iterator[PlainRows], crs: str) -> None:
    """Put the rows of a logical table into an empty store."""
    columns = columns_of(catalogue, table)
    if ":" in table:
        kind, name = table.split(":", 1)
        _load_rows(connection, catalogue[name], columns, batches, crs, past=kind == "history")
        return
    if table == "layer":
        text = "UPDATE twin_layer SET (next_fid, features, version, next_planned, min_x, min_y, max_x, max_y) = (%s, %s, %s, %s, %s, %s, %s, %s) WHERE layer = %s"
        for batch in batches:
            with connection.cursor() as cursor:
                cursor.executemany(text, [(*row[1:], row[0]) for row in batch])
        return
    copied = f"COPY twin_{table} ({', '.join(columns)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(cast("sql.SQL", copied)) as copy:
        for batch in batches:
            for row in batch:
                copy.write_row(row)


def _load_rows(
    connection: Connection,
    layer: Layer,
    columns: tuple[str, ...],
    batches: Iterator[PlainRows],
    crs: str,
    *,
    past: bool,
) -> None:
    into = RowCopy(layer, crs, history_of(layer.id) if past else layer.id)
    if not past:
        unindexed(connection, layer)
    for batch in batches:
        into(connection, dict(zip(columns, map(list, zip(*batch, strict=True)), strict=True)))
    if not past:
        indexed(connection, layer)


# --- archives


def backup(address: ServerAddress, target: Path) -> None:
    """Write the schema as it is at one moment into an archive, while others read and write; the file appears whole."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _run(
            address,
            "pg_dump",
            "-Fc",
            "--no-owner",
            "--no-privileges",
            f"--schema={_pattern(address.schema)}",
            f"--file={part}",
        )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def restore(url: str, archive: Path, *, replace: bool = False) -> None:
    """Bring an archive back into the schema it was taken from, whole or not at all.

    A town that is there is refused unless `replace`: its schema is then kept under a name with the present time.
    """
    address = ServerAddress.read(url)
    listed = _run(address, "pg_restore", "--list", str(archive), offline=True)
    match = re.search(r"^\d+;.* SCHEMA - (.+?) \S+$", listed, re.MULTILINE)
    if match is None or match[1] != address.schema:
        raise StoreError(
            "store.other_schema", url=address.shown, found=match[1] if match else "-", expected=address.schema
        )
    with connect(address) as connection, in_our_words(address), connection.transaction():
        _make_way(connection, address, replace=replace)
    _run(
        address, "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", str(archive)
    )


def _make_way(connection: Connection, address: ServerAddress, *, replace: bool) -> None:
    """Leave no schema of the town's name: an empty one goes, one that holds a town is kept under another name."""
    held = newest_version(connection, address)
    if held is not None and not replace:
        raise StoreError("store.not_empty", url=address.shown, version=held)
    name = sql.Identifier(address.schema)
    if held is None:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {}").format(name))
        return
    moment = f"_{datetime.now(UTC):%Y%m%dT%H%M%S}"
    shortened = address.schema.encode()[: LONGEST_NAME - len(moment)].decode(errors="ignore")
    spare = sql.Identifier(f"{shortened}{moment}")
    connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(name, spare))


def _pattern(schema: str) -> str:
    """Return the pattern of pg_dump that means a schema and nothing else."""
    return '"' + schema.replace('"', '""') + '"'


def _run(address: ServerAddress, name: str, *arguments: str, offline: bool = False) -> str:
    """Run one of PostgreSQL's programs, on the town's database unless `offline`, and return what it prints."""
    with _target(address) as target:
        command = [_program(name), *([] if offline else [f"--dbname={target}"]), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{name}: {done.returncode}"]
        raise StoreError("store.archive", program=name, cause=lines[0], url=address.shown)
    return done.stdout


@contextmanager
def _target(address: ServerAddress) -> Iterator[str]:
    """Yield what a program is told of the database; a password goes by a file, for others may see the command line."""
    known = {key: value for key, value in conninfo_to_dict(address.conninfo).items() if value is not None}
    secret = known.pop("password", None)
    if secret is None:
        yield make_conninfo("", **known)
        return
    with tempfile.NamedTemporaryFile("w", prefix="twin-", encoding="utf-8") as passwords:
        passwords.write("*:*:*:*:" + re.sub(r"([\\:])", r"\\\1", str(secret)) + "\n")
        passwords.flush()
        yield make_conninfo("", **known, passfile=passwords.name)


def _program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs, that of the newest version where the path has none."""
    folders = sorted(_LIBRARIES.glob("*/bin"), key=lambda folder: (len(folder.parent.name), folder.parent.name))
    programs = [str(folder / name) for folder in folders if (folder / name).is_file()]
    program = shutil.which(name) or (programs[-1] if programs else None)
    if program is None:
        raise StoreError("store.no_program", program=name)
    return program
