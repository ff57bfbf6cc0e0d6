"""Workers of `twin serve` that are renewed (SIGHUP), killed or ended (SIGTERM) while clients ask."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from free_port import free_port

TWIN = Path(sys.executable).with_name("twin")
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


@contextmanager
def served(town: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    command = [str(TWIN), "--town", str(town), "serve", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        _until(lambda: len(workers(process.pid)) == 2 and _answers(port))
        yield process, port
    finally:
        process.terminate()
        process.wait(timeout=20)


def workers(parent: int) -> set[int]:
    """Return the processes that answer: children that have children or threads, without Python's resource tracker."""
    listed = subprocess.run(["pgrep", "-P", str(parent), "-f", "spawn_main"], capture_output=True, text=True).stdout
    return {int(line) for line in listed.split()}


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def _until(is_so: object, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.1)


@pytest.mark.proof
def test_renewing_every_worker_under_load_costs_no_client_an_answer(demo_town: Path) -> None:
    with served(demo_town) as (process, port):
        asking, former = Asking(port), workers(process.pid)
        with asking.under_way():
            time.sleep(1)
            os.kill(process.pid, signal.SIGHUP)
            _until(lambda: len(workers(process.pid) - former) == 2 and not workers(process.pid) & former)
            time.sleep(3)

    assert set(asking.answers) == {200} and len(asking.answers) > 100


@pytest.mark.proof
def test_a_killed_worker_takes_only_its_own_requests_with_it_and_is_replaced(demo_town: Path) -> None:
    with served(demo_town) as (process, port):
        asking, former = Asking(port), workers(process.pid)
        with asking.under_way():
            time.sleep(1)
            os.kill(min(former), signal.SIGKILL)
            _until(lambda: len(workers(process.pid)) == 2 and min(former) not in workers(process.pid))
            time.sleep(3)
            after = len(asking.answers)
            time.sleep(2)

    lost = [answer for answer in asking.answers if answer != 200]
    assert len(lost) <= CLIENTS and len(asking.answers) > after + 20
    assert set(asking.answers[after:]) == {200}


@pytest.mark.proof
def test_ending_the_service_lets_requests_in_flight_end_and_leaves_no_process(demo_town: Path) -> None:
    with served(demo_town) as (process, port):
        asking, former = Asking(port), workers(process.pid)
        with asking.under_way():
            time.sleep(1)
            process.terminate()
            process.wait(timeout=20)

    ended = set(asking.answers) - {200}
    assert ended <= {"ConnectionRefusedError", "ConnectionResetError"} and asking.answers.count("cut off") == 0
    assert not any(Path(f"/proc/{worker}").exists() for worker in former)
