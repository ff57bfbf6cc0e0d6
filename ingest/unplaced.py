"""What of a source is not where its CRS puts it: counted by cause, one finding each, the first records kept as read."""

from dataclasses import dataclass, field
from typing import Any

from ingest.place import Cause
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["Unplaced"]

_KEPT_RECORDS = 100


@dataclass
class _Group:
    """The rows of one cause: how many, where the first is, and the first records."""

    layer: str
    place: str
    first: tuple[float, float]
    crs: str
    count: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Unplaced:
    """Rows of a source that were set aside because of their place; `total` counts all rows that have one."""

    source: str
    total: int = 0
    _groups: dict[Cause, _Group] = field(default_factory=dict)

    def add(
        self, cause: Cause, layer: str, place: str, at: tuple[float, float], crs: str, record: dict[str, Any]
    ) -> None:
        """Count a row whose numbers `at` (in its CRS) are wrong for a cause."""
        group = self._groups.setdefault(cause, _Group(layer, place, at, crs))
        group.count += 1
        if len(group.records) < _KEPT_RECORDS:
            group.records.append(record)

    @property
    def findings(self) -> list[Finding]:
        """One finding a cause."""
        return [
            Finding(
                cause.rule,
                "error",
                layer=group.layer,
                place=group.place,
                values=self._values(cause, group),
                raw={"records": group.records},
            )
            for cause, group in self._groups.items()
        ]

    def ensure_few(self) -> None:
        """Refuse the source where most of its rows are wrong; the cause of the most of them is named."""
        if 2 * sum(group.count for group in self._groups.values()) > self.total:
            cause, group = max(self._groups.items(), key=lambda item: item[1].count)
            raise SourceRefused(cause.rule, place=group.place, **self._values(cause, group))

    def _values(self, cause: Cause, group: _Group) -> dict[str, Any]:
        x, y = (round(float(number), 3) for number in group.first)
        return {"source": self.source, "count": group.count, "total": self.total, "x": x, "y": y,
                "crs": group.crs, "likely": cause.crs, "unit": cause.unit}  # fmt: skip
