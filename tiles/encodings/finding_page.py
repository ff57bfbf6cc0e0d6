"""Findings as one offline page: what was looked at, a map of the findings over what was read, and the table of all.

The page loads nothing: style, script and drawing are inside. It prints on A4, column titles on every page.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from tiles.encodings.finding_report import FindingReport
from tiles.encodings.finding_rows import SEVERITIES, FindingRow, by_rule, rule_title, split_remedy
from twin_model.messages import render

__all__ = ["finding_map", "finding_page", "write_finding_page"]

_WIDTH, _HEIGHT, _MARGIN = 1000.0, 560.0, 24.0
_REACH, _LEAST_REACH = 3.0, 500.0
"""So many times the extent of what was read, and at least so many metres, a finding may lie beside it."""
_STYLE = """
body{font:14px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;margin:24px;color:#1a1a1a}
h1{font-size:22px;margin:0 0 4px}h2{font-size:16px;margin:20px 0 6px}
dl{display:flex;flex-wrap:wrap;gap:2px 24px;margin:0}dl div{display:flex;gap:6px}dt{color:#666;white-space:nowrap}dd{margin:0}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{border:1px solid #bbb;padding:3px 6px;text-align:left;vertical-align:top}
th{background:#f2f2f2}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{width:100%;height:auto;max-height:70vh;border:1px solid #bbb;background:#fafafa}
.read{fill:#90a4ae22;stroke:#78909c;stroke-width:.6}.dot{stroke:#fff;stroke-width:1}
.error{fill:#e53935}.warning{fill:#fb8c00}.info{fill:#1e88e5}
.filter{display:flex;flex-wrap:wrap;gap:4px 18px;margin:12px 0}td.s{white-space:nowrap}.key{display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:4px}
.key.error{background:#e53935}.key.warning{background:#fb8c00}.key.info{background:#1e88e5}
.off{display:none}.note{color:#666}:target{background:#fff3c4}
@media print{@page{size:A4 landscape;margin:12mm}body{margin:0;font-size:11px}.filter{display:none}thead{display:table-header-group}
tr{break-inside:avoid}svg{max-height:150mm}a{color:inherit;text-decoration:none}}
"""
_SCRIPT = """
const choose=()=>{const on=new Set([...document.querySelectorAll('input[name=severity]:checked')].map(e=>e.value));
const rule=document.querySelector('select[name=rule]').value;let shown=0;
document.querySelectorAll('[data-rule]').forEach(e=>{const hide=!on.has(e.dataset.severity)||(rule&&e.dataset.rule!==rule);
e.classList.toggle('off',hide);if(!hide&&e.tagName==='TR')shown++});document.getElementById('shown').textContent=shown};
document.querySelectorAll('input,select').forEach(e=>e.addEventListener('change',choose));
"""


def write_finding_page(report: FindingReport, path: Path) -> int:
    """Write the page and return how many findings it shows; the file appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(finding_page(report), "utf-8")
    part.replace(path)
    return len(report.rows)


def finding_page(report: FindingReport) -> str:
    """Return the page as HTML."""
    say = partial(render, lang=report.lang, values={})
    title = say("report.page_title")
    if report.heading.project:
        title = render("cli.pair", report.lang, {"name": title, "value": report.heading.project})
    language = "zh-CN" if report.lang == "zh" else "en"
    body = "\n".join(
        (
            f"<h1>{escape(title)}</h1>",
            _heading(report),
            f"<h2>{escape(say('report.sources_title'))}</h2>{_sources(report)}" if report.sources else "",
            f"<h2>{escape(say('report.map'))}</h2>{finding_map(report)}",
            f"<h2>{escape(say('report.rules'))}</h2>{_rules(report)}",
            f"<h2>{escape(say('report.findings'))} <span id=shown>{len(report.rows)}</span></h2>",
            _filters(report),
            _table(report),
        )
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{body}<script>{_SCRIPT}</script></body></html>"
    )


def _heading(report: FindingReport) -> str:
    names = ("office", "crs", "heights", "inspector", "date")
    values = [(name, getattr(report.heading, name)) for name in names]
    pairs = [(render(f"report.of_{name}", report.lang, {}), value) for name, value in values if value]
    return (
        "<dl>"
        + "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
        + "</dl>"
    )


def _header(keys: Sequence[str], lang: str) -> str:
    cells = "".join(f"<th>{escape(render(f'report.column_{key}', lang, {}))}</th>" for key in keys)
    return f"<thead><tr>{cells}</tr></thead>"


def _sources(report: FindingReport) -> str:
    rows = "".join(
        f"<tr><td>{escape(line.source)}</td><td>{escape(line.kind)}</td><td class=n>{line.read}</td>"
        f"<td class=n>{line.stored}</td><td class=n>{line.quarantined}</td><td>{escape(line.refusal)}</td></tr>"
        for line in report.sources
    )
    keys = ("source", "kind", "read", "stored", "set_aside", "refusal")
    return f"<table>{_header(keys, report.lang)}<tbody>{rows}</tbody></table>"


def _rules(report: FindingReport) -> str:
    rows = "".join(
        f"<tr><td class=s>{_severity(group[0], report.lang)}</td><td>{escape(rule_title(group[0].rule, report.lang))}</td>"
        f"<td>{escape(group[0].layer_title)}</td><td class=n>{len(group)}</td><td>{group[0].error_class}</td>"
        f"<td>{escape(split_remedy(group[0].text, report.lang)[1])}</td></tr>"
        for group in by_rule(report.rows)
    )
    keys = ("severity", "rule", "layer", "count", "class", "opinion")
    return f"<table>{_header(keys, report.lang)}<tbody>{rows}</tbody></table>"


def _severity(row: FindingRow, lang: str) -> str:
    return f'<span class="key {row.severity}"></span>{escape(render(f"cli.severity_{row.severity}", lang, {}))}'


def _filters(report: FindingReport) -> str:
    boxes = "".join(
        f'<label><input type=checkbox name=severity value={name} checked><span class="key {name}"></span>'
        f"{escape(render(f'cli.severity_{name}', report.lang, {}))}</label>"
        for name in SEVERITIES
    )
    options = "".join(
        f'<option value="{escape(rule)}">{escape(rule_title(rule, report.lang))}</option>'
        for rule in dict.fromkeys(group[0].rule for group in by_rule(report.rows))
    )
    everything = escape(render("report.all_rules", report.lang, {}))
    return f'<div class=filter>{boxes}<select name=rule><option value="">{everything}</option>{options}</select></div>'


def _table(report: FindingReport) -> str:
    keys = ("no", "severity", "rule", "source", "place", "number", "sheet", "x", "y", "problem", "class")
    rows = "".join(_row(number, row, report.lang) for number, row in enumerate(report.rows, 1))
    return f"<table>{_header(keys, report.lang)}<tbody>{rows}</tbody></table>"


def _row(number: int, row: FindingRow, lang: str) -> str:
    east, north = ("", "") if row.point is None else (f"{row.point[0]:.3f}", f"{row.point[1]:.3f}")
    texts = "".join(f"<td>{escape(text)}</td>" for text in (row.source, row.place, row.number, row.sheet))
    return (
        f'<tr id="f{number}" data-severity="{row.severity}" data-rule="{escape(row.rule)}"><td class=n>{number}</td>'
        f"<td class=s>{_severity(row, lang)}</td><td>{escape(rule_title(row.rule, lang))}</td>{texts}"
        f"<td class=n>{north}</td><td class=n>{east}</td><td>{escape(row.text)}</td><td>{row.error_class}</td></tr>"
    )


def finding_map(report: FindingReport) -> str:
    """Return the map as SVG, north up: what was read in grey, findings as dots that lead to their rows.

    A finding far from what was read is counted below the map instead of shrinking it.
    """
    placed = [(number, row, row.point) for number, row in enumerate(report.rows, 1) if row.point is not None]
    geometries = [array for array in report.shapes if len(array)]
    box = _extent(geometries, np.array([point for _, _, point in placed], dtype=np.float64).reshape(-1, 2))
    if box is None:
        return f"<p class=note>{escape(render('report.no_map', report.lang, {}))}</p>"
    scale = min((_WIDTH - 2 * _MARGIN) / (box[2] - box[0]), (_HEIGHT - 2 * _MARGIN) / (box[3] - box[1]))
    origin = np.array([box[0] - _MARGIN / scale, box[3] + _MARGIN / scale])
    inside = [dot for dot in placed if box[0] <= dot[2][0] <= box[2] and box[1] <= dot[2][1] <= box[3]]
    paths = "".join(_path(array, origin, scale) for array in geometries)
    dots = "".join(
        _dot(number, row, (np.array(point) - origin) * (scale, -scale), report.lang) for number, row, point in inside
    )
    height = (box[3] - box[1]) * scale + 2 * _MARGIN
    width = (box[2] - box[0]) * scale + 2 * _MARGIN
    values = {
        "outside": len(placed) - len(inside),
        "unplaced": len(report.rows) - len(placed),
        "left": report.shapes_left_out,
    }
    note = render("report.map_note", report.lang, values) if any(values.values()) else ""
    return (
        f'<svg viewBox="0 0 {width:.1f} {height:.1f}" role="img"><g class=read>{paths}</g><g>{dots}</g></svg>'
        f"<p class=note>{escape(note)}</p>"
    )


def _extent(
    geometries: Sequence[NDArray[Any]], points: NDArray[np.float64]
) -> tuple[float, float, float, float] | None:
    """Return the box of the map: that of what was read, and of findings near it; records set aside are not read."""
    corners = [shapely.bounds(array) for array in geometries]
    boxes = np.concatenate(corners) if corners else np.column_stack([points, points])
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(boxes):
        return None
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    reach = max(_REACH * float((high - low).max()), _LEAST_REACH)
    near = points[((points >= low - reach) & (points <= high + reach)).all(axis=1)]
    low, high = np.vstack([low, near]).min(axis=0), np.vstack([high, near]).max(axis=0)
    grow = np.maximum(10.0 - (high - low), 0.0) / 2  # a single point is a place of ten metres
    low, high = low - grow, high + grow
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _path(geometries: NDArray[Any], origin: NDArray[np.float64], scale: float) -> str:
    """Return geometries as one path, in pixels with one decimal; what is smaller than a pixel is simplified away."""
    flat = shapely.simplify(shapely.force_2d(geometries), 0.5 / scale, preserve_topology=False)
    marks = "".join(_marks(part, origin, scale) for part in _lines(flat))
    return f'<path d="{marks}"/>' if marks else ""


def _lines(geometries: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """Yield the coordinates of every line, ring and point."""
    parts = shapely.get_parts(shapely.get_parts(geometries[~shapely.is_missing(geometries)]))
    kinds = shapely.get_type_id(parts)
    rings = shapely.get_rings(parts[kinds == 3])
    for part in np.concatenate([parts[np.isin(kinds, (0, 1, 2))], rings]):
        yield shapely.get_coordinates(part)


def _marks(coordinates: NDArray[np.float64], origin: NDArray[np.float64], scale: float) -> str:
    if not len(coordinates) or not np.isfinite(coordinates).all():
        return ""
    pixels = (coordinates - origin) * (scale, -scale)
    if len(pixels) == 1:
        return f"M{pixels[0, 0] - 1:.1f} {pixels[0, 1]:.1f}h2"
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in pixels)


def _dot(number: int, row: FindingRow, at: NDArray[np.float64], lang: str) -> str:
    return (
        f'<a href="#f{number}"><circle class="dot {row.severity}" data-severity="{row.severity}" data-rule="{escape(row.rule)}" '
        f'cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="5"><title>{number}. {escape(row.text)}</title></circle></a>'
    )
