"""Open findings that are told twice: under a key of before and under the one that a later delivery made.

The newer one stays, for it says what the newest file says; the older key leads to it. Findings about a feature that
stands twice no more are about the one that stays. What two findings are about stands in `twin_model/finding_subject.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from twin_model.doctor.doubled import by_first_version
from twin_model.filter import parse_filter
from twin_model.finding_subject import FindingSubject, is_edition, same_subjects, subject_of
from twin_model.store.base import FeatureQuery, Store

__all__ = ["RepeatedFindings", "repeated_findings"]

_OPEN = parse_filter("status = 'open'")


@dataclass
class RepeatedFindings:
    """Pairs of (finding that ends, finding that says it again), and states of findings that are about another id now."""

    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.pairs)


def repeated_findings(store: Store, new_ids: Mapping[tuple[str, str], str]) -> RepeatedFindings:
    """Return the open findings that others repeat; `new_ids` gives by layer and id the id of the feature that stays."""
    if "finding" not in store.catalogue or not store.count(FeatureQuery("finding")):
        return RepeatedFindings()
    names, rows = store.rows(FeatureQuery("finding", where=_OPEN))
    states = {state["fid"]: state for state in (dict(zip(names, row, strict=True)) for row in rows)}
    subjects: dict[int, FindingSubject] = {}
    for fid, state in states.items():
        subject = subject_of(fid, state)
        stays = new_ids.get((subject.layer or "", subject.feature_id or ""))
        subjects[fid] = subject if stays is None else replace(subject, feature_id=stays)
    successors = _successors(store, subjects)
    ended = {before for before, _ in successors}
    return RepeatedFindings(
        [(states[before], states[after]) for before, after in successors],
        [
            {**states[fid], "feature_id": subject.feature_id}
            for fid, subject in subjects.items()
            if fid not in ended and subject.feature_id != (states[fid]["feature_id"] or None)
        ],
    )


def _successors(store: Store, subjects: Mapping[int, FindingSubject]) -> list[tuple[int, int]]:
    """Return pairs of fids: a finding, and the one of a later version that says the same of the same."""
    pairs: list[tuple[int, int]] = []
    last: list[FindingSubject] = []
    for fids in by_first_version(store, "finding", np.array(sorted(subjects), dtype=np.int64)):
        brought = [subjects[fid] for fid in fids.tolist()]
        same = [(a, b) for a, b in same_subjects(store, brought, last) if _is_repetition(a, b)]
        pairs += [(before.number, after.number) for after, before in same]
        repeated = {before.number for _, before in same}
        last = [each for each in last if each.number not in repeated] + brought
    final = dict(pairs)
    return [(before, _last_of(final, after)) for before, after in pairs]


def _last_of(successor: Mapping[int, int], fid: int) -> int:
    while fid in successor:
        fid = successor[fid]
    return fid


def _is_repetition(after: FindingSubject, before: FindingSubject) -> bool:
    """Say whether what seems the same is: not about two features at one place, nor about two files without a place."""
    if after.feature_id is not None and before.feature_id is not None:
        return after.feature_id == before.feature_id
    whole_files = after.point is None and before.point is None
    return not whole_files or is_edition(after.source, before.source)
