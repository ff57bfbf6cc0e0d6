"""Where requests are answered: off the event loop, in threads that stay, each within a time limit, none without bound.

    lanes = Lanes(request_seconds=30.0)
    response = await lanes.quick.answer(request, function)      # function(request) -> Response, in a thread

A lane has a few threads and a queue of bounded length; what finds it full is told when to come again. Where the limit passes,
the client has left or the service stops, what is asked of the store ends too (`twin_model/deadline.py`). Threads stay for a store
keeps a connection for each. Files and health stand beside the lanes, so that slow questions never delay them.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from queue import SimpleQueue
from threading import Thread
from weakref import finalize

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api_config.web.path import EncodedRoute
from twin_model.deadline import Deadline, waiting
from twin_model.errors import TwinError

__all__ = ["ClientLeft", "Lane", "LaneFull", "Lanes", "TookTooLong", "answered", "get_route"]

LOGGER = logging.getLogger("twin")
_LEFT = 499
"""What logs say of a client that has left; nobody reads it."""

_LOOKS_AFTER = 0.25
"""Seconds after which a request that is still being answered is watched for its client: most are done before."""

Answering = Callable[[Request], Response]


class LaneFull(TwinError):
    """More is being asked than can be answered; the client may come again in a moment."""

    rule = "http.lane_full"


class TookTooLong(TwinError):
    """An answer was not ready within the time limit, and was given up."""

    rule = "http.took_too_long"


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""


class _Threads:
    """Some threads that do what they are given, one after the other, begun as they are needed.

    They stay as long as this object, and never hold up the end of the process.
    """

    def __init__(self, name: str, number: int) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._name, self._number, self._begun = name, number, 0
        finalize(self, _end, self._tasks, number)

    def give(self, task: Callable[[], None]) -> None:
        """Have a task done by the next thread that is free; what it raises is logged."""
        self._tasks.put(task)
        if self._begun < self._number:
            self._begun += 1
            Thread(target=_work, args=(self._tasks,), name=f"{self._name}-{self._begun}", daemon=True).start()


def _work(tasks: "SimpleQueue[Callable[[], None] | None]") -> None:
    while (task := tasks.get()) is not None:
        try:
            task()
        except Exception:
            LOGGER.exception("a thread of the service could not do its task")
        del task


def _end(tasks: "SimpleQueue[Callable[[], None] | None]", number: int) -> None:
    for _ in range(number):
        tasks.put(None)


class Lane:
    """Some threads that never retire, and at most `most_waiting` requests before them."""

    def __init__(self, name: str, *, threads: int, most_waiting: int, seconds: float, stopping: _Threads) -> None:
        self._threads = _Threads(name, threads)
        self._stopping = stopping
        self._room, self._seconds = threads + most_waiting, seconds
        self._under_way: set[Deadline] = set()

    async def answer(self, request: Request, function: Answering) -> Response:
        """Return what a function answers in one of the threads; LaneFull and TookTooLong where it does not come to that."""
        if len(self._under_way) >= self._room:
            raise LaneFull(seconds=2)
        loop, deadline = asyncio.get_running_loop(), Deadline(self._seconds)
        answered: asyncio.Future[Response] = loop.create_future()
        self._under_way.add(deadline)
        self._threads.give(partial(self._do, loop, answered, deadline, partial(function, request)))
        watching = loop.call_later(_LOOKS_AFTER, self._watch, request, answered, deadline)
        try:
            return await answered
        except asyncio.CancelledError:
            self._stop(deadline)
            raise
        finally:
            watching.cancel()

    def _do(
        self,
        loop: asyncio.AbstractEventLoop,
        answered: "asyncio.Future[Response]",
        deadline: Deadline,
        function: Callable[[], Response],
    ) -> None:
        """Answer, in a thread, and hand it to the loop."""
        result: Response | None = None
        failure: BaseException | None = None
        try:
            result = _within(deadline, function)
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended: nobody waits
            loop.call_soon_threadsafe(self._settle, answered, deadline, result, failure)

    def _settle(
        self,
        answered: "asyncio.Future[Response]",
        deadline: Deadline,
        result: Response | None,
        failure: BaseException | None,
    ) -> None:
        self._under_way.discard(deadline)
        if answered.done():
            return
        if failure is not None:
            answered.set_exception(failure)
        elif result is not None:
            answered.set_result(result)

    def _watch(self, request: Request, answered: "asyncio.Future[Response]", deadline: Deadline) -> None:
        """Begin to look whether the client leaves or time is over before the answer is there."""
        watching = asyncio.ensure_future(self._give_up(request, answered, deadline))
        answered.add_done_callback(lambda _: watching.cancel())

    async def _give_up(self, request: Request, answered: "asyncio.Future[Response]", deadline: Deadline) -> None:
        reason: Exception = ClientLeft()
        try:
            await asyncio.wait_for(_left(request), deadline.seconds_left)
        except TimeoutError:
            reason = TookTooLong(seconds=deadline.seconds)
        if not answered.done():
            self._stop(deadline)
            answered.set_exception(reason)

    def _stop(self, deadline: Deadline) -> None:
        """Cancel in a thread of its own: a server that does not answer is told so for seconds."""
        self._stopping.give(deadline.cancel)

    def close(self) -> None:
        """End what is under way."""
        for deadline in tuple(self._under_way):
            self._stop(deadline)


class Lanes:
    """The lanes of a worker process: `quick` for pages, items and tiles, `heavy` for what searches and computes.

    `quick_threads` are few where the store is a file (more of them wait for each other: the interpreter runs one at a time),
    more where it is a server, for which they only wait.
    """

    def __init__(self, *, request_seconds: float, quick_threads: int = 2) -> None:
        self._stopping = _Threads("twin-stop", 2)
        self.quick = Lane(
            "twin-quick", threads=quick_threads, most_waiting=200, seconds=request_seconds, stopping=self._stopping
        )
        self.heavy = Lane("twin-heavy", threads=2, most_waiting=32, seconds=request_seconds, stopping=self._stopping)

    def close(self) -> None:
        """End what is under way in every lane."""
        self.quick.close()
        self.heavy.close()


def get_route(path: str, function: Answering, *, heavy: bool | Callable[[Request], bool] = False) -> Route:
    """Return a route for GET and HEAD that has a function answer off the event loop; `heavy` says in which lane."""

    @wraps(function)
    async def endpoint(request: Request) -> Response:
        lanes: Lanes = request.app.state.lanes
        is_heavy = heavy(request) if callable(heavy) else heavy
        return await answered(lanes.heavy if is_heavy else lanes.quick, request, function)

    return EncodedRoute(path, endpoint, methods=["GET", "HEAD"])


async def answered(lane: Lane, request: Request, function: Answering) -> Response:
    """Return what a function answers in a lane; who has left is answered with what nobody reads."""
    try:
        return await lane.answer(request, function)
    except ClientLeft:
        return Response(status_code=_LEFT)


def _within(deadline: Deadline, function: Callable[[], Response]) -> Response:
    """Return what a function answers; what it raises after the time is over only says that it was stopped."""
    try:
        if not deadline.is_over:
            with waiting(deadline):
                return function()
    except Exception as error:
        if not deadline.is_over:
            raise
        raise TookTooLong(seconds=deadline.seconds) from error
    raise TookTooLong(seconds=deadline.seconds)


async def _left(request: Request) -> None:
    """Return once the client has closed the connection."""
    while not (await request.receive())["type"].endswith(".disconnect"):
        pass
