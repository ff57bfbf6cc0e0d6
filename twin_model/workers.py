"""Work in child processes that can be limited and really ended: `twin ingest` and `twin tiles build` work so.

`Workers` has the interface of `concurrent.futures`; a child that crashes, grows or takes too long ends alone, and the
caller gets one of our errors. No other module of the packages makes a pool of processes.

    with Workers(2, memory_mib=2048, seconds=600) as workers:
        future = workers.submit(read_source, path)
        future.cancel()                                   # ends the child, whatever it is doing
"""

import contextlib
import itertools
import logging
import mmap
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, TimeoutError
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pebble import ProcessExpired, ProcessPool

from twin_model.errors import WorkerEnded, WorkerOutOfMemory, WorkerTooSlow

__all__ = ["Progress", "Workers", "report"]

Progress = Callable[[int, int | None], None]
"""Hears how far a task is: how much is done, and of how much where that is known."""

T = TypeVar("T")
LOGGER = logging.getLogger("twin")
_MIB = 2**20
_MOST_BYTES = 256
_LOOKED_AT = 0.1
_RESERVED_MIB = 4096
"""What libraries reserve and do not use: arenas of Arrow and of threads."""
_A_CHILD = -1
"""Instead of the number of a task: a child begins, with its process and the bytes it holds."""
_reports: socket.socket | None = None
_task: int | None = None


def report(done: int, total: int | None = None) -> None:
    """Tell whoever waits for this task how far it is; outside a worker this does nothing.

    What cannot be told at once is dropped: the next report says more.
    """
    if _reports is not None and _task is not None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            _reports.send(orjson.dumps((_task, done, total)))


class Workers(Executor):
    """At most `count` child processes, each with its own limits of memory (MiB above what it starts with) and time.

    Memory is what a child really holds (Linux): it is looked at ten times a second, and one that holds more is ended. What
    libraries only reserve does not count, up to 4 GiB: a single request for more than that is refused at once.
    Children come from a server process that is started once, before it has threads, so a caller may have any number of
    them. A function and its arguments must be picklable, as everything between our own processes.
    """

    def __init__(
        self,
        count: int = 1,
        *,
        memory_mib: int | None = None,
        seconds: float | None = None,
        preload: tuple[str, ...] = (),
    ) -> None:
        """`preload` are modules that the server imports once for all children, if it does not run yet."""
        context = _context()
        context.set_forkserver_preload(list(preload))
        self._memory_mib, self._seconds = memory_mib, seconds
        self._numbers = itertools.count()
        self._listeners: dict[int, Progress] = {}
        self._futures: set[_WorkerFuture[Any]] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="twin-workers-")
        self._address = f"{self._folder.name}/reports"
        # Datagrams: a child that is killed while it tells something holds no lock that others wait for.
        self._reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._reports.bind(self._address)
        self._pool = ProcessPool(count, context=context, initializer=_begin, initargs=(self._address, memory_mib))
        self._listening = threading.Thread(target=self._listen, name="twin-progress", daemon=True)
        self._listening.start()
        self._children: dict[int, int] = {}
        self._too_large: set[int] = set()
        self._over = threading.Event()
        if memory_mib is not None:
            threading.Thread(target=self._watch_memory, name="twin-memory", daemon=True).start()

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a function in a child; its future raises `WorkerTooSlow`, `WorkerOutOfMemory` or `WorkerEnded` where a limit
        or a crash ended it, else what the function raised."""
        return self.submit_with_progress(None, function, *args, **kwargs)

    def submit_with_progress(
        self, progress: Progress | None, function: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> Future[T]:
        """Do the same and hear what the function tells by `report`; `progress` is called on a thread of ours.

        A `progress` that raises is logged and not called again; the work goes on.
        """
        number = next(self._numbers)
        if progress is not None:
            self._listeners[number] = progress
        inner = self._pool.schedule(_run, args=(number, function, args, kwargs), timeout=self._seconds)
        outer: _WorkerFuture[T] = _WorkerFuture(inner)
        self._futures.add(outer)
        inner.add_done_callback(lambda done: self._finish(number, function, done, outer))
        return outer

    def _finish(
        self, number: int, function: Callable[..., Any], inner: Future[Any], outer: "_WorkerFuture[Any]"
    ) -> None:
        self._tell_listener(number, None, None)
        self._futures.discard(outer)
        try:
            result = inner.result()
        except CancelledError:
            outer.end_cancelled()
        except TimeoutError:
            outer.set_exception(WorkerTooSlow(task=_name_of(function), seconds=self._seconds))
        except MemoryError:
            outer.set_exception(WorkerOutOfMemory(task=_name_of(function), memory=self._memory_mib))
        except ProcessExpired as error:
            if error.pid in self._too_large:
                outer.set_exception(WorkerOutOfMemory(task=_name_of(function), memory=self._memory_mib))
            else:
                outer.set_exception(WorkerEnded(task=_name_of(function), code=error.exitcode))
        except BaseException as error:
            outer.set_exception(error)
        else:
            outer.set_result(result)

    def _tell_listener(self, number: int | None, done: int | None, total: int | None) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own, contextlib.suppress(OSError):
            own.sendto(orjson.dumps((number, done, total)), self._address)

    def _listen(self) -> None:
        """Hand on what children tell, until a task is at its end (done is None), or all are (number is None)."""
        while True:
            number, done, total = orjson.loads(self._reports.recv(_MOST_BYTES))
            if number is None:
                return
            if number == _A_CHILD:
                self._children[done] = total
                continue
            progress = self._listeners.get(number) if done is not None else self._listeners.pop(number, None)
            if progress is None or done is None:
                continue
            try:
                progress(done, total)
            except Exception:  # this thread must go on: who tells it of a task's end waits until it is heard
                LOGGER.exception("Progress is not shown any more. The work goes on.")
                self._listeners.pop(number, None)

    def _watch_memory(self) -> None:
        """End each child that holds more than it may."""
        while not self._over.wait(_LOOKED_AT):
            for child, begun_with in list(self._children.items()):
                held = _memory_held(child)
                if not held:
                    del self._children[child]
                elif held > begun_with + (self._memory_mib or 0) * _MIB:
                    self._too_large.add(child)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for what is under way; left by an error or an interrupt, end it."""
        self.shutdown(cancel_futures=kind is not None)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; end what is under way at once with `cancel_futures`, else when it is done."""
        if cancel_futures:
            for future in list(self._futures):
                future.cancel()
            self._pool.stop()
        else:
            self._pool.close()
        if wait:
            self._pool.join()
            self._over.set()
            self._tell_listener(None, None, None)
            self._listening.join()
            self._reports.close()
            self._folder.cleanup()


class _WorkerFuture(Future[T]):
    """A future whose cancelling ends the child that works on it."""

    def __init__(self, inner: Future[Any]) -> None:
        super().__init__()
        self._inner = inner
        self._cancelled = False
        self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        return bool(self._inner.cancel())

    def cancelled(self) -> bool:
        return self._cancelled

    def end_cancelled(self) -> None:
        self._cancelled = True
        self.set_exception(CancelledError())


def _context() -> BaseContext:
    """Return how children are made: from a server without threads where the system has it, else each anew."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def _begin(address: str, memory_mib: int | None) -> None:
    """Limit a child before it does anything; the limit is of the address space (Linux).

    What libraries written in C print to stdout goes to stderr: stdout is for the answer of a command.
    """
    global _reports
    os.dup2(2, 1)
    _reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    _reports.setblocking(False)
    _reports.connect(address)
    if memory_mib is not None:
        import resource  # not on every system; without a limit nobody needs it

        limit = _pages(os.getpid(), 0) * mmap.PAGESIZE + (memory_mib + _RESERVED_MIB) * _MIB
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        _reports.send(orjson.dumps((_A_CHILD, os.getpid(), _memory_held(os.getpid()))))


def _memory_held(process: int) -> int:
    """Return the bytes of memory a process holds; 0 where there is none, or the system does not say."""
    return _pages(process, 1) * mmap.PAGESIZE


def _pages(process: int, column: int) -> int:
    """Return a number of `/proc/PID/statm`: 0 the address space, 1 what is in memory, in pages."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[column])
    except (OSError, IndexError):
        return 0


def _run(number: int, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    global _task
    _task = number
    return function(*args, **kwargs)


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
