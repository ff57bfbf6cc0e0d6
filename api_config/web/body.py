"""The body of a request: read within bounds, as JSON, as the parameters that an address would carry.

A search whose filter is longer than an address can be is sent as a body (`api_config/routes/posted_search.py`).
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request

from twin_model.errors import QueryRefused, TwinError
from twin_model.filter.errors import FilterError
from twin_model.filter.parsing import ensure_shallow

__all__ = ["BodyNotJson", "BodyTooLong", "BodyTooSlow", "parameters_of", "read_body"]

_SECONDS = 30.0
_LONGEST_SHOWN = 100
_LISTS = ("sortby", "properties")


class BodyTooLong(TwinError):
    """The body has more bytes than are read."""

    rule = "http.body_too_long"


class BodyNotJson(TwinError):
    """The body says that it is something else than JSON, or that it is compressed."""

    rule = "http.body_not_json"


class BodyTooSlow(TwinError):
    """The body did not come within the time that is waited for it."""

    rule = "http.body_too_slow"


async def read_body(request: Request, *, most_bytes: int) -> bytes:
    """Return the body of a request; of one that is too long no more is read than shows it, and no more is waited than 30 s."""
    _ensure_json(request)
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > most_bytes:
        raise BodyTooLong(limit=most_bytes)
    try:
        return await asyncio.wait_for(_read(request, most_bytes), _SECONDS)
    except TimeoutError as error:
        raise BodyTooSlow(seconds=_SECONDS) from error
    except ClientDisconnect:
        return b""


async def _read(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most_bytes:
            raise BodyTooLong(limit=most_bytes)
    return bytes(body)


def _ensure_json(request: Request) -> None:
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if media != "application/json" or coding != "identity":
        written = media if coding == "identity" else f"{media} ({coding})"
        raise BodyNotJson(found=written[:_LONGEST_SHOWN] or "Content-Type: ?")


def parameters_of(body: bytes) -> dict[str, str]:
    """Return the members of a JSON object as the texts that an address would carry as its parameters.

    A filter that is an object is CQL2 JSON; lists of `bbox`, `sortby` and `properties` are joined by commas.
    """
    members = _object_of(body)
    parameters = {name: _text_of(name, value) for name, value in members.items()}
    if isinstance(members.get("filter"), dict | bool):
        if members.get("filter-lang", "cql2-json") != "cql2-json":
            raise QueryRefused("query.filter_lang", value=parameters["filter-lang"][:_LONGEST_SHOWN])
        parameters["filter-lang"] = "cql2-json"
    return parameters


def _object_of(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode("utf-8-sig")
        ensure_shallow(text)
        members = json.loads(text, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise QueryRefused("query.body", cause="UTF-8?") from error
    except json.JSONDecodeError as error:
        raise QueryRefused("query.body", cause=f"line {error.lineno}, column {error.colno}") from error
    except FilterError:
        raise
    except ValueError as error:  # a whole number of more digits than Python reads
        raise QueryRefused("query.body", cause="0123456789...") from error
    if not isinstance(members, dict):
        raise QueryRefused("query.body", cause=text.strip()[:_LONGEST_SHOWN] or "''")
    return members


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object; a name that is there twice is refused, for one of the two would be passed over."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise QueryRefused("query.body", cause=f"{twice[:_LONGEST_SHOWN]}: ..., {twice[:_LONGEST_SHOWN]}: ...")
    return members


def _text_of(name: str, value: Any) -> str:
    text = _WRITERS.get(name, _plain)(value)
    if text is None:
        written, expected = json.dumps(value, ensure_ascii=False), _EXPECTED.get(name, _PLAIN)
        short = {"name": name[:_LONGEST_SHOWN], "value": written[:_LONGEST_SHOWN]}
        raise QueryRefused("query.body_value", **short, expected=expected)
    return text


def _plain(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def _numbers(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    are_numbers = isinstance(value, list) and all(isinstance(n, int | float) and not isinstance(n, bool) for n in value)
    return ",".join(map(repr, value)) if are_numbers else None


def _names(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    are_names = isinstance(value, list) and all(isinstance(name, str) and "," not in name for name in value)
    return ",".join(value) if are_names else None


def _filter(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | bool) else None


_WRITERS: Mapping[str, Callable[[Any], str | None]] = {
    "bbox": _numbers,
    "filter": _filter,
    **dict.fromkeys(_LISTS, _names),
}
_PLAIN = "a text, a number, true or false"
_EXPECTED: Mapping[str, str] = {
    "bbox": "a list of 4 or 6 numbers",
    "filter": "a filter as text, or as an object of CQL2 JSON",
    **dict.fromkeys(_LISTS, "a list of names"),
}
