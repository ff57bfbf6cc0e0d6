"""A draft: what a reader produced, not yet stored. A spool on disk with its findings; memory does not grow with it.

Readers call `add`, `set_aside`, `decorate` and `report`; `twin_model.versioning` turns a draft into a changeset.
How a frame is made to fit its layer (CRS, geometry type, repair, values, identity) stands in `ingest/fitting.py`.

    with Draft(source, catalogue, storage_crs="EPSG:4548") as draft:
        read_vector(path, draft, options)
        version = commit(store, draft.to_changeset(...))
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import geopandas as gpd
import numpy as np
from shapely.geometry.base import BaseGeometry

from ingest.coordinates import AS_THEY_ARE, Coordinates
from ingest.encoding import ensure_encoding
from ingest.filled_columns import BlankColumns, FilledColumns
from ingest.fitting import Fitted, Fitting
from ingest.place import TownPlace
from ingest.spool import Spool, SpooledFrame
from twin_model.box import Box, joint_box
from twin_model.catalogue import Catalogue, layer_of
from twin_model.changeset import Changeset, Delivered, Rows, Scope, ScopeKind, Source
from twin_model.crs import crs_code, transform_geometries, transform_xy
from twin_model.delivery_identity import with_layers
from twin_model.errors import CrsRefused, SourceRefused
from twin_model.finding import Finding
from twin_model.layer import Layer
from twin_model.local_grid import LocalGrid
from twin_model.rows.coordinate_runs import CoordinateRuns
from twin_model.temporal import Instant, now

__all__ = ["FRAME_ROWS", "Draft", "ReadOptions", "named_first"]

FRAME_ROWS = 50_000
"""Frames are cut to this many rows, so that memory stays bounded whatever the size of the source."""

_MOST_NAMED = 30
"""So many columns or layers a finding names."""


@dataclass(frozen=True)
class ReadOptions:
    """What the caller says about a source: `kind` is a layer id or a kind of source, `crs` where the file has none,
    `storey_height` the town's, by which storeys become a height.

    `crs_wins`: `crs` holds even where the file states another. `grid` is the local grid whose target `crs` is, called
    `crs_name`. `placings` says how models were placed by hand, by key.
    """

    kind: str | None = None
    mapping: Any = None
    crs: str | None = None
    effective: Instant | None = None
    encoding: str | None = None
    storey_height: float = 3.0
    placings: Mapping[str, str] = field(default_factory=dict)
    crs_wins: bool = False
    grid: LocalGrid | None = None
    crs_name: str | None = None

    @property
    def text_encoding(self) -> str | None:
        """The encoding that the caller named, else the mapping under `[options]`; None where neither did."""
        named = self.mapping.options.get("encoding") if self.mapping else None
        return self.encoding or (ensure_encoding(str(named)) if named else None)


def named_first(names: Sequence[str]) -> list[str]:
    """Return as many names as a message can hold, "…" for the others."""
    return [*names[:_MOST_NAMED], *(["…"] if len(names) > _MOST_NAMED else [])]


@dataclass
class Counts:
    """read = stored + quarantined + decoration: every record of the source ends in exactly one of the three.

    `left_out` are the rows of layers that were not read at all; each of them has a finding."""

    read: int = 0
    stored: int = 0
    quarantined: int = 0
    decoration: int = 0
    left_out: int = 0
    features: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "stored": self.stored,
            "quarantined": self.quarantined,
            "decoration": self.decoration,
            **({"left_out": self.left_out} if self.left_out else {}),
            "features": dict(self.features),
        }


class Draft:
    """A spool of frames that fit their layers, in the storage CRS, with findings and quarantined records.

    A reader whose findings carry places before its first `add` sets `draft.crs` itself. `tick` is called with the number of records read since the last call; it shows progress and may raise to cancel.
    `ahead` is handed each layer's rows as they come (`twin_model.store.base.HeadStart.take`). `folder` is the draft's own.
    What has no date is true since `moment`, default now. A draft may be sent to another process: it leaves `tick`
    and `ahead` behind, and its spool where it is. `seconds` is what reading took. A reader names in `follows_edits` the layers it read with what was edited since,
    in `exported` those whose rows came out of a town and name their features.
    """

    def __init__(
        self, source: Source, catalogue: Catalogue, *, storage_crs: str, zone: str = "Asia/Shanghai",
        effective: Instant | None = None, coordinates: Coordinates = AS_THEY_ARE, town: TownPlace | None = None, folder: Path | None = None, tick: Callable[[int], None] = lambda n: None,
        ahead: Callable[[str, Rows, Callable[[], Instant], Scope], None] | None = None, moment: Instant | None = None,
    ) -> None:  # fmt: skip
        self.source = source
        self.catalogue = catalogue
        self.storage_crs = crs_code(storage_crs)
        self.zone = zone
        self.effective = effective
        self.surveyed: Instant | None = None
        self._moment = moment or now()
        self._sheet, self._scale = Path(source.name).stem, ""
        self._looked_at: BaseGeometry | None = None
        self._extent: Box | None = None
        self.counts = Counts()
        self.seconds = 0.0
        self.follows_edits: tuple[str, ...] = ()
        self.exported: tuple[str, ...] = ()
        self.crs: str | None = None
        self.details: dict[str, Any] = {}
        self._found: list[tuple[Finding, bool]] = []
        self._told_of: set[tuple[str, str]] = set()
        self._undated = 0
        self._tick: Callable[[int], None] | None = tick
        self._ahead = ahead
        self.coordinates = coordinates
        self.town = town or TownPlace(self.storage_crs)
        self._fitting = Fitting(
            catalogue, self.storage_crs, zone, source=source.name, coordinates=coordinates, town=self.town
        )
        self._spool = Spool(folder or Path(tempfile.mkdtemp(prefix="draft-")))
        self._spool.folder.mkdir(parents=True, exist_ok=True)
        self._columns: dict[str, FilledColumns] = {}
        self._blob_path = self._spool.folder / "blobs"
        self._blobs: dict[str, tuple[int, int]] = {}
        self.described: dict[str, dict[str, Any]] = {}
        """Tables of the catalogue that the commit brings: of layers that are new, or what known ones gain."""

    def __enter__(self) -> "Draft":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._spool.folder, ignore_errors=True)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_tick": None, "_ahead": None}

    def _advance(self, records: int) -> None:
        if self._tick is not None:
            self._tick(records)

    def describe(self, layer: Layer, table: dict[str, Any]) -> Layer:
        """Take in a layer of the town's own, new with its whole table or known with the fields it gains; before the first `add`.

        Its table and its rows come with the commit, so nothing is handed `ahead`.
        """
        if layer.id not in self.catalogue:
            self.described[layer.id] = table
        elif table or layer.dropped:
            self.described[layer.id] = {"fields": table}
            gained = layer_of(layer.id, {"geometry": layer.geometry, "fields": table}).fields
            others = tuple(each for each in layer.fields if each.name not in table)
            layer = replace(layer, fields=(*others, *gained), dropped=False)
        else:
            return layer
        self.catalogue = Catalogue({**self.catalogue.layers, layer.id: layer})
        return layer

    def add(
        self,
        layer_id: str,
        frame: gpd.GeoDataFrame,
        *,
        records: int | None = None,
        runs: CoordinateRuns | None = None,
    ) -> None:
        """Take in features of one layer, in the source's CRS (`frame.crs` must be set).

        Columns are field names of the layer; those missing are NULL. Optional: `attributes` (what no field takes, by the
        source's names: dicts, or texts of `ingest.leftovers`), `place` (row or handle, for findings;
        where it is a number, `frame.attrs["place"]` says of what: "fid {}") and `valid_from` (text). `records` says how many source records the frame was made of, default one a row.
        `runs` are the geometries of rows that have none in the frame.
        A row that cannot be stored goes to quarantine with a finding; a repaired one is stored with a finding.
        """
        if frame.crs is None:
            crs = self.storage_crs
            raise SourceRefused("source.no_crs", source=self.source.name, crs=crs, likely=[], evidence="", example=crs)
        self.crs = self.crs or crs_code(frame.crs)
        for start in range(0, len(frame), FRAME_ROWS):
            part = frame.iloc[start : start + FRAME_ROWS]
            self._add_part(layer_id, part, runs and runs.restricted_to(np.arange(start, start + len(part))))
        extra = (len(frame) if records is None else records) - len(frame)
        self.counts.read += extra
        self.counts.stored += extra
        self._advance(len(frame) + extra)

    def _add_part(self, layer_id: str, frame: gpd.GeoDataFrame, runs: CoordinateRuns | None) -> None:
        fitted: Fitted = self._fitting.fit(self.catalogue[layer_id], frame, runs)
        self._found.extend((one, True) for one in fitted.findings)
        self.counts.read += fitted.records
        self.counts.stored += fitted.records - fitted.quarantined
        self.counts.quarantined += fitted.quarantined
        self.counts.features[layer_id] += len(fitted.rows)
        self._undated += fitted.rows.valid_from.tolist().count(None)
        if len(fitted.rows):
            self._extent = joint_box(self._extent, fitted.rows.bounds)
            scope = self._scope()
            self._columns.setdefault(layer_id, FilledColumns()).add(fitted.rows)
            early = (
                not self.described and layer_id not in self.exported
            )  # ids of an export are looked at before they are used
            self._spool.add(layer_id, fitted.rows, self._true_since(), scope, early=early)
            if self._ahead is not None and early:
                self._ahead(layer_id, fitted.rows, self._true_since, scope)

    def _true_since(self) -> Instant:
        """Return since when what has no date of its own is true: what was said, else the moment of the draft."""
        return self.effective or self.surveyed or self._moment

    def set_aside(self, finding: Finding) -> None:
        """Quarantine one record: `finding.raw` is the record as it was read. Counts as read."""
        if finding.raw is None:
            raise ValueError("a record set aside needs its raw content")
        self.counts.read += 1
        self.counts.quarantined += 1
        self._found.append((finding, False))
        self._advance(1)

    def decorate(self, records: int) -> None:
        """Count records that are symbol decoration or otherwise no feature of their own."""
        self.counts.read += records
        self.counts.decoration += records
        self._advance(records)

    def report(self, finding: Finding) -> None:
        """Note a finding about data that is stored all the same."""
        self._found.append((finding, False))

    def leave_out(self, finding: Finding, rows: int) -> None:
        """Note that a layer of the source is not read, and how many rows it has; the finding's place is the layer's name."""
        self.counts.left_out += max(rows, 0)
        self.report(finding)

    def report_attributes(self, layer_id: str, names: Sequence[str], source_layer: str) -> None:
        """Say once for each source layer which of its columns stay in `attributes`."""
        if (layer_id, source_layer) in self._told_of:
            return
        self._told_of.add((layer_id, source_layer))
        count, shown = len(names), named_first(names)
        values = {"source": self.source.name, "source_layer": source_layer, "count": count, "names": shown}
        self.report(Finding("attributes.kept", "info", layer=layer_id, values=values))

    @property
    def findings(self) -> list[Finding]:
        """Everything noticed, with places in the storage CRS."""
        elsewhere = [one for one, in_storage in self._found if not in_storage]
        placed = iter(self._placed(elsewhere))
        noticed = [one if in_storage else next(placed) for one, in_storage in self._found]
        if self.coordinates.grid is not None:  # a record as read beside its place in the town would tell the parameters
            noticed = [replace(finding, point=None) if finding.raw is not None else finding for finding in noticed]
        return noticed + self._fitting.unplaced.findings

    def take_coordinates(self) -> Coordinates:
        """Return how a person says that numbers are meant to a reader that places what it reads by itself: frames that come now
        lie in the town as they are."""
        taken = self.coordinates
        self.coordinates = Coordinates(anywhere=taken.anywhere)
        self._fitting.coordinates = self.coordinates
        return taken

    def ensure_placed(self) -> None:
        """Refuse a source most of which is not where its CRS puts it: `SourceRefused` with the likely cause."""
        self._fitting.unplaced.ensure_few()

    def ensure_some_stored(self) -> None:
        """Refuse a source of which every row that was meant to be stored is set aside."""
        counts, aside = self.counts, (one for one in self.findings if one.raw is not None)
        first = next(aside, None) if counts.quarantined and not counts.stored else None
        if first is not None:
            values = {"source": self.source.name, "count": counts.quarantined, "place": first.place}
            raise SourceRefused("source.nothing_readable", **values)

    def _placed(self, findings: list[Finding]) -> list[Finding]:
        """Bring the places a reader named, in the source's CRS, to the storage CRS; one without a place there loses it."""
        points = np.array([one.point or (np.nan, np.nan) for one in findings], dtype=np.float64).reshape(-1, 2)
        try:
            east, north = self.coordinates.read_xy(points[:, 0].copy(), points[:, 1].copy())
            x, y = transform_xy(east, north, self.crs or self.storage_crs, self.storage_crs)
        except CrsRefused:
            x = y = np.full(len(findings), np.nan)
        usable = np.isfinite(x) & np.isfinite(y) & (self.crs is not None)
        return [replace(one, point=(float(x[n]), float(y[n])) if usable[n] else None) for n, one in enumerate(findings)]

    def covers(self, area: BaseGeometry | None, *, sheet: str, scale: int | None = None) -> None:
        """Say which sheet the source is and which ground it surveyed (in the source's CRS): what of it is gone, ends."""
        self._sheet, self._scale, self._looked_at = sheet, f"1:{scale}" if scale else "", area

    def _scope(self) -> Scope:
        area = self._looked_at
        if area is not None:
            meant = self.coordinates.read(np.array([area], dtype=object))
            area = transform_geometries(meant, self.crs or self.storage_crs, self.storage_crs)[0]
        return Scope("seen", self._sheet, self._scale, area)

    def keep_blob(self, digest: str, content: bytes) -> None:
        """Keep a content-addressed blob (a mesh) to be stored with the changeset; `digest` is its SHA-256 in hex."""
        if digest not in self._blobs:
            with self._blob_path.open("ab") as spool:
                self._blobs[digest] = spool.tell(), len(content)
                spool.write(content)

    def frames(self) -> Iterator[tuple[str, gpd.GeoDataFrame]]:
        """Yield layer id and frame in the order they were added, in the storage CRS; each is read from disk anew."""
        for frame in self._spool.frames:
            rows = frame.rows()
            empty = {name: np.full(len(rows), None, dtype=object) for name in self.catalogue[frame.layer].field_names}
            yield frame.layer, replace(rows, columns=empty | dict(rows.columns)).to_frame(self.storage_crs)

    def stored_blobs(self) -> Iterator[tuple[str, bytes]]:
        if not self._blobs:
            return
        with self._blob_path.open("rb") as spool:
            for digest, (start, length) in self._blobs.items():
                spool.seek(start)
                yield digest, spool.read(length)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(frame.layer for frame in self._spool.frames))

    def to_changeset(
        self,
        *,
        author: str,
        reason: str,
        details: Mapping[str, Any] | None = None,
        reach: ScopeKind = "seen",
        area: BaseGeometry | None = None,
        accept_removals: bool = False,
        blank: tuple[str, ...] = (),
    ) -> Changeset:
        """Return the changeset that would bring this draft in; it reads the spool, so commit before leaving the draft.

        `reach` says what the delivery could have seen and therefore ends (`changeset.Scope`); with "area", inside
        `area` in the storage CRS. Columns that the source lacks, or leaves empty throughout, say nothing; those of `blank`
        say that there is nothing: fields, `attributes.NAME`, a NAME that is no field of the layer, all `attributes`.
        """
        self.ensure_placed()
        self.ensure_some_stored()
        scope = self._scope()
        scope = replace(scope, reach=reach, area=area if reach == "area" else scope.area)
        effective = self._true_since()
        if self._undated and not (self.effective or self.surveyed):
            dated = self._undated < self.counts.features.total()
            values = {"source": self.source.name, "features": self._undated}
            self.report(Finding("vector.partly_undated" if dated else "time.assumed_today", "info", values=values))
        return Changeset(
            author=author,
            reason=reason,
            source=replace(self.source, identity=self._identity()),
            effective=effective,
            delivered=tuple(
                Delivered(
                    frame.layer,
                    partial(self._filled_rows, frame, blank),
                    len(frame.words),
                    frame.words,
                )
                for frame in self._spool.frames
            ),
            findings=tuple(self.findings),
            blobs=self.stored_blobs,
            counts=self.counts.to_dict() | self.details | dict(details or {}),
            scope=scope,
            accept_removals=accept_removals,
            follows_edits=self.follows_edits,
            exported=self.exported,
            extent=self._extent,
            blank=blank,
        )

    def _identity(self) -> dict[str, str]:
        """Return the source's identity with the layers that were used, and the names that found none."""
        layers = {*self.counts.features, *(finding.layer for finding, _ in self._found if finding.layer)}
        left_out = (
            finding.values["source_layer"] for finding, _ in self._found if finding.rule == "vector.layer_left_out"
        )
        return with_layers(self.source.identity, self.catalogue, sorted(layers), map(str, left_out))

    def _filled_rows(self, frame: SpooledFrame, blank: tuple[str, ...]) -> Rows:
        """Return rows of the spool with the columns that the source fills in, and empty ones of `blank`."""
        return self._columns[frame.layer].of(frame.rows(), BlankColumns.of(self.catalogue[frame.layer], blank))
