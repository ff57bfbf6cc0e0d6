"""The service of a town for a notebook or a script: started in a process of its own, ended with it.

    with serve(town) as service:
        geopandas.read_file(f"OAPIF:{service.url}", layer="building")

Not here: what the service answers (`app`), the command it is started by (`commands/serve.py`).
"""

import html
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import weakref
from pathlib import Path
from typing import IO, Self

from twin_model.errors import CalledWrongly, ServiceFailed
from twin_model.town import Town

__all__ = ["NotebookService", "run_until_parent_ends", "serve"]

_HOST = "127.0.0.1"
_START_SECONDS = 60.0
_END_SECONDS = 15.0
_HERE = str(Path(__file__).resolve().parent.parent)
_PROGRAM = "from api_config.notebook_service import run_until_parent_ends; run_until_parent_ends()"


class NotebookService:
    """A running service of a town. Left as a context, stopped or no longer held, it ends."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: IO[bytes], *, url: str, town: Path) -> None:
        self.url, self.town = url, town
        self._process, self._log = process, log
        self._end = weakref.finalize(self, _end_process, process, os.getpid())

    @property
    def exit_code(self) -> int | None:
        """The code with which the service ended, None while it runs."""
        return self._process.poll()

    @property
    def is_running(self) -> bool:
        return self.exit_code is None

    def stop(self) -> None:
        """End the service; a second call does nothing."""
        self._end()

    def log(self, lines: int = 20) -> str:
        """Return the last lines that the service wrote: why it refused, what it logged."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 200 * lines))
        return "\n".join(self._log.read().decode("utf-8", "replace").strip().splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<service of {self.town} at {self.url}, {'running' if self.is_running else 'stopped'}>"

    def _repr_html_(self) -> str:
        if not self.is_running:
            return html.escape(repr(self))
        links = (f'<a href="{self.url}{path}" target="_blank">{self.url}{path}</a>' for path in ("/", "/viewer/"))
        return " · ".join(links)


def serve(town: Town, port: int | None = None) -> NotebookService:
    """Return a service of the town on 127.0.0.1 once it answers; a free port is taken where none is given.

    Raises `CalledWrongly` for a port that is taken or none, `ServiceFailed` with the service's last lines if it ends or
    does not answer within a minute.
    """
    port = _free_port(port)
    folder, log = town.path.resolve(), _new_log()
    service = NotebookService(_start(folder, port, log), log, url=f"http://{_HOST}:{port}", town=folder)
    try:
        _wait_until_ready(service)
    except BaseException:
        service.stop()
        raise
    return service


def _new_log() -> IO[bytes]:
    """Return a file without a name; it is there as long as the service's object, so that a stopped one can still be asked."""
    return tempfile.TemporaryFile()


def _free_port(port: int | None) -> int:
    """Return the port, any free one for None; raises `CalledWrongly` where it is taken."""
    if port is not None and not (type(port) is int and 1 <= port <= 65_535):
        raise CalledWrongly("notebook.no_port", port=repr(port)[:40])
    with socket.socket() as probe:
        if os.name == "posix":  # elsewhere the option lets two programs listen at one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port or 0))
        except OSError as error:
            raise CalledWrongly("notebook.port_taken", port=port, cause=error.strerror) from error
        return int(probe.getsockname()[1])


def _start(folder: Path, port: int, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start `twin serve` so that it imports what we import and is not interrupted with a cell (Ctrl+C, a kernel's stop)."""
    environment = {name: value for name, value in os.environ.items() if name != "TWIN_URL"}
    paths = os.pathsep.join(entry or _HERE for entry in sys.path)  # empty is the folder where a notebook began
    environment |= {"PYTHONPATH": paths, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    words = ["--town", str(folder), "serve", "--host", _HOST, "--port", str(port), "--workers", "1"]
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, *words],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


def _wait_until_ready(service: NotebookService) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # an office's proxy cannot reach us here
    deadline = time.monotonic() + _START_SECONDS
    while service.is_running and time.monotonic() < deadline:
        try:
            with direct.open(f"{service.url}/readyz", timeout=5) as answer:
                if answer.status == 200 and service.is_running:
                    return
        except OSError:
            time.sleep(0.1)
    rule = "notebook.service_slow" if service.is_running else "notebook.service_ended"
    values = {"path": str(service.town), "url": service.url, "seconds": int(_START_SECONDS)}
    raise ServiceFailed(rule, **values, code=service.exit_code, lines=service.log(8))


def _end_process(process: "subprocess.Popen[bytes]", owner: int) -> None:
    """End the child; a fork of the process that started it leaves it alone."""
    if os.getpid() != owner:
        return
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def run_until_parent_ends() -> None:
    """Run `twin` with this process's arguments; it ends when its standard input does, as with a kernel that was killed."""
    from api_config.cli import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    main()


def _end_with_parent() -> None:
    while os.read(0, 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
