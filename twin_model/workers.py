"""Work in child processes that can be limited and really ended: `twin ingest` and `twin tiles build` work so.

`Workers` has the interface of `concurrent.futures`; a child that crashes, grows or takes too long ends alone, and the
caller gets one of our errors. No other module of the packages makes a pool of processes.

    with Workers(2, memory_mib=2048, seconds=600) as workers:
        future = workers.submit(read_source, path)
        future.cancel()                                   # ends the child, whatever it is doing
"""

import contextlib
import ctypes
import itertools
import logging
import mmap
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, TimeoutError
from concurrent.futures import wait as wait_for
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from multiprocessing.reduction import ForkingPickler
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
_LOOKED_AT = 0.02
_RESERVED_MIB = 4096
"""What libraries reserve and do not use: arenas of Arrow and of threads."""
_A_CHILD, _AN_ANSWER = -1, -2
"""Instead of the number of a task: a child begins, with its process and the bytes it holds; a child has an answer to send."""
_BEGINNING = 10.0
"""Seconds in which a child has begun, or never will."""
_PR_SET_PDEATHSIG = 1
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
    them. A function and its arguments must be picklable, as everything between our own processes. Temporary files of a task
    are gone when its future is done, however it ended; children end with this process, even where that is killed.
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
        self._children: dict[int, int] = {}
        self._begun: set[int] = set()
        self._answering: set[int] = set()
        self._too_large: set[int] = set()
        self._over = threading.Event()
        self._listening = threading.Thread(target=self._listen, name="twin-progress", daemon=True)
        self._listening.start()
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
        task = bytes(ForkingPickler.dumps((function, args, kwargs)))
        inner = self._pool.schedule(_run, args=(number, self._place(number), task), timeout=self._seconds)
        outer: _WorkerFuture[T] = _WorkerFuture(inner)
        self._futures.add(outer)
        inner.add_done_callback(lambda done: self._finish(number, function, done, outer))
        return outer

    def _finish(
        self, number: int, function: Callable[..., Any], inner: Future[Any], outer: "_WorkerFuture[Any]"
    ) -> None:
        self._tell_listener(number, None, None)
        self._futures.discard(outer)
        shutil.rmtree(self._place(number), ignore_errors=True)
        try:
            result = _answer(inner.result())
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

    def _place(self, number: int) -> str:
        """Return the folder for the temporary files of a task."""
        return f"{self._folder.name}/{number}"

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
                self._begun.add(done)
                self._children[done] = total
                continue
            if number == _AN_ANSWER:
                (self._answering.add if total else self._answering.discard)(done)
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
        """End each child that holds more than it may; not one that sends an answer, for it holds the lock of the pool."""
        while not self._over.wait(_LOOKED_AT):
            for child, begun_with in list(self._children.items()):
                held = _memory_held(child)
                if child in self._answering:
                    continue
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
            self._begin_no_more()
            for future in list(self._futures):
                future.cancel()
            self._pool.stop()
        else:
            self._pool.close()
        if wait:
            if not cancel_futures:
                wait_for(list(self._futures))
                self._begin_no_more()
            self._pool.join()
            self._over.set()
            self._tell_listener(None, None, None)
            self._listening.join()
            self._reports.close()
            self._folder.cleanup()

    def _begin_no_more(self) -> None:
        """Let no child be made in place of one that ended, and wait until those that are being made have begun.

        A child that is made while its pool ends writes a traceback to the terminal.
        """
        manager = self._pool._pool_manager.worker_manager  # the pool has no other way to say it
        manager.workers_number = 0
        deadline = time.monotonic() + _BEGINNING
        while time.monotonic() < deadline and not self._begun.issuperset(manager.workers):
            if all(not process.is_alive() or process.pid in self._begun for process in [*manager.workers.values()]):
                return
            time.sleep(0.01)


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
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a handler of Python's would wait for a library that never returns
    _end_with_caller()
    _reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    _reports.setblocking(False)
    _reports.connect(address)
    if memory_mib is not None:
        import resource  # not on every system; without a limit nobody needs it

        limit = _pages(os.getpid(), 0) * mmap.PAGESIZE + (memory_mib + _RESERVED_MIB) * _MIB
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    _tell_of_me(_A_CHILD, _memory_held(os.getpid()))


def _end_with_caller() -> None:
    """Have the system end this child when the caller ends, even by a kill in the midst of a library's work (Linux).

    The caller's end ends the server that children come from, once no child holds the pipe by which it knows of the caller.
    """
    pipe = forkserver._forkserver._forkserver_alive_fd  # type: ignore[attr-defined]
    if sys.platform == "linux" and pipe is not None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(pipe)
        forkserver._forkserver._forkserver_alive_fd = None  # type: ignore[attr-defined]


def _tell_of_me(what: int, number: int) -> None:
    """Tell the caller of this child; waits until it is heard, a caller that is gone is none."""
    if _reports is not None:
        _reports.setblocking(True)
        with contextlib.suppress(ConnectionError):
            _reports.send(orjson.dumps((what, os.getpid(), number)))
        _reports.setblocking(False)


def _memory_held(process: int) -> int:
    """Return the bytes of memory a process holds; 0 where there is none, or the system does not say.

    Pages of files that it looks into are not its own: the system takes them back.
    """
    return (_pages(process, 1) - _pages(process, 2)) * mmap.PAGESIZE


def _pages(process: int, column: int) -> int:
    """Return a number of `/proc/PID/statm`: 0 the address space, 1 what is in memory, 2 of that what is of files, in pages."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[column])
    except (OSError, IndexError):
        return 0


def _run(number: int, folder: str, task: bytes) -> bytes:
    """Unpack a task, run it in a child and return its answer packed: none of this happens while the lock of the pool is held.

    A child that were ended while it imports what a task needs, or packs an answer, would hold that lock for ever.
    """
    global _task
    _task, tempfile.tempdir = number, folder
    _tell_of_me(_AN_ANSWER, 0)
    Path(folder).mkdir(mode=0o700)
    try:
        function, args, kwargs = ForkingPickler.loads(task)
        packed = bytes(ForkingPickler.dumps((function(*args, **kwargs), None, "")))
    except BaseException as error:
        packed = _packed_error(error)
    _tell_of_me(_AN_ANSWER, 1)
    return packed


def _packed_error(error: BaseException) -> bytes:
    """Return an error as an answer, as a `RuntimeError` where it cannot be packed."""
    trace = traceback.format_exc()
    try:
        packed = bytes(ForkingPickler.dumps((None, error, trace)))
        ForkingPickler.loads(packed)
    except Exception:
        packed = bytes(ForkingPickler.dumps((None, RuntimeError(f"{type(error).__name__}: {error}"), trace)))
    return packed


def _answer(packed: bytes) -> Any:
    """Return what a task returned, or raise what it raised, caused by the traceback in its child."""
    result, error, trace = ForkingPickler.loads(packed)
    if error is not None:
        raise error from RuntimeError(f"in a child process:\n{trace}")
    return result


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
