"""A report of findings: what was looked at, by whom and when, and every finding; and how it is written as JSON.

As CSV it is written by `findings.py`, as XLSX by `finding_form.py`, as HTML by `finding_page.py`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from numpy.typing import NDArray

from tiles.encodings.finding_rows import FindingRow

__all__ = ["FindingReport", "ReportHeading", "SourceLine", "report_json", "row_dict"]


@dataclass(frozen=True)
class ReportHeading:
    """What stands above the findings: texts in the language of the report, "" where not known."""

    project: str
    office: str
    crs: str
    heights: str
    inspector: str
    date: str


@dataclass(frozen=True)
class SourceLine:
    """One source that was looked at; `refusal` says why nothing of it was read, "" where it was."""

    source: str
    kind: str
    read: int
    stored: int
    quarantined: int
    refusal: str = ""


@dataclass(frozen=True)
class FindingReport:
    """Findings with their heading; `shapes` are geometries of what was read, in the storage CRS, for the map.

    `shapes_left_out` counts those that the map does not show; `marking` is the class of what the findings are about.
    """

    heading: ReportHeading
    rows: Sequence[FindingRow]
    lang: str
    sources: Sequence[SourceLine] = ()
    shapes: Sequence[NDArray[Any]] = field(default_factory=tuple)
    shapes_left_out: int = 0
    marking: str = ""


def row_dict(row: FindingRow) -> dict[str, Any]:
    """Return a finding as JSON tells it: `east` and `north` in metres of the storage CRS, None where it has no place."""
    east, north = row.point or (None, None)
    return {
        "rule": row.rule,
        "severity": row.severity,
        "class": row.error_class,
        "layer": row.layer or None,
        "source": row.source or None,
        "number": row.number or None,
        "place": row.place,
        "sheet": row.sheet or None,
        "east": None if east is None else round(east, 3),
        "north": None if north is None else round(north, 3),
        "text": row.text,
        "status": row.status,
    }


def report_json(report: FindingReport) -> dict[str, Any]:
    """Return the whole report for a JSON file."""
    return {
        "heading": asdict(report.heading),
        "sources": [asdict(source) for source in report.sources],
        "findings": [row_dict(row) for row in report.rows],
    }
