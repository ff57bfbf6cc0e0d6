"""From each earlier format of the GeoPackage store to the next: one function a number, run in one transaction.

Before the first of them the file is copied to `backups/`; a store that is newer than the program is refused.
PostGIS's own steps stand in `postgis_schema.py`.
"""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from twin_model.store.gpkg_schema import FORMAT

__all__ = ["STEPS", "backup_path", "migrate"]


def _scale_of_parts(connection: sqlite3.Connection) -> None:
    """1 -> 2: a part knows the map scale it was delivered in, so that one scale ends nothing of another."""
    connection.execute("ALTER TABLE vgpkg_twin_part ADD COLUMN series TEXT")
    connection.execute("UPDATE vgpkg_twin_part SET series = '', scope = coalesce(scope, '')")


STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _scale_of_parts}
"""Format a store has -> what brings it to the next."""


def backup_path(store: Path, found: int) -> Path:
    """Return where a store is copied before it is migrated."""
    return store.parent / "backups" / f"{store.stem}-format-{found}{store.suffix}"


def migrate(connection: sqlite3.Connection, found: int) -> None:
    """Bring a store from format `found` to that of this program, within an open transaction."""
    for number in range(found, FORMAT):
        STEPS[number](connection)
    connection.execute("UPDATE vgpkg_twin_meta SET value = ? WHERE key = 'format'", (str(FORMAT),))
