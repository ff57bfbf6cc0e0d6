"""Instants and intervals: how `datetime` and `recorded` are read, and how the store writes them.

An instant is text in UTC to the millisecond ("2024-06-01T00:00:00.000Z"), so that text order is time order.
A bare date means the town's local day, a bare year its first day, with the precision kept beside it.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from twin_model.errors import QueryRefused

__all__ = [
    "ALWAYS",
    "Instant",
    "Interval",
    "Precision",
    "local_day_number",
    "now",
    "parse_instant",
    "parse_when",
    "time_text",
]

Instant = str
Precision = str
"""One of "year", "month", "day", "instant"."""

_EPOCH = date(1970, 1, 1).toordinal()
_PARTIAL = re.compile(r"^(\d{4})(?:[-./年]?(\d{1,2})(?:[-./月]?(\d{1,2})日?)?月?)?年?$")


@dataclass(frozen=True)
class Interval:
    """A stretch of valid time; its ends belong to it, None is unbounded."""

    start: Instant | None
    end: Instant | None


ALWAYS = Interval(None, None)


def now() -> Instant:
    return to_instant(datetime.now(UTC))


def to_instant(moment: datetime) -> Instant:
    """Return the text of an aware `datetime`, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_day_number(instant: Instant, zone: str = "Asia/Shanghai") -> int:
    """Return the town's local day on which an instant lies, counted from 1970-01-01; the calendar's last is 9999-12-31.

    >>> local_day_number("2024-05-31T16:00:00.000Z") == local_day_number("2024-06-01T15:59:59.999Z")
    True
    """
    moment = datetime.fromisoformat(instant)
    try:
        return moment.astimezone(ZoneInfo(zone)).toordinal() - _EPOCH
    except OverflowError:
        return moment.toordinal() - _EPOCH


def local_time(instant: Instant, zone: str = "Asia/Shanghai") -> str:
    """Return an instant as people of the town write it: the day where it is a day's beginning, else to the minute.

    >>> local_time("2024-05-31T16:00:00.000Z")
    '2024-06-01'
    """
    moment = datetime.fromisoformat(instant).astimezone(ZoneInfo(zone))
    return moment.strftime("%Y-%m-%d" if moment.time() == time() else "%Y-%m-%d %H:%M")


def parse_instant(text: str, zone: str = "Asia/Shanghai") -> tuple[Instant, Precision]:
    """Return the instant a text means, and how precisely it was said.

    >>> parse_instant("2024-06-01")
    ('2024-05-31T16:00:00.000Z', 'day')
    """
    moment, precision = _moment(text, zone)
    return _as_instant(moment, text), precision


def _moment(text: str, zone: str) -> tuple[datetime, Precision]:
    """Return the aware moment at which what a text names begins, and how precisely it was said."""
    partial = _PARTIAL.match(text.strip())
    try:
        if partial:
            year, month, day = (int(part) if part else 0 for part in partial.groups())
            local = datetime.combine(date(year, month or 1, day or 1), time(), ZoneInfo(zone))
            return local, "day" if day else "month" if month else "year"
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise QueryRefused("query.datetime", value=text) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)), "instant"


def _as_instant(moment: datetime, text: str) -> Instant:
    try:
        return to_instant(moment)
    except OverflowError as error:
        raise QueryRefused("query.datetime", value=text) from error


def _last_instant(text: str, zone: str) -> Instant:
    """Return the last instant of what a text names: of its day, month or year, or the instant itself."""
    last, precision = _moment(text, zone)
    if precision != "instant":
        month = 12 if precision == "year" else last.month
        day = last.day if precision == "day" else monthrange(last.year, month)[1]
        last = last.replace(month=month, day=day, hour=23, minute=59, second=59, microsecond=999_000)
    return _as_instant(last, text)


def parse_when(text: str | None, zone: str = "Asia/Shanghai") -> Instant | Interval | None:
    """Return what a `datetime` parameter means: None (now), an instant, or an interval "a/b", "a/..", "../b".

    A day, month or year at the end of an interval is meant whole.

    >>> parse_when("2023/2024")
    Interval(start='2022-12-31T16:00:00.000Z', end='2024-12-31T15:59:59.999Z')
    """
    if text is None:
        return None
    if "/" not in text:
        return parse_instant(text, zone)[0]
    sides = ["" if side.strip() == ".." else side.strip() for side in text.split("/")]
    if len(sides) != 2 or not any(sides):
        raise QueryRefused("query.datetime", value=text)
    start = parse_instant(sides[0], zone)[0] if sides[0] else None
    end = _last_instant(sides[1], zone) if sides[1] else None
    if start is not None and end is not None and start > end:
        raise QueryRefused("query.datetime_order", value=text)
    return Interval(start, end)


def time_text(value: "str | date") -> str:
    """Return a day or an instant as the text that is parsed; a text as it is. Raises `QueryRefused` for anything else."""
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        raise QueryRefused("query.datetime", value=repr(value)[:100])
    return value
