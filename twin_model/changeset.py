"""A changeset: what one source file or one edit brings, applied together; and the version that comes of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from twin_model.box import Box
from twin_model.catalogue import Catalogue
from twin_model.finding import Finding, lasting_values
from twin_model.layer import Layer
from twin_model.markup import panel, rows_table
from twin_model.rows.content import key_hashes, words_of
from twin_model.rows.row_geometry import RowGeometry
from twin_model.temporal import Instant

__all__ = ["Box", "Changeset", "Delivered", "Rows", "Scope", "ScopeKind", "Source", "Touched", "Version"]


@dataclass(frozen=True)
class Source:
    """A file as it was delivered: name, SHA-256 of its bytes (of all of them, for a shapefile), kind of reader.

    `identity` holds digests of what else decided what was read (mapping, code tables, options, reader), by name.
    """

    name: str
    sha256: str
    kind: str = ""
    crs: str = ""
    delivery: str = ""
    identity: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """Features of one layer ready to be stored, column by column; geometry is in the storage CRS.

    `ids` hold None where an id is to be found or minted; `valid_from` None where the changeset's instant holds; `columns`
    may lack fields of the layer: a new feature has no value there, one that an edit changes keeps its own.
    So it is with the keys of `attributes`: `attribute_names` are those of which the source says something in any row, a
    known feature keeps what it has under others; None says that rows have all their attributes;
    `bounds` (n, 4) are NaN without geometry; `content` are 16-byte hashes of what the features say.
    """

    ids: NDArray[Any]
    shapes: RowGeometry
    bounds: NDArray[np.float64]
    columns: Mapping[str, NDArray[Any]]
    valid_from: NDArray[Any]
    valid_precision: NDArray[Any]
    min_zoom: NDArray[np.int16]
    content: NDArray[Any]
    attribute_names: frozenset[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, chosen: NDArray[Any]) -> "Rows":
        """Return the rows of a mask or of row numbers."""
        return Rows(self.ids[chosen], self.shapes.take(chosen), self.bounds[chosen], {name: column[chosen] for name, column in self.columns.items()},
                    self.valid_from[chosen], self.valid_precision[chosen], self.min_zoom[chosen], self.content[chosen], self.attribute_names)  # fmt: skip

    @property
    def wkb(self) -> NDArray[Any]:
        """ISO WKB of the layer's type, None where there is no geometry."""
        return self.shapes.wkb

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
    words: NDArray[np.uint64] | None = None

    @property
    def contents(self) -> NDArray[np.uint64]:
        """The rows' content hashes (n, 2 words), without reading the rows where they are at hand."""
        return words_of(self.rows().content) if self.words is None else self.words

    @classmethod
    def of(cls, layer: str, rows: Rows) -> "Delivered":
        """Return rows that are in memory already."""
        return cls(layer, lambda: rows, len(rows))


ScopeKind = Literal["nothing", "seen", "sheet", "layer", "area"]


@dataclass(frozen=True)
class Scope:
    """What a delivery could have seen: of that alone it ends what it no longer has.

    `reach` "seen": inside `area`, the surveyed polygon (storage CRS), else near its own features; "sheet": what came
    under the same `name`; "layer": whole layers; "area": inside `area` whatever the source. `series` keeps map scales
    apart: a 1:2000 sheet ends nothing of a 1:1000 one.
    """

    reach: ScopeKind = "nothing"
    name: str = ""
    series: str = ""
    area: BaseGeometry | None = None


@dataclass(frozen=True)
class Changeset:
    """Who brings what, why, from which source, true since when. `blobs` yields (SHA-256, bytes).

    A delivery (`edit` False) is compared with what was delivered before; rows of an edit name their features by id.
    `terminated` are ids that end, `restored` fids that are to be as recorded at version `restored_to`. `base` is the
    version an edit was made on; None asks for no check. With `since_recorded` it is true since it is recorded, whatever
    `effective` says: who waited for the writer's place is not buried under who came first. `extent` is the box of what is
    delivered. A delivery by which more than a tenth of what it could have
    seen would vanish is refused unless `accept_removals`. A column that a delivery lacks keeps what is known, unless it is
    among `blank`. Layers of `follows_edits` were read with what was edited since (a model with the place
    it was given by hand): a row that says what holds on the day is no change. Rows of `exported` layers came out of a town: they
    name the features that they were, and so are found again where they have moved.
    """

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
    edit: bool = False
    scope: Scope = Scope()
    accept_removals: bool = False
    restored: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    restored_to: int = 0
    since_recorded: bool = False
    follows_edits: tuple[str, ...] = ()
    exported: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()
    extent: Box | None = None

    def deliveries(self, catalogue: Catalogue) -> tuple[Delivered, ...]:
        """Return what is delivered, findings among it: they are features of a layer like others, made rows once."""
        if not self.findings:
            return self.delivered
        findings = Delivered("finding", cache(lambda: finding_rows(catalogue["finding"], self)), len(self.findings))
        return (*self.delivered, findings)


def finding_rows(layer: Layer, changeset: Changeset) -> Rows:
    """Return a changeset's findings as rows of the `finding` layer.

    A finding's key is made of what it is about, so that the next delivery with the same fault finds it again, whatever
    its file, rows and handles are called (`twin_model/finding.py`).
    """
    source = changeset.source.name if changeset.source else ""
    records = [_finding_record(finding, source) for finding in changeset.findings]
    keys = _keys(changeset, source)
    points = np.array(
        [None if finding.point is None else shapely.Point(finding.point) for finding in changeset.findings],
        dtype=object,
    )
    columns = {name: np.array([record.get(name) for record in records], dtype=object) for name in layer.field_names}
    columns["finding_key"] = keys
    empty = np.full(len(points), None, dtype=object)
    return Rows(
        keys,
        RowGeometry.of(np.asarray(shapely.to_wkb(points, byte_order=1, flavor="iso"), dtype=object)),
        shapely.bounds(points),
        columns,
        empty,
        empty,
        np.full(len(points), layer.zoom.start, dtype=np.int16),
        key_hashes(keys),
    )


def _finding_record(finding: Finding, source: str) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "layer": finding.layer,
        "feature_id": finding.feature_id,
        "source": source,
        "place": finding.place or None,
        "details": orjson.dumps(dict(finding.values), default=str).decode(),
        "raw": None if finding.raw is None else orjson.dumps(dict(finding.raw), default=str).decode(),
        "status": "open",
    }


def _keys(changeset: Changeset, source: str) -> NDArray[Any]:
    """Return a key for each finding: its rule and a hash of its subject; of those about the same, a number too."""
    seen: Counter[str] = Counter()
    keys = np.empty(len(changeset.findings), dtype=object)
    for n, finding in enumerate(changeset.findings):
        subject = [
            finding.layer,
            finding.feature_id,
            _where(finding, changeset),
            lasting_values(finding.values, source),
        ]
        if finding.point is None and finding.feature_id is None and finding.raw is not None:
            subject.append(lasting_values(finding.raw, source))
        digest = blake2b(orjson.dumps(subject, default=str, option=orjson.OPT_SORT_KEYS), digest_size=6).hexdigest()
        key = f"{finding.rule}.{digest}"
        seen[key] += 1
        keys[n] = key if seen[key] == 1 else f"{key}.{seen[key]}"
    return keys


def _where(finding: Finding, changeset: Changeset) -> list[Any]:
    """Return a finding's point to 0.1 m; without one its sheet or file and where that lies, to 100 m."""
    if finding.point is None and finding.feature_id is not None:
        return []
    if finding.point is not None:
        return [round(value, 1) for value in finding.point]
    west, south, east, north = changeset.extent or (0.0, 0.0, 0.0, 0.0)
    return [changeset.scope.name, changeset.scope.series, round((west + east) / 200), round((south + north) / 200)]


@dataclass(frozen=True)
class Touched:
    """What a version changed in one layer: numbers and the box of old and new geometry.

    `kinds` counts what happened to a network (`plan.KINDS`), `kept_columns` are those that the delivery lacked, `others`
    counts what other projects or sources brought and the delivery, which could have seen it, lacked. Of a delivery that came
    late, `ended_since` counts what younger ones saw no more, `outlasting` what they do not show and nevertheless stands. These
    are there of a version that was just made.
    """

    inserted: int = 0
    updated: int = 0
    terminated: int = 0
    unchanged: int = 0
    box: Box | None = None
    kinds: Mapping[str, int] = field(default_factory=dict)
    kept_columns: tuple[str, ...] = ()
    others: int = 0
    outlasting: int = 0
    ended_since: int = 0

    @property
    def changed(self) -> int:
        return self.inserted + self.updated + self.terminated


@dataclass(frozen=True, repr=False)
class Version:
    """The numbered state after a changeset. `number` is that of the state before where nothing changed (`made` False)."""

    number: int
    recorded: Instant
    touched: Mapping[str, Touched]
    made: bool = True
    hash: str = ""

    def __repr__(self) -> str:
        if not self.made:
            return f"Version {self.number}: nothing changed, no new version 无变化，未产生新版本"
        changes = ", ".join(f"{layer} {_signed(touched)}" for layer, touched in self.touched.items())
        return f"Version {self.number}, recorded {self.recorded}: {changes}"

    def _repr_html_(self) -> str:
        """Return what the version changed as HTML, one row a layer, in both languages."""
        state = "" if self.made else " 无变化，未产生新版本 nothing changed, no new version"
        rows = [
            (layer, *(f"{number:,}" for number in (one.inserted, one.updated, one.terminated, one.unchanged)))
            for layer, one in self.touched.items()
        ]
        columns = ("图层 Layer", "新增 Inserted", "变更 Updated", "失效 Terminated", "不变 Unchanged")
        heading = f"版本 Version {self.number}{state}"
        return panel(heading, [("入库时间 Recorded", self.recorded)], below=rows_table(columns, rows) if rows else "")


def _signed(touched: Touched) -> str:
    """Return numbers with the signs of `twin history`: + inserted, ~ updated, - terminated; = is unchanged."""
    numbers = (touched.inserted, touched.updated, touched.terminated, touched.unchanged)
    return " ".join(f"{sign}{number}" for sign, number in zip("+~-=", numbers, strict=True) if number) or "="
