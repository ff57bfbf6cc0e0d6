"""Contours and spot heights of a CASS drawing: heights from the geometry, checked against labels and
interval."""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.dxf.cass_table import CassCode
from ingest.dxf.drawing import Columns, Drawing, chains
from ingest.dxf.record import Record, attributes_of
from ingest.number_text import NotANumber, read_number
from twin_model.layer import ATTRIBUTES
from twin_model.relief.unlikely_heights import unlikely_heights

__all__ = ["contour_interval", "deliver_contours", "deliver_spot_heights"]

Coded = Sequence[tuple[Record, CassCode]]
LABEL_TOLERANCE = 0.05
_LEVEL = 0.005
_INTERVALS = (10.0, 5.0, 2.5, 2.0, 1.0, 0.5, 0.25)
_MOST_SHARE = 0.9
_HALF_INTERVAL = "201103"


def deliver_contours(drawing: Drawing, coded: Coded, *, interval: float | None = None) -> None:
    """Store contours as lines at their elevation, and say which lie at 0, off the interval, or not level.

    Without a given `interval` it is the largest usual one that nine of ten contours obey.
    """
    if not coded:
        return
    records = [record for record, _ in coded]
    heights = _levels(drawing, records)
    interval = interval or contour_interval(heights)
    told_by_others = unlikely_heights(chains(records, with_z=True)).unlikely
    for record, height, is_told in zip(records, heights.tolist(), told_by_others.tolist(), strict=True):
        if is_told:
            continue  # the draft says so, with the heights around
        step = interval and (interval / 2.0 if record.code == _HALF_INTERVAL else interval)
        if height == 0.0:
            drawing.note("dxf.contour_at_zero", "warning", layer="contour", record=record, interval=interval)
        elif step and abs(height / step - round(height / step)) * step > _LEVEL:
            nearest = round(round(height / step) * step, 3)
            drawing.note(
                "dxf.contour_off_interval",
                "warning",
                layer="contour",
                record=record,
                elevation=height,
                interval=step,
                nearest=nearest,
            )
    columns: Columns = {
        "elevation": heights,
        "kind": [row.kind for _, row in coded],
        "code": [row.gb_code for _, row in coded],
        "place": [line.place for line in records],
        ATTRIBUTES: attributes_of(records),
    }
    drawing.add("contour", chains(records, with_z=True), columns)


def _levels(drawing: Drawing, records: list[Record]) -> NDArray[np.float64]:
    """Return the height of each contour, the median where its vertices differ (with a finding)."""
    heights = np.empty(len(records))
    for row, one in enumerate(records):
        z = one.xyz[:, 2]
        heights[row] = z[0]
        if np.ptp(z) > _LEVEL:
            heights[row] = np.median(z)
            drawing.note(
                "dxf.contour_not_level",
                "warning",
                layer="contour",
                record=one,
                lowest=float(z.min()),
                highest=float(z.max()),
                taken=float(heights[row]),
            )
    return np.round(heights, 4)


def contour_interval(heights: NDArray[np.float64]) -> float | None:
    """Return the largest usual interval that at least nine of ten contours obey; None with fewer than
    three heights."""
    known = heights[heights != 0.0]
    if len(np.unique(known)) < 3:
        return None
    for interval in _INTERVALS:
        steps = known / interval
        if (np.abs(steps - np.round(steps)) * interval <= _LEVEL).mean() >= _MOST_SHARE:
            return interval
    return None


def deliver_spot_heights(drawing: Drawing, coded: Coded) -> None:
    """Store spot heights at the Z of their point, and say where the label beside it says another height."""
    if not coded:
        return
    records = [record for record, _ in coded]
    xyz = np.concatenate([record.xyz for record in records])
    labels = np.array([_label(record) for record in records])
    off = np.flatnonzero(np.abs(labels - xyz[:, 2]) > LABEL_TOLERANCE + 1e-6)
    for row in off.tolist():
        drawing.note(
            "dxf.spot_height_label",
            "warning",
            layer="spot_height",
            record=records[row],
            label=float(labels[row]),
            elevation=round(float(xyz[row, 2]), 3),
            tolerance=LABEL_TOLERANCE,
        )
    columns: Columns = {
        "elevation": np.round(xyz[:, 2], 4),
        "code": [row.gb_code for _, row in coded],
        "place": [record.place for record in records],
        ATTRIBUTES: attributes_of(records),
    }
    drawing.add("spot_height", np.asarray(shapely.points(xyz), dtype=object), columns)


def _label(record: Record) -> float:
    """Return the height written beside a point, NaN where there is none."""
    for text in (record.attributes or {}).values():
        try:
            return float(read_number(text, unit="m"))
        except NotANumber:
            continue
    return float("nan")
