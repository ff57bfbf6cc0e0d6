"""HTTP as uvicorn speaks it, with an end to the head of a request: how long, how slow, how many of them ahead of the answers.

    uvicorn.run(app, http=BoundedProtocol, ...)

uvicorn's own reader keeps whatever a client sends as a head: 54 MB of headers are 835 MB here, and a head that never ends holds
a connection for ever.
"""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedProtocol"]

_MOST_HEAD_BYTES = 1 << 16
_MOST_AHEAD = 32
"""So many requests may be sent on one connection before the first of them is answered."""

_HEAD_TOO_LONG = (
    f"The head of the request is longer than {_MOST_HEAD_BYTES} bytes. Expected a shorter address. "
    "Send a long filter as the body of POST /collections/{collection}/search."
)
_HEAD_SECONDS = 10.0
_PARTING_SECONDS = 1.0
"""So long a connection on which nothing was asked yet stays open when the worker ends: its first request may be on the way."""

_SLICE = 1 << 14


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is over 64 KiB (431), takes over 10 s (408), or that asks over 32 times ahead (429)."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _is_refused = False
    _is_asked = _is_parting = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came a slice at a time, so that a limit is noticed before much is made of it."""
        for start in range(0, len(data), _SLICE):
            if self._is_refused or self.transport.is_closing():
                return
            part = data[start : start + _SLICE]
            if self._head_timer is not None:
                self._head_bytes += len(part)
                if self._head_bytes > _MOST_HEAD_BYTES:
                    self._refuse(431, _HEAD_TOO_LONG)
                    return
            super().data_received(part)
            if len(self.pipeline) > _MOST_AHEAD:
                self._refuse(429, f"More than {_MOST_AHEAD} requests were sent ahead of the answers.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._is_asked = True
        self._end_head()
        super().on_headers_complete()
        if self._is_parting:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """End the connection with the worker, but answer the request that a client has just sent on a new one."""
        if not self._is_asked and not self._is_parting:
            self._is_parting = True
            self.loop.call_later(_PARTING_SECONDS, self.shutdown)
        else:
            super().shutdown()

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(
            _HEAD_SECONDS, self._refuse, 408, f"The head of the request did not come within {_HEAD_SECONDS:g} s."
        )

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, detail: str) -> None:
        """Say why and close the connection; answers under way on it are not mixed with this one."""
        self._is_refused = True
        self._end_head()
        self.pipeline.clear()
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_answer(status, detail))
        self.transport.close()


def _answer(status: int, detail: str) -> bytes:
    titles = {408: "Request Timeout", 429: "Too Many Requests", 431: "Request Header Fields Too Large"}
    document: dict[str, Any] = {"type": "about:blank", "title": titles[status], "status": status, "detail": detail}
    body = orjson.dumps(document | {"code": "NoApplicableCode", "description": detail})
    head = (
        f"HTTP/1.1 {status} {titles[status]}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\nx-content-type-options: nosniff\r\n\r\n"
    )
    return head.encode("ascii") + body
