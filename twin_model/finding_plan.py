"""What becomes of findings by a delivery: which it repeats, which it brings, which open ones it mends.

An open finding is mended where the delivery shows the thing that it is about and no longer finds the fault: another file
of the same name, of another place, mends nothing, and the name of the mended file does not matter. What two findings are
about stands in `twin_model/finding_subject.py`.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.box import Box, joint_box, near_each_other
from twin_model.changeset import Changeset, Delivered
from twin_model.filter.expression import Comparison, Constant, Expression, IsNull, Like, Logical, Not, Property
from twin_model.finding_subject import FindingSubject, is_edition, plan_error_of, same_subjects, subject_of
from twin_model.layer import Layer
from twin_model.plan import NEW, UNCHANGED, LayerPlan, no_fids
from twin_model.store.base import ChangesetQuery, DeliveredState, FeatureQuery

if TYPE_CHECKING:
    from twin_model.store.base import Store

__all__ = ["finding_plan"]

_NEIGHBOURHOOD = 50.0
"""Metres within which a file of the same name is about the same ground (`twin_model/scope.py`)."""

_LONGEST_EDITION = 12
"""Letters by which the name of an edition may be longer than that of the first."""

_AT_ONCE = 4_000
"""So many findings are asked for by their fids at once."""


def finding_plan(
    store: "Store", layer: Layer, changeset: Changeset, known: DeliveredState, delivered: list[Delivered]
) -> LayerPlan | None:
    """Return what becomes of delivered findings and of open ones, None where neither is touched.

    One of which only rows and handles are others is stated anew, but makes no version; one of another file does.
    """
    findings = _delivered_findings(layer, delivered)
    fids = _by_key(store, layer, known, delivered)
    before = _open_findings(store, layer, changeset, fids)
    unknown = [each for each in findings if fids[each.number] == NEW]
    for finding, same in same_subjects(store, unknown, _without(before, fids)):
        fids[finding.number] = same.number
    mended = _mended(store, changeset, _without(before, fids))
    if not len(fids) and not len(mended):
        return None
    decisions, quiet = _decisions(findings, fids, {each.number: each for each in before})
    return LayerPlan(layer.id, decisions, mended, len(mended) + len(fids), quiet=quiet)


def _without(findings: list[FindingSubject], fids: NDArray[np.int64]) -> list[FindingSubject]:
    taken = set(fids.tolist())
    return [each for each in findings if each.number not in taken]


def _decisions(
    findings: list[FindingSubject], fids: NDArray[np.int64], before: dict[int, FindingSubject]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return for each delivered finding what it is (`LayerPlan`), and whether that alone makes no version."""
    decisions, quiet = fids.copy(), np.zeros(len(fids), dtype=bool)
    for finding in findings:
        known = before.get(int(fids[finding.number]))
        if known is not None:
            quiet[finding.number] = finding.source == known.source
            decisions[finding.number] = UNCHANGED if finding.reads_like(known) else known.number
    return decisions, quiet


def _delivered_findings(layer: Layer, delivered: list[Delivered]) -> list[FindingSubject]:
    subjects: list[FindingSubject] = []
    for delivery in delivered:
        rows = delivery.rows()
        columns = {name: rows.columns[name].tolist() for name in layer.field_names} | {"geometry": rows.wkb.tolist()}
        for values in zip(*columns.values(), strict=True):
            subjects.append(subject_of(len(subjects), dict(zip(columns, values, strict=True))))
    return subjects


def _by_key(store: "Store", layer: Layer, known: DeliveredState, delivered: list[Delivered]) -> NDArray[np.int64]:
    """Return the fid of the finding of each delivered key, open or mended, 0 for none."""
    keys: list[str] = [key for delivery in delivered for key in delivery.rows().ids.tolist()]
    current = dict(zip(known.ids.tolist(), known.fids.tolist(), strict=True))
    fids = np.array([current.get(key, NEW) for key in keys], dtype=np.int64)
    unknown = np.flatnonzero(fids == NEW).tolist()
    former = store.fids_of_past_ids(layer.id, [keys[row] for row in unknown]) if unknown else {}
    taken = set(fids.tolist())
    for row in unknown if former else ():
        fid = former.get(keys[row], NEW)
        if fid not in taken:
            fids[row] = fid
            taken.add(fid)
    return fids


def _open_findings(store: "Store", layer: Layer, changeset: Changeset, fids: NDArray[np.int64]) -> list[FindingSubject]:
    """Return the open findings that a delivery may repeat or mend: of its sheet or file, near it, or about a feature."""
    if changeset.source is None or not store.count(FeatureQuery(layer.id)):
        return []
    origins, scope = store.provenance(layer.id), changeset.scope
    of_sheet = origins.fids[(origins.scopes == scope.name) & (origins.series == scope.series)]
    of_sheet = of_sheet if scope.name else no_fids()
    rows: dict[int, dict[str, Any]] = {}
    for query in _queries(layer, changeset, np.union1d(of_sheet, fids[fids > 0])):
        names, values_of_rows = store.rows(query)
        rows |= {values["fid"]: values for values in (dict(zip(names, row, strict=True)) for row in values_of_rows)}
    is_near, same_sheet = _Neighbourhood(store, changeset), set(of_sheet.tolist())
    subjects = []
    for fid, values in sorted(rows.items()):
        of_file = fid in same_sheet or is_edition(values["source"] or "", changeset.source.name)
        is_here = of_file and is_near(values["version"])
        subjects.append(subject_of(fid, values, is_here=is_here, version=values["version"]))
    return subjects


def _queries(layer: Layer, changeset: Changeset, fids: NDArray[np.int64]) -> list[FeatureQuery]:
    extent, parts = _looked_at_box(changeset), np.array_split(fids, -(-len(fids) // _AT_ONCE)) if len(fids) else []
    layers = sorted({delivery.layer for delivery in changeset.delivered})
    of_layers: list[Expression] = [Comparison("=", Property("layer"), Constant(name)) for name in layers]
    of_features: list[Expression] = [Logical("and", (each, Not(IsNull(Property("feature_id"))))) for each in of_layers]
    conditions: list[Expression] = [
        *(of_layers if changeset.scope.reach == "layer" else of_features),
        *(Like(Property("source"), Constant(f"{_escaped(each)}%")) for each in _names(changeset)),
    ]
    return [
        *(FeatureQuery(layer.id, where=condition) for condition in conditions),
        *([FeatureQuery(layer.id, bbox=extent)] if extent else []),
        *(FeatureQuery(layer.id, fids=tuple(part.tolist())) for part in parts),
    ]


def _names(changeset: Changeset) -> list[str]:
    """Return the beginning that the names of all editions of a delivered file have in common (`is_edition`)."""
    stem = Path(changeset.source.name).stem if changeset.source is not None else ""
    return [stem[: max(2, len(stem) - _LONGEST_EDITION)]] if stem else []


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _looked_at_box(changeset: Changeset) -> Box | None:
    """Return the box in which a delivery may say something of open findings, None for one without a place."""
    area = changeset.scope.area
    box = _extent(changeset)
    if area is not None:
        box = joint_box(box, np.array([area.bounds]))
    if box is None:
        return None
    west, south, east, north = box
    return west - _NEIGHBOURHOOD, south - _NEIGHBOURHOOD, east + _NEIGHBOURHOOD, north + _NEIGHBOURHOOD


def _extent(changeset: Changeset) -> Box | None:
    if changeset.extent is not None:
        return changeset.extent
    box: Box | None = None
    for delivery in changeset.delivered:
        box = joint_box(box, delivery.rows().bounds)
    return box


class _Neighbourhood:
    """Says of a version whether what it changed lies where the delivery does; of one that changed no place nobody knows."""

    def __init__(self, store: "Store", changeset: Changeset) -> None:
        self._store, self._box = store, _looked_at_box(changeset)
        self._known: dict[int, bool] = {}

    def __call__(self, version: int) -> bool:
        if version not in self._known:
            touched = self._store.changes(version).items()
            boxes = [each.box for name, each in touched if name != "finding" and each.box is not None]
            nowhere = self._box is None or not boxes
            self._known[version] = nowhere or any(near_each_other(box, self._box, 0.0) for box in boxes if self._box)
        return self._known[version]


def _mended(store: "Store", changeset: Changeset, left: list[FindingSubject]) -> NDArray[np.int64]:
    """Return the fids of those open findings that a delivery, which does not repeat them, has mended."""
    if not left or changeset.source is None:
        return no_fids()
    versions = ChangesetQuery(numbers=tuple({finding.version for finding in left}))
    kinds = {record.number: str(record.line.get("kind") or "") for record in store.chosen_changesets(versions)}
    shown, kind = _Shown(store, changeset, left), changeset.source.kind
    mended = []
    for finding in left:
        its_kind = kinds.get(finding.version, "")
        if _could_say(finding, its_kind, kind) and _is_mended(finding, changeset, shown, same_kind=its_kind == kind):
            mended.append(finding.number)
    return np.array(mended, dtype=np.int64)


def _could_say(finding: FindingSubject, its_kind: str, kind: str) -> bool:
    """Say whether a reader of a kind looks for such a fault: a rule named after another reader is that one's alone."""
    prefix = finding.rule.partition(".")[0]
    return not its_kind or not kind or prefix != its_kind or prefix == kind


class _Shown:
    """What a delivery shows: ids and geometries by layer, read when first asked for, and what lies near open findings."""

    def __init__(self, store: "Store", changeset: Changeset, findings: list[FindingSubject]) -> None:
        self._store, self._changeset = store, changeset
        placed = [(each.number, each.point) for each in findings if each.point is not None]
        self._numbers = np.array([number for number, _ in placed], dtype=np.int64)
        self._points = shapely.points(np.array([point for _, point in placed], dtype=np.float64).reshape(-1, 2))
        self._ids: dict[str | None, set[str]] = {}
        self._near: dict[tuple[str | None, float], set[int]] = {}

    def has_id(self, layer: str | None, feature_id: str) -> bool:
        if layer not in self._ids:
            rows = (delivery.rows() for delivery in self._changeset.delivered if delivery.layer == layer)
            self._ids[layer] = {each for part in rows for each in part.ids.tolist() if each is not None}
        return feature_id in self._ids[layer]

    def is_near(self, layer: str | None, number: int, distance: float) -> bool:
        """Say whether something of a layer, of any for `None`, lies within a distance of the finding of that number.

        All findings are looked at when one is first asked for.
        """
        if (layer, distance) not in self._near:
            parts = [
                delivery.rows().geometry() for delivery in self._changeset.delivered if layer in (None, delivery.layer)
            ]
            shapes = np.concatenate([np.empty(0, dtype=object), *parts])
            tree = shapely.STRtree(shapes[~shapely.is_missing(shapes)])
            rows, _ = tree.query_nearest(self._points, max_distance=distance, all_matches=False)
            self._near[layer, distance] = set(self._numbers[rows].tolist())
        return number in self._near[layer, distance]

    def plan_error(self, layer: str | None) -> float:
        return plan_error_of(self._store, layer)


def _is_mended(finding: FindingSubject, changeset: Changeset, shown: _Shown, *, same_kind: bool) -> bool:
    """Say whether a delivery shows the feature or the place of a finding; what it does not show may be as it was.

    A record that was set aside is in the town nowhere: it is gone with the next edition of its file.
    """
    scope, point = changeset.scope, finding.point
    if finding.feature_id is not None and shown.has_id(finding.layer, finding.feature_id):
        return True
    if scope.reach == "layer" and finding.layer in {delivery.layer for delivery in changeset.delivered}:
        return True
    if point is None:
        return finding.is_here
    if scope.area is not None and scope.reach in ("seen", "area") and (finding.is_here or same_kind):
        return bool(shapely.covers(scope.area, shapely.Point(point)))
    if finding.is_here:
        return finding.is_error or scope.reach == "sheet" or shown.is_near(None, finding.number, _NEIGHBOURHOOD)
    return finding.feature_id is None and shown.is_near(finding.layer, finding.number, shown.plan_error(finding.layer))
