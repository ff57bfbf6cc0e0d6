"""A layer of a vector file and some of its rows, as GDAL gives them; how they are read stands in `ingest/vector/file.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.rows.packed_wkb import PackedWkb

__all__ = ["Batch", "SourceLayer"]


@dataclass(frozen=True)
class SourceLayer:
    """A layer as the file has it; `geometry` None is a table. `fields` are our spelling -> GDAL's, `about` what it says."""

    name: str
    geometry: str | None
    features: int
    crs: str | None
    fields: dict[str, str]
    address: str
    alone: bool = True
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_repeated_names(self) -> bool:
        """Whether two columns have one name for GDAL."""
        return len(set(self.fields.values())) < len(self.fields)

    @cached_property
    def names(self) -> dict[str, str]:
        """GDAL's name of each column -> our spelling."""
        return {gdal: ours for ours, gdal in self.fields.items()}


@dataclass(frozen=True)
class Batch:
    """Some rows of a layer: feature ids, WKB, columns, and which texts could not be read."""

    fids: NDArray[np.int64]
    wkb: PackedWkb
    columns: dict[str, NDArray[Any]]
    unread: dict[str, NDArray[np.bool_]]
    layer: str = ""

    def place(self, row: int) -> str:
        """Return where a row stands: GDAL's feature id, with the layer's name where the file has several."""
        return f"{self.layer} fid {self.fids[row]}".strip()

    def __len__(self) -> int:
        return len(self.fids)

    def take(self, rows: NDArray[np.intp]) -> "Batch":
        """Return some of the rows."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        unread = {name: wrong[rows] for name, wrong in self.unread.items()}
        wkb = PackedWkb.of(self.wkb.objects(rows))
        return Batch(self.fids[rows], wkb, columns, unread, self.layer)
