"""From records to the draft: batches of one layer become frames, what is noticed gets its record and
place."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.draft import FRAME_ROWS, Draft
from ingest.dxf.record import Record
from twin_model.crs import crs_code
from twin_model.finding import Finding, Severity
from twin_model.layer import ATTRIBUTES

__all__ = ["Columns", "Drawing", "Geometries", "chains", "rings_to_polygons"]

Geometries = NDArray[Any]
Columns = Mapping[str, Any]
"""Values of one layer by field name, a list or an array each."""
MOST_KINDS = 30
CLOSING_GAP = 0.1


class Drawing:
    """One drawing on its way into a draft, in one CRS; `flush` at the end counts what was passed over."""

    def __init__(self, draft: Draft, crs: str) -> None:
        """`metres` per drawing unit is set by the reader once it is known; findings are placed in metres.

        An outline whose ends miss each other by no more than `closing_gap` metres is closed, with a finding.
        """
        self.draft = draft
        self.crs = draft.crs = crs_code(crs)
        self.metres = 1.0
        self.closing_gap = CLOSING_GAP
        self._passed_over: Counter[tuple[str, str]] = Counter()

    def add(self, layer: str, geometry: Geometries, columns: Columns, *, records: int | None = None) -> None:
        """Store rows of one layer; columns the layer has no field for are left out. `records` as in
        `Draft.add`."""
        if not len(geometry):
            return
        known = {*self.draft.catalogue[layer].field_names, "place", "valid_from", ATTRIBUTES}
        taken = {name: values for name, values in columns.items() if name in known}
        extra = 0 if records is None else records - len(geometry)
        for start in range(0, len(geometry), FRAME_ROWS):
            part = slice(start, start + FRAME_ROWS)
            rows = geometry[part]
            frame = gpd.GeoDataFrame(
                {name: values[part] for name, values in taken.items()},
                geometry=gpd.array.from_shapely(rows),
                crs=self.crs,
            )
            self.draft.add(layer, frame, records=len(rows) + (extra if start == 0 else 0))

    def note(
        self, rule: str, severity: Severity, *, layer: str | None = None, record: Record | None = None, **values: Any
    ) -> None:
        """Notice something about data that is stored all the same."""
        self.draft.report(self._finding(rule, severity, layer, record, values))

    def set_aside(self, rule: str, record: Record, *, layer: str | None = None, **values: Any) -> None:
        """Quarantine one record."""
        self.draft.set_aside(replace(self._finding(rule, "error", layer, record, values), raw=record.raw()))

    def pass_over(self, why: str, what: str, records: int = 1) -> None:
        """Count records as decoration and remember of which kind they were."""
        self._passed_over[why, what] += records

    def flush(self) -> None:
        """Hand decoration to the draft; one finding for each reason lists what was passed over."""
        self.draft.decorate(sum(self._passed_over.values()))
        for why in dict.fromkeys(why for why, _ in self._passed_over):
            counts = {what: n for (reason, what), n in self._passed_over.items() if reason == why}
            listed = [f"{what} ({n})" for what, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
            more = [f"+{len(listed) - MOST_KINDS}"] if len(listed) > MOST_KINDS else []
            values = {"count": sum(counts.values()), "kinds": listed[:MOST_KINDS] + more}
            self.draft.report(Finding(why, "info", values=values))
        self._passed_over.clear()

    def _finding(
        self, rule: str, severity: Severity, layer: str | None, record: Record | None, values: dict[str, Any]
    ) -> Finding:
        if record is None:
            return Finding(rule, severity, layer=layer, values=values)
        point = None
        if len(record.xyz) and math.isfinite(record.xyz[0, 0]) and math.isfinite(record.xyz[0, 1]):
            point = (float(record.xyz[0, 0]) * self.metres, float(record.xyz[0, 1]) * self.metres)
        return Finding(rule, severity, layer=layer, place=record.place, point=point, values=values)


def chains(records: Sequence[Record], *, with_z: bool = False) -> Geometries:
    """Return the vertices of records as LineStrings, in order; each needs at least two."""
    if not records:
        return np.empty(0, dtype=object)
    sizes = [len(record.xyz) for record in records]
    coordinates = np.concatenate([record.xyz for record in records])
    indices = np.repeat(np.arange(len(records)), sizes)
    return np.asarray(shapely.linestrings(coordinates[:, : 3 if with_z else 2], indices=indices), dtype=object)


def rings_to_polygons(records: Sequence[Record]) -> Geometries:
    """Return closed records as Polygons; of hatches inner rings are holes by the even-odd rule."""
    if not records:
        return np.empty(0, dtype=object)
    sizes = [len(record.xyz) for record in records]
    coordinates = np.concatenate([record.xyz for record in records])[:, :2]
    rings = shapely.linearrings(coordinates, indices=np.repeat(np.arange(len(records)), sizes))
    polygons = np.asarray(shapely.polygons(rings), dtype=object)
    for row, one in enumerate(records):
        if one.rings is not None and len(one.rings) > 1:
            polygons[row] = _even_odd([shapely.polygons(ring[:, :2]) for ring in one.rings])
    return polygons


def _even_odd(polygons: list[Any]) -> Any:
    area = shapely.make_valid(polygons[0])
    for polygon in polygons[1:]:
        area = shapely.symmetric_difference(area, shapely.make_valid(polygon))
    return area
