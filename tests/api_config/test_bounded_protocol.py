"""The head of a request ends: by size, by time, by how many are sent ahead. Asked over sockets of a real server."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api_config.web import bounded_protocol
from api_config.web.bounded_protocol import BoundedProtocol


async def slow(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params.get("s", "0")))
    return PlainTextResponse("ok")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(Starlette(routes=[Route("/", slow)]), http=BoundedProtocol, port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def answer_to(port: int, content: bytes) -> bytes:
    """Return everything that comes back on a connection until the server closes it."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(content)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1 << 16):
                answer += part
    return answer


def test_a_head_within_the_limit_is_answered_and_one_beyond_it_is_refused(port: int) -> None:
    def asked(size: int) -> bytes:
        head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        return answer_to(port, head + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(size)) + b"\r\n")

    assert asked(50).endswith(b"ok")
    refused = asked(70)
    assert refused.startswith(b"HTTP/1.1 431 ") and json.loads(refused.partition(b"\r\n\r\n")[2])["status"] == 431


def test_a_head_that_never_ends_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_protocol, "_HEAD_SECONDS", 0.3)

    for begun in (b"", b"GET / HTTP/1.1\r\nHost: a\r\n"):
        assert answer_to(port, begun).startswith(b"HTTP/1.1 408 ")


def test_a_slow_answer_is_no_slow_head_and_requests_sent_ahead_are_answered_in_turn(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_protocol, "_HEAD_SECONDS", 0.2)
    one, last = b"GET /?s=0.4 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    assert answer_to(port, one * 2 + last).count(b"200 OK") == 3


def test_more_requests_ahead_than_the_limit_end_the_connection(port: int) -> None:
    answer = answer_to(port, b"GET /?s=1 HTTP/1.1\r\nHost: a\r\n\r\n" * 5_000)

    assert answer.count(b"200 OK") <= 1
