"""Answers: validators, caching headers and compression."""

import gzip
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import brotli
import orjson
import zstandard
from starlette.requests import Request
from starlette.responses import Response

from api_config.web.negotiation import preferred_coding

__all__ = ["VARY", "answer", "answer_json", "etag_of", "not_modified"]

VARY = "Accept, Accept-Encoding, Accept-Language"
_WORTH_COMPRESSING = 1_400
_CONDITIONAL = ("GET", "HEAD")
"""Methods to which "not modified" is an answer (RFC 9110, 15.4.5)."""

_CODINGS = ("br", "zstd", "gzip")
_COMPRESSIBLE = ("json", "text/", "xml", "mapbox-vector-tile", "quantized-mesh", "gltf", "wasm", "javascript")


_EDITION = 1
"""Raised whenever the same state is answered in another form: what clients hold of an earlier program is no answer of this one."""


def etag_of(*parts: Any) -> str:
    """Return a weak validator of everything an answer depends on; nothing is read to make it."""
    return 'W/"' + blake2b(repr((_EDITION, *parts)).encode(), digest_size=12).hexdigest() + '"'


def not_modified(request: Request, etag: str) -> Response | None:
    """Return 304 when the client holds this very answer (RFC 9110, 13.1.2: compared weakly).

    "*" stands for any answer: whether there is one shows when it is made (`answer`).
    """
    held = request.headers.get("if-none-match")
    if (
        request.method not in _CONDITIONAL
        or held is None
        or etag.removeprefix("W/") not in {tag.strip().removeprefix("W/") for tag in held.split(",")}
    ):
        return None
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, "Vary": VARY})


def answer(request: Request, body: bytes, media_type: str, *, etag: str | None = None, max_age: int = 0, headers: dict[str, str] | None = None,
                 status: int = 200) -> Response:  # fmt: skip
    """Return a response, compressed as the client likes; `Vary` names everything the body depends on.

    Without an `etag` the body's own hash is one, so that here too a client that holds the answer is told so.
    """
    if etag is None:
        etag = etag_of(body)
        held = not_modified(request, etag)
        if held is not None:
            return held
    is_held = request.headers.get("if-none-match", "").strip() == "*" and request.method in _CONDITIONAL
    if is_held and status == HTTPStatus.OK:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, "Vary": VARY})
    out = {
        "Vary": VARY,
        "Cache-Control": f"max-age={max_age}" if max_age else "no-cache",
    } | (headers or {})
    out["ETag"] = etag
    coding = preferred_coding(_CODINGS, request.headers.get("accept-encoding", ""))
    if coding and len(body) >= _WORTH_COMPRESSING and any(part in media_type for part in _COMPRESSIBLE):
        body = _compress(coding, body)
        out["Content-Encoding"] = coding
    response = Response(body, status, out, media_type=media_type)
    if request.method == "HEAD" and not body:
        del response.headers["content-length"]  # that of the answer to GET is not known without making it
    return response


def answer_json(request: Request, content: Any, *, media_type: str = "application/json", **options: Any) -> Response:
    return answer(request, orjson.dumps(content), media_type, **options)


def _compress(coding: str, body: bytes) -> bytes:
    if coding == "br":
        return bytes(brotli.compress(body, quality=4))
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=3).compress(body)
    return gzip.compress(body, compresslevel=5, mtime=0)
