"""The catalogue of a town as its files say it: read, followed while others change them, added to by a commit.

A layer that a commit describes comes whole or not at all: its table and its rows in one transaction of the store, which
keeps there what the file is to say, then the file. What a kill left between the two is completed by whoever opens the town
next. Layers themselves are read in `twin_model/catalogue`, a layer is made of a frame in its `layer_from_frame.py`.
"""

import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.catalogue.layer_from_frame import ensure_writable, is_result_table, read_table, write_table
from twin_model.changeset import Changeset, Version
from twin_model.errors import CatalogueError, StoreError, TownWarning, TwinError
from twin_model.layer import Layer
from twin_model.plan import Progress, unwatched
from twin_model.store.base import Described, Store
from twin_model.store.former_fields import with_tolerances
from twin_model.town_settings import TownSettings, ensure_known_layers
from twin_model.versioning import commit

try:
    import fcntl
except ImportError:  # Windows has no such lock: there two commits of one layer at one moment may lose a field's title
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "CatalogueReading",
    "CatalogueWatch",
    "Description",
    "FollowedCatalogue",
    "commit_described",
    "complete_descriptions",
    "fitted_to_store",
    "read_town_catalogue",
]

_TICK = 3.0
"""For so many seconds after a change the files are listed at every look: a file system may know time to two seconds only."""

_LISTED_AGAIN = 1.0
"""After so many seconds the files are listed though their folder is as it was: an editor may write into one in place."""

_NONE = Catalogue({})
Listing = tuple[tuple[str, int, int, int], ...]
Taken = TypeVar("Taken")


class CatalogueWatch:
    """Says whether the files of a catalogue folder are those that were read; mostly one look at the folder (4 µs)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._modified, self._settled, self._listed = -1, 0.0, 0.0
        self.seen: Listing = ()
        self.has_changed()
        self.seen = self.listing()

    def listing(self) -> Listing:
        """Return name, instant, size and inode of each table; take it before the files are read."""
        try:
            with os.scandir(self._folder) as entries:
                tables = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".toml")]
        except OSError:
            return ()
        return tuple(sorted((name, state.st_mtime_ns, state.st_size, state.st_ino) for name, state in tables))

    def has_changed(self) -> bool:
        """Return whether a table was added, replaced, edited or removed since `seen`."""
        try:
            modified = self._folder.stat().st_mtime_ns
        except OSError:
            modified = 0
        present = time.monotonic()
        if modified != self._modified:
            self._modified, self._settled = modified, present + _TICK
        elif self._settled <= present < self._listed + _LISTED_AGAIN:
            return False
        self._listed = present
        return self.listing() != self.seen

    def changed_files(self, listing: Listing) -> list[str]:
        """Return the names of the files that differ between a listing and what was seen."""
        return sorted({entry[0] for entry in set(listing) ^ set(self.seen)})


@dataclass
class CatalogueReading:
    """What the files of a town say, and why which results among them were left out."""

    catalogue: Catalogue
    left_out: dict[str, CatalogueError] = field(default_factory=dict)

    def leave_out(self, layer: str, error: CatalogueError) -> None:
        """Go on without a layer."""
        self.left_out[layer] = error
        self.catalogue = Catalogue({name: each for name, each in self.catalogue.layers.items() if name != layer})

    def put_back(self, former: Catalogue) -> None:
        """Let layers that were left out be what they were before."""
        restored = {name: former.layers[name] for name in self.left_out if name in former}
        self.catalogue = Catalogue({**self.catalogue.layers, **restored})


def read_town_catalogue(folder: Path, settings: TownSettings) -> CatalogueReading:
    """Return the house's catalogue with the tables of a town's folder laid over it; a result that is no layer is left out."""
    left_out: dict[str, CatalogueError] = {}
    catalogue = read_catalogue(folder / "catalogue", left_out=left_out)
    ensure_known_layers(folder, settings, catalogue, left_out)
    return CatalogueReading(catalogue, left_out)


def fitted_to_store(
    reading: CatalogueReading, folder: Path, take: Callable[[Catalogue], Taken], former: Catalogue = _NONE
) -> Taken:
    """Return what a store says to the layers of features; a result that does not fit what is stored is left out.

    What was left out is as `former` knows it.
    """
    reading.put_back(former)
    while True:
        try:
            return take(reading.catalogue.of_kind("feature"))
        except CatalogueError as error:
            layer = str(error.values.get("layer"))
            if layer in reading.left_out or not is_result_table(folder / "catalogue" / f"{layer}.toml"):
                raise
            reading.leave_out(layer, error)
            reading.put_back(former)


class FollowedCatalogue:
    """The catalogue of an open town, kept as its files are: other threads, notebooks and services may add to them."""

    def __init__(
        self, folder: Path, settings: TownSettings, store: Store, reading: CatalogueReading, watch: CatalogueWatch
    ) -> None:
        self._folder, self._settings, self._store, self._watch = folder, settings, store, watch
        self._reading = _with_tolerances_of(store, reading)
        self._lock = threading.Lock()

    @property
    def catalogue(self) -> Catalogue:
        return self._reading.catalogue

    @property
    def left_out(self) -> dict[str, CatalogueError]:
        return self._reading.left_out

    def follow(self) -> None:
        """Take over what others have changed. What cannot be used is said by one warning; the town goes on as it was."""
        if not self._watch.has_changed():
            return
        with self._lock:
            listing = self._watch.listing()
            if listing != self._watch.seen:
                self._read_again(self._watch.changed_files(listing))
                self._watch.seen = listing

    def add(self, layer: Layer) -> None:
        """Know a layer that was just committed, whatever the other files say."""
        self.follow()
        with self._lock:
            known = self.catalogue.layers.get(layer.id)
            if known is not None and set(layer.field_names) <= set(known.field_names):
                return
            catalogue = Catalogue({**self.catalogue.layers, layer.id: layer})
            self._store.extend(catalogue.of_kind("feature"))
            self._reading = CatalogueReading(catalogue, self.left_out)

    def _read_again(self, files: list[str]) -> None:
        try:
            reading = read_town_catalogue(self._folder, self._settings)
            fitted_to_store(reading, self._folder, self._store.extend, self.catalogue)
        except StoreError:  # nothing is wrong with the files: the next look takes them over
            raise
        except (TwinError, OSError) as error:
            _warn(files, error)
            return
        for layer, cause in reading.left_out.items():
            if str(cause) != str(self.left_out.get(layer)):
                _warn([f"{layer}.toml"], cause)
        self._reading = _with_tolerances_of(self._store, reading)


def _with_tolerances_of(store: Store, reading: CatalogueReading) -> CatalogueReading:
    """Return a reading whose layers have the tolerances that what is stored of them was hashed with."""
    tolerances = {layer.id: layer.tolerance for layer in store.catalogue}
    return CatalogueReading(with_tolerances(reading.catalogue, tolerances), reading.left_out)


def _warn(files: list[str], error: Exception) -> None:
    warnings.warn(TownWarning("town_catalogue.not_followed", files=files, cause=error), stacklevel=6)


@dataclass(frozen=True)
class Description:
    """What the catalogue file of a layer is to say (`table`, as `layer_from_frame.table_of_frame` makes it).

    `gone` are fields that it no longer describes: `layer` has them still, because the changeset speaks of them.
    """

    layer: Layer
    table: dict[str, Any]
    gone: Collection[str] = ()

    def for_store(self) -> Described:
        """Return it as a store keeps it until the file is in place."""
        text = json.dumps({"table": self.table, "gone": sorted(self.gone)}, ensure_ascii=False)
        return Described(self.layer, text)


def commit_described(
    store: Store,
    folder: Path,
    descriptions: Sequence[Description],
    changeset: Changeset,
    progress: Progress = unwatched,
) -> Version:
    """Commit to layers that are new or have new fields, and return the version made; `folder` is the town's catalogue.

    `progress` is that of `versioning.commit`. Refused before anything is done where one of their files cannot be written; on
    any failure there is neither table nor column nor file.
    """
    for each in descriptions:
        path = folder / f"{each.layer.id}.toml"
        try:
            with _alone(folder):
                ensure_writable(path, each.layer.id, each.table)
        except OSError as error:
            values = {"layer": each.layer.id, "path": str(path), "cause": str(error)}
            raise CatalogueError("town_catalogue.not_writable", **values) from error
    described = [each.for_store() for each in descriptions]
    version = commit(store, changeset, described=described, progress=progress)
    for description, stored in zip(descriptions, described, strict=True):
        _place_and_forget(store, folder, description, stored, version.number)
    return version


def _place_and_forget(store: Store, folder: Path, description: Description, stored: Described, version: int) -> None:
    """Put the file of a committed layer in its place; where that fails, the next one to open the town does it."""
    layer, path = description.layer.id, folder / f"{description.layer.id}.toml"
    try:
        with _alone(folder):
            _place(path, layer, description.table, description.gone)
            with suppress(StoreError):  # a busy store: the next one to open the town finds the file in its place
                store.forget_description(layer, stored.table)
    except OSError as error:
        values = {"layer": layer, "version": version, "path": str(path), "cause": str(error)}
        warnings.warn(TownWarning("town_catalogue.not_placed", **values), stacklevel=5)


def complete_descriptions(store: Store, folder: Path) -> None:
    """Put the files in place that a commit was killed before: its rows are stored, its layer is to be found."""
    remnants = list(folder.glob(".*.part"))
    if not remnants and not store.descriptions():
        return
    with suppress(OSError, StoreError), _alone(folder):
        for remnant in folder.glob(".*.part"):
            remnant.unlink(missing_ok=True)
        for layer, text in store.descriptions().items():
            path, description = folder / f"{layer}.toml", json.loads(text)
            table, gone, placed = description["table"], set(description["gone"]), read_table(path, layer)
            is_placed = set(table["fields"]) <= set(placed.get("fields", ())) and not gone & set(placed["fields"])
            if not is_placed or placed.get("dropped") != table.get("dropped"):
                _place(path, layer, table, gone)
            store.forget_description(layer, text)


def _place(path: Path, layer: str, table: dict[str, Any], gone: Collection[str] = ()) -> None:
    """Write the file of a layer; fields that another commit has described meanwhile stay."""
    others = read_table(path, layer).get("fields", {})
    fields = table["fields"] | {
        name: said for name, said in others.items() if name not in table["fields"] and name not in gone
    }
    write_table(path, layer, table | {"fields": fields})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other threads and processes from writing into a catalogue folder."""
    folder.mkdir(parents=True, exist_ok=True)
    number = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            with suppress(OSError):  # a network's file system may have no locks for folders
                fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)
