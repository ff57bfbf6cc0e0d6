"""Services that a benchmark asks over HTTP: ours and its peers', two workers each, started and stopped around a measure."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

__all__ = ["TWIN", "app_serving", "free_port", "town_serving"]

TWIN = str(Path(sys.executable).with_name("twin"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def town_serving(town: Path, workers: int = 2) -> Iterator[str]:
    """Serve a town and yield its address when it is ready."""
    port = free_port()
    command = [TWIN, "--town", str(town), "serve", "--port", str(port), "--workers", str(workers)]
    with _running(command, port, "/readyz", {"TWIN_LANG": "en"}, subprocess.DEVNULL) as base:
        yield base


@contextmanager
def app_serving(
    python: Path, app: str, ready: str, environment: Mapping[str, str], port: int | None = None
) -> Iterator[str]:
    """Serve an ASGI application of another environment and yield its address when `ready` (a path) answers."""
    port = port or free_port()
    command = [
        str(python),
        "-m",
        "uvicorn",
        app,
        "--port",
        str(port),
        "--workers",
        "2",
        "--log-level",
        "error",
    ]
    with _running(command, port, ready, environment, sys.stderr) as base:
        yield base


@contextmanager
def _running(
    command: list[str], port: int, ready: str, environment: Mapping[str, str], output: object
) -> Iterator[str]:
    process = subprocess.Popen(command, stdout=output, env={**os.environ, **environment})  # type: ignore[call-overload]
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base + ready)
        yield base
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(address: str) -> None:
    deadline = time.monotonic() + 180  # a machine that others use too starts a worker in half a minute
    while time.monotonic() < deadline:
        try:
            if httpx.get(address, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise RuntimeError(f"{address} does not answer")
