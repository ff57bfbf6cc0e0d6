"""A server is waited for as long as the caller waits: it is told so, and let go where it hears nothing."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.deadline import Deadline, waiting
from twin_model.errors import StoreError
from twin_model.store.opening import create_store


@pytest.fixture
def store(postgis_url: str, tmp_path: Path) -> Iterator[Any]:
    """A store of one layer."""
    few = Catalogue({"building": read_catalogue()["building"]})
    made = create_store(postgis_url, few, "EPSG:4548", folder=tmp_path)
    yield made
    made.close()


def test_the_server_is_told_how_long_a_statement_may_take(store: Any) -> None:
    """It then ends it by itself, even where the process that asked is gone."""

    def bound() -> Any:
        return store._all("SHOW statement_timeout")[0][0]

    with waiting(Deadline(2.5)):
        within = bound()

    assert (bound(), within, bound()) == ("0", "3500ms", "0")
    with waiting(Deadline(-0.5)), pytest.raises(StoreError):
        store._all("SELECT pg_sleep(60)")


def test_a_server_that_is_silent_is_let_go_and_asked_again_when_it_speaks(store: Any) -> None:
    """The back end is stopped as if the machine slept: it hears no cancel. The thread that waits for it comes free."""
    deadline, asleep, failures = Deadline(60.0), threading.Event(), []

    def ask() -> None:
        try:
            with waiting(deadline), store._lent() as connection:
                stopped.append(connection.info.backend_pid)
                os.kill(stopped[0], signal.SIGSTOP)
                asleep.set()
                connection.execute("SELECT 1")
        except StoreError as error:
            failures.append(error)

    stopped: list[int] = []
    asking = threading.Thread(target=ask, daemon=True)
    try:
        asking.start()
        assert asleep.wait(10)
        begun = time.monotonic()
        deadline.cancel()
        asking.join(20)
        seconds = time.monotonic() - begun
        again = store.version()
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)

    assert not asking.is_alive() and seconds < 15
    assert len(failures) == 1 and again == 0
