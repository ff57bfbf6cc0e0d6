"""Days of change: how many a slider is told, and which layers are steady."""

from api_config.web.change_days import LayerTime, dates, few


def test_few_changes_are_told_by_their_days_and_many_by_months_or_years() -> None:
    days = [f"2024-01-{day:02}" for day in range(1, 32)]
    every_day = dates(range(20_000))

    assert few(days) == days
    assert few(dates(range(3 * 365)))[:3] == ["1970-01-01", "1970-02-01", "1970-03-01"]
    assert few(every_day)[:3] == ["1970-01-01", "1971-01-01", "1972-01-01"]
    assert few([]) == []


def test_a_layer_is_steady_from_its_last_beginning_until_its_first_end() -> None:
    layer_time = LayerTime(frozenset({10, 20}), frozenset({30, 40}), stays=True)

    assert [day for day in (9, 19, 20, 29, 30, 45) if layer_time.is_steady(day)] == [20, 29]
    assert layer_time.changes == {10, 20, 30, 40}
