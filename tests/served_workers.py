"""A served town with its worker processes, for tests that look into them, renew or kill them."""

import http.client
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from free_port import free_port

_TWIN = Path(sys.executable).with_name("twin")


@contextmanager
def served(town: Path, *, workers: int = 2) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run `twin serve` with worker processes and yield it with its port; it is ended afterwards."""
    port = free_port()
    command = [str(_TWIN), "--town", str(town), "serve", "--port", str(port), "--workers", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        until(lambda: len(workers_of(process.pid)) == workers and _is_ready(port))
        yield process, port
    finally:
        process.terminate()
        process.wait(timeout=20)


def workers_of(parent: int) -> set[int]:
    """Return the processes that answer, without Python's resource tracker."""
    listed = subprocess.run(["pgrep", "-P", str(parent), "-f", "spawn_main"], capture_output=True, text=True).stdout
    return {int(line) for line in listed.split()}


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so; an error where it never is."""
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.1)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
