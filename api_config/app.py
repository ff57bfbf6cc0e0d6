"""The ASGI app: one address, one town. Routes, error answers, security headers.

uvicorn --factory api_config.app:app_from_environment
"""

import logging
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from api_config.ogc.bridge import Bridge
from api_config.pages.pages import problem_page
from api_config.routes import FAMILIES
from api_config.settings import Settings, settings_from
from api_config.web.call import Call, Service
from api_config.web.change_days import Timeline
from api_config.web.download import DOWNLOADS
from api_config.web.envelope import Envelope
from api_config.web.feature_cache import FeatureCache
from api_config.web.lanes import Lanes
from api_config.web.negotiation import preferred_format
from api_config.web.path import allowed_methods
from api_config.web.problems import problem_of, refusal
from api_config.web.proxy import BehindProxy, KnownHosts
from tiles.town_tiles import TownTiles
from twin_model.errors import TwinError
from twin_model.town import Town, open_quietly
from twin_model.town_catalogue import CatalogueWatch
from twin_model.town_settings import TOWN_FILE

__all__ = ["app_from_environment", "make_app"]

LOGGER = logging.getLogger("twin")
_IN_A_FILE, _ON_A_SERVER = 2, 6
"""Threads that answer quick requests, by where the store is (see `Lanes`)."""

_PROBLEMS = {"json": "application/problem+json", "html": "text/html"}
_STATIC = Path(__file__).parent / "static"


def make_app(settings: Settings) -> Starlette:
    """Return the app of one town; the town is opened now, so that a wrong folder is told at once."""
    watch = CatalogueWatch(settings.town / "catalogue")
    town = _opened(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        app.state.lanes.close()
        app.state.service.town.store.close()

    app = Starlette(
        routes=[
            *(route for family in FAMILIES for route in family.routes(settings)),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        exception_handlers={TwinError: _our_error, HTTPException: _http_error},
        middleware=[
            Middleware(BehindProxy, proxies=settings.proxies, url=settings.url),
            Middleware(Envelope, origins=settings.origins, language=_language),
            Middleware(KnownHosts, hosts=settings.hosts, fixed=bool(settings.url), language=_language),
            Middleware(FollowsTown, settings=settings, watch=watch),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    threads = _ON_A_SERVER if "://" in town.store.url else _IN_A_FILE
    app.state.lanes = Lanes(request_seconds=settings.request_seconds, quick_threads=threads)
    _furnish(app, town, settings)
    app.state.is_followed = True
    return app


def _opened(settings: Settings) -> Town:
    town = open_quietly(settings.town)
    for remark in town.remarks("en"):
        LOGGER.warning(remark)
    return town


def _furnish(app: Starlette, town: Town, settings: Settings) -> None:
    """Give the routes what they stand on, for a town as its catalogue is now."""
    town.store.keep_sort_indexes()
    app.state.service = Service(town, settings)
    app.state.bridge = Bridge(town, FAMILIES, page_most=settings.page_most)
    app.state.tiles = TownTiles(town, cache_mib=settings.cache_mib, pages_mib=settings.tile_pages_mib)
    app.state.timeline = Timeline(town)
    app.state.feature_cache = FeatureCache(settings.feature_cache_mib * 2**20, page_bytes=settings.page_mib * 2**20)


class FollowsTown:
    """Opens the town anew when its `catalogue/` or its `town.toml` has changed: a layer that a notebook has just committed is
    served at once, and one that is closed is closed at once.

    Asking costs one look at a folder and one at a file a request. Requests under way keep the town they began with; its store is let go, and
    what is read there ends with its readers.
    """

    def __init__(self, app: ASGIApp, settings: Settings, watch: CatalogueWatch) -> None:
        self._app, self._settings, self._watch = app, settings, watch
        self._written = _state_of(settings.town / TOWN_FILE)
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (self._watch.has_changed() or self._is_written()):
            await anyio.to_thread.run_sync(self._follow, scope["app"])
        await self._app(scope, receive, send)

    def _is_written(self) -> bool:
        return _state_of(self._settings.town / TOWN_FILE) != self._written

    def _follow(self, app: Starlette) -> None:
        with self._lock:
            listing = self._watch.listing()
            if listing == self._watch.seen and not self._is_written():
                return
            self._written = _state_of(self._settings.town / TOWN_FILE)
            outgrown = app.state.service.town
            try:
                _furnish(app, _opened(self._settings), self._settings)
                app.state.is_followed = True
                outgrown.store.close()
            except Exception:  # the town as it was goes on answering, whatever is wrong with the new one
                app.state.is_followed = False
                LOGGER.exception("changes in %s cannot be followed", self._settings.town)
            self._watch.seen = listing


def _language(request: Request) -> str:
    return Call(request).lang


def _state_of(path: Path) -> tuple[int, int, int]:
    """Return what tells whether a file was written: instant, size, inode; nothing of one that is not there."""
    try:
        state = path.stat()
    except OSError:
        return (0, 0, 0)
    return (state.st_mtime_ns, state.st_size, state.st_ino)


def app_from_environment() -> Starlette:
    """Return the app that the environment's variables describe: how worker processes begin."""
    return make_app(settings_from(os.environ))


async def _our_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TwinError)
    return _readable(request, problem_of(error, Call(request).lang, request.url.path))


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer what no route takes; a slash too many leads to the address without it."""
    assert isinstance(error, HTTPException)
    call = Call(request)
    path = call.route
    if error.status_code == 404 and request.method in {"GET", "HEAD"} and path.rstrip("/") not in ("", path):
        return RedirectResponse(call.here.replace(path, path.rstrip("/"), 1))
    headers = {"Allow": allowed_methods(request.scope)} if error.status_code == 405 else error.headers
    return _readable(request, refusal(error.status_code, call.lang, request, headers))


def _readable(request: Request, problem: Response) -> Response:
    """Return the problem as a page where the client is a browser."""
    call = Call(request)
    liked = preferred_format(_PROBLEMS, request.headers.get("accept", ""), "json")
    form = call.params.get("f", liked)
    if (liked if form in DOWNLOADS else form) != "html":
        return problem
    headers = {name: value for name, value in problem.headers.items() if not name.startswith("content-")}
    return Response(
        problem_page(call, orjson.loads(bytes(problem.body))),
        problem.status_code,
        headers,
        "text/html; charset=utf-8",
    )
