"""Workers of `twin serve` that are renewed (SIGHUP), killed or ended (SIGTERM) while clients ask."""

import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from served_workers import served, until, workers_of

CLIENTS = 6
ITEMS = "/collections/building/items?limit=50"


class Asking:
    """Clients that ask without a pause, each time on a connection of its own, and what they were answered."""

    def __init__(self, port: int) -> None:
        self._port, self._ends = port, threading.Event()
        self.answers: list[int | str] = []

    def _ask(self) -> None:
        while not self._ends.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            try:
                connection.request("GET", ITEMS, headers={"Connection": "close"})
                answer = connection.getresponse()
                whole = answer.read().endswith(b"}")
                self.answers.append(answer.status if whole else "cut off")
            except OSError as error:
                self.answers.append(type(error).__name__)
            finally:
                connection.close()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        clients = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            self._ends.set()
            for client in clients:
                client.join()


@pytest.fixture
def under_load(demo_town: Path) -> Iterator["Loaded"]:
    """A service that clients have asked for a second, what they are answered, and its workers; they ask until the test ends."""
    with served(demo_town) as (process, port):
        asking, former = Asking(port), workers_of(process.pid)
        with asking.under_way():
            time.sleep(1)
            yield process, asking, former


Loaded = tuple[subprocess.Popen[str], Asking, set[int]]


@pytest.mark.proof
def test_renewing_every_worker_under_load_costs_no_client_an_answer(under_load: Loaded) -> None:
    process, asking, former = under_load

    os.kill(process.pid, signal.SIGHUP)
    until(lambda: len(workers_of(process.pid) - former) == 2 and not workers_of(process.pid) & former)
    time.sleep(3)

    answers = tuple(asking.answers)
    assert set(answers) == {200} and len(answers) > 100


@pytest.mark.proof
def test_a_killed_worker_takes_only_its_own_requests_with_it_and_is_replaced(under_load: Loaded) -> None:
    process, asking, former = under_load

    os.kill(min(former), signal.SIGKILL)
    until(lambda: len(workers_of(process.pid)) == 2 and min(former) not in workers_of(process.pid))
    time.sleep(3)
    after = len(asking.answers)
    time.sleep(2)

    answers = tuple(asking.answers)
    assert len([answer for answer in answers if answer != 200]) <= CLIENTS and len(answers) > after + 20
    assert set(answers[after:]) == {200}


@pytest.mark.proof
def test_ending_the_service_lets_requests_in_flight_end_and_leaves_no_process(under_load: Loaded) -> None:
    process, asking, former = under_load

    process.terminate()
    process.wait(timeout=20)

    answers = tuple(asking.answers)
    assert set(answers) - {200} <= {"ConnectionRefusedError", "ConnectionResetError"} and answers.count("cut off") == 0
    assert not any(Path(f"/proc/{worker}").exists() for worker in former)
