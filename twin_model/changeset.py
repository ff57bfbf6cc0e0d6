"""A changeset: what one source file or one edit brings, applied together; and the version that comes of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd

from twin_model.finding import Finding
from twin_model.temporal import Instant

__all__ = ["Box", "Changeset", "Delivered", "Source", "Touched", "Version"]

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
class Delivered:
    """Features of one layer as a draft has them: `frame()` reads <= 50,000 rows in the storage CRS.

    Columns: `id` (or None, to be found or minted), the layer's fields, `valid_from`, `valid_precision`, `min_zoom`,
    `content` (16-byte hash), geometry.
    """

    layer: str
    frame: Callable[[], gpd.GeoDataFrame]


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
