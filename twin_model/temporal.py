"""Instants and intervals: how `datetime` and `recorded` are read, and how the store writes them.

An instant is text in UTC to the millisecond ("2024-06-01T00:00:00.000Z"), so that text order is time order.
A bare date means the town's local day, a bare year its first day, with the precision kept beside it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from twin_model.errors import QueryRefused

__all__ = ["Instant", "Interval", "Precision", "now", "parse_instant", "parse_when"]

Instant = str
Precision = str
"""One of "year", "month", "day", "instant"."""

_PARTIAL = re.compile(r"^(\d{4})(?:[-./年]?(\d{1,2})(?:[-./月]?(\d{1,2})日?)?月?)?年?$")


@dataclass(frozen=True)
class Interval:
    """A stretch of valid time, half-open; None is unbounded."""

    start: Instant | None
    end: Instant | None


def now() -> Instant:
    return to_instant(datetime.now(UTC))


def to_instant(moment: datetime) -> Instant:
    """Return the text of an aware `datetime`, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_instant(text: str, zone: str = "Asia/Shanghai") -> tuple[Instant, Precision]:
    """Return the instant a text means, and how precisely it was said.

    >>> parse_instant("2024-06-01")
    ('2024-05-31T16:00:00.000Z', 'day')
    """
    stripped = text.strip()
    partial = _PARTIAL.match(stripped)
    try:
        if partial:
            year, month, day = (int(part) if part else None for part in partial.groups())
            local = datetime.combine(date(year or 1, month or 1, day or 1), time(), ZoneInfo(zone))
            return to_instant(local), "day" if day else "month" if month else "year"
        moment = datetime.fromisoformat(stripped)
    except ValueError as error:
        raise QueryRefused("query.datetime", value=text) from error
    return to_instant(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))), "instant"


def parse_when(text: str | None, zone: str = "Asia/Shanghai") -> Instant | Interval | None:
    """Return what a `datetime` parameter means: None (now), an instant, or an interval "a/b", "a/..", "../b"."""
    if text is None or not text.strip():
        if text is not None:
            raise QueryRefused("query.datetime", value=text)
        return None
    if "/" not in text:
        return parse_instant(text, zone)[0]
    sides = text.split("/")
    if len(sides) != 2 or sides in (["..", ".."], ["", ""], ["..", ""], ["", ".."]):
        raise QueryRefused("query.datetime", value=text)
    start, end = (None if side.strip() in {"", ".."} else parse_instant(side, zone)[0] for side in sides)
    if start is not None and end is not None and start > end:
        raise QueryRefused("query.datetime_order", value=text)
    return Interval(start, end)
