"""What findings are about, delivered ones and open ones, and which of them are about the same.

A finding is the same where its key is; else where rule and layer are the same, and the feature, or the place within the
layer's plan error, or, of a finding about a whole file, the sheet or file in the same neighbourhood. What becomes of them
stands in `twin_model/finding_plan.py`.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from twin_model.finding import lasting_values

if TYPE_CHECKING:
    from twin_model.store.base import Store

__all__ = ["FindingSubject", "is_edition", "plan_error_of", "same_subjects", "subject_of"]

Point = tuple[float, float]
Pairs = list[tuple["FindingSubject", "FindingSubject"]]


@dataclass(frozen=True)
class FindingSubject:
    """What a finding is about; `number` is the fid of an open one, the row of one that is delivered.

    `lasting` are the values that stay when it is delivered again. `is_here` says that it came from the sheet or file that is
    delivered, and from where that lies. `version` wrote an open one last.
    """

    number: int
    rule: str
    layer: str | None
    feature_id: str | None
    source: str
    place: str | None
    details: str
    point: Point | None
    lasting: str
    is_error: bool
    is_here: bool = True
    version: int = 0

    def reads_like(self, other: "FindingSubject") -> bool:
        """Say whether the words of two findings are the same, places in the file among them."""
        return (self.source, self.place, self.details) == (other.source, other.place, other.details)


def subject_of(number: int, values: Mapping[str, Any], *, is_here: bool = True, version: int = 0) -> FindingSubject:
    """Return the subject of a row of the layer `finding`, given by column; `geometry` is WKB."""
    shape = None if values["geometry"] is None else shapely.from_wkb(values["geometry"])
    details, source = values["details"] or "{}", values["source"] or ""
    return FindingSubject(
        number=number,
        rule=values["rule"],
        layer=values["layer"] or None,
        feature_id=values["feature_id"] or None,
        source=source,
        place=values["place"] or None,
        details=details,
        point=None if shape is None or shape.is_empty else (float(shape.x), float(shape.y)),
        lasting=_lasting(details, source),
        is_error=values["severity"] == "error",
        is_here=is_here,
        version=version,
    )


@lru_cache(maxsize=10_000)
def _lasting(details: str, source: str) -> str:
    """Return what stays of the values of a finding; one fault of many features is reported in the same words."""
    return orjson.dumps(lasting_values(orjson.loads(details), source), option=orjson.OPT_SORT_KEYS).decode()


_EDITION = re.compile(
    r"[\s_\-.]*[(（\[]?\s*(修?改|改正|更正|修正|修订|最?新|重交|补|副本|mended|fixed|corrected|revised|new|final|copy|v\d+|"
    r"(?<=[(（])\d+|(?<=[_\-])\d{6}|(?<=[_\-])\d{8})+(版|稿|后)?\d?\s*[)）\]]?",
    re.IGNORECASE,
)


@lru_cache(maxsize=10_000)
def is_edition(first: str, second: str) -> bool:
    """Return whether two file names are editions of one: the same, or one is the other with a word for "mended" behind it.

    >>> is_edition("WSPoint.csv", "WSPoint(改).csv"), is_edition("WSPoint.csv", "WSPoint (2).csv")
    (True, True)
    >>> is_edition("sheet 1.dxf", "sheet 12.dxf"), is_edition("WSPoint.csv", "YSPoint.csv")
    (False, False)
    """
    short, long = sorted((Path(first), Path(second)), key=lambda path: len(path.stem))
    if short.suffix.lower() != long.suffix.lower() or not short.stem or not long.stem.startswith(short.stem):
        return False
    rest = long.stem.removeprefix(short.stem)
    return not rest or _EDITION.fullmatch(rest) is not None


def plan_error_of(store: "Store", layer: str | None) -> float:
    """Return the plan error of a layer in metres; of findings that name none, that of the house's layers."""
    return store.catalogue[layer].plan_error if layer is not None and layer in store.catalogue else 0.6


def same_subjects(store: "Store", delivered: list[FindingSubject], known: list[FindingSubject]) -> Pairs:
    """Return pairs of a delivered finding and the open one about the same, one to one: of the same feature, of the same
    sheet or file, then at the same place; those that say the same first."""
    pairs: Pairs = []
    for about in (_feature_and_values, _feature, _file_and_values):
        waiting: dict[Hashable, list[FindingSubject]] = defaultdict(list)
        for each in reversed(_without(known, [before for _, before in pairs])):
            waiting[about(each)].append(each)
        for finding in _without(delivered, [finding for finding, _ in pairs]):
            subject = about(finding)
            if subject is not None and waiting[subject]:
                pairs.append((finding, waiting[subject].pop()))
    here = _placed_by_kind(_without(delivered, [finding for finding, _ in pairs]))
    before = _placed_by_kind(_without(known, [before for _, before in pairs]))
    for kind, findings in here.items():
        pairs += _at_same_place(findings, before[kind], plan_error_of(store, kind[1]))
    return pairs


def _without(findings: list[FindingSubject], taken: list[FindingSubject]) -> list[FindingSubject]:
    numbers = {each.number for each in taken}
    return [each for each in findings if each.number not in numbers]


def _placed_by_kind(findings: list[FindingSubject]) -> dict[tuple[str, str | None], list[FindingSubject]]:
    by_kind: dict[tuple[str, str | None], list[FindingSubject]] = defaultdict(list)
    for each in findings:
        if each.point is not None:
            by_kind[each.rule, each.layer].append(each)
    return by_kind


def _feature_and_values(finding: FindingSubject) -> Hashable:
    return finding.feature_id and (finding.rule, finding.layer, finding.feature_id, finding.lasting)


def _feature(finding: FindingSubject) -> Hashable:
    return finding.feature_id and (finding.rule, finding.layer, finding.feature_id)


def _file_and_values(finding: FindingSubject) -> Hashable:
    whole_file = finding.point is None and finding.feature_id is None and finding.is_here
    return (finding.rule, finding.layer, finding.lasting) if whole_file else None


def _at_same_place(delivered: list[FindingSubject], known: list[FindingSubject], distance: float) -> Pairs:
    """Return pairs at most a distance apart, one to one, those that say the same and the nearest first."""
    if not known:
        return []
    here, before = _points(delivered), _points(known)
    ours, theirs = shapely.STRtree(before).query(here, predicate="dwithin", distance=distance)
    ranked = sorted(
        (delivered[a].lasting != known[b].lasting, float(shapely.distance(here[a], before[b])), a, b)
        for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)
    )
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, a, b in ranked:
        if a not in partner and b not in taken:
            partner[a] = b
            taken.add(b)
    return [(delivered[a], known[b]) for a, b in partner.items()]


def _points(findings: list[FindingSubject]) -> NDArray[Any]:
    return np.asarray(shapely.points(np.array([each.point for each in findings], dtype=np.float64)), dtype=object)
