"""A line of the history as both stores keep it: its columns, and the record made of them."""

from typing import Any

import orjson

from twin_model.store.base import ChangesetRecord

__all__ = ["LINE", "changeset_record"]

LINE = (
    "number",
    "recorded",
    "effective",
    "author",
    "reason",
    "source",
    "sha256",
    "kind",
    "delivery",
    "counts",
    "rule",
    "identity",
)
"""The columns of a changeset of which its hash is made."""

_SINCE_RULE_3 = ("rule", "identity")
"""Columns that lines of the first rule do not have."""


def changeset_record(row: tuple[Any, ...]) -> ChangesetRecord:
    """Return a changeset from its line and the two hashes; both stores keep the same columns."""
    line, (previous, digest) = dict(zip(LINE, row, strict=False)), row[len(LINE) :]
    rule = line["rule"]
    if rule < 3:
        line = {name: value for name, value in line.items() if name not in _SINCE_RULE_3}
    return ChangesetRecord(
        number=line["number"], recorded=line["recorded"], effective=line["effective"], author=line["author"], reason=line["reason"],
        source=line["source"] or "", sha256=line["sha256"] or "", counts=orjson.loads(line["counts"]), previous=previous, hash=digest,
        line=line, rule=rule,
    )  # fmt: skip
