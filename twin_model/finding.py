"""A finding: one thing a check noticed. Rule, severity, place and values; its words are rendered at the outer walls.

What a finding is about (its subject) is what stays when the same fault is delivered again: rule, layer, feature or place,
and what is wrong. Rows, handles, counts and the file's name do not stay.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from twin_model.messages import render

__all__ = ["Finding", "Severity", "lasting_values"]

Severity = Literal["error", "warning", "info"]

_PASSING = {"source", "place", "first", "handle", "row", "rows", "line", "fid", "count", "features", "total", "fixes"}
"""Names of values that another delivery of the same fault may change: where a record stands, in which file, how many."""

_POSITION = re.compile(r"\b(handle|row|line|fid|instance)\s+#?[0-9A-F]+\b", re.IGNORECASE)


def lasting_values(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the values of a finding that are the same when the fault is delivered again in another file or order.

    >>> lasting_values({"field": "年代", "cause": "row 17 of a.csv is empty", "count": 3}, "a.csv")
    {'field': '年代', 'cause': 'row of  is empty'}
    """
    names = source, _stem(source)
    return {
        name: _without_position(value, source)
        for name, value in values.items()
        if name not in _PASSING and value not in names
    }


@lru_cache(maxsize=1024)
def _stem(source: str) -> str:
    return Path(source).stem


def _without_position(value: Any, source: str) -> Any:
    if isinstance(value, str):
        return _POSITION.sub(r"\1", value.replace(source, "") if source else value)
    if isinstance(value, list | tuple):
        return [_without_position(each, source) for each in value]
    return value


@dataclass(frozen=True)
class Finding:
    """One thing noticed in the data.

    `place` says where in the source ("row 17", "handle 2F3"); `point` is x, y in the frame's CRS where known;
    `raw` holds the record when it was set aside instead of stored.
    """

    rule: str
    severity: Severity = "warning"
    layer: str | None = None
    feature_id: str | None = None
    place: str = ""
    point: tuple[float, float] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] | None = None

    def text(self, lang: str = "en") -> str:
        """Return the message in `lang` ("zh" or "en")."""
        return render(self.rule, lang, {**self.values, "place": self.place, "layer": self.layer})
