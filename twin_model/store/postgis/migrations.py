"""From each earlier format of the PostGIS store to the next: one function a number, run in one transaction.

The GeoPackage store's own steps stand in `geopackage/migrations.py`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.layer import ATTRIBUTES, SEARCH_KEY
from twin_model.store.format_3 import reseal
from twin_model.store.former_fields import as_held
from twin_model.store.postgis import copy as postgis_copy
from twin_model.store.postgis.copy_queue import CopyQueue
from twin_model.store.postgis.parts import CREATE_VIEW, TOGETHER, WIDTH
from twin_model.store.postgis.schema import FORMAT, columns_held, execute, guard, history_of, keep_tolerance, pack_parts
from twin_model.store.postgis.server import ServerAddress
from twin_model.store.postgis.write import PostgisTransaction
from twin_model.store.select import quoted

__all__ = ["STEPS", "migrate"]

Connection = psycopg.Connection[Any]
Step = Callable[[Connection, Catalogue, str, ServerAddress], None]


def _packed_parts(connection: Connection, catalogue: Catalogue, crs: str, address: ServerAddress) -> None:
    """1 -> 2: parts of a first load are packed."""
    pack_parts(connection)


def _content_by_name(connection: Connection, catalogue: Catalogue, crs: str, address: ServerAddress) -> None:
    """2 -> 3: what features say is hashed by the names of fields; room for attributes, search keys and origins."""
    execute(
        connection,
        "ALTER TABLE twin_changeset ADD COLUMN rule integer NOT NULL DEFAULT 1, ADD COLUMN identity text;"
        "ALTER TABLE twin_link ADD COLUMN version_to bigint;"
        "ALTER TABLE twin_part ADD COLUMN first_content bytea;"
        "ALTER TABLE twin_packed_part ADD COLUMN IF NOT EXISTS first_contents bytea;"
        "UPDATE twin_part SET first_content = content; UPDATE twin_packed_part SET first_contents = contents;"
        f"DROP VIEW IF EXISTS twin_parts; {CREATE_VIEW}",
    )
    for (layer,) in connection.execute("SELECT layer FROM twin_layer").fetchall():
        for table in (layer, history_of(layer)):
            execute(
                connection,
                f"ALTER TABLE {quoted(table)} ADD COLUMN {ATTRIBUTES} text, ADD COLUMN {SEARCH_KEY} text",
            )
    held = as_held(catalogue, columns_held(connection, address.schema))
    for described in held:
        keep_tolerance(connection, described)
    dump = partial(postgis_copy.dump, connection, held)
    with CopyQueue(connection) as queue:
        reseal(dump, held, partial(_rehash, connection), PostgisTransaction(queue, held, crs))


def _rehash(
    connection: Connection,
    layer: str,
    fids: NDArray[np.int64],
    versions: NDArray[np.int64],
    contents: NDArray[np.uint64],
) -> None:
    known = {
        (fid, version): words.tobytes()
        for fid, version, words in zip(fids.tolist(), versions.tolist(), contents, strict=True)
    }
    connection.execute(
        "UPDATE twin_part p SET content = d.content FROM unnest(%s::bigint[], %s::bigint[], %b::bytea[]) AS d (fid, version, content) "
        "WHERE p.layer = %s AND p.fid = d.fid AND p.version_from = d.version",
        ([fid for fid, _ in known], [version for _, version in known], list(known.values()), layer),
    )
    packed = "SELECT pack, version_from, contents FROM twin_packed_part WHERE layer = %s"
    changed = [
        (pack, _packed_again(bytes(content), pack, version, known))
        for pack, version, content in connection.execute(packed, (layer,)).fetchall()
    ]
    connection.execute(
        "UPDATE twin_packed_part p SET contents = d.contents FROM unnest(%s::bigint[], %b::bytea[]) AS d (pack, contents) "
        "WHERE p.layer = %s AND p.pack = d.pack",
        ([pack for pack, _ in changed], [content for _, content in changed], layer),
    )


def _packed_again(content: bytes, pack: int, version: int, known: Mapping[tuple[int, int], bytes]) -> bytes:
    """Return a packed row with new hashes; a place that holds nothing stays so."""
    pieces = (content[start : start + WIDTH] for start in range(0, len(content), WIDTH))
    return b"".join(
        known.get((pack * TOGETHER + place, version), piece) if any(piece) else piece
        for place, piece in enumerate(pieces)
    )


STEPS: Mapping[int, Step] = {1: _packed_parts, 2: _content_by_name}
"""Format a store has -> what brings it to the next, given the catalogue, the storage CRS and the town's address."""


def migrate(connection: Connection, stored: int, catalogue: Catalogue, crs: str, address: ServerAddress) -> None:
    """Bring a store from format `stored` to that of this program, within an open transaction."""
    for number in range(stored, FORMAT):
        STEPS[number](connection, catalogue, crs, address)
    execute(connection, f"DROP TRIGGER IF EXISTS twin_guard ON twin_meta; {guard('twin_meta')}")
    connection.execute("UPDATE twin_meta SET value = %s WHERE key = 'format'", (str(FORMAT),))
