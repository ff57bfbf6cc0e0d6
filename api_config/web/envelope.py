"""What every answer carries, an error of the program too: content policy, open reading from other origins, `Allow`.

A browser of another origin first asks (OPTIONS) whether it may send a header such as Authorization or If-None-Match; it is told here.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_config.web.path import path_within
from api_config.web.problems import unforeseen

__all__ = ["ALLOWED", "Envelope"]

ALLOWED = "GET, HEAD, OPTIONS"
_ASKED_HEADERS = "Accept, Accept-Language, Authorization, Cache-Control, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range, Prefer, Range, X-Requested-With"
_SHOWN_HEADERS = "Allow, Content-Crs, Content-Range, ETag, Link, Retry-After, X-Features-Dropped"
_DAY = "86400"
CSP = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
VIEWER_CSP = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Envelope:
    """Adds the headers of every answer, answers OPTIONS, and turns what nobody foresaw into an answer that tells nothing.

    `origins` are those whose pages may read answers: "*" for all, else addresses such as https://city.example.
    """

    def __init__(self, app: ASGIApp, *, origins: tuple[str, ...], language: Callable[[Request], str]) -> None:
        self._app, self._origins, self._language = app, origins, language
        self._fixed = {policy: _fixed_headers(policy) for policy in (CSP, VIEWER_CSP)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, begun = Request(scope, receive), False
        extra = self._extra(request)

        async def send_with(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        if request.method == "OPTIONS":
            await _options(request)(scope, receive, send_with)
            return
        try:
            await self._app(scope, receive, send_with)
        except Exception as error:
            answer = unforeseen(request, self._language(request), error)
            if begun:
                raise
            await answer(scope, receive, send_with)

    def _extra(self, request: Request) -> list[tuple[bytes, bytes]]:
        policy = VIEWER_CSP if path_within(request.scope).startswith("/viewer") else CSP
        return [*self._fixed[policy], *self._allowed_origin(request)]

    def _allowed_origin(self, request: Request) -> list[tuple[bytes, bytes]]:
        if "*" in self._origins:
            return [(b"access-control-allow-origin", b"*")]
        origin = request.headers.get("origin", "")
        varies = (b"vary", b"Origin")
        return (
            [(b"access-control-allow-origin", origin.encode("latin-1")), varies]
            if origin in self._origins
            else [varies]
        )


def _fixed_headers(policy: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"content-security-policy", policy.encode()),
        (b"access-control-expose-headers", _SHOWN_HEADERS.encode()),
    )


def _options(request: Request) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the answer to OPTIONS: what may be sent here, or that there is nothing here."""
    routes: list[BaseRoute] = request.scope["app"].routes
    asked = dict(request.scope, method="GET")
    route = next((route for route in routes if route.matches(asked)[0] == Match.FULL), None)
    if route is None:
        return Response(status_code=404)
    allowed = ALLOWED + (", POST" if "POST" in (getattr(route, "methods", None) or ()) else "")
    headers = {
        "Allow": allowed,
        "Access-Control-Allow-Methods": allowed,
        "Access-Control-Allow-Headers": _ASKED_HEADERS,
    }
    return Response(status_code=204, headers=headers | {"Access-Control-Max-Age": _DAY})
