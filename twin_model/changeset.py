"""A changeset: what one source file or one edit brings, applied together; and the version that comes of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.finding import Finding
from twin_model.temporal import Instant

__all__ = ["Box", "Changeset", "Delivered", "Rows", "Source", "Touched", "Version"]

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Source:
    """A file as it was delivered: name, SHA-256 of its bytes (of all of them, for a shapefile), kind of reader."""

    name: str
    sha256: str
    kind: str = ""
    crs: str = ""
    delivery: str = ""


@dataclass(frozen=True)
class Rows:
    """Features of one layer ready to be stored, column by column; geometry is ISO WKB in the storage CRS, or None.

    `ids` hold None where an id is to be found or minted; `valid_from` None where the changeset's instant holds;
    `bounds` (n, 4) are NaN without geometry; `content` are 16-byte hashes of what the features say.
    """

    ids: NDArray[Any]
    wkb: NDArray[Any]
    bounds: NDArray[np.float64]
    columns: Mapping[str, NDArray[Any]]
    valid_from: NDArray[Any]
    valid_precision: NDArray[Any]
    min_zoom: NDArray[np.int16]
    content: NDArray[Any]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, chosen: NDArray[Any]) -> "Rows":
        """Return the rows of a mask or of row numbers."""
        return Rows(self.ids[chosen], self.wkb[chosen], self.bounds[chosen], {name: column[chosen] for name, column in self.columns.items()},
                    self.valid_from[chosen], self.valid_precision[chosen], self.min_zoom[chosen], self.content[chosen])  # fmt: skip

    def geometry(self) -> NDArray[Any]:
        """Return shapely geometries, made anew from the WKB."""
        return np.asarray(shapely.from_wkb(self.wkb), dtype=object)

    def to_frame(self, crs: str) -> gpd.GeoDataFrame:
        """Return the rows as a frame with columns id, the layer's fields (None where unknown), valid_from,
        valid_precision, min_zoom, content."""
        content = {"id": self.ids, **{name: _nullable(column) for name, column in self.columns.items()}}
        content |= {
            "valid_from": self.valid_from,
            "valid_precision": self.valid_precision,
            "min_zoom": self.min_zoom,
            "content": self.content,
        }
        return gpd.GeoDataFrame(content, geometry=gpd.array.from_shapely(self.geometry()), crs=crs)


def _nullable(column: NDArray[Any]) -> NDArray[Any]:
    """Return a column of numbers as objects with None for NaN where some are unknown."""
    if column.dtype.kind != "f" or not np.isnan(column).any():
        return column
    values = column.astype(object)
    values[np.isnan(column)] = None
    return values


@dataclass(frozen=True)
class Delivered:
    """Features of one layer as a draft has them: `rows()` reads at most 50,000 of them from the spool, `count` of them."""

    layer: str
    rows: Callable[[], Rows]
    count: int


@dataclass(frozen=True)
class Changeset:
    """Who brings what, why, from which source, true since when. `blobs` yields (SHA-256, bytes)."""

    author: str
    reason: str
    effective: Instant
    delivered: tuple[Delivered, ...] = ()
    source: Source | None = None
    terminated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    blobs: Callable[[], Iterable[tuple[str, bytes]]] = tuple
    counts: Mapping[str, Any] = field(default_factory=dict)
    base: int | None = None


@dataclass(frozen=True)
class Touched:
    """What a version changed in one layer: numbers and the box of old and new geometry."""

    inserted: int = 0
    updated: int = 0
    terminated: int = 0
    unchanged: int = 0
    box: Box | None = None

    @property
    def changed(self) -> int:
        return self.inserted + self.updated + self.terminated


@dataclass(frozen=True)
class Version:
    """The numbered state after a changeset. `number` is that of the state before where nothing changed (`made` False)."""

    number: int
    recorded: Instant
    touched: Mapping[str, Touched]
    made: bool = True
    hash: str = ""
