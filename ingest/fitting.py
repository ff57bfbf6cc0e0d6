"""Making a frame fit its layer: CRS, geometry type, repair, values, identity, validity, smallest zoom, content hash.

What is safe is repaired and said; what cannot be used is set aside with the record as it was read.
"""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ingest.coordinates import AS_THEY_ARE, Coordinates
from ingest.fitting_rows import FittingRows, raw_record
from ingest.geometry_repair import are_finite, give_type_of_layer, repair, single_parts
from ingest.place import Cause, TownPlace, causes_of, far_from_town, have_no_place, may_lie_elsewhere
from ingest.unplaced import Unplaced
from ingest.values import date_text, is_absent, rounded_rows, typed
from twin_model.catalogue import Catalogue
from twin_model.changeset import Rows
from twin_model.crs import CRS84, area_of_use, crs_code, transform_geometries, transform_xy
from twin_model.errors import QueryRefused
from twin_model.finding import Finding
from twin_model.layer import ATTRIBUTES, Field, Layer
from twin_model.relief.unlikely_heights import GROUND_LAYERS, unlikely_heights
from twin_model.rows.attributes import attributes_text
from twin_model.rows.columns import coded
from twin_model.rows.content import content_hashes
from twin_model.rows.coordinate_runs import CoordinateRuns, no_runs, valid_runs
from twin_model.rows.geometry import layer_wkb, min_zoom
from twin_model.rows.row_geometry import RowGeometry
from twin_model.temporal import parse_instant

__all__ = ["Fitted", "Fitting"]

_SPECIAL = ("place", "valid_from", "valid_precision", "id", "geometry")
_MOST_HEIGHTS = 100_000
"""So many heights of frames before are kept to compare others with."""


@dataclass
class Fitted:
    """Rows that fit, with what was noticed; `records` = rows taken in, `quarantined` = rows set aside."""

    rows: Rows
    findings: list[Finding]
    records: int
    quarantined: int


class Fitting:
    """Makes frames fit; keeps the ids already seen in this draft, and what was already said once per source."""

    def __init__(
        self,
        catalogue: Catalogue,
        storage_crs: str,
        zone: str,
        *,
        source: str = "",
        coordinates: Coordinates = AS_THEY_ARE,
        town: TownPlace | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._town = town or TownPlace(storage_crs)
        self.coordinates = coordinates
        self._unplaced = Unplaced(source)
        self._crs = storage_crs
        self._zone = zone
        self._seen: dict[str, set[str]] = {}
        self._said: set[str] = set()
        self._heights = np.empty((0, 3))

    def fit(self, layer: Layer, frame: gpd.GeoDataFrame, runs: CoordinateRuns | None = None) -> Fitted:
        """Return the rows that can be stored, in the storage CRS with the fields that the frame has, and findings.

        `runs` are the geometries of rows that have none in the frame, in its CRS.
        """
        unknown = set(frame.columns) - set(layer.field_names) - {*_SPECIAL, ATTRIBUTES}
        if unknown:
            raise ValueError(f"{layer.id} has no fields {sorted(unknown)}")
        work = self._work(layer, frame.reset_index(drop=True), runs if runs is not None else no_runs(layer.dimension))
        self._fit_geometry(work)
        self._warn_outside(work)
        if layer.id in GROUND_LAYERS:
            self._report_heights(work)
        values = {field.name: self._values(work, field) for field in layer.fields if field.name in work.frame}
        if ATTRIBUTES in frame and frame[ATTRIBUTES].notna().any():
            values[ATTRIBUTES] = _attributes(frame[ATTRIBUTES].to_numpy(dtype=object))
        rows = self._rows(work, values)
        return Fitted(rows, work.findings, len(frame), len(frame) - int(work.keep.sum()))

    def _work(self, layer: Layer, frame: gpd.GeoDataFrame, runs: CoordinateRuns) -> FittingRows:
        """Return the rows of a frame with their coordinates read as they are meant."""
        geometry = np.array(frame.geometry.to_numpy(), dtype=object)
        if not self.coordinates.change_nothing:
            geometry[runs.rows], runs = runs.geometries(), no_runs(layer.dimension)
            geometry = self.coordinates.read(geometry)
        plain = valid_runs(runs, crs_code(frame.crs), self._crs)
        others = runs.take(~np.isin(runs.rows, plain.rows))
        geometry[others.rows] = others.geometries()
        return FittingRows(layer, frame, geometry, np.ones(len(frame), dtype=bool), crs_code(frame.crs), runs, plain)

    def _rows(self, work: FittingRows, values: dict[str, NDArray[Any]]) -> Rows:
        """Return the rows that stay, those of several parts split where the layer holds single geometries."""
        layer = work.layer
        ids = self._identity(work, values)
        valid_from, precision = self._validity(work, values)
        stored = np.flatnonzero(work.keep)
        geometry, origin = single_parts(layer, work.geometry[stored])
        chosen = stored[origin]
        runs = work.plain.restricted_to(chosen)
        columns = {name: column[chosen] for name, column in values.items()}
        bounds = shapely.bounds(geometry)
        bounds[runs.rows] = runs.bounds
        shapes = RowGeometry(layer_wkb(layer, geometry), runs, layer.is_multi)
        return Rows(
            ids=_numbered(ids[stored], origin),
            shapes=shapes,
            bounds=bounds,
            columns=columns,
            valid_from=valid_from[chosen],
            valid_precision=precision[chosen],
            min_zoom=min_zoom(layer, bounds, self._crs),
            content=content_hashes(layer, geometry, columns, runs),
        )

    def _fit_geometry(self, work: FittingRows) -> None:
        layer = work.layer
        if not layer.has_geometry:
            work.geometry = np.full(len(work.frame), None, dtype=object)
            return
        work.set_aside(
            "geometry.not_finite",
            ~are_finite(work.geometry),
            geometry=lambda r: shapely.to_wkt(work.geometry[r])[:120],
        )
        work.geometry[shapely.is_empty(work.geometry)] = None
        self._set_aside_unplaced(work)
        self._move(work)
        missing = shapely.is_missing(work.geometry) & work.keep
        missing[work.plain.rows] = False
        if not layer.geometry_optional:
            work.report("geometry.missing", np.flatnonzero(missing).tolist())
        repair(work)
        give_type_of_layer(work)

    def _set_aside_unplaced(self, work: FittingRows) -> None:
        """Set aside what is not where its CRS puts it; one finding a cause and source says so (`unplaced`)."""
        bounds = shapely.bounds(work.geometry)
        bounds[work.read.rows] = work.read.bounds
        rows = np.flatnonzero(work.keep & np.isfinite(bounds).all(axis=1))
        self._unplaced.total += len(rows)
        whole = np.r_[bounds[rows, :2].min(axis=0, initial=np.inf), bounds[rows, 2:].max(axis=0, initial=-np.inf)]
        if not len(rows) or not may_lie_elsewhere(whole, work.source_crs, self._town):
            return
        west, south, east, north = bounds[rows].T
        x, y = (west + east) / 2, (south + north) / 2
        causes = [None] * len(rows) if self.coordinates.anywhere else causes_of(x, y, work.source_crs, self._town)
        nowhere = have_no_place(west, south, work.source_crs) | have_no_place(east, north, work.source_crs)
        for n in np.flatnonzero(nowhere | np.array([cause is not None for cause in causes])).tolist():
            cause = causes[n] or Cause("geometry.outside_crs", work.source_crs)
            row = int(rows[n])
            self._unplaced.add(cause, work.layer.id, work.place(row), (x[n], y[n]), work.source_crs, work.record(row))
            work.keep[row] = False

    @property
    def unplaced(self) -> "Unplaced":
        return self._unplaced

    def _move(self, work: FittingRows) -> None:
        usable = np.flatnonzero(work.keep & ~shapely.is_missing(work.geometry))
        moved = transform_geometries(work.geometry[usable], work.source_crs, self._crs)
        before = work.geometry.copy()
        work.geometry[usable] = moved
        for row in usable[~are_finite(moved)].tolist():
            x, y = shapely.get_coordinates(before[row])[0].tolist()
            cause = Cause("geometry.outside_storage", self._crs)
            self._unplaced.add(
                cause,
                work.layer.id,
                work.place(row),
                (x, y),
                work.source_crs,
                raw_record(dict(work.frame.iloc[row])),
            )
            work.keep[row] = False
        work.moved = True

    def _warn_outside(self, work: FittingRows) -> None:
        """Say once per source that something lies outside the CRS's area of use or far from the town; it is stored."""
        area = area_of_use(self._crs)
        if "outside" in self._said or not work.keep.any():
            return
        bounds = shapely.bounds(work.geometry)
        bounds[work.plain.rows] = work.plain.bounds
        rows = np.flatnonzero(work.keep & np.isfinite(bounds).all(axis=1))
        whole = np.r_[bounds[rows, :2].min(axis=0, initial=np.inf), bounds[rows, 2:].max(axis=0, initial=-np.inf)]
        if not len(rows) or not may_lie_elsewhere(whole, self._crs, self._town):
            return
        x, y = (bounds[rows, :2] + bounds[rows, 2:]).T / 2
        far = np.flatnonzero(far_from_town(x, y, self._crs, self._town))
        if not len(far):
            return
        self._said.add("outside")
        lon, lat = transform_xy(x[far], y[far], self._crs, CRS84)
        first = int(far[0])
        values = {
            "count": len(far),
            "bounds": [round(float(degrees), 4) for degrees in (lon.min(), lat.min(), lon.max(), lat.max())],
            "crs": self._crs,
            "area": [round(v, 2) for v in area or (-180, -90, 180, 90)],
        }
        rule = "geometry.outside_area"
        if not far_from_town(x[far], y[far], self._crs, TownPlace(self._crs)).any():
            rule, values["town"] = "geometry.far_from_town", [round(v, 4) for v in self._town.box or ()]
        point = (float(x[first]), float(y[first]))
        place = work.place(int(rows[first]))
        work.findings.append(Finding(rule, "warning", layer=work.layer.id, place=place, point=point, values=values))

    def _report_heights(self, work: FittingRows) -> None:
        """Report heights that those around them, in this frame and those before, make unlikely; they are stored."""
        rows = np.flatnonzero(work.keep & ~shapely.is_missing(work.geometry) & shapely.has_z(work.geometry))
        around = unlikely_heights(work.geometry[rows], self._heights)
        likely = shapely.get_coordinates(work.geometry[rows[~around.unlikely]], include_z=True)
        self._heights = np.concatenate((self._heights, likely))[:: 1 + len(likely) // _MOST_HEIGHTS]
        numbered = dict(zip(rows.tolist(), range(len(rows)), strict=True))
        work.report(
            "geometry.height_unlikely",
            rows[around.unlikely].tolist(),
            "warning",
            height=lambda r: round(float(shapely.get_coordinates(work.geometry[r], include_z=True)[0, 2]), 3),
            lowest=lambda r: round(float(around.lowest[numbered[r]]), 2),
            highest=lambda r: round(float(around.highest[numbered[r]]), 2),
        )

    def _values(self, work: FittingRows, field: Field) -> NDArray[Any]:
        raw = work.frame[field.name].to_numpy()
        raw = raw if raw.dtype.kind in "fiub" else work.frame[field.name].to_numpy(dtype=object)
        column, wrong = typed(raw, field, self._zone)
        work.report(
            "value.unreadable",
            (r for r in wrong if work.keep[r]),
            "warning",
            field=lambda r: field.name,
            value=lambda r: str(raw[r])[:80],
            expected=lambda r: field.format.upper() or field.type,
        )
        self._report_rounded(work, field, [row for row in rounded_rows(raw, field) if work.keep[row]], raw)
        return column

    def _report_rounded(self, work: FittingRows, field: Field, rows: list[int], raw: NDArray[Any]) -> None:
        """Say once per column that whole numbers had more digits than a float holds, with the first of them."""
        if rows:
            work.report(
                "value.rounded",
                rows[:1],
                "warning",
                field=lambda r: field.name,
                value=lambda r: str(int(raw[r])),
                count=lambda r: len(rows),
            )

    def _identity(self, work: FittingRows, values: dict[str, NDArray[Any]]) -> NDArray[Any]:
        layer, ids = work.layer, np.full(len(work.frame), None, dtype=object)
        if layer.identity_field is None:
            return ids
        absent = ids.copy()
        own, *prefixes = (values.get(name, absent) for name in (layer.identity_field, *layer.prefix))
        seen = self._seen.setdefault(layer.id, set())
        duplicate = np.zeros(len(ids), dtype=bool)
        for row in np.flatnonzero(work.keep):
            if own[row] is None:
                continue
            ids[row] = ".".join(str(p[row]) for p in (*prefixes, own) if p[row] is not None)
            duplicate[row] = ids[row] in seen
            seen.add(ids[row])
        missing = np.array([value is None for value in ids]) & work.keep
        work.report(
            "identity.missing",
            np.flatnonzero(missing).tolist(),
            "warning",
            field=lambda r: layer.identity_field,
        )
        work.set_aside("identity.duplicate", duplicate, id=lambda r: ids[r], field=lambda r: layer.identity_field)
        return ids

    def _validity(self, work: FittingRows, values: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return instant and precision from the row's own `valid_from`, else the layer's date field, else None."""
        instants, precisions = (np.full(len(work.frame), None, dtype=object) for _ in range(2))
        given = work.frame["valid_from"].to_numpy(dtype=object) if "valid_from" in work.frame else None
        if given is None and work.layer.valid_from_field:
            given = work.frame.get(work.layer.valid_from_field)
            given = None if given is None else given.to_numpy(dtype=object)
        if given is None:
            return instants, precisions
        codes, distinct = coded(given)
        read = np.array([*(self._instant(value) for value in distinct), (None, None)], dtype=object)
        return read[codes, 0], read[codes, 1]

    def _instant(self, value: Any) -> tuple[str | None, str | None]:
        if is_absent(value):
            return None, None
        try:
            return parse_instant(date_text(value), self._zone)
        except QueryRefused:
            return None, None


def _numbered(ids: NDArray[Any], origin: NDArray[np.intp]) -> NDArray[Any]:
    """Return ids for split features: the first part keeps the id, the others add their number."""
    first = np.r_[True, np.diff(origin) > 0] if len(origin) else np.empty(0, dtype=bool)
    nth = np.arange(len(origin)) - np.maximum.accumulate(np.where(first, np.arange(len(origin)), 0))
    named = ids[origin]
    for row in np.flatnonzero(nth > 0):
        named[row] = None if named[row] is None else f"{named[row]}.{nth[row] + 1}"
    return named


def _attributes(column: NDArray[Any]) -> NDArray[Any]:
    """Return attributes as they are stored; a reader gives dicts, or texts that are so already.

    A column of texts has NaN where a row has none.
    """
    column = column.copy()
    column[np.asarray(pd.isna(column))] = None
    if not any(isinstance(value, dict) for value in column.tolist()):
        return column
    return np.array([*map(attributes_text, column.tolist()), None], dtype=object)[:-1]
