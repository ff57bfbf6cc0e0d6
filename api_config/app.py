"""The ASGI app: one address, one town. Routes, error answers, security headers.

uvicorn --factory api_config.app:app_from_environment
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_config.asking import Call, Door
from api_config.ogc.bridge import Bridge
from api_config.pages import CSP
from api_config.problems import problem, problem_of, unforeseen
from api_config.routes import core, items, tiles, tilesets, viewer
from api_config.scene import Scene
from api_config.settings import Settings, settings_from
from twin_model.errors import TwinError
from twin_model.town import open_town

__all__ = ["app_from_environment", "make_app"]

_THREADS = 8
_STATIC = Path(__file__).parent / "static"
_CODES = {404: "NotFound", 405: "NotAllowed", 406: "NotAcceptable"}


def make_app(settings: Settings) -> Starlette:
    """Return the app of one town; the town is opened now, so that a wrong folder is told at once."""
    town = open_town(settings.town)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        yield
        town.store.close()

    app = Starlette(
        routes=[*core.ROUTES, *items.ROUTES, *tiles.ROUTES, *tilesets.ROUTES, Mount("/static", StaticFiles(directory=_STATIC)), *viewer.routes(settings.viewer)],
        exception_handlers={TwinError: _our_error, HTTPException: _http_error, Exception: unforeseen},
        middleware=[Middleware(SecurityHeaders)], lifespan=lifespan,
    )  # fmt: skip
    app.state.door = Door(town, settings)
    app.state.bridge = Bridge(town)
    app.state.scene = Scene(town)
    return app


def app_from_environment() -> Starlette:
    """Return the app that the environment's variables describe: how worker processes begin."""
    return make_app(settings_from(os.environ))


async def _our_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TwinError)
    return problem_of(error, Call(request).lang, request.url.path)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(
        error.status_code,
        _CODES.get(error.status_code, "NoApplicableCode"),
        str(error.detail),
        request.url.path,
        headers=dict(error.headers or {}),
    )


class SecurityHeaders:
    """Adds what every answer carries: a strict content policy for pages, one for the viewer's WebAssembly, open reading."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = (VIEWER_CSP if scope["path"].startswith("/viewer") else CSP).encode()
        extra = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"), (b"content-security-policy", policy),
                 (b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"Content-Crs, ETag, Link")]  # fmt: skip

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, send_with)


VIEWER_CSP = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; script-src 'self' 'wasm-unsafe-eval' blob:; "
    "worker-src 'self' blob:; connect-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
