"""From each earlier format of the GeoPackage store to the next: one function a number, run in one transaction.

Before the first of them the file is copied to `backups/`; a store that is newer than the program is refused.
PostGIS's own steps stand in `postgis/migrations.py`.
"""

import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.layer import ATTRIBUTES, SEARCH_KEY
from twin_model.store.format_3 import reseal
from twin_model.store.former_fields import as_held
from twin_model.store.geopackage import copy as gpkg_copy
from twin_model.store.geopackage.schema import FORMAT, columns_held, history_of, keep_tolerance, srs_id
from twin_model.store.geopackage.write import GeoPackageTransaction
from twin_model.store.select import quoted

__all__ = ["STEPS", "backup_path", "migrate"]

Step = Callable[[sqlite3.Connection, Catalogue, str], None]


def _scale_of_parts(connection: sqlite3.Connection, catalogue: Catalogue, crs: str) -> None:
    """1 -> 2: a part knows the map scale it was delivered in, so that one scale ends nothing of another."""
    connection.execute("ALTER TABLE vgpkg_twin_part ADD COLUMN series TEXT")
    connection.execute("UPDATE vgpkg_twin_part SET series = '', scope = coalesce(scope, '')")


def _content_by_name(connection: sqlite3.Connection, catalogue: Catalogue, crs: str) -> None:
    """2 -> 3: what features say is hashed by the names of fields; room for attributes, search keys and origins."""
    connection.execute("ALTER TABLE vgpkg_twin_changeset ADD COLUMN rule INTEGER NOT NULL DEFAULT 1")
    connection.execute("ALTER TABLE vgpkg_twin_changeset ADD COLUMN identity TEXT")
    connection.execute("ALTER TABLE vgpkg_twin_link ADD COLUMN version_to INTEGER")
    connection.execute("ALTER TABLE vgpkg_twin_part ADD COLUMN first_content BLOB")
    connection.execute("UPDATE vgpkg_twin_part SET first_content = content")
    for (layer,) in connection.execute("SELECT layer FROM vgpkg_twin_layer").fetchall():
        for table in (layer, history_of(layer)):
            for column in (ATTRIBUTES, SEARCH_KEY):
                connection.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {column} TEXT")
    held = as_held(catalogue, columns_held(connection))
    for described in held:
        keep_tolerance(connection, described)
    dump = partial(gpkg_copy.dump, connection, held)
    reseal(dump, held, partial(_rehash, connection), GeoPackageTransaction(connection, held, srs_id(crs)))


def _rehash(
    connection: sqlite3.Connection,
    layer: str,
    fids: NDArray[np.int64],
    versions: NDArray[np.int64],
    contents: NDArray[np.uint64],
) -> None:
    connection.executemany(
        "UPDATE vgpkg_twin_part SET content = ? WHERE layer = ? AND fid = ? AND version_from = ?",
        (
            (words.tobytes(), layer, fid, version)
            for words, fid, version in zip(contents, fids.tolist(), versions.tolist(), strict=True)
        ),
    )


STEPS: Mapping[int, Step] = {1: _scale_of_parts, 2: _content_by_name}
"""Format a store has -> what brings it to the next, given the catalogue and the storage CRS."""


def backup_path(store: Path, number: int) -> Path:
    """Return where a store is copied before it is migrated."""
    return store.parent / "backups" / f"{store.stem}-format-{number}{store.suffix}"


def migrate(connection: sqlite3.Connection, stored: int, catalogue: Catalogue, crs: str) -> None:
    """Bring a store from format `stored` to that of this program, within an open transaction."""
    for number in range(stored, FORMAT):
        STEPS[number](connection, catalogue, crs)
    connection.execute("UPDATE vgpkg_twin_meta SET value = ? WHERE key = 'format'", (str(FORMAT),))
