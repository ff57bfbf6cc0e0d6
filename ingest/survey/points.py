"""Pipe points of a survey: numbers, places and attributes; what the points' rules notice (P01, P02, P03,
P06).

Rules: shared practice of CJJ 61-2017 checkers. Heights are the surveyed ground; a point without one has no Z.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ingest.place import Cause, causes_of
from ingest.survey.depth_unit import ensure_depth_unit
from ingest.survey.leftover_cells import attributes_of_rows
from ingest.survey.rows import Floats, SurveyRows, Texts, add_by_table, joined_keys, numbers_of, status_codes
from ingest.survey.vocabulary import PipeClass, Vocabulary
from twin_model.errors import SourceRefused
from twin_model.layer import ATTRIBUTES

__all__ = ["PointPlaces", "places_of", "read_points"]

_COPIED = (
    "survey_no",
    "map_no",
    "feature",
    "appurtenance",
    "owner",
    "road_name",
    "built",
    "surveyed",
    "feature_code",
    "note",
)
_PARTS = ("number", "project", "scope", "major", "east", "north", "ground")
_NEAREST_SOUGHT = 200


@dataclass(frozen=True)
class PointPlaces:
    """The points that lines may refer to: number, project, scope and class, east, north and ground elevation.

    `unusable` are the numbers of points that were set aside, `lost` those in whose place a spreadsheet put something else,
    so that a line can say why it lost its end.
    """

    number: Texts
    project: Texts
    scope: Texts
    major: Texts
    east: Floats
    north: Floats
    ground: Floats
    unusable: frozenset[str]
    lost: Mapping[str, str] = field(default_factory=dict)

    def find(self, number: Texts, project: Texts, scope: Texts, major: Texts) -> NDArray[np.intp]:
        """Return for each reference the point's index, -1 where there is none, -2 where several would do.

        Numbers are unique within one project and class: the same sub-class is looked at first, then the same
        class, then points or references of which no class or project is known.
        """
        index = np.full(len(number), -1, dtype=np.intp)
        levels = (
            ((self.project, self.scope, self.number), (project, scope, number)),
            ((self.project, self.major, self.number), (project, major, number)),
            ((self.scope, self.number), (scope, number)),
            ((self.major, self.number), (major, number)),
            ((self.project, self.number), (project, number)),
            ((self.number,), (number,)),
        )
        for narrow, (keys, wanted) in zip((True, True, True, True, False, False), levels, strict=True):
            open_rows = np.flatnonzero(index < 0)
            hits = _lookup(joined_keys(keys), joined_keys(tuple(part[open_rows] for part in wanted)))
            usable = (hits >= 0) & self._agree(hits, project[open_rows], major[open_rows])
            index[open_rows[usable]] = hits[usable]
            index[open_rows[(hits == -2) & (narrow | (major[open_rows] == ""))]] = -2
        return index

    def _agree(self, hits: NDArray[np.intp], project: Texts, major: Texts) -> NDArray[np.bool_]:
        """Return where a point contradicts neither the project nor the class of the reference."""
        if not len(self.number):
            return np.zeros(len(hits), dtype=bool)
        own_project, own_major = self.project[hits], self.major[hits]
        same_project = (own_project == project) | (own_project == "") | (project == "")
        return np.asarray(same_project & ((own_major == major) | (own_major == "") | (major == "")), dtype=bool)

    def joined(self, other: "PointPlaces") -> "PointPlaces":
        """Return the points of both; a point that both have counts once."""
        joint = {name: np.concatenate((getattr(self, name), getattr(other, name))) for name in _PARTS}
        keys = pd.Series(joined_keys((joint["project"], joint["scope"], joint["number"])))
        first = ~keys.duplicated().to_numpy(dtype=bool)
        return PointPlaces(
            **{name: part[first] for name, part in joint.items()},
            unusable=self.unusable | other.unusable,
            lost={**self.lost, **other.lost},
        )

    def nearest(self, number: str, *, asked: int = 0) -> list[str]:
        """Return the numbers most like one; empty after so many questions that the answers would cost too
        much."""
        if asked >= _NEAREST_SOUGHT:
            return []
        return get_close_matches(number, self.number.tolist(), 3, 0.0)


def _lookup(keys: Texts, wanted: Texts) -> NDArray[np.intp]:
    """Return the position of each wanted key, -1 where absent, -2 where it stands more than once."""
    table = pd.Series(np.arange(len(keys)), index=keys)
    repeated = table.index.duplicated(keep=False)
    table[repeated] = -2
    return table[~table.index.duplicated()].reindex(wanted, fill_value=-1).to_numpy(dtype=np.intp)


def read_points(rows: SurveyRows, crs: str, vocabulary: Vocabulary) -> PointPlaces:
    """Store the usable points in the draft and return them for the lines; the others are set aside with their
    cause.

    `rows` may be points of their own or the points told by the rows of one sheet (then not counted again).
    """
    east, north = places_of(rows, vocabulary)
    ground = numbers_of(rows, "ground_elevation")
    project = np.where(rows.text("project") == "", vocabulary.project, rows.text("project")).astype(object)
    rows.points = np.column_stack((east, north))
    _set_aside_unusable(rows, east, north, project)
    _set_aside_misplaced(rows, east, north, crs)
    _report_values(rows, ground, vocabulary)
    unusable = frozenset(rows.text("survey_no")[~rows.keep].tolist())
    _store(rows, east, north, ground, project, crs, vocabulary)
    stored = np.flatnonzero(rows.keep)
    number, scope, major = (rows.text(name)[stored] for name in ("survey_no", "scope", "major"))
    return PointPlaces(
        number, project[stored], scope, major, east[stored], north[stored], ground[stored], unusable - set(number)
    )


def places_of(rows: SurveyRows, vocabulary: Vocabulary) -> tuple[Floats, Floats]:
    """Return east and north: the tables' X is north and Y is east, unless the mapping says otherwise."""
    x, y = numbers_of(rows, "x"), numbers_of(rows, "y")
    return (y, x) if vocabulary.axes == "north_east" else (x, y)


def _set_aside_unusable(rows: SurveyRows, east: Floats, north: Floats, project: Texts) -> None:
    number, scope = rows.text("survey_no"), rows.text("scope")
    rows.set_aside("survey.point_unnumbered", number == "")
    x, y = rows.text("x"), rows.text("y")
    nowhere = np.isnan(east) | np.isnan(north)
    rows.set_aside(
        "survey.coordinates_missing",
        nowhere,
        number=number,
        x=x,
        y=y,
    )
    keys = joined_keys((project, scope, number))
    stored = np.flatnonzero(rows.keep)
    first = pd.Series(stored, index=keys[stored])
    first = first[~first.index.duplicated()]
    twin = first.reindex(keys, fill_value=-1).to_numpy()
    repeated = rows.keep & (twin >= 0) & (twin != np.arange(len(keys)))
    apart = np.hypot(east - east[twin], north - north[twin])
    rows.set_aside(
        "survey.point_number_repeated",
        repeated,
        number=number,
        first=lambda r: rows.place(int(twin[r])),
        distance=apart,
    )


def _set_aside_misplaced(rows: SurveyRows, east: Floats, north: Floats, crs: str) -> None:
    """Refuse a survey most of which lies elsewhere; set single such points aside. The rule is `ingest/place.py`."""
    kept_rows = np.flatnonzero(rows.keep)
    coordinates = rows.draft.coordinates
    if coordinates.anywhere or not len(kept_rows):
        return
    causes = causes_of(*coordinates.read_xy(east[kept_rows], north[kept_rows]), crs, rows.draft.town)
    known = [(int(row), cause) for row, cause in zip(kept_rows, causes, strict=True) if cause is not None]
    x, y, number = rows.text("x"), rows.text("y"), rows.text("survey_no")
    groups: dict[Cause, list[int]] = {}
    for row, cause in known:
        groups.setdefault(cause, []).append(row)
    for cause, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        first = group[0]
        values = {"crs": crs, "likely": cause.crs, "unit": cause.unit, "total": len(kept_rows)}
        if 2 * len(known) > len(kept_rows):
            raise SourceRefused(
                _rule_of(cause),
                source=rows.draft.source.name,
                place=rows.place(first),
                count=len(group),
                number=number[first],
                x=x[first],
                y=y[first],
                **values,
            )
        source = rows.draft.source.name
        rows.set_aside(_rule_of(cause), group, source=source, number=number, x=x, y=y, count=1, **values)


def _rule_of(cause: Cause) -> str:
    """Return the rule whose words speak of survey tables, where one does."""
    own = cause.rule.replace("geometry.", "survey.")
    return own if own in {"survey.axes_swapped", "survey.zone_prefix", "survey.wrong_zone"} else cause.rule


def _report_values(rows: SurveyRows, ground: Floats, vocabulary: Vocabulary) -> None:
    """Report what points lack (P01), both or neither of feature and appurtenance (P02), and classes nobody
    knows."""
    number, feature, appurtenance = rows.text("survey_no"), rows.text("feature"), rows.text("appurtenance")
    for name in ("ground_elevation", "map_no", "feature_code"):
        empty = (rows.text(name) == "") & rows.has(name) & rows.keep
        rows.report("survey.point_value_missing", empty, number=number, field=name)
    rows.report(
        "survey.point_without_height",
        np.isnan(ground) & ~rows.has("ground_elevation") & rows.keep,
        number=number,
    )
    both, neither = (feature != "") & (appurtenance != ""), (feature == "") & (appurtenance == "")
    told = rows.has("feature") & rows.has("appurtenance") & rows.keep
    rows.report(
        "survey.point_both_kinds",
        both & told,
        number=number,
        feature=feature,
        appurtenance=appurtenance,
    )
    rows.report("survey.point_no_kind", neither & told, "info", number=number)
    rows.report(
        "survey.class_unknown",
        (rows.text("major") == "") & rows.keep,
        number=number,
        word=rows.text("class"),
        expected=sorted(vocabulary.rules["depth_reference"]),
    )


def _well_depths(rows: SurveyRows, vocabulary: Vocabulary) -> Floats:
    """Return the depths of wells; one that cannot be is reported and left empty, a table of such is refused."""
    depths = numbers_of(rows, "well_depth")
    classes = [PipeClass(major, sub) for major, sub in zip(rows.text("major"), rows.text("sub"), strict=True)]
    deepest = {pipe_class: vocabulary.maximum_depth(pipe_class) for pipe_class in set(classes)}
    maximum = np.array([deepest[pipe_class] for pipe_class in classes], dtype=np.float64)
    ensure_depth_unit(rows, ["well_depth"], [depths], maximum)
    impossible = ((depths > maximum) | (depths < 0)) & rows.keep
    number = rows.text("survey_no")
    rows.report("survey.well_depth_impossible", impossible, number=number, depth=depths, maximum=maximum)
    return np.where(impossible, np.nan, depths)


def _store(
    rows: SurveyRows, east: Floats, north: Floats, ground: Floats, project: Texts, crs: str, vocabulary: Vocabulary
) -> None:
    kept_rows = np.flatnonzero(rows.keep)
    if not len(kept_rows):
        return
    columns: dict[str, Any] = {name: rows.text(name)[kept_rows] for name in _COPIED}
    columns |= {
        "project": project[kept_rows],
        "class": rows.text("major")[kept_rows],
        "subclass": rows.text("sub")[kept_rows],
        "ground_elevation": ground[kept_rows],
        "well_depth": _well_depths(rows, vocabulary)[kept_rows],
        "status": status_codes(rows, vocabulary)[kept_rows],
        "place": np.array(rows.places(), dtype=object)[kept_rows],
    }
    if rows.own.any():  # rows of the one-sheet table that tell of a line too: the line keeps what no field takes
        attributes = attributes_of_rows(rows)
        attributes[~rows.own] = None
        columns[ATTRIBUTES] = attributes[kept_rows]
    geometry = np.asarray(shapely.points(east[kept_rows], north[kept_rows]), dtype=object)
    raised = np.flatnonzero(np.isfinite(ground[kept_rows]))
    geometry[raised] = shapely.points(east[kept_rows][raised], north[kept_rows][raised], ground[kept_rows][raised])
    add_by_table(rows, "pipe_point", gpd.GeoDataFrame(columns, geometry=geometry, crs=crs), kept_rows)
