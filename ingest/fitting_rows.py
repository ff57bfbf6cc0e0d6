"""The rows of one frame while they are made to fit their layer: which of them stay, and what was noticed of each.

What is done with them stands in `ingest/fitting.py` and `ingest/geometry_repair.py`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from ingest.values import is_absent
from twin_model.finding import Finding
from twin_model.layer import Layer
from twin_model.rows.coordinate_runs import CoordinateRuns

__all__ = ["FittingRows", "Geometries", "Mask", "raw_record"]

Geometries = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass
class FittingRows:
    """The rows of one frame while they are made to fit; `keep` marks those still to be stored.

    CoordinateRuns stand beside the frame as they were `read`; those that are `plain` need no fitting, the others
    join `geometry`.
    """

    layer: Layer
    frame: gpd.GeoDataFrame
    geometry: Geometries
    keep: Mask
    source_crs: str
    read: CoordinateRuns
    plain: CoordinateRuns
    findings: list[Finding] = field(default_factory=list)
    moved: bool = False

    def place(self, row: int) -> str:
        words, places = self._places
        return words.format(places[row])

    @cached_property
    def _places(self) -> tuple[str, list[Any]]:
        if "place" not in self.frame:
            return "row {}", self.frame.index.tolist()
        return str(self.frame.attrs.get("place", "{}")), self.frame["place"].tolist()

    def report(self, rule: str, rows: Iterable[int], severity: Any = "warning", **values: Callable[[int], Any]) -> None:
        for row in rows:
            self.findings.append(self._finding(rule, row, severity, {k: v(row) for k, v in values.items()}, raw=False))

    def set_aside(self, rule: str, mask: Mask, **values: Callable[[int], Any]) -> None:
        for row in np.flatnonzero(mask & self.keep):
            shown = {k: v(int(row)) for k, v in values.items()}
            self.findings.append(self._finding(rule, int(row), "error", shown, raw=True))
        self.keep &= ~mask

    def _finding(self, rule: str, row: int, severity: Any, values: dict[str, Any], *, raw: bool) -> Finding:
        shape = self.geometry[row] if self.geometry[row] is not None else self.plain.geometry(row)
        return Finding(
            rule,
            severity,
            layer=self.layer.id,
            place=self.place(row),
            point=_point(shape) if self.moved else None,
            values=values,
            raw=self.record(row) if raw else None,
        )

    def record(self, row: int) -> dict[str, Any]:
        record = dict(self.frame.iloc[row])
        if "geometry" in record and record["geometry"] is None:
            record["geometry"] = self.read.geometry(row)
        return raw_record(record)


def raw_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as it was read, as plain JSON values; geometry as WKT."""
    return {name: _raw_value(value) for name, value in record.items()}


def _raw_value(value: Any) -> Any:
    if hasattr(value, "wkt"):
        return value.wkt
    if is_absent(value):
        return None
    return value if isinstance(value, int | float | str | bool) else str(value)


def _point(geometry: Any) -> tuple[float, float] | None:
    if geometry is None or geometry.is_empty:
        return None
    point = (
        geometry.representative_point() if geometry.geom_type in {"Point", "LineString"} else geometry.envelope.centroid
    )
    return (point.x, point.y) if math.isfinite(point.x) and math.isfinite(point.y) else None
