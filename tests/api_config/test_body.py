"""A body is JSON within bounds, and says what an address with the same parameters says."""

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import Request

from api_config.web.body import BodyNotJson, BodyTooLong, parameters_of, read_body
from twin_model.errors import TwinError


def request_of(*pieces: bytes, **headers: str) -> Request:
    """Return a request whose body comes in pieces."""
    parts = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    parts.append({"type": "http.request", "body": b"", "more_body": False})
    waiting = iter(parts)

    async def receive() -> Any:
        return next(waiting)

    listed = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": listed}, receive)


def test_a_body_is_read_up_to_its_bound_whatever_length_it_claims() -> None:
    json_type = {"content_type": "application/json; charset=utf-8"}

    body = asyncio.run(read_body(request_of(b"{", b"}", **json_type), most_bytes=2))

    assert body == b"{}"
    for request in (request_of(b"{}", b"  ", **json_type), request_of(b"{}", content_length="99", **json_type)):
        with pytest.raises(BodyTooLong, match="TWIN_SEARCH_KIB"):
            asyncio.run(read_body(request, most_bytes=3))
    for headers in ({}, {"content_type": "text/plain"}, {**json_type, "content_encoding": "gzip"}):
        with pytest.raises(BodyNotJson, match="application/json"):
            asyncio.run(read_body(request_of(b"{}", **headers), most_bytes=3))


def test_members_become_the_parameters_of_an_address() -> None:
    tree = {"op": "=", "args": [{"property": "name"}, "高铁"]}
    body = {
        "bbox": [1, 2.5, 3, 4],
        "limit": 7,
        "skipGeometry": True,
        "sortby": ["-storeys", "id"],
        "properties": "name",
        "filter": tree,
    }

    parameters = parameters_of(json.dumps(body).encode())

    assert json.loads(parameters.pop("filter")) == tree
    assert parameters == {
        "bbox": "1,2.5,3,4",
        "limit": "7",
        "skipGeometry": "true",
        "sortby": "-storeys,id",
        "properties": "name",
        "filter-lang": "cql2-json",
    }
    assert parameters_of(b'\xef\xbb\xbf{"filter": "storeys > 3"}') == {"filter": "storeys > 3"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"3", b"{", b"\xff{}", b'{"limit": 1, "limit": 2}', b'{"limit": null}', b'{"limit": [1]}', b'{"bbox": [1, true, 3, 4]}',
        b'{"sortby": [1]}', b'{"properties": {"a": 1}}', b'{"filter": [1]}', b'{"filter": {}, "filter-lang": "cql2-text"}', b'{"a": ' + b"[" * 100_000,
        b'{"limit": ' + b"9" * 5_000 + b"}", b'{"filter": null}',
    ],
)  # fmt: skip
def test_a_body_that_says_no_parameters_is_refused_in_both_languages(body: bytes) -> None:
    with pytest.raises(TwinError) as refusal:
        parameters_of(body)

    assert "Traceback" not in refusal.value.text("en") and refusal.value.text("zh") != refusal.value.text("en")
