"""Moving a town with its whole history from one store to another, and proving that both are equal.

A store shows itself as logical tables, the same on both kinds of store: `dump` yields their rows, `load` fills an
empty store with them. Geometry passes as ISO WKB, instants as texts, so that equal towns have equal rows.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import geopandas as gpd
import numpy as np

from twin_model.catalogue import Catalogue
from twin_model.errors import StoreError
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.layer_writer import row_columns
from twin_model.temporal import Instant
from twin_model.view import View

__all__ = ["COPYING", "Equality", "columns_of", "compare", "copy_store", "selection", "tables_of"]

_COMMON = {
    "changeset": ("number", "recorded", "effective", "author", "reason", "source", "sha256", "kind", "delivery", "counts", "previous", "hash", "rule", "identity"),
    "change": ("version", "layer", "inserted", "updated", "terminated", "unchanged", "min_x", "min_y", "max_x", "max_y"),
    "touched": ("layer", "version", "minx", "miny", "maxx", "maxy"),
    "part": ("layer", "fid", "part", "content", "scope", "series", "version_from", "version_to", "first_content"),
    "alias": ("layer", "alias", "fid", "version"),
    "link": ("version", "kind", "layer", "from_fid", "to_fid", "version_to"),
    "blob": ("digest", "content"),
    "layer": ("layer", "next_fid", "features", "version", "next_planned", "min_x", "min_y", "max_x", "max_y"),
}  # fmt: skip
COPYING = "copying"
"""The key by which a store says that a copy into it is under way, or was stopped."""

_LOOKS = 20
"""So many random looks at the past are compared after a copy."""


def tables_of(catalogue: Catalogue) -> list[str]:
    """Return the names of a store's logical tables: what all layers share, then `now:LAYER` and `history:LAYER` of each."""
    layers = [layer.id for layer in catalogue if layer.kind == "feature"]
    return [*_COMMON, *(f"{kind}:{layer}" for layer in layers for kind in ("now", "history"))]


def columns_of(catalogue: Catalogue, table: str) -> tuple[str, ...]:
    """Return the columns of a logical table in the order its rows have them."""
    if table in _COMMON:
        return _COMMON[table]
    kind, layer = table.split(":", 1)
    return (*row_columns(catalogue[layer]), *(("version_to",) if kind == "history" else ()))


def selection(catalogue: Catalogue, table: str, place: Callable[[str], str], shown: Callable[[Layer, str], str]) -> str:
    """Return what asks a database for a logical table: `place` names the table it lies in, `shown` the expression of one
    of a layer's columns."""
    columns = columns_of(catalogue, table)
    if table in _COMMON:
        return f"SELECT {', '.join(columns)} FROM {place(table)}"
    layer = catalogue[table.partition(":")[2]]
    listed = ", ".join(shown(layer, column) for column in columns)
    return f"SELECT {listed} FROM {place(table)} ORDER BY fid, valid_from"


@dataclass(frozen=True)
class Equality:
    """What was found equal: rows by logical table, their hashes, and looks at random instants and versions."""

    rows: dict[str, int]
    hashes: dict[str, str]
    looks: int


def copy_store(source: Store, target: Store, tick: Callable[[str, int], None] = lambda table, rows: None) -> Equality:
    """Copy everything into an empty store and return the proof; a store that holds something already is refused.

    `tick` hears how many rows of which table have been copied and may raise to cancel: the target then stays empty. What
    a copy that was killed left in a target that `opening.copy_target` made is begun anew.
    """
    if target.version() and not target.is_unfinished:
        raise StoreError("store.not_empty", url=target.url, version=target.version())
    if source.crs != target.crs:
        raise StoreError("store.other_crs", url=target.url, found=target.crs, expected=source.crs)
    target.load((table, _ticked(source, table, tick)) for table in tables_of(source.catalogue))
    equality = compare(source, target)
    if target.is_unfinished:
        target.finish_copy()
    return equality


def _ticked(store: Store, table: str, tick: Callable[[str, int], None]) -> Iterator[list[tuple[Any, ...]]]:
    for batch in store.dump(table):
        tick(table, len(batch))
        yield batch


def compare(source: Store, target: Store) -> Equality:
    """Prove that two stores hold the same: counts and hashes of every table, and random looks at the past."""
    rows, hashes = {}, {}
    for table in tables_of(source.catalogue):
        ours, theirs = _digest(source, table), _digest(target, table)
        if ours != theirs:
            raise StoreError("store.copy_differs", table=table, found=theirs, expected=ours)
        rows[table], hashes[table] = ours
    return Equality(rows, hashes, _compare_looks(source, target))


def _digest(store: Store, table: str) -> tuple[int, str]:
    """Return number of rows and a hash of them that does not depend on their order."""
    count, total = 0, 0
    for batch in store.dump(table):
        count += len(batch)
        total += sum(
            int.from_bytes(blake2b(repr(_plain(row)).encode(), digest_size=16).digest(), "big") for row in batch
        )
    return count, f"{total % 2**128:032x}"


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row in which a whole number is the same whether a store keeps it as a double or not."""
    return tuple(
        int(v)
        if isinstance(v, float) and math.isfinite(v) and v.is_integer()
        else bytes(v)
        if isinstance(v, memoryview)
        else v
        for v in row
    )


def _compare_looks(source: Store, target: Store) -> int:
    rng, newest = np.random.default_rng(0), source.version()
    layers = [layer.id for layer in source.catalogue if source.summary(layer.id).features]
    instants = _instants(source)
    for _ in range(_LOOKS if layers and newest else 0):
        layer, recorded = str(rng.choice(layers)), int(rng.integers(1, newest + 1))
        view = View(str(rng.choice(instants)), recorded)
        ours, theirs = (store.features(FeatureQuery(layer, view=view, limit=2_000)) for store in (source, target))
        if not ours.drop(columns="geometry").equals(theirs.drop(columns="geometry")) or not _same_shapes(
            ours.geometry, theirs.geometry
        ):
            raise StoreError(
                "store.copy_differs",
                table=f"{layer} at {view.datetime}, version {recorded}",
                found=len(theirs),
                expected=len(ours),
            )
    return _LOOKS if layers and newest else 0


def _same_shapes(ours: gpd.GeoSeries, theirs: gpd.GeoSeries) -> bool:
    """Return whether geometries are the same one by one; nothing is the same as nothing."""
    return bool((ours.geom_equals_exact(theirs, 0.0) | (ours.isna() & theirs.isna())).all())


def _instants(store: Store) -> list[Instant]:
    changesets = store.changesets()
    return sorted({instant for changeset in changesets for instant in (changeset.effective, changeset.recorded)})
