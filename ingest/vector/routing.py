"""Which rows of a source layer go by which entry of a mapping: the first whose geometry and `where` they fit."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.mapping import ALL_KINDS, LayerMapping
from ingest.vector.own_layers import dimensions_of
from ingest.vector.source_layer import Batch, SourceLayer
from twin_model.layer import Layer
from twin_model.rows.columns import coded

__all__ = ["Route", "routed"]


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

    def holds(self, dimensions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of them our layer can hold."""
        suiting = np.isin(dimensions, [self._ours.dimension, -1]) | (not self._ours.has_geometry)
        return self.names(dimensions) & suiting


def routed(batch: Batch, routes: Sequence[Route]) -> Iterator[tuple[int | None, Batch]]:
    """Yield the rows of a batch with the number of their route: each by the first whose geometry and `where` it fits.

    Rows that fit a route but for their geometry go to it, and are set aside there; rows that fit none come with None.
    """
    if len(routes) == 1 and routes[0].takes_all:
        yield 0, batch
        return
    dimensions = dimensions_of(batch)
    left = np.ones(len(batch), dtype=bool)
    of_shape = [(number, route.fits(batch) & route.holds(dimensions)) for number, route in enumerate(routes)]
    of_any = [(number, route.fits(batch) & route.names(dimensions)) for number, route in enumerate(routes)]
    for number, fitting in [*of_shape, *of_any, (None, left)]:
        rows = np.flatnonzero(left & fitting)
        left[rows] = False
        if len(rows):
            yield number, batch.take(rows)
