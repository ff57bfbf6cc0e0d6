"""Pipe lines of a survey: from point to point, with section, heights at both ends and what the rules notice.

Rules L01-L04, L06, L07 of shared CJJ 61-2017 checkers. Geometry is the pipe's axis from point to point; where
an end's height is not known the line is stored flat, and where both points stand one above the other (a
riser) without geometry.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ingest.draft import Draft
from ingest.survey.depth_unit import ensure_depth_unit
from ingest.survey.heights import EndHeights, Limits, Told, heights_of_end, sources_of
from ingest.survey.leftover_cells import attributes_of_rows
from ingest.survey.points import PointPlaces
from ingest.survey.rows import (
    Floats,
    SurveyRows,
    Texts,
    add_by_table,
    first_place,
    joined_keys,
    numbers_of,
    status_codes,
)
from ingest.survey.section import read_section
from ingest.survey.vocabulary import PipeClass, Vocabulary
from twin_model.crs import is_projected, transform_xy
from twin_model.layer import ATTRIBUTES

__all__ = ["read_lines"]

_COPIED = ("start_no", "end_no", "pressure", "voltage", "owner", "road_name", "built", "surveyed", "note")
_NO_PLAN_LENGTH = 1e-6
_LEAST_METRES, _MOST_METRES = 0.05, 10.0
"""Sections between these, without a unit, look like metres."""


@dataclass(frozen=True)
class _Lines:
    """The usable rows with their two points: indices into the points, project of each, key, and depth
    references."""

    rows: SurveyRows
    points: PointPlaces
    a: NDArray[np.intp]
    b: NDArray[np.intp]
    project: Texts
    reference: Texts


def read_lines(rows: SurveyRows, points: PointPlaces, crs: str, vocabulary: Vocabulary) -> None:
    """Store the usable lines in the draft; a line without two known, different points is set aside with its
    cause."""
    if not len(rows.frame):
        return
    lines = _located(rows, points, vocabulary)
    _set_aside_repeated(lines)
    if not rows.keep.any():
        return
    heights = _heights(lines, vocabulary)
    frame = _frame(lines, heights, crs, vocabulary)
    kept_rows = np.flatnonzero(rows.keep)
    add_by_table(rows, "pipe_line", frame.iloc[kept_rows], kept_rows)


def _located(rows: SurveyRows, points: PointPlaces, vocabulary: Vocabulary) -> _Lines:
    """Find both points of every line; set aside lines without end, to themselves, and to numbers nobody
    measured."""
    start, end = rows.text("start_no"), rows.text("end_no")
    rows.set_aside(
        "survey.line_unended",
        (start == "") | (end == ""),
        start=start,
        end=end,
    )
    rows.set_aside("survey.line_to_itself", start == end, number=start)
    project = np.where(rows.text("project") == "", vocabulary.project, rows.text("project")).astype(object)
    scope, major = rows.text("scope"), rows.text("major")
    a, b = (points.find(number, project, scope, major) for number in (start, end))
    rows.points = _middles(points, a, b)
    _set_aside_dangling(rows, points, (start, end), (a, b))
    delivered = np.where(a >= 0, points.project[a], "") if len(points.number) else np.full(len(a), "", dtype=object)
    burial = rows.text("burial_method")
    reference = [
        vocabulary.depth_reference(PipeClass(m, s), w) for m, s, w in zip(major, rows.text("sub"), burial, strict=True)
    ]
    rows.report(
        "survey.class_unknown",
        (major == "") & rows.keep,
        number=lambda r: f"{start[r]} - {end[r]}",
        word=rows.text("class"),
        expected=sorted(vocabulary.rules["maximum_depth"]),
    )
    return _Lines(
        rows,
        points,
        a,
        b,
        np.where(project == "", delivered, project).astype(object),
        np.array(reference, dtype=object),
    )


def _middles(points: PointPlaces, a: NDArray[np.intp], b: NDArray[np.intp]) -> Floats:
    """Return where findings about each line are shown: its middle, or the one end that is known."""
    ends = np.stack((_places(points, a), _places(points, b)))
    known_one = np.where(np.isnan(ends[0]), ends[1], ends[0])
    return np.asarray(np.where(np.isnan(ends).any(axis=0), known_one, ends.mean(axis=0)))


def _places(points: PointPlaces, index: NDArray[np.intp]) -> Floats:
    """Return where points are, NaN where there is none."""
    places = np.full((len(index), 2), np.nan)
    known = np.flatnonzero(index >= 0)
    places[known] = np.column_stack((points.east[index[known]], points.north[index[known]]))
    return places


def _set_aside_dangling(
    rows: SurveyRows, points: PointPlaces, numbers: tuple[Texts, Texts], indices: tuple[Any, Any]
) -> None:
    """Set aside lines whose number is unknown (L01), stands for several points, or whose point could not be
    used."""
    asked: dict[str, list[str]] = {}

    def nearest_to(number: Texts, row: int) -> list[str]:
        if number[row] not in asked:
            asked[number[row]] = points.nearest(number[row], asked=len(asked))
        return asked[number[row]]

    usable = rows.keep.copy()
    for number, index in zip(numbers, indices, strict=True):
        unusable = np.array([name in points.unusable for name in number], dtype=bool) & (index == -1)
        changed = np.array([name in points.lost for name in number], dtype=bool) & (index == -1) & ~unusable
        causes: tuple[tuple[str, NDArray[np.bool_], dict[str, Any]], ...] = (
            ("survey.line_lost_point", unusable, {}),
            ("survey.number_lost", changed, {"cell": lambda r, number=number: points.lost[number[r]]}),
            ("survey.number_ambiguous", index == -2, {}),
            ("survey.number_unknown", (index == -1) & ~unusable & ~changed, {"nearest": partial(nearest_to, number)}),
        )
        for rule, lines, values in causes:
            second = np.flatnonzero(lines & usable & ~rows.keep)  # set aside for its first end: its second is told too
            rows.set_aside(rule, lines, number=number, **values)
            rows.report(rule, second, "error", number=number, **values)


def _set_aside_repeated(lines: _Lines) -> None:
    """Set aside a line that says again what another between the same points says, in either direction
    (L03)."""
    rows = lines.rows
    ends = list(_end_texts(rows, rows.text("start_no") <= rows.text("end_no")).values())
    sections = np.array([read_section(text).text or "" for text in rows.text("section")], dtype=object)
    same = [
        sections,
        *(
            rows.text(name)
            for name in ("material", "burial_method", "pressure", "voltage", "cable_count", "hole_total")
        ),
    ]
    keys = pd.Series(joined_keys((lines.project, _pairs(lines), *same, *ends)))
    kept = keys[rows.keep]
    rows.set_aside(
        "survey.line_repeated",
        np.asarray(kept[kept.duplicated()].index),
        start=lines.rows.text("start_no"),
        end=lines.rows.text("end_no"),
        first=partial(first_place, rows, keys),
    )


def _end_texts(rows: SurveyRows, forward: NDArray[np.bool_]) -> dict[str, Texts]:
    """Return what is said of both ends, the end of the lower number first, whichever way a line was listed."""
    texts: dict[str, Texts] = {}
    for name in ("depth", "crown_depth", "invert_depth", "elevation", "crown_elevation", "invert_elevation"):
        first, last = rows.text(f"start_{name}"), rows.text(f"end_{name}")
        texts |= {f"low_{name}": np.where(forward, first, last), f"high_{name}": np.where(forward, last, first)}
    return texts


def _pairs(lines: _Lines) -> Texts:
    """Return class and unordered pair of point numbers, "WS.W1~W2": the same whichever end was listed
    first."""
    start, end, scope = lines.rows.text("start_no"), lines.rows.text("end_no"), lines.rows.text("scope")
    triples = zip(scope.tolist(), start.tolist(), end.tolist(), strict=True)
    return np.array(
        [f"{code}.{min(a, b)}~{max(a, b)}" if code else f"{min(a, b)}~{max(a, b)}" for code, a, b in triples],
        dtype=object,
    )


def _segment_keys(lines: _Lines) -> Texts:
    """Return a key a line, stable under reversal and reordering; further lines between the same points get
    ~2, ~3 ...

    Parallel lines are numbered by what they are (section, material, burial, owner), not by where they stand.
    """
    rows, keys = lines.rows, _pairs(lines)
    forward = rows.text("start_no") <= rows.text("end_no")
    names = ("section", "material", "burial_method", "owner", "pressure", "voltage", "cable_count", "hole_total")
    contents = {name: rows.text(name) for name in names} | _end_texts(rows, forward)
    order = pd.DataFrame({"project": lines.project, "key": keys, **contents, "keep": ~rows.keep}).sort_values(
        ["keep", *contents], kind="stable"
    )
    nth = order.groupby(["project", "key"]).cumcount().reindex(range(len(keys))).to_numpy()
    rows.report(
        "survey.line_parallel",
        (nth > 0) & rows.keep,
        "info",
        start=lines.rows.text("start_no"),
        end=lines.rows.text("end_no"),
        key=lambda r: f"{keys[r]}~{nth[r] + 1}",
    )
    return np.array([f"{key}~{n + 1}" if n else key for key, n in zip(keys, nth, strict=True)], dtype=object)


@dataclass(frozen=True)
class _Heights:
    start: EndHeights
    end: EndHeights
    depth: tuple[Floats, Floats]
    sections: list[Any]
    size: Floats


def _heights(lines: _Lines, vocabulary: Vocabulary) -> _Heights:
    rows = lines.rows
    sections = [read_section(text) for text in rows.text("section")]
    unread = np.array([section.text is not None and section.shape is None for section in sections], dtype=bool)
    unread &= ~_report_section_unit(rows, unread)
    rows.report(
        "survey.section_unreadable",
        unread & rows.keep,
        "info",
        section=rows.text("section"),
        start=lines.rows.text("start_no"),
        end=lines.rows.text("end_no"),
    )
    size = np.array([section.height_mm / 1000 if section.height_mm else np.nan for section in sections])
    limits = _limits(rows, vocabulary)
    told = [_told(lines, side, index) for side, index in (("start", lines.a), ("end", lines.b))]
    _ensure_depth_unit(rows, limits)
    ends = [heights_of_end(delivered, size, limits) for delivered in told]
    for side, one, end in zip(("start", "end"), told, ends, strict=True):
        _report_end(lines, side, one, end, limits)
    return _Heights(ends[0], ends[1], (told[0].depth, told[1].depth), sections, size)


def _report_section_unit(rows: SurveyRows, unread: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Report once a table most of whose sections look like metres (0.3); return the rows that this explains."""
    sections = rows.text("section")
    size = numbers_of(rows, "section", quiet=True)
    tables, explained = rows.frame["table"].to_numpy(dtype=int), np.zeros(len(sections), dtype=bool)
    for table in np.unique(tables).tolist():
        measured = rows.keep & (tables == table) & (sections != "")
        small = measured & unread & (size >= _LEAST_METRES) & (size < _MOST_METRES)
        if small.sum() < 3 or 2 * small.sum() < measured.sum():
            continue
        explained |= small
        row = int(np.flatnonzero(small)[0])
        heading = rows.tables[table].heading
        rows.report(
            "survey.section_unit",
            [row],
            count=int(small.sum()),
            total=int(measured.sum()),
            table=rows.tables[table].table.name,
            value=sections[row],
            column=heading.titles[heading.columns["section"]],
        )
    return explained


def _ensure_depth_unit(rows: SurveyRows, limits: Limits) -> None:
    names = [str(name) for name in rows.frame if str(name).endswith("depth")]
    fields = [name for name in names if name.startswith(("start_", "end_"))]
    depths = [numbers_of(rows, name, quiet=True) for name in fields]
    if fields:
        ensure_depth_unit(rows, fields, depths, limits.maximum)


def _limits(rows: SurveyRows, vocabulary: Vocabulary) -> Limits:
    classes = [PipeClass(major, sub) for major, sub in zip(rows.text("major"), rows.text("sub"), strict=True)]
    deepest = {name: vocabulary.maximum_depth(name) for name in set(classes)}
    above = set(vocabulary.rules["above_ground"]["words"])
    return Limits(
        np.array([deepest[name] for name in classes]),
        np.array([word in above for word in rows.text("burial_method")], dtype=bool),
        float(vocabulary.rules["limits"]["elevation_tolerance"]),
    )


def _told(lines: _Lines, side: str, index: NDArray[np.intp]) -> Told:
    """Return what the tables tell of one end; a heading that says crown or invert itself decides, else the
    class."""
    rows, top = lines.rows, lines.reference == "top"
    ground = (
        np.where(index >= 0, lines.points.ground[index], np.nan)
        if len(lines.points.ground)
        else np.full(len(index), np.nan)
    )
    depth, depth_top = _measured(rows, side, "depth", top)
    elevation, elevation_top = _measured(rows, side, "elevation", top)
    explicit = np.zeros(len(index), dtype=bool)
    for kind in ("crown", "invert"):
        for what in ("depth", "elevation"):
            explicit |= rows.text(f"{side}_{kind}_{what}") != ""
    return Told(ground, depth, depth_top, elevation, elevation_top, (lines.reference != "") | explicit)


def _measured(rows: SurveyRows, side: str, what: str, top: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    value = numbers_of(rows, f"{side}_{what}")
    for kind in ("crown", "invert"):
        own = numbers_of(rows, f"{side}_{kind}_{what}")
        taken = np.isnan(value) & np.isfinite(own)
        value, top = np.where(taken, own, value), np.where(taken, kind == "crown", top)
    return value, top


def _report_end(lines: _Lines, side: str, told: Told, end: EndHeights, limits: Limits) -> None:
    """Report impossible depths (L04) and elevations that are not ground minus depth (L06)."""
    rows = lines.rows
    number = rows.text(f"{side}_no")
    implied = told.ground - told.elevation
    at = _places(lines.points, lines.a if side == "start" else lines.b)
    known = np.isfinite(end.drawn)
    for rule, which in (("survey.depth_impossible", ~known), ("survey.depth_not_used", known)):
        rows.report(
            rule,
            end.impossible & rows.keep & which,
            at=at,
            number=number,
            start=lines.rows.text("start_no"),
            end=lines.rows.text("end_no"),
            maximum=limits.maximum,
            depth=np.where(limits.impossible(told.depth), told.depth, implied),
        )
    apart = np.isfinite(end.apart) & (np.abs(end.apart) > limits.tolerance + 1e-6) & ~end.impossible & rows.keep
    rows.report(
        "survey.elevation_disagrees",
        apart,
        at=at,
        number=number,
        ground=told.ground,
        depth=told.depth,
        elevation=told.elevation,
        apart=end.apart,
    )


def _frame(lines: _Lines, heights: _Heights, crs: str, vocabulary: Vocabulary) -> gpd.GeoDataFrame:
    """Return every row as fields of `pipe_line`; rows no longer kept are there too, without meaning."""
    rows, start, end = lines.rows, heights.start, heights.end
    columns: dict[str, Any] = {name: rows.text(name) for name in _COPIED}
    columns |= {name: numbers_of(rows, name) for name in ("cable_count", "hole_total", "hole_used")}
    columns |= {
        "segment_key": _segment_keys(lines),
        "project": lines.project,
        "class": rows.text("major"),
        "subclass": rows.text("sub"),
        "kind": "pipe",
        "status": status_codes(rows, vocabulary),
        "place": rows.places(),
        ATTRIBUTES: attributes_of_rows(rows),
        "start_depth": heights.depth[0],
        "end_depth": heights.depth[1],
    }
    for name in ("crown", "axis", "invert"):
        columns |= {f"start_{name}": getattr(start, name), f"end_{name}": getattr(end, name)}
    columns |= {
        "section": [section.text for section in heights.sections],
        "section_shape": [section.shape for section in heights.sections],
        "width_mm": [section.width_mm for section in heights.sections],
        "height_mm": [section.height_mm for section in heights.sections],
        "depth_reference": lines.reference,
        "height_source": sources_of(start, end),
    }
    for name in ("material", "burial_method", "flow_direction"):
        columns[name] = [vocabulary.word(name, text) or text for text in rows.text(name)]
    geometry, length = _geometry(lines, start, end, crs, vocabulary)
    columns |= {"length": length, "accuracy": _accuracy(rows, start, end, vocabulary)}
    return gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)


def _geometry(
    lines: _Lines, start: EndHeights, end: EndHeights, crs: str, vocabulary: Vocabulary
) -> tuple[Any, Floats]:
    """Return the axes from point to point and their lengths in space; NaN where a height is not known (L07
    reported)."""
    rows, points = lines.rows, lines.points
    ends = np.stack(
        [np.column_stack((points.east[index], points.north[index])) for index in (lines.a, lines.b)], axis=1
    )
    geometry = np.asarray(shapely.linestrings(ends), dtype=object)
    raised = np.flatnonzero(np.isfinite(start.drawn + end.drawn))
    z = np.stack((start.drawn, end.drawn), axis=1)[raised, :, None]
    geometry[raised] = shapely.linestrings(np.concatenate((ends[raised], z), axis=2))
    plan = _plan_lengths(ends, crs, rows.draft)
    geometry[plan < _NO_PLAN_LENGTH] = None
    length = np.hypot(plan, end.drawn - start.drawn)
    longest, shortest = (float(vocabulary.rules["limits"][name]) for name in ("longest", "shortest"))
    odd = np.where(np.isnan(length), plan, length)
    rows.report(
        "survey.length_unusual",
        ((odd > longest) | (odd < shortest)) & rows.keep,
        start=lines.rows.text("start_no"),
        end=lines.rows.text("end_no"),
        length=odd,
        shortest=shortest,
        longest=longest,
    )
    return geometry, length


def _plan_lengths(ends: Floats, crs: str, draft: Draft) -> Floats:
    """Return lengths in plan in metres: in the source's system, or in the town's where the source's is in
    degrees."""
    east, north = draft.coordinates.read_xy(*ends.reshape(-1, 2).T.copy())
    if not is_projected(crs):
        east, north = transform_xy(east, north, crs, draft.storage_crs)
    metres = np.column_stack((east, north)).reshape(ends.shape)
    return np.asarray(np.hypot(*(metres[:, 1] - metres[:, 0]).T))


def _accuracy(rows: SurveyRows, start: EndHeights, end: EndHeights, vocabulary: Vocabulary) -> Floats:
    """Return the limit of plan error of detected pipes: a share of the depth, which counts as one metre at
    least.

    CJJ 61: 0.10 h. Pipes taken from drawings or inferred have no such limit: NaN.
    """
    rule = vocabulary.rules["accuracy"]
    deepest = np.fmax(start.below, end.below)
    detected = np.isin(rows.text("data_source").astype(str), rule["detected"])
    return np.where(detected, float(rule["depth_share"]) * np.maximum(deepest, float(rule["least_depth"])), np.nan)
