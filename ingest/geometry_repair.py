"""Geometries made valid and of the type that their layer holds; what was wrong is reported or set aside."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.fitting_rows import FittingRows, Geometries, Mask
from twin_model.layer import Layer

__all__ = ["are_finite", "give_type_of_layer", "repair", "single_parts"]

_LINEAR_RING, _POLYGON, _COLLECTION = 2, 3, 7
"""Type numbers of shapely."""


def are_finite(geometry: Geometries) -> Mask:
    """Return which geometries have only finite x, y (missing ones count as finite)."""
    coordinates, index = shapely.get_coordinates(geometry, return_index=True)
    bad = ~np.isfinite(coordinates).all(axis=1)
    finite = np.ones(len(geometry), dtype=bool)
    finite[index[bad]] = False
    return finite


def repair(work: FittingRows) -> None:
    """Make invalid areas valid, keep their polygons; say what was wrong. What leaves no polygon is set aside."""
    if work.layer.dimension < 1:
        return
    wrong = work.keep & ~shapely.is_missing(work.geometry) & ~shapely.is_valid(work.geometry)
    wrong &= (shapely.get_dimensions(work.geometry) == work.layer.dimension) | (
        shapely.get_type_id(work.geometry) == _COLLECTION
    )
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return
    reasons = dict(zip(rows.tolist(), shapely.is_valid_reason(work.geometry[rows]), strict=True))
    repaired = np.empty(len(rows), dtype=object)
    repaired[:] = [_of_dimension(shapely.make_valid(g), work.layer.dimension) for g in work.geometry[rows]]
    gone = np.zeros(len(work.keep), dtype=bool)
    gone[rows] = shapely.is_missing(repaired) | shapely.is_empty(repaired)
    rule = "geometry.beyond_repair" if work.layer.dimension == 2 else "vector.line_without_length"
    work.set_aside(rule, gone, reason=lambda r: reasons[r])
    good = ~gone[rows]
    work.geometry[rows[good]] = repaired[good]
    work.report("geometry.repaired", rows[good].tolist(), "warning", reason=lambda r: reasons[r])


def _of_dimension(geometry: Any, dimension: int) -> Any:
    """Return the parts of a geometry that have the wanted dimension, as one geometry, or None."""
    parts = _parts(geometry)
    wanted = parts[shapely.get_dimensions(parts) == dimension]
    if not len(wanted):
        return None
    if len(wanted) == 1:
        return wanted[0]
    return (shapely.multipoints, shapely.multilinestrings, shapely.union_all)[dimension](wanted)


def _parts(geometry: Any) -> Geometries:
    """Return the single geometries of a multi or a collection, however deeply it is nested; empty ones left out."""
    parts = np.asarray(shapely.get_parts(geometry), dtype=object)
    while (shapely.get_type_id(parts) > _POLYGON).any():
        parts = np.asarray(shapely.get_parts(parts), dtype=object)
    return np.asarray(parts[~shapely.is_empty(parts)], dtype=object)


def give_type_of_layer(work: FittingRows) -> None:
    """Give every geometry its layer's type: single or multi, Z kept or dropped; set aside another dimension."""
    layer = work.layer
    present = ~shapely.is_missing(work.geometry)
    _unpack_collections(work)
    dimensions = np.where(present, shapely.get_dimensions(work.geometry), layer.dimension)
    rings_as_lines = present & (shapely.get_type_id(work.geometry) == _LINEAR_RING)
    work.geometry[rings_as_lines] = (
        shapely.linestrings_from_rings(work.geometry[rings_as_lines])
        if hasattr(shapely, "linestrings_from_rings")
        else np.array([shapely.LineString(g.coords) for g in work.geometry[rings_as_lines]], dtype=object)
    )
    work.set_aside(
        "geometry.wrong_type",
        dimensions != layer.dimension,
        expected=lambda r: layer.geometry,
        found=lambda r: work.geometry[r].geom_type if work.geometry[r] is not None else "-",
    )
    rows = np.flatnonzero(present & work.keep)
    if not layer.has_z:
        high = rows[shapely.has_z(work.geometry[rows])]
        work.geometry[high] = shapely.force_2d(work.geometry[high])
    else:
        _drop_unknown_z(work, rows)


def _unpack_collections(work: FittingRows) -> None:
    """Take from each collection the parts its layer holds, report the others; one without such stays whole."""
    others: dict[int, list[str]] = {}
    for row in np.flatnonzero(work.keep & (shapely.get_type_id(work.geometry) == _COLLECTION)).tolist():
        parts = _parts(work.geometry[row])
        fitting = shapely.get_dimensions(parts) == work.layer.dimension
        if not fitting.any():
            continue
        work.geometry[row] = _of_dimension(work.geometry[row], work.layer.dimension)
        others |= {} if fitting.all() else {row: sorted({part.geom_type for part in parts[~fitting]})}
    work.report("vector.parts_left_out", others, found=lambda r: others[r], expected=lambda r: work.layer.geometry)


def _drop_unknown_z(work: FittingRows, rows: NDArray[np.intp]) -> None:
    """Make flat and report each geometry with a height that is not a number."""
    coordinates, index = shapely.get_coordinates(work.geometry[rows], include_z=True, return_index=True)
    bad = np.unique(index[~np.isfinite(coordinates[:, 2])])
    bad = bad[shapely.has_z(work.geometry[rows[bad]])]
    work.geometry[rows[bad]] = shapely.force_2d(work.geometry[rows[bad]])
    work.report("geometry.height_unknown", rows[bad].tolist(), "info")


def single_parts(layer: Layer, geometry: Geometries) -> tuple[Geometries, NDArray[np.intp]]:
    """Return the geometries of a layer of single ones with each part on its own, and from which row each comes."""
    rows = np.arange(len(geometry))
    if layer.is_multi or layer.dimension < 0 or not len(geometry) or not (shapely.get_type_id(geometry) >= 4).any():
        return geometry, rows
    parts, origin = shapely.get_parts(geometry, return_index=True)
    without = np.flatnonzero(shapely.is_missing(geometry))
    origin = np.concatenate((origin, without))
    parts = np.concatenate((parts, np.full(len(without), None, dtype=object)))
    order = np.argsort(origin, kind="stable")
    return parts[order], origin[order]
