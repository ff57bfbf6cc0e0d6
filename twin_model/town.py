"""A town: its folder, its settings in `town.toml`, its store. `open_town(path)` is how a notebook begins."""

import os
import warnings
from functools import partial
from pathlib import Path

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.crs import (
    crs_code,
    is_projected,
    title_of,
)
from twin_model.desk.asking import Asking
from twin_model.desk.measuring import Measuring
from twin_model.desk.model_places import ModelPlaces
from twin_model.desk.showing import Showing
from twin_model.desk.writing import Writing
from twin_model.errors import CrsRefused, TownExists
from twin_model.replacement import complete_replacement
from twin_model.store.opening import create_store, ensure_location, open_store
from twin_model.town_catalogue import (
    CatalogueWatch,
    complete_descriptions,
    fitted_to_store,
    read_town_catalogue,
)
from twin_model.town_settings import TOWN_FILE, TownSettings, read_settings, settings_text

__all__ = ["Town", "TownSettings", "init_town", "open_town"]


class Town(Asking, Measuring, ModelPlaces, Showing, Writing):
    """The town in a folder. Closes its store when left as a context.

    >>> with open_town("town") as town:
    ...     town.features("building", where="storeys > 10").index.tolist()
    ['building.2']
    """


def init_town(
    path: Path, *, name: str, crs: str, store: str = "store.gpkg", catalogue: Catalogue | None = None
) -> Town:
    """Make an empty town in a folder and return it; a folder that already holds one is refused."""
    complete_replacement(path)
    if (path / TOWN_FILE).exists():
        raise TownExists(path=str(path), name=read_settings(path).name("zh"))
    code = crs_code(crs)
    if not is_projected(code):
        raise CrsRefused("crs.not_projected", crs=code, title=title_of(code))
    ensure_location(store)
    catalogue = catalogue or read_catalogue(path / "catalogue")
    create_store(store, catalogue.of_kind("feature"), code, folder=path).close()
    for folder in ("catalogue", "mappings", "private", "sources", "cache", "backups"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    (path / "private").chmod(0o700)
    part = path / f".{TOWN_FILE}.{os.getpid()}"
    part.write_text(settings_text(name, code, store), "utf-8")
    if "@" in store:  # the address of a server may hold a password
        part.chmod(0o600)
    part.replace(path / TOWN_FILE)
    return open_town(path)


def open_town(path: str | Path = "town") -> Town:
    """Return the town in a folder; its store is opened, its catalogue read with the town's own tables laid over.

    A result whose table is no layer is left out, with a warning that names the file (`Town.left_out`).
    """
    town = open_quietly(path)
    for text in town.remarks("en"):
        warnings.warn(text, stacklevel=2)
    return town


def open_quietly(path: str | Path) -> Town:
    """Return the same town without warnings, for callers that show `Town.remarks` themselves."""
    folder = Path(path).expanduser()
    complete_replacement(folder)
    settings = read_settings(folder)
    watch = CatalogueWatch(folder / "catalogue")
    reading = read_town_catalogue(folder, settings)
    opened = partial(open_store, settings.store, folder=folder, zone=settings.timezone)
    store = fitted_to_store(reading, folder, opened)
    complete_descriptions(store, folder / "catalogue")
    return Town(folder, settings, reading.catalogue, store, reading.left_out, watch)
