"""DATE, TIMESTAMP and INTERVAL literals of a filter, and the day an instant falls on."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from twin_model.filter.errors import InvalidFilter, InvalidLiteral, shown
from twin_model.filter.expression import Instant, IntervalLiteral, Property

__all__ = ["as_text", "day_bounds", "local_day", "read_bound", "read_instant", "read_interval"]

DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
EXPECTED = {
    "date": "DATE('YYYY-MM-DD'), a day of the calendar",
    "timestamp": "TIMESTAMP('YYYY-MM-DDTHH:MM:SSZ'), with at most six digits after the second",
}


def read_instant(kind: str, text: Any) -> Instant:
    """Return the instant that `text` names; `kind` is "date" or "timestamp".

    Raises `InvalidLiteral` for another notation, a day that is not in the calendar, or a time without a zone.
    """
    pattern = DATE if kind == "date" else TIMESTAMP
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise InvalidLiteral(kind=kind, text=shown(text), expected=EXPECTED[kind])
    try:
        if kind == "date":
            return Instant(date.fromisoformat(text))
        return Instant(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise InvalidLiteral(kind=kind, text=text, expected=EXPECTED[kind]) from error


def read_bound(node: Any) -> Property | Instant | None:
    """Return one end of an interval from its CQL2 JSON; `".."` is open."""
    match node:
        case "..":
            return None
        case str():
            return read_instant("timestamp" if "T" in node else "date", node)
        case {"property": str(name)}:
            return Property(name)
        case {"date": text}:
            return read_instant("date", text)
        case {"timestamp": text}:
            return read_instant("timestamp", text)
    raise InvalidFilter(found=shown(node), expected="a date, a timestamp, a property or '..'")


def read_interval(ends: Any) -> IntervalLiteral:
    """Return the interval of a two-element list; an interval that ends before it begins is refused."""
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise InvalidFilter(found=shown(ends), expected="INTERVAL(start, end)")
    start, end = read_bound(ends[0]), read_bound(ends[1])
    if isinstance(start, Instant) and isinstance(end, Instant) and _ends_before(start, end):
        expected = "a start that is not after its end"
        raise InvalidLiteral(kind="interval", text=shown(list(ends)), expected=expected)
    return IntervalLiteral(start, end)


def _ends_before(start: Instant, end: Instant) -> bool:
    one, two = start.value, end.value
    if isinstance(one, datetime) and isinstance(two, datetime):
        return two < one
    # A date and a timestamp on one local day may lie a day apart in UTC.
    grace = timedelta(days=type(one) is not type(two))
    return local_day(start, UTC) - local_day(end, UTC) > grace


def local_day(instant: Instant, timezone: tzinfo) -> date:
    """Return the calendar day of `instant` in `timezone`; a date is that day already."""
    value = instant.value
    return value.astimezone(timezone).date() if isinstance(value, datetime) else value


def day_bounds(day: date, timezone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first instant of the local `day` and that of the next, in UTC.

    Raises `InvalidLiteral` at the two ends of the calendar, where the day has no such instant.
    """
    try:
        start = datetime(day.year, day.month, day.day, tzinfo=timezone)
        following = day + timedelta(days=1)
        end = datetime(following.year, following.month, following.day, tzinfo=timezone)
        return start.astimezone(UTC), end.astimezone(UTC)
    except OverflowError as error:
        expected = "a day between the years 1 and 9999"
        raise InvalidLiteral(kind="date", text=day.isoformat(), expected=expected) from error


def as_text(value: date | datetime) -> str:
    """Return a date as YYYY-MM-DD, an aware datetime as the stores keep instants: texts then order as times do.

    Instants are stored to the millisecond; what a literal has beyond it stands after the Z.
    """
    if not isinstance(value, datetime):
        return value.isoformat()
    beyond = value.microsecond % 1000
    text = value.astimezone(UTC).strftime("%m-%dT%H:%M:%S")
    rest = f".{value.microsecond // 1000:03}Z" + (f"{beyond:03}" if beyond else "")
    return f"{value.astimezone(UTC).year:04}-{text}{rest}"
