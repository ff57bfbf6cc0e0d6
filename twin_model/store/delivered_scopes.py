"""Whether what was delivered is kept as its changeset tells it: with which sheet and scale, and until which version.

The chain proves what was delivered of each feature (`twin_model/store/digests.py`); that a sheet ends only what came with
it hangs on these columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.store.base import ChangesetRecord
from twin_model.store.damage import Damage
from twin_model.store.evidence import OPEN

__all__ = ["DeliveredScopes"]

_COLUMNS = ("fid", "part", "version_from", "version_to", "scope")


@dataclass
class DeliveredScopes:
    """The parts of all layers, heard in batches as the table `part` has them: by layer columns of numbers, and the scopes
    (name, series) that one of them counts."""

    scopes: dict[tuple[Any, Any], int] = field(default_factory=dict)
    _pieces: dict[str, list[NDArray[np.int64]]] = field(default_factory=dict)

    def __call__(self, batch: list[tuple[Any, ...]]) -> None:
        layers, fids, parts, _, names, series, version_from, version_to, _ = zip(*batch, strict=True)
        scopes = [self.scopes.setdefault(pair, len(self.scopes)) for pair in zip(names, series, strict=True)]
        until = [OPEN if version is None else version for version in version_to]
        columns = np.array((fids, parts, version_from, until, scopes), dtype=np.int64).T
        named = np.array(layers, dtype=object)
        for layer in dict.fromkeys(layers):
            self._pieces.setdefault(layer, []).append(columns[named == layer])

    def last_fid(self, layer: str) -> int:
        """Return the greatest fid of which something was delivered, 0 where nothing was."""
        return max((int(piece[:, 0].max()) for piece in self._pieces.get(layer, ())), default=0)

    def damages(self, history: Mapping[int, ChangesetRecord]) -> list[Damage]:
        """Return the first part of each layer that is not as the changesets, by number, tell it."""
        reverts = np.array([number for number, record in history.items() if "reverts" in record.counts], dtype=np.int64)
        damages = []
        for layer, pieces in self._pieces.items():
            columns = np.concatenate(pieces)
            columns = columns[np.lexsort((columns[:, 2], columns[:, 1], columns[:, 0]))]
            for rule, wrong in (
                ("audit.part_until", _wrong_ends(columns, reverts)),
                ("audit.part_scope", self._wrong_scopes(layer, columns, history)),
            ):
                if wrong.any():
                    fid, _, version, *_ = columns[wrong][0].tolist()
                    damages.append(Damage(rule, {"layer": layer, "fid": fid, "version": version}))
        return damages

    def _wrong_scopes(
        self, layer: str, columns: NDArray[np.int64], history: Mapping[int, ChangesetRecord]
    ) -> NDArray[np.bool_]:
        """Say which parts came with another scope than their version. A revert repeats that of an earlier part."""
        order = np.argsort(columns[:, 2], kind="stable")
        versions, scopes = columns[order, 2], columns[order, 4]
        repeated = _repeats_earlier(columns)[order]
        wrong = np.zeros(len(columns), dtype=bool)
        for version in np.unique(versions).tolist():
            rows = slice(*np.searchsorted(versions, (version, version + 1)))
            record = history.get(version)
            allowed = _allowed_scopes(layer, record)
            if allowed is not None:
                numbers = [number for pair, number in self.scopes.items() if pair in allowed]
                wrong[order[rows]] = ~np.isin(scopes[rows], numbers)
            elif record is not None and "reverts" in record.counts:
                wrong[order[rows]] = ~repeated[rows]
        return wrong


def _wrong_ends(columns: NDArray[np.int64], reverts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which parts do not hold until the next of their feature, or a revert, and which are no first part."""
    fids, version_from, version_to = columns[:, 0], columns[:, 2], columns[:, 3]
    is_followed = np.r_[fids[1:] == fids[:-1], False][: len(fids)]
    following = np.r_[version_from[1:], 0][: len(fids)]
    ends_by_revert = np.isin(version_to, reverts) & (version_to > version_from)
    as_followed = (version_to == following) | (ends_by_revert & (version_to < following))
    right = np.where(is_followed, as_followed, (version_to == OPEN) | ends_by_revert)
    return np.asarray(~right | (columns[:, 1] != 0))


def _repeats_earlier(columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which parts have the scope of a part of their feature of an earlier version."""
    fids, versions, scopes = columns[:, 0], columns[:, 2], columns[:, 4]
    order = np.lexsort((versions, scopes, fids))
    pairs = np.column_stack((fids, scopes))[order]
    starts = np.flatnonzero(np.r_[True, (pairs[1:] != pairs[:-1]).any(axis=1)][: len(pairs)])
    first = np.repeat(versions[order][starts], np.diff(np.r_[starts, len(pairs)]))
    repeats = np.empty(len(columns), dtype=bool)
    repeats[order] = first < versions[order]
    return repeats


def _allowed_scopes(layer: str, record: ChangesetRecord | None) -> set[tuple[Any, Any]] | None:
    """Return the scopes (name, series) with which a version may have delivered, None where nothing tells them."""
    if record is None or record.rule < 3 or "reverts" in record.counts:
        return None
    shown = record.counts.get("shown")
    if shown is not None:
        return {(shown["name"], shown["series"])}
    return None if record.source else {("", ""), (layer, "")}
