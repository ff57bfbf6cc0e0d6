"""What of a model cannot be read: an odd value loses its own part, never the model, and a finding names the instance.

Values of a wrong type, references that lead nowhere and entities in a wrong place show only when they are used; the
library answers them with Python's own errors. Each part is therefore read by itself (`Losses.attempt`).
"""

from collections.abc import Callable
from typing import Any, TypeVar

from twin_model.finding import Finding, Severity

__all__ = ["UNREADABLE", "Losses", "instance_words"]

UNREADABLE = (RuntimeError, AttributeError, TypeError, ValueError, LookupError, ArithmeticError)
"""What ifcopenshell, numpy and plain Python raise on values that are not what the schema wants."""

_SHOWN = 5
_LONGEST = 120

Value = TypeVar("Value")


class Losses:
    """Collects the instances whose parts were lost, by rule; `findings` has one finding a rule, with the first of them."""

    def __init__(self) -> None:
        self._instances: dict[tuple[str, Severity], dict[str, None]] = {}

    def add(self, rule: str, instance: Any, severity: Severity = "warning") -> None:
        """Note that a part of an instance is lost; the same instance counts once a rule."""
        self._instances.setdefault((rule, severity), {})[instance_words(instance)] = None

    def attempt(self, rule: str, instance: Any, read: Callable[[], Value], default: Value) -> Value:
        """Return what `read` returns; where it fails on what the instance holds, note the loss and return `default`."""
        try:
            return read()
        except UNREADABLE:
            self.add(rule, instance)
            return default

    def text(self, instance: Any, at: int) -> str | None:
        """Return the text at a position of an instance; what is there and is no text is lost."""
        value = instance[at]
        if value is None or isinstance(value, str):
            return value
        self.add("ifc.value_lost", instance)
        return None

    def findings(self) -> list[Finding]:
        """Return one finding a rule: how many instances, and the first of them as the file writes them."""
        return [
            Finding(rule, severity, place=next(iter(instances)).partition("=")[0],
                    values={"count": len(instances), "instances": list(instances)[:_SHOWN]})
            for (rule, severity), instances in self._instances.items()
        ]  # fmt: skip


def instance_words(instance: Any) -> str:
    """Return an instance as its line of the file, "#21=IfcMeasureWithUnit(0.3048,#22)", cut to 120 letters."""
    words = str(instance)
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
