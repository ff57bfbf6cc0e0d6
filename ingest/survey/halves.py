"""Lines told twice, once from each end (成果表): a row is a point with one of the points it is joined to.

Here: the points of such rows, and the merging of two halves into one line. What a line then is stands in
`lines`.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingest.survey.rows import Mask, SurveyRows, Texts, first_place, joined_keys, numbers_of
from ingest.survey.section import read_section

__all__ = ["filled_down", "lines_of_halves", "points_of_sheet"]

_END_FIELDS = ("depth", "crown_depth", "invert_depth", "elevation", "crown_elevation", "invert_elevation")
_POINT_FIELDS = (
    "survey_no",
    "x",
    "y",
    "ground_elevation",
    "map_no",
    "feature",
    "appurtenance",
    "well_depth",
    "project",
    "class",
    "major",
    "sub",
    "scope",
)
_COMPARED = (
    "section",
    "material",
    "burial_method",
    "pressure",
    "voltage",
    "cable_count",
    "hole_total",
    "hole_used",
    "owner",
    "built",
    "status",
)
_TURNED = {"+": "-", "-": "+"}
_SAME_PLACE = 0.01

Indices = NDArray[np.intp]


def filled_down(rows: SurveyRows) -> SurveyRows:
    """Give rows without a point number that of the row above: the point's cells are merged over all its
    lines."""
    number = rows.frame["survey_no"].replace("", None)
    blank = number.isna() & (rows.frame["connected_no"] != "")
    same_table = rows.frame["table"].eq(rows.frame["table"].shift())
    group = (~(blank & same_table)).cumsum()
    for name in _POINT_FIELDS:
        if name in rows.frame:
            above = rows.frame[name].groupby(group).transform("first")
            rows.frame[name] = rows.frame[name].where(~blank | (rows.frame[name] != ""), above)
    return rows


def points_of_sheet(rows: SurveyRows) -> SurveyRows:
    """Return the points of a sheet, each once, with what any of its rows says; they count only where no line
    does.

    A later row of the same number without a line is set aside; rows that place one point differently are
    reported.
    """
    number = rows.frame["survey_no"].to_numpy(dtype=object)
    project = rows.text("project")
    anonymous = [str(n) if not one else "" for n, one in enumerate(number)]
    keys = joined_keys((project, rows.text("scope"), number, np.array(anonymous, dtype=object)))
    group, _ = pd.factorize(keys)
    first = pd.Series(np.arange(len(group))).groupby(group).transform("first").to_numpy()
    alone = rows.text("connected_no") == ""
    rows.set_aside(
        "survey.point_number_repeated",
        alone & (first != np.arange(len(group))),
        number=number,
        first=lambda r: rows.place(int(first[r])),
        distance=None,
    )
    _report_moved(rows, first)
    ends = rows.frame.replace("", None).groupby(group).first().fillna("")
    leading = np.unique(first)
    ends[["table", "row"]] = rows.frame[["table", "row"]].to_numpy()[leading]
    ends[["table", "row"]] = ends[["table", "row"]].astype(int)
    return SurveyRows("pipe_point", rows.tables, ends.reset_index(drop=True), alone[leading], rows.draft)


def _report_moved(rows: SurveyRows, first: Indices) -> None:
    """Report a point whose rows give it different coordinates or ground."""
    for name in ("x", "y", "ground_elevation"):
        texts = rows.text(name)
        value = numbers_of(rows, name, quiet=True)
        differs = np.abs(value - value[first]) > _SAME_PLACE
        rows.report(
            "survey.point_told_differently",
            differs,
            number=rows.text("survey_no"),
            field=name,
            one=texts[first],
            other=texts,
            first=lambda r: rows.place(int(first[r])),
        )


def lines_of_halves(rows: SurveyRows) -> SurveyRows:
    """Return one row a line with start and end fields, merged of its halves; the half of the lower number gives the
    start, for rows come sorted by number.

    Halves of one pair of points belong together by section and material, then by their order. A half alone is
    a line whose other end has no depth; halves that disagree keep what the first says. Both are reported.
    """
    number, connected = rows.text("survey_no"), rows.text("connected_no")
    rows.set_aside(
        "survey.line_unended",
        (number == "") & (connected != ""),
        start=None,
        end=connected,
    )
    rows.keep &= connected != ""
    rows.set_aside("survey.line_to_itself", number == connected, number=number)
    pair, forward, likeness = _keys_of(rows)
    _set_aside_repeated(rows, pair, forward)
    rows_left = np.flatnonzero(rows.keep)
    one, other = _matched(pair[rows_left], forward[rows_left], likeness[rows_left])
    one, other = rows_left[one], np.where(other < 0, -1, rows_left[other])
    order = np.argsort(one, kind="stable")
    lines = _merged(rows, one[order], other[order])
    _report_halves(rows, lines, one[order], other[order])
    return lines


def _keys_of(rows: SurveyRows) -> tuple[Texts, Mask, Texts]:
    number, connected = rows.text("survey_no"), rows.text("connected_no")
    forward = np.array([a <= b for a, b in zip(number, connected, strict=True)], dtype=bool)
    low, high = np.where(forward, number, connected), np.where(forward, connected, number)
    sections = np.array([read_section(text).text or "" for text in rows.text("section")], dtype=object)
    return (
        joined_keys((rows.text("project"), rows.text("scope"), low, high)),
        forward,
        joined_keys((sections, rows.text("material"))),
    )


def _set_aside_repeated(rows: SurveyRows, pair: Texts, forward: Mask) -> None:
    """Set aside a half that is told twice from the same end with the same words."""
    texts = [rows.text(name) for name in (*_COMPARED, *_END_FIELDS)]
    whole = pd.Series(joined_keys((pair, forward.astype(str).astype(object), *texts)))
    kept = whole[rows.keep]
    repeated = np.asarray(kept[kept.duplicated()].index)
    rows.set_aside(
        "survey.line_repeated",
        repeated,
        start=rows.text("survey_no"),
        end=rows.text("connected_no"),
        first=partial(first_place, rows, whole),
    )


def _matched(pair: Texts, forward: Mask, likeness: Texts) -> tuple[Indices, Indices]:
    """Return index pairs of halves that make one line, the first told first; -1 for a half that stays
    alone."""
    left = pd.DataFrame({"pair": pair, "forward": forward, "like": likeness, "index": np.arange(len(pair))})
    matches: list[pd.DataFrame] = []
    for keys in (["pair", "like"], ["pair"]):
        left["rank"] = left.groupby([*keys, "forward"]).cumcount()
        pairs = left[left["forward"]].merge(left[~left["forward"]], on=[*keys, "rank"], suffixes=("_a", "_b"))
        matches.append(pairs[["index_a", "index_b"]])
        left = left[~left["index"].isin(pairs["index_a"]) & ~left["index"].isin(pairs["index_b"])].copy()
    both = pd.concat(matches).to_numpy(dtype=np.intp).reshape(-1, 2)
    alone = left["index"].to_numpy(dtype=np.intp)
    return np.concatenate((both.min(axis=1), alone)), np.concatenate(
        (both.max(axis=1), np.full(len(alone), -1, dtype=np.intp))
    )


def _merged(rows: SurveyRows, one: Indices, other: Indices) -> SurveyRows:
    columns: dict[str, Any] = {
        "start_no": rows.text("survey_no")[one],
        "end_no": rows.text("connected_no")[one],
    }
    for name in _END_FIELDS:
        if name in rows.frame:
            columns[f"start_{name}"] = rows.text(name)[one]
            columns[f"end_{name}"] = np.where(other < 0, "", rows.text(name)[other]).astype(object)
    taken = set(_END_FIELDS) | {"survey_no", "connected_no", "x", "y", "ground_elevation", "table", "row"}
    for name in (str(column) for column in rows.frame.columns if column not in taken):
        mine, theirs = rows.text(name)[one], np.where(other < 0, "", rows.text(name)[other])
        if name == "flow_direction":
            theirs = np.array([_TURNED.get(text, "") for text in theirs], dtype=object)
        columns[name] = np.where(mine == "", theirs, mine).astype(object)
    source = rows.frame[["table", "row"]].to_numpy(dtype=int)
    columns |= {
        "table": source[one, 0],
        "row": source[one, 1],
        "also_table": np.where(other < 0, -1, source[other, 0]),
        "also_row": np.where(other < 0, -1, source[other, 1]),
    }
    return SurveyRows("pipe_line", rows.tables, pd.DataFrame(columns), np.ones(len(one), dtype=bool), rows.draft)


def _report_halves(rows: SurveyRows, lines: SurveyRows, one: Indices, other: Indices) -> None:
    start, end = lines.text("start_no"), lines.text("end_no")
    lines.report("survey.half_missing", other < 0, start=start, end=end)
    for name in _COMPARED:
        mine, theirs = rows.text(name)[one], rows.text(name)[other]
        form = (lambda text: read_section(text).text) if name == "section" else str
        differs = (other >= 0) & (mine != theirs) & (mine != "") & (theirs != "")
        differs &= np.array(
            [not d or form(a) != form(b) for d, a, b in zip(differs, mine, theirs, strict=True)], dtype=bool
        )
        lines.report(
            "survey.halves_disagree",
            differs,
            start=start,
            end=end,
            field=name,
            one=mine,
            other=theirs,
            where=lambda r: rows.place(int(other[r])),
        )
