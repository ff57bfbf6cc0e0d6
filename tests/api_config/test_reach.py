"""Whether others than this machine's users may be asking."""

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from api_config.settings import Settings
from api_config.web.proxy import BehindProxy
from api_config.web.reach import is_from_outside


@pytest.mark.parametrize(
    ("settings", "server", "outside"),
    [
        ({}, ("127.0.0.1", 8000), False),
        ({}, ("::1", 8000), False),
        ({}, ("town.example", None), False),
        ({}, None, False),
        ({}, ("10.0.0.5", 8000), True),
        ({"host": "0.0.0.0"}, ("127.0.0.1", 8000), True),
        ({"url": "https://city.example/twin"}, ("127.0.0.1", 8000), True),
        ({"url": "http://localhost:9000"}, ("127.0.0.1", 8000), False),
    ],
)
def test_the_address_listened_on_told_or_come_in_by_decides(
    settings: dict[str, str], server: object, outside: bool
) -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "server": server})

    assert is_from_outside(request, Settings(**settings)) == outside  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "outside"),
    [
        ({"x-forwarded-for": "203.0.113.9"}, True),
        ({"x-forwarded-for": "127.0.0.1"}, False),
        ({"x-forwarded-for": "127.0.0.1, 203.0.113.9"}, True),
        ({"x-forwarded-for": "203.0.113.9, 127.0.0.1"}, True),
        ({"forwarded": 'for="[2001:db8::1]:4711";proto=https'}, True),
        ({"forwarded": "for=127.0.0.1"}, False),
        ({"x-forwarded-host": "city.example"}, True),
        ({}, True),
    ],
)
def test_what_a_trusted_proxy_hands_on_came_from_where_it_says(headers: dict[str, str], outside: bool) -> None:
    assert reached_from_outside(headers, proxies=("127.0.0.1",)) is outside


@pytest.mark.parametrize("name", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
def test_what_a_proxy_hands_on_that_is_not_trusted_came_from_beyond(name: str) -> None:
    assert reached_from_outside({name: "127.0.0.1"}, proxies=())
    assert not reached_from_outside({}, proxies=())


def reached_from_outside(headers: dict[str, str], *, proxies: tuple[str, ...]) -> bool:
    """Return what is said of a request that a program on this machine sends with these headers."""
    seen: list[bool] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(is_from_outside(Request(scope), Settings()))
        await Response("")(scope, receive, send)

    app = BehindProxy(answer, proxies=proxies, url="")
    TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)).get("/", headers=headers)
    return seen[0]
