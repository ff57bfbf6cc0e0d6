"""Values that may be made again: the last ones used stay, within so many bytes, whoever asks."""

import threading

from twin_model.recent_values import RecentValues


def test_what_was_not_asked_for_the_longest_is_forgotten_when_the_bytes_are_full() -> None:
    values: RecentValues[str] = RecentValues(30)
    made: list[str] = []

    def get(key: str, size: int = 10) -> str:
        return values.get(key, make=lambda: made.append(key) or key.upper(), size=lambda _: size)

    answers = [get(key) for key in ("a", "b", "c", "a", "d", "a", "b")]

    assert answers == ["A", "B", "C", "A", "D", "A", "B"]
    assert made == ["a", "b", "c", "d", "b"]
    assert values.bytes_held == 30
    assert get("huge", 31) == "HUGE" and values.bytes_held <= 30


def test_many_threads_make_a_value_once_and_never_miss_one() -> None:
    values: RecentValues[int] = RecentValues(20)
    made: list[int] = []
    wrong: list[int] = []

    def ask(seed: int) -> None:
        for step in range(400):
            key = (seed * 7 + step * step) % 5
            if values.get(key, make=lambda key=key: made.append(key) or key, size=lambda _: 10) != key:
                wrong.append(key)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert len(made) < 8 * 400 and values.bytes_held <= 20


def test_a_value_that_cannot_be_made_is_asked_for_again() -> None:
    values: RecentValues[int] = RecentValues(100)

    def fails() -> int:
        raise OSError("no disk")

    for _ in range(2):
        try:
            values.get("key", make=fails, size=lambda _: 1)
        except OSError as error:
            assert str(error) == "no disk"
    assert values.get("key", make=lambda: 7, size=lambda _: 1) == 7
