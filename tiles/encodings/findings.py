"""Findings as a table to send back to a survey office: what is wrong, where, and what to do, in its own language."""

import csv
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import orjson

from twin_model.catalogue import Catalogue
from twin_model.finding import Finding
from twin_model.messages import messages, render
from twin_model.messages.fragments import in_chinese
from twin_model.store.frames import records_of

__all__ = ["write_findings"]

_COLUMNS = ("severity", "rule", "layer", "source", "place", "message", "north", "east", "raw")


def write_findings(
    frames: Iterator[gpd.GeoDataFrame], path: Path, lang: str, catalogue: Catalogue | None = None
) -> int:
    """Write findings as CSV (UTF-8 with BOM, so that spreadsheets read Chinese) and return how many; the file appears
    whole. Coordinates are the town's, in a surveyor's order: X north, Y east. In Chinese, layers of the `catalogue` are
    named by their titles and places are told in words; the rule is an id in both languages."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part, count = path.with_name(f".{path.name}.part"), 0
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow([render(f"cli.csv_{name}", lang, {}) for name in _COLUMNS])
        for frame in frames:
            points = frame.geometry
            for row, point in zip(records_of(frame), points, strict=True):
                values = orjson.loads(row["details"] or "{}")
                finding = Finding(
                    row["rule"], row["severity"], layer=row["layer"], place=row["place"] or "", values=values
                )
                place = ("", "") if point is None else (f"{point.y:.3f}", f"{point.x:.3f}")
                severity = render(f"cli.severity_{row['severity']}", lang, {})
                layer = row["layer"]
                if catalogue is not None and layer in catalogue:
                    layer = catalogue[layer].name_in(lang)
                source_place = row["place"] or ""
                table.writerow(
                    [
                        severity,
                        _rule(row["rule"], lang),
                        layer,
                        _safe(row["source"]),
                        _safe(in_chinese(source_place) if lang == "zh" else source_place),
                        _safe(finding.text(lang)),
                        *place,
                        _safe(row["raw"]),
                    ]
                )
                count += 1
    part.replace(path)
    return count


def _rule(rule: str, lang: str) -> str:
    """Return the id of a rule, in Chinese behind what kind of check it is."""
    area = f"rule_area.{rule.split('.')[0]}"
    return f"{render(area, lang, {})}（{rule}）" if lang == "zh" and area in messages(lang) else rule


def _safe(text: str | None) -> str:
    """Return a text of the source that no spreadsheet takes for a formula; empty where there is none."""
    return "" if not text else f"'{text}" if text[0] in "=+-@\t\r" else text
