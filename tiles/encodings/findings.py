"""Findings as a table to send back to a survey office: what is wrong, where, and what to do, in its own language."""

import csv
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import orjson

from twin_model.finding import Finding
from twin_model.store.frames import records_of

__all__ = ["write_findings"]

_HEADINGS = {
    "zh": ("严重程度", "规则", "图层", "来源文件", "位置", "说明", "X(北)", "Y(东)", "原始记录"),
    "en": ("severity", "rule", "layer", "source", "place", "message", "x north", "y east", "raw record"),
}
_SEVERITIES = {"zh": {"error": "错误", "warning": "警告", "info": "提示"}, "en": {}}


def write_findings(frames: Iterator[gpd.GeoDataFrame], path: Path, lang: str) -> int:
    """Write findings as CSV (UTF-8 with BOM, so that spreadsheets read Chinese) and return how many; the file appears
    whole. Coordinates are the town's, in a surveyor's order: X north, Y east."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part, count = path.with_name(f".{path.name}.part"), 0
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(_HEADINGS[lang])
        for frame in frames:
            points = frame.geometry
            for row, point in zip(records_of(frame), points, strict=True):
                values = orjson.loads(row["details"] or "{}")
                finding = Finding(
                    row["rule"], row["severity"], layer=row["layer"], place=row["place"] or "", values=values
                )
                place = ("", "") if point is None else (f"{point.y:.3f}", f"{point.x:.3f}")
                severity = _SEVERITIES[lang].get(row["severity"], row["severity"])
                table.writerow(
                    [
                        severity,
                        row["rule"],
                        row["layer"],
                        _safe(row["source"]),
                        _safe(row["place"]),
                        _safe(finding.text(lang)),
                        *place,
                        _safe(row["raw"]),
                    ]
                )
                count += 1
    part.replace(path)
    return count


def _safe(text: str | None) -> str:
    """Return a text of the source that no spreadsheet takes for a formula; empty where there is none."""
    return "" if text is None else f"'{text}" if text[:1] in "=+-@\t\r" else text
