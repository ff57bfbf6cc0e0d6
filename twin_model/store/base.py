"""What every store answers: a Protocol of few methods, and the query they all take. Both stores pass one contract test."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.changeset import Box, Changeset, Version
from twin_model.crs import CRS84
from twin_model.filter import Expression
from twin_model.view import View

__all__ = ["ChangesetRecord", "FeatureQuery", "Known", "SortKey", "Store", "Summary"]


@dataclass(frozen=True)
class SortKey:
    """One key of an order; NULLs come first ascending, last descending."""

    name: str
    ascending: bool = True


@dataclass(frozen=True)
class FeatureQuery:
    """What is asked of one layer.

    `bbox` is in the storage CRS, x, y; literal geometries of `where` are in `where_crs`, x, y. Without `sort` the order is that of `fid`; `after` continues behind the row
    with these sort values and fid. `max_zoom` keeps what is drawn at that zoom. `text` looks in ids and names.
    """

    layer: str
    view: View = field(default_factory=View)
    bbox: Box | None = None
    where: Expression | None = None
    where_crs: str = CRS84
    ids: tuple[str, ...] | None = None
    fids: tuple[int, ...] | None = None
    text: str | None = None
    sort: tuple[SortKey, ...] = ()
    limit: int | None = None
    after: tuple[Any, ...] | None = None
    fields: tuple[str, ...] | None = None
    geometry: bool = True
    max_zoom: int | None = None

    def with_(self, **changes: Any) -> "FeatureQuery":
        return replace(self, **changes)


@dataclass(frozen=True)
class Summary:
    """What a layer holds now: number of features and extent in the storage CRS (None when empty)."""

    features: int
    extent: Box | None


@dataclass(frozen=True)
class Known:
    """What the store already holds of a layer, for comparing a delivery: parallel arrays."""

    fids: NDArray[np.int64]
    ids: NDArray[Any]
    contents: NDArray[Any]


@dataclass(frozen=True)
class ChangesetRecord:
    """One line of the history: who brought what, why, when it was recorded and since when it is true."""

    number: int
    recorded: str
    effective: str
    author: str
    reason: str
    source: str
    sha256: str
    counts: Mapping[str, Any]
    hash: str


class Store(Protocol):
    """Keeps layers, versions and blobs. Many readers, writers one after the other; each commit whole or not at all."""

    @property
    def url(self) -> str: ...

    @property
    def crs(self) -> str: ...

    @property
    def catalogue(self) -> Catalogue: ...

    def version(self) -> int:
        """Return the number of the newest version; 0 before the first changeset."""
        ...

    def features(self, query: FeatureQuery) -> gpd.GeoDataFrame:
        """Return the features asked for: index `id`, columns fid, fields, valid_from, valid_to, version, geometry."""
        ...

    def frames(self, query: FeatureQuery, rows: int = 50_000) -> Iterator[gpd.GeoDataFrame]:
        """Yield the same in frames of at most `rows`."""
        ...

    def rows(self, query: FeatureQuery) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return columns and plain rows, geometry as WKB: for encoders that make no frame of them."""
        ...

    def count(self, query: FeatureQuery) -> int: ...

    def summary(self, layer: str, view: View | None = None) -> Summary: ...

    def known(self, layer: str, ids: NDArray[Any] | None = None) -> Known:
        """Return fid, id and content hash of the layer's current features (of these ids only, if given)."""
        ...

    def commit(self, changeset: Changeset, plan: Callable[["Store", Changeset], Any]) -> Version:
        """Write a changeset in one transaction; `plan` says for each delivered row what it is."""
        ...

    def changed_since(self, layer: str, bbox: Box | None) -> int:
        """Return the number of the last version that touched the layer within the box; 0 for none."""
        ...

    def next_boundary(self, layer: str, after: str) -> str | None:
        """Return the next instant after `after` at which something of the layer begins or ends, None for never."""
        ...

    def changesets(self, limit: int | None = None) -> list[ChangesetRecord]: ...

    def has_source(self, sha256: str) -> int | None:
        """Return the version that brought the source with this SHA-256, None if none did."""
        ...

    def recorded_at(self, instant: str) -> int:
        """Return the number of the version that was the newest at an instant."""
        ...

    def ensure_version(self, number: int) -> None:
        """Refuse a version number that does not exist."""
        ...

    def blob(self, digest: str) -> bytes: ...

    def blobs(self, digests: list[str]) -> dict[str, bytes]: ...

    def close(self) -> None: ...
