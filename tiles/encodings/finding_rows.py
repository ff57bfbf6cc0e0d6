"""A finding as a survey office reads it: numbered, placed on a sheet, with its class of error and what to do.

From findings of a check (`row_of`) or of the store (`rows_of_frame`). The tables and pages made of these rows are
written by `findings.py` (CSV), `finding_form.py` (XLSX) and `finding_page.py` (HTML).
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import orjson
import shapely

from twin_model.errors import TwinError
from twin_model.finding import Finding, Severity
from twin_model.messages import messages, render
from twin_model.messages.fragments import in_chinese
from twin_model.messages.values import title_of_layer
from twin_model.store.frames import records_of

__all__ = [
    "SEVERITIES",
    "FindingRow",
    "Sheets",
    "by_rule",
    "error_class",
    "refusal_row",
    "row_of",
    "rows_of_frame",
    "rule_title",
    "split_remedy",
]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""The worst first."""
_SENTENCE = {"zh": re.compile(r"(?<=[。；！？])"), "en": re.compile(r"(?<=[.;!?]) (?=[A-Z0-9{\-])")}


@dataclass(frozen=True)
class FindingRow:
    """One finding in words of a language; `point` is x, y (east, north) in the storage CRS, metres.

    `number` is the number of the point or feature where the finding names one, `sheet` that of the map sheet it lies on,
    `error_class` "A" to "D". What is not known is "".
    """

    rule: str
    severity: Severity
    error_class: str
    layer: str
    layer_title: str
    source: str
    number: str
    place: str
    sheet: str
    point: tuple[float, float] | None
    text: str
    status: str = "open"
    raw: str = ""


class Sheets:
    """The map sheets of a town, by which a place is told; without any there is no sheet number."""

    def __init__(self, frame: gpd.GeoDataFrame | None = None) -> None:
        known = frame is not None and len(frame) > 0
        self._numbers = frame["number"].to_numpy() if frame is not None and known else np.array([], dtype=object)
        self._tree = shapely.STRtree(frame.geometry.to_numpy() if frame is not None and known else [])

    def at(self, point: tuple[float, float] | None) -> str:
        """Return the number of the sheet at x, y; the first of those that overlap there."""
        if point is None or not len(self._numbers):
            return ""
        hits = np.sort(self._tree.query(shapely.Point(point), predicate="intersects"))
        return next((str(number) for number in self._numbers[hits] if number), "")


def row_of(
    finding: Finding,
    lang: str,
    *,
    source: str,
    sheets: Sheets | None = None,
    layer_name: Callable[[str], str] = str,
    status: str = "open",
) -> FindingRow:
    """Return a finding in words; `layer_name` returns how output names a layer."""
    layer = finding.layer or ""
    return FindingRow(
        finding.rule,
        finding.severity,
        error_class(finding.rule, finding.severity),
        layer,
        layer_name(layer) if layer else "",
        source,
        _number(finding),
        in_chinese(finding.place) if lang == "zh" else finding.place,
        _sheet(finding, sheets or Sheets()),
        finding.point,
        finding.text(lang),
        status,
        orjson.dumps(finding.raw, default=str).decode() if finding.raw is not None else "",
    )


def refusal_row(error: TwinError, lang: str, *, source: str) -> FindingRow:
    """Return the refusal of a whole source as a row of its own."""
    return FindingRow(
        error.rule_id,
        "error",
        error_class(error.rule_id, "refused"),
        "",
        "",
        source,
        "",
        "",
        "",
        None,
        error.text(lang),
    )


def rows_of_frame(
    frames: Iterable[gpd.GeoDataFrame],
    lang: str,
    sheets: Sheets | None = None,
    layer_name: Callable[[str], str] = title_of_layer,
) -> Iterator[FindingRow]:
    """Yield the rows of the layer `finding` of a store."""
    for frame in frames:
        for record, point in zip(records_of(frame), frame.geometry, strict=True):
            finding = Finding(
                record["rule"],
                record["severity"],
                layer=record["layer"],
                feature_id=record["feature_id"],
                place=record["place"] or "",
                point=None if point is None else (point.x, point.y),
                values=orjson.loads(record["details"] or "{}"),
                raw=orjson.loads(record["raw"]) if record["raw"] else None,
            )
            yield row_of(
                finding,
                lang,
                source=record["source"] or "",
                sheets=sheets,
                layer_name=layer_name,
                status=record["status"] or "open",
            )


def _number(finding: Finding) -> str:
    """Return the number a finding is about: of a point, of a line by its ends, of a feature."""
    values = finding.values
    if values.get("start") and values.get("end"):
        return f"{values['start']}—{values['end']}"
    for name in ("number", "id", "feature"):
        if isinstance(values.get(name), str | int) and values[name] != "":
            return str(values[name])
    return finding.feature_id or ""


def _sheet(finding: Finding, sheets: Sheets) -> str:
    sheet = finding.values.get("sheet")
    return sheet if isinstance(sheet, str) and sheet else sheets.at(finding.point)


@cache
def _classes() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((Path(__file__).parent / "error_classes.toml").read_text("utf-8"))


def error_class(rule: str, severity: str) -> str:
    """Return the class of an error, "A" (unusable) to "D" (slight), of a rule; "refused" is a severity here."""
    classes = _classes()
    if severity == "refused":
        return classes["severity"]["refused"]
    rules = classes["rules"]
    return rules.get(rule) or rules.get(rule.split(".")[0]) or classes["severity"][severity]


def by_rule(rows: Iterable[FindingRow]) -> list[list[FindingRow]]:
    """Return rows grouped by severity, rule and layer: the worst first, then the most frequent."""
    groups: dict[tuple[str, str, str], list[FindingRow]] = defaultdict(list)
    for row in rows:
        groups[row.severity, row.rule, row.layer].append(row)
    order = {severity: number for number, severity in enumerate(SEVERITIES)}
    return sorted(groups.values(), key=lambda group: (order[group[0].severity], -len(group), group[0].rule))


def rule_title(rule: str, lang: str) -> str:
    """Return the id of a rule, in Chinese behind what kind of check it is."""
    area = f"rule_area.{rule.split('.')[0]}"
    return f"{render(area, lang, {})}（{rule}）" if lang == "zh" and area in messages(lang) else rule


def split_remedy(text: str, lang: str) -> tuple[str, str]:
    """Return what a message says happened, and its last sentence, which says what to do; that is "" where it has one.

    >>> split_remedy("点 W3 与 W1 的点号重复。请为其中之一改号。", "zh")
    ('点 W3 与 W1 的点号重复。', '请为其中之一改号。')
    """
    sentences = [part for part in _SENTENCE.get(lang, _SENTENCE["en"]).split(text) if part.strip()]
    if len(sentences) < 2:
        return text, ""
    return ("" if lang == "zh" else " ").join(sentences[:-1]).strip(), sentences[-1].strip()
