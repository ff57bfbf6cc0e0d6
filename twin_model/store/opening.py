"""Which store a location means: a `postgresql://` address is PostGIS, anything else a GeoPackage in the town's folder.

The PostGIS store comes in only where one is asked for: its driver takes a fifth of a second to load.
"""

import re
import tomllib
from functools import partial
from pathlib import Path

from twin_model.catalogue import Catalogue
from twin_model.errors import StoreError
from twin_model.store.base import Store
from twin_model.store.geopackage.store import GeoPackageStore

__all__ = ["copy_target", "create_store", "ensure_location", "open_store", "restore_store", "server_versions"]

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_POSTGIS = ("postgresql", "postgres", "postgis")


def create_store(
    location: str,
    catalogue: Catalogue,
    crs: str,
    *,
    folder: Path,
    zone: str = "Asia/Shanghai",
    unfinished: bool = False,
) -> Store:
    """Make an empty store; a path is meant from the town's folder. One that is `unfinished` no town opens."""
    ensure_location(location)
    if _SCHEME.match(location):
        from twin_model.store.postgis.store import PostgisStore

        return PostgisStore.create(location, catalogue, crs, zone=zone, unfinished=unfinished)
    path = folder / location
    path.parent.mkdir(parents=True, exist_ok=True)
    return GeoPackageStore.create(path, catalogue, crs, zone=zone, unfinished=unfinished)


def copy_target(location: str, catalogue: Catalogue, crs: str, *, folder: Path, zone: str = "Asia/Shanghai") -> Store:
    """Return the empty store that a copy goes into, or one in which a copy was stopped; any other is refused."""
    make = partial(create_store, location, catalogue, crs, folder=folder, zone=zone, unfinished=True)
    try:
        return make()
    except StoreError as error:
        if error.rule_id not in ("store.not_empty", "store.file_exists"):
            raise
        store = _stopped_copy(location, catalogue, folder=folder, zone=zone)
        if store is None:
            raise
    if _SCHEME.match(location):
        return store
    store.close()
    for suffix in ("", "-wal", "-shm"):
        (folder / f"{location}{suffix}").unlink(missing_ok=True)
    return make()


def _stopped_copy(location: str, catalogue: Catalogue, *, folder: Path, zone: str) -> Store | None:
    """Return the store at a location if a copy into it was stopped."""
    try:
        store = open_store(location, catalogue, folder=folder, zone=zone, unfinished=True)
    except StoreError:
        return None
    if store.is_unfinished:
        return store
    store.close()
    return None


def open_store(
    location: str, catalogue: Catalogue, *, folder: Path, zone: str = "Asia/Shanghai", unfinished: bool = False
) -> Store:
    """Return the store at a location; a path is meant from the town's folder. `unfinished` admits the target of a copy."""
    ensure_location(location)
    if _SCHEME.match(location):
        from twin_model.store.postgis.store import PostgisStore

        return PostgisStore(location, catalogue, zone=zone, unfinished=unfinished)
    return GeoPackageStore(folder / location, catalogue, zone=zone, unfinished=unfinished)


def restore_store(folder: Path, archive: Path, *, replace: bool = False) -> None:
    """Put what `Store.backup` wrote in the place that the folder's `town.toml` names, and use the archive up.

    A schema that holds a town already is refused unless `replace`: it is then kept under another name.
    """
    location = str(tomllib.loads((folder / "town.toml").read_text("utf-8")).get("store", "store.gpkg"))
    ensure_location(location)
    if _SCHEME.match(location):
        from twin_model.store.postgis.copy import restore

        restore(location, archive, replace=replace)
        archive.unlink()
    else:
        archive.replace(folder / location)


def server_versions(location: str) -> tuple[str, str] | None:
    """Return the versions of PostgreSQL and PostGIS at an address; None for a file."""
    if not _SCHEME.match(location):
        return None
    from twin_model.store.postgis.server import ServerAddress
    from twin_model.store.postgis.server import server_versions as versions

    return versions(ServerAddress.read(location))


def ensure_location(location: str) -> None:
    """Refuse an address of another kind than ours."""
    scheme = _SCHEME.match(location)
    if scheme is not None and scheme[1].lower() not in _POSTGIS:
        shown = re.sub(r"(?<=://)[^/]*@", "", location).partition("?")[0]  # neither account nor password
        raise StoreError("store.unsupported_url", url=shown)
