"""Bulk work beside its caller: in order, at most three pieces ahead, and what goes wrong is told to who comes next."""

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import errors

from twin_model.store.postgis.lane import Lane

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(postgis_url: str) -> Iterator[Connection]:
    with psycopg.connect(postgis_url.partition("&schema=")[0], autocommit=True) as connected:
        connected.execute("CREATE TEMPORARY TABLE said (word text)")
        yield connected


def say(connection: Connection, word: str) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY said FROM STDIN") as copy:
        copy.write_row((word,))


def test_work_is_done_in_the_order_given_and_is_done_when_the_connection_is_asked_for(
    connection: Connection,
) -> None:
    words = [str(number) for number in range(20)]

    with Lane(connection) as lane:
        for word in words:
            lane.then(partial(say, word=word))
        found = lane.connection.execute("SELECT word FROM said").fetchall()

    assert [word for (word,) in found] == words


def test_who_gives_a_fourth_piece_waits_until_the_first_is_done(connection: Connection) -> None:
    go_on, three_given, given = threading.Event(), threading.Event(), []

    def give(lane: Lane) -> None:
        lane.then(lambda one: go_on.wait(60) and say(one, "first"))
        lane.then(partial(say, word="second"))
        lane.then(partial(say, word="third"))
        three_given.set()
        lane.then(partial(say, word="fourth"))
        given.append("fourth")

    with Lane(connection) as lane:
        giver = threading.Thread(target=give, args=(lane,))
        giver.start()
        assert three_given.wait(60)
        giver.join(0.3)
        before = list(given)
        go_on.set()
        giver.join(60)

    assert (before, given) == ([], ["fourth"])
    assert connection.execute("SELECT count(*) FROM said").fetchall() == [(4,)]


def test_what_goes_wrong_is_raised_to_who_comes_next_and_undoes_the_whole(connection: Connection) -> None:
    with pytest.raises(errors.UndefinedTable), connection.transaction(), Lane(connection) as lane:
        lane.then(partial(say, word="first"))
        lane.then(lambda one: one.execute("SELECT * FROM nowhere") and None)
        for word in ("third", "fourth", "fifth"):
            lane.then(partial(say, word=word))

    assert connection.execute("SELECT count(*) FROM said").fetchall() == [(0,)]


def test_an_error_of_the_last_piece_is_not_lost_when_nobody_comes_after_it(connection: Connection) -> None:
    with pytest.raises(errors.UndefinedTable), Lane(connection) as lane:
        lane.then(lambda one: one.execute("SELECT * FROM nowhere") and None)
