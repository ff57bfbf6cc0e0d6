"""Bringing a changeset into a store: what both stores share while they hold the writer's place.

A store gives a `Transaction`: where its history ends, one `LayerWriter` a layer, blobs, the changeset's line. Here is
the order of things; how a layer's rows are written stands in `layer_writer`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.changeset import Changeset, Touched, Version
from twin_model.errors import VersionConflict
from twin_model.plan import UNCHANGED, LayerPlan, Progress, unwatched
from twin_model.shown_features import shown_record
from twin_model.store.digests import RULE
from twin_model.store.layer_writer import LayerWriter, Writing
from twin_model.temporal import Instant, now, to_instant

__all__ = ["GENESIS", "Transaction", "chain_hash", "moment_after", "take_censuses", "write_changeset", "written_layers"]

GENESIS = "0" * 64
"""What stands before the first link of the hash chain."""


def chain_hash(previous: str, line: Mapping[str, Any]) -> str:
    """Return the hash of a changeset's line in the history, chained to the one before it."""
    return sha256(previous.encode() + orjson.dumps(dict(line), option=orjson.OPT_SORT_KEYS)).hexdigest()


class Transaction(Protocol):
    """A store while it holds the one writer's place of what it writes."""

    def last(self) -> tuple[int, Instant | None, str]:
        """Return number, recorded instant and hash of the newest changeset (0, None, GENESIS before the first)."""
        ...

    def writer(self, layer: str, writing: Writing) -> LayerWriter: ...

    def fids(self, layer: str, ids: Sequence[str]) -> list[int]:
        """Return the fids of current features."""
        ...

    def keep_blobs(self, blobs: Iterable[tuple[str, bytes]]) -> None: ...

    def record(self, line: Mapping[str, Any]) -> None:
        """Write the line of a changeset; keys are columns."""
        ...


def write_changeset(
    transaction: Transaction,
    catalogue: Catalogue,
    changeset: Changeset,
    plans: Mapping[str, LayerPlan],
    *,
    ahead: Mapping[str, LayerWriter] = {},
    progress: Progress = unwatched,
) -> Version:
    """Write a planned changeset and return the version it made, or the newest one where it changes nothing.

    Writers that went `ahead` have written the delivered rows of their layers. `progress` hears how many rows are written.
    """
    number, recorded, previous = transaction.last()
    moment = moment_after(recorded)
    if _changes_nothing(changeset, plans):
        still = {name: _as_planned(Touched(unchanged=len(plan.decisions)), plan) for name, plan in plans.items()}
        return Version(number, recorded or moment, still, made=False)
    if changeset.since_recorded:
        changeset = replace(changeset, effective=moment)
    whole = changeset.source is None and not changeset.edit
    writing = Writing(number + 1, changeset.effective, moment, changeset.edit, changeset.scope, whole)
    for writer in ahead.values():
        writer.writing = writing
    writers = {name: ahead.get(name) or transaction.writer(name, writing) for name in written_layers(changeset, plans)}
    ending = {
        name: _current_fids(transaction, name, ids, changeset, number) for name, ids in changeset.terminated.items()
    }
    _ensure_fresh(changeset, plans, writers, ending, number)
    _watch(writers, progress, _rows_to_write(changeset, plans))
    _reserve(changeset, writers)
    position = dict.fromkeys(plans, 0)
    for delivery in changeset.deliveries(catalogue):
        if delivery.layer in ahead or delivery.layer not in plans:  # nothing was delivered of a layer without a plan
            continue
        rows, start = delivery.rows(), position[delivery.layer]
        plan = plans[delivery.layer]
        decisions, until = plan.decisions[start : start + len(rows)], plan.ends(start, len(rows))
        writers[delivery.layer].shown_on = plan.late.shown_on
        writers[delivery.layer].write(plan.rows_to_write(rows, start), decisions, until)
        position[delivery.layer] = start + len(rows)
    for name, plan in plans.items():
        writers[name].end([*plan.ended.tolist(), *plan.late.ended_earlier])
        writers[name].begin(plan.late.begun)
        writers[name].link(plan)
    for name, current in ending.items():
        writers[name].end(current)
    for name, fids in changeset.restored.items():
        writers[name].restore(fids, changeset.restored_to)
    transaction.keep_blobs(changeset.blobs())
    progress("index", 0, 0)
    finished = {name: writer.finish() for name, writer in writers.items()}
    shown = {name: np.union1d(plan.shown, writers[name].new_fids) for name, plan in plans.items() if name != "finding"}
    line = _line(changeset, writing, {name: digest for name, (_, digest) in finished.items()}, plans, shown)
    digest = chain_hash(previous, line)
    transaction.record({**line, "previous": previous, "hash": digest})
    touched = {name: _as_planned(touched, plans.get(name)) for name, (touched, _) in finished.items()}
    return Version(writing.version, moment, touched, True, digest)


def take_censuses(transaction: Transaction, versions: Mapping[str, int]) -> None:
    """Take the census of each layer that was ever written, as of its last version."""
    for layer, version in versions.items():
        if version:
            transaction.writer(layer, Writing(version, "", "")).take_census()


def _reserve(changeset: Changeset, writers: Mapping[str, LayerWriter]) -> None:
    """Tell writers which ids an edit or a result gives by hand; a source numbers its features otherwise."""
    if changeset.source is None:
        for delivery in changeset.delivered:
            if delivery.layer in writers:
                writers[delivery.layer].reserved |= {name for name in delivery.rows().ids.tolist() if name is not None}


def _changes_nothing(changeset: Changeset, plans: Mapping[str, LayerPlan]) -> bool:
    """Remarks alone are no change of the town; a record set aside, or a finding that is mended, is."""
    described = changeset.counts.get("described")
    if changeset.terminated or changeset.restored or (described and described["before"]):
        return False
    features = [one for name, one in plans.items() if name != "finding"]
    if not features or not all(part.is_empty for part in features):
        return not plans or all(plan.is_empty for plan in plans.values())
    noticed = plans.get("finding")
    if noticed is None:
        return True
    errors = np.array([finding.severity == "error" for finding in changeset.findings], dtype=bool)
    stays = noticed.decisions == UNCHANGED
    return not len(noticed.ended) and bool((stays if noticed.quiet is None else stays | noticed.quiet)[errors].all())


def _rows_to_write(changeset: Changeset, plans: Mapping[str, LayerPlan]) -> int:
    planned = sum(int((plan.decisions != UNCHANGED).sum()) + len(plan.ended) for plan in plans.values())
    return planned + sum(map(len, (*changeset.terminated.values(), *changeset.restored.values())))


def _watch(writers: Mapping[str, LayerWriter], progress: Progress, total: int) -> None:
    """Let progress hear of the rows of all writers together."""
    done = 0

    def tick(rows: int) -> None:
        nonlocal done
        done += rows
        progress("write", done, total)

    tick(0)
    for writer in writers.values():
        writer.tick = tick


def written_layers(changeset: Changeset, plans: Mapping[str, LayerPlan]) -> list[str]:
    """Return the ids of the layers that a planned changeset concerns."""
    return list(dict.fromkeys([*plans, *changeset.terminated, *changeset.restored]))


def _current_fids(
    transaction: Transaction, layer: str, ids: Sequence[str], changeset: Changeset, newest: int
) -> list[int]:
    """Return the fids of features that are to end; those that others have ended since the base are a `VersionConflict`."""
    fids = transaction.fids(layer, ids)
    if changeset.base is not None and len(fids) < len(set(ids)):
        missing = [each for each in ids if not transaction.fids(layer, [each])]
        raise VersionConflict(base=changeset.base, found=newest, features={layer: missing})
    return fids


def _ensure_fresh(
    changeset: Changeset,
    plans: Mapping[str, LayerPlan],
    writers: Mapping[str, LayerWriter],
    ending: Mapping[str, list[int]],
    newest: int,
) -> None:
    """Refuse an edit of features that a version later than its base has changed; all of them are named."""
    if changeset.base is None or changeset.base >= newest:
        return
    stale: dict[str, list[str]] = defaultdict(list)
    for name, writer in writers.items():
        fids = [*changeset.restored.get(name, ()), *ending.get(name, ())]
        if name in plans:
            fids += plans[name].decisions[plans[name].decisions > 0].tolist() + plans[name].ended.tolist()
        stale[name] += writer.changed_since(fids, changeset.base) if fids else []
    stale_ids = {name: ids for name, ids in stale.items() if ids}
    if stale_ids:
        raise VersionConflict(base=changeset.base, found=newest, features=stale_ids)


def moment_after(recorded: Instant | None) -> Instant:
    """Return the present, but strictly after the last changeset's, so that recorded time is strictly monotonic."""
    moment = now()
    if recorded is None or moment > recorded:
        return moment
    return to_instant(datetime.fromisoformat(recorded) + timedelta(milliseconds=1))


def _as_planned(touched: Touched, plan: LayerPlan | None) -> Touched:
    if plan is None:
        return touched
    return replace(
        touched,
        kinds=plan.kinds,
        kept_columns=plan.kept_columns,
        others=plan.others,
        outlasting=plan.outlasting,
        ended_since=plan.ended_since,
    )


def _line(
    changeset: Changeset,
    writing: Writing,
    digests: Mapping[str, str],
    plans: Mapping[str, LayerPlan],
    shown: Mapping[str, NDArray[np.int64]],
) -> dict[str, Any]:
    source = changeset.source
    kinds = {name: dict(plan.kinds) for name, plan in plans.items() if plan.kinds}
    lacking = {name: list(plan.kept_columns) for name, plan in plans.items() if plan.kept_columns}
    noted: dict[str, Any] = ({"kinds": kinds} if kinds else {}) | ({"kept_columns": lacking} if lacking else {})
    ended_by = sorted(frozenset[int]().union(*(plan.late.ended_by for plan in plans.values())))
    noted |= {"ended_by": ended_by} if ended_by else {}
    noted |= {"shown": shown_record(changeset.scope, shown)} if source else {}
    return {
        "number": writing.version, "recorded": writing.moment, "effective": changeset.effective, "author": changeset.author,
        "reason": changeset.reason, "source": source.name if source else None, "sha256": source.sha256 if source else None,
        "kind": source.kind if source else None, "delivery": source.delivery if source else None,
        "counts": orjson.dumps({**changeset.counts, **noted, "content": digests}).decode(), "rule": RULE,
        "identity": orjson.dumps(dict(source.identity), option=orjson.OPT_SORT_KEYS).decode() if source and source.identity else None,
    }  # fmt: skip
