"""Instants and intervals: local days, precision kept, zones heard, text order that is time order."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_model.errors import QueryRefused
from twin_model.temporal import Interval, local_day_number, now, parse_instant, parse_when, to_instant

SHANGHAI = ZoneInfo("Asia/Shanghai")
MOMENTS = st.datetimes(
    datetime(1900, 1, 1),
    datetime(2200, 1, 1),
    timezones=st.sampled_from([UTC, SHANGHAI, timezone(timedelta(hours=-7))]),
)


def read_back(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


@given(MOMENTS, MOMENTS)
def test_text_order_is_time_order_to_the_millisecond(a: datetime, b: datetime) -> None:
    first, second = to_instant(a), to_instant(b)

    assert (read_back(first) < read_back(second)) == (first < second)
    assert abs(read_back(first) - a) < timedelta(milliseconds=1)


@given(st.dates(date(1950, 1, 1), date(2100, 1, 1)))
def test_a_bare_date_begins_at_midnight_of_the_town(day: date) -> None:
    instant, precision = parse_instant(day.isoformat())

    local = read_back(instant).astimezone(SHANGHAI)
    assert (local.date(), local.hour, local.minute, precision) == (day, 0, 0, "day")


@pytest.mark.parametrize(
    ("said", "instant", "precision"),
    [
        ("2024", "2023-12-31T16:00:00.000Z", "year"),
        ("2024年", "2023-12-31T16:00:00.000Z", "year"),
        ("2024-06", "2024-05-31T16:00:00.000Z", "month"),
        ("2024年6月", "2024-05-31T16:00:00.000Z", "month"),
        ("2024.6.1", "2024-05-31T16:00:00.000Z", "day"),
        ("20240601", "2024-05-31T16:00:00.000Z", "day"),
        ("2024/6/1", "2024-05-31T16:00:00.000Z", "day"),
        ("2024年6月1日", "2024-05-31T16:00:00.000Z", "day"),
        ("2024-00-00", "2023-12-31T16:00:00.000Z", "year"),
        ("2024-06-01T08:00:00Z", "2024-06-01T08:00:00.000Z", "instant"),
        ("2024-06-01T08:00:00+08:00", "2024-06-01T00:00:00.000Z", "instant"),
        ("2024-06-01T08:00:00.1239Z", "2024-06-01T08:00:00.123Z", "instant"),
        ("2024-06-01 08:00", "2024-06-01T00:00:00.000Z", "instant"),
    ],
)
def test_a_time_is_as_precise_as_it_was_said(said: str, instant: str, precision: str) -> None:
    assert parse_instant(said) == (instant, precision)


def test_another_town_has_other_midnights() -> None:
    assert parse_instant("2024-06-01", "Europe/Amsterdam")[0] == "2024-05-31T22:00:00.000Z"
    assert parse_instant("2024-01-01", "Europe/Amsterdam")[0] == "2023-12-31T23:00:00.000Z"


@pytest.mark.parametrize(
    "said",
    ["", "  ", "gestern", "2024-13-01", "2024-02-30", "0000-01-01", "0001-01-01", "9999-12-31T23:59:59-08:00", "2024-06-01T25:00", ".."],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_the_value_and_an_example(said: str) -> None:
    with pytest.raises(QueryRefused, match="Expected 2024-06-01") as refused:
        parse_when(said)

    assert repr(said) in str(refused.value)
    assert "不是日期、时刻或区间" in refused.value.text("zh")


def test_no_time_is_now_and_a_time_is_an_instant() -> None:
    assert parse_when(None) is None
    assert parse_when("2024-06-01T08:00:00Z") == "2024-06-01T08:00:00.000Z"


@pytest.mark.parametrize(
    ("said", "interval"),
    [
        ("2024-06-01/..", Interval("2024-05-31T16:00:00.000Z", None)),
        ("2024-06-01/", Interval("2024-05-31T16:00:00.000Z", None)),
        ("../2024-06-01", Interval(None, "2024-06-01T15:59:59.999Z")),
        ("/2024-06-01", Interval(None, "2024-06-01T15:59:59.999Z")),
        ("2024-06-01/2024-06-01", Interval("2024-05-31T16:00:00.000Z", "2024-06-01T15:59:59.999Z")),
        ("2023/2024", Interval("2022-12-31T16:00:00.000Z", "2024-12-31T15:59:59.999Z")),
        ("2024-01/2024-02", Interval("2023-12-31T16:00:00.000Z", "2024-02-29T15:59:59.999Z")),
        ("2024-06-01T00:00:00Z/2024-06-01T01:00:00Z", Interval("2024-06-01T00:00:00.000Z", "2024-06-01T01:00:00.000Z")),
    ],
)
def test_an_interval_takes_its_last_day_month_or_year_whole(said: str, interval: Interval) -> None:
    assert parse_when(said) == interval


@pytest.mark.parametrize("said", ["../..", "/", " .. / .. ", "a/b", "2024/2025/2026", "//"])
def test_what_is_no_interval_is_refused(said: str) -> None:
    with pytest.raises(QueryRefused, match="start/end"):
        parse_when(said)


def test_an_interval_that_ends_before_it_begins_is_refused_with_the_remedy() -> None:
    with pytest.raises(QueryRefused, match="ends before it begins.*Swap the two"):
        parse_when("2024-06-02/2024-06-01")


def test_now_lies_between_two_looks_at_the_clock() -> None:
    before = to_instant(datetime.now(UTC))

    moment = now()

    assert before <= moment <= to_instant(datetime.now(UTC))


def test_a_day_number_is_that_of_the_towns_local_day() -> None:
    assert local_day_number("1969-12-31T16:00:00.000Z") == 0
    assert local_day_number("1969-12-31T15:59:59.999Z") == -1
    assert local_day_number("1969-12-31T16:00:00.000Z", "UTC") == -1
    assert local_day_number("2024-05-31T16:00:00.000Z") == (date(2024, 6, 1) - date(1970, 1, 1)).days
    assert local_day_number("9999-12-31T23:59:59.999Z") == (date.max - date(1970, 1, 1)).days
