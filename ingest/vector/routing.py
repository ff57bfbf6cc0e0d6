"""Which rows of a source layer go by which entry of a mapping: the first whose geometry and `where` they fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.mapping import ALL_KINDS, LayerMapping
from ingest.vector.geometry_parts import dimensions_of, mixed_collections
from ingest.vector.source_layer import Batch, SourceLayer
from twin_model.layer import Layer
from twin_model.rows.columns import coded
from twin_model.rows.packed_wkb import PackedWkb

__all__ = ["Route", "Routed", "routed"]


class Route:
    """Which rows an entry of a mapping takes for one of our layers."""

    def __init__(self, layer: SourceLayer, target: LayerMapping, ours: Layer) -> None:
        self._target, self._ours = target, ours
        self._where = target.where_columns(list(layer.fields))
        self._kinds = target.kinds_of(layer.name)

    @property
    def takes_all(self) -> bool:
        """Whether every row is read so."""
        return not self._target.where and self._kinds == ALL_KINDS

    def fits(self, batch: Batch) -> NDArray[np.bool_]:
        """Return which rows have the values that the entry wants."""
        fitting = np.ones(len(batch), dtype=bool)
        for wanted, column in ((wanted, self._where.get(wanted)) for wanted in self._target.where):
            values = batch.columns[column] if column is not None else np.full(len(batch), None, dtype=object)
            codes, distinct = coded(values)
            good = np.array(
                [*(self._target.wants(wanted, value) for value in distinct), self._target.wants(wanted, None)]
            )
            fitting &= good[codes]
        return fitting

    def names(self, dimensions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows are of a kind of geometry that the entry names; of no geometry all are."""
        return np.isin(dimensions, [*self._kinds, -1])

    def takes(self, dimension: int) -> bool:
        """Return whether the parts of that dimension of a collection go to our layer."""
        return bool(self.holds(np.array([dimension]))[0]) and self._ours.has_geometry

    def holds(self, dimensions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of them our layer can hold."""
        suiting = np.isin(dimensions, [self._ours.dimension, -1]) | (not self._ours.has_geometry)
        return self.names(dimensions) & suiting


@dataclass(frozen=True)
class Routed:
    """Rows of a batch that go by the route of a number (None: by none); `records` of them are the first of their row."""

    route: int | None
    batch: Batch
    records: int


def routed(batch: Batch, routes: Sequence[Route]) -> Iterator[Routed]:
    """Yield the rows of a batch with the number of their route: each by the first whose geometry and `where` it fits.

    Rows that fit a route but for their geometry go to it, and are set aside there; rows that fit none come with None.
    A collection comes once for each dimension that a route takes; parts that none takes stay with the first of these.
    """
    if len(routes) == 1 and routes[0].takes_all:
        yield Routed(0, batch, len(batch))
        return
    rows = len(batch)
    batch, dimensions = _with_parts(batch, routes)
    left = np.ones(len(batch), dtype=bool)
    of_shape = [(number, route.fits(batch) & route.holds(dimensions)) for number, route in enumerate(routes)]
    of_any = [(number, route.fits(batch) & route.names(dimensions)) for number, route in enumerate(routes)]
    for number, fitting in [*of_shape, *of_any, (None, left)]:
        chosen = np.flatnonzero(left & fitting)
        left[chosen] = False
        if len(chosen):
            yield Routed(number, batch.take(chosen), int((chosen < rows).sum()))


def _with_parts(batch: Batch, routes: Sequence[Route]) -> tuple[Batch, NDArray[np.int64]]:
    """Return a batch and the dimensions of its rows; parts of collections that other routes take are rows behind its own."""
    dimensions = dimensions_of(batch)
    collections = mixed_collections(batch)
    if not collections:
        return batch, dimensions
    fits = [route.fits(batch) for route in routes]
    rows, shapes = list(range(len(batch))), batch.wkb.objects(np.arange(len(batch)))
    added: list[tuple[int, int, bytes]] = []
    for row, parts in collections.items():
        taken = [
            each
            for each in parts
            if any(fit[row] and route.takes(each) for fit, route in zip(fits, routes, strict=True))
        ]
        if taken:
            dimensions[row] = taken[-1]
            shapes[row] = _wkb(*(parts[each] for each in parts if each not in taken[:-1]))
            added += [(row, each, _wkb(parts[each])) for each in taken[:-1]]
    wkb = np.array([*shapes, *(content for *_, content in added), None], dtype=object)[:-1]
    whole = batch.take(np.array([*rows, *(row for row, *_ in added)], dtype=np.intp))
    return replace(whole, wkb=PackedWkb.of(wkb)), np.append(dimensions, [each for _, each, _ in added]).astype(np.int64)


def _wkb(*parts: NDArray[np.object_]) -> bytes:
    return bytes(shapely.to_wkb(shapely.geometrycollections(np.concatenate(parts)), flavor="iso"))
