"""A line of the history as both stores keep it: its columns, and the record made of them."""

from typing import Any

import orjson

from twin_model.errors import ChainBroken
from twin_model.store.base import ChangesetRecord

__all__ = ["HASHED_COLUMNS", "changeset_record", "read_checkpoint"]

HASHED_COLUMNS = (
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
    line, (previous, digest) = dict(zip(HASHED_COLUMNS, row, strict=False)), row[len(HASHED_COLUMNS) :]
    rule = line["rule"]
    if rule < 3:
        line = {name: value for name, value in line.items() if name not in _SINCE_RULE_3}
    try:
        counts = orjson.loads(line["counts"])
    except orjson.JSONDecodeError as error:
        raise ChainBroken(version=line["number"], cause=f"counts: {error}", expected="JSON") from error
    return ChangesetRecord(
        number=line["number"], recorded=line["recorded"], effective=line["effective"], author=line["author"], reason=line["reason"],
        source=line["source"] or "", sha256=line["sha256"] or "", counts=counts, previous=previous, hash=digest,
        line=line, rule=rule,
    )  # fmt: skip


def read_checkpoint(text: str) -> tuple[int, str]:
    """Return number and hash of a checkpoint as stores write it; what is none is that of no version."""
    number, _, digest = text.partition(" ")
    return (int(number), digest) if number.isdecimal() else (-1, digest)
