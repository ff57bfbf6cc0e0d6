"""Whether others than this machine's users may be asking."""

import pytest
from starlette.requests import Request

from api_config.settings import Settings
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
