"""A finding: one thing a check noticed. Rule, severity, place and values; its words are rendered at the outer walls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from twin_model.messages import render

__all__ = ["Finding", "Severity"]

Severity = Literal["error", "warning", "info"]


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
