"""Which address clients know the service by: behind a proxy, and where a client says one that is not ours.

A proxy that is trusted (`TWIN_PROXIES`) says it in `Forwarded` (RFC 7239) or `X-Forwarded-Proto`, `-Host`, `-Prefix`. The Host that
a client sends is believed where it can be this machine's; links in answers are made of it, and caches between would keep them.
"""

import ipaddress
import re
import socket
from collections.abc import Callable
from functools import cache

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api_config.web.problems import refused_host
from api_config.web.reach import is_loopback

__all__ = ["BehindProxy"]

_PAIR = re.compile(r'\s*(proto|host)\s*=\s*"?([^";,\s]+)"?', re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9.\-_]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")


class BehindProxy:
    """Takes the scheme, host and prefix from a trusted proxy, and refuses a host that is nobody's here.

    `proxies` are addresses or networks; `fixed` says that the service's address is set (`TWIN_URL`), so that hosts do not count.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        proxies: tuple[str, ...],
        hosts: tuple[str, ...],
        fixed: bool,
        language: Callable[[Request], str],
    ) -> None:
        self._app, self._fixed, self._language = app, fixed, language
        self._proxies = tuple(ipaddress.ip_network(each, strict=False) for each in proxies)
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trusted = self._is_proxy(scope)
        if trusted:
            scope = _as_told(scope)
        elif not self._fixed and not self._is_ours(Headers(scope=scope).get("host", ""), scope):
            request = Request(scope)
            await refused_host(request, self._language(request))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_proxy(self, scope: Scope) -> bool:
        if not self._proxies:
            return False
        try:
            client = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        return any(client in network for network in self._proxies)

    def _is_ours(self, host: str, scope: Scope) -> bool:
        """Say whether a Host can be this service's: an address, this machine's name, one that is named, where it came in."""
        name = re.sub(r":\d{1,5}$", "", host).strip("[]").lower()
        server = (scope.get("server") or ("",))[0]
        return (
            not name or is_loopback(name) or _is_address(name) or name in self._hosts or name in (server, *_own_names())
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@cache
def _own_names() -> tuple[str, ...]:
    name = socket.gethostname().lower()
    return (name, name.partition(".")[0])


def _as_told(scope: Scope) -> Scope:
    """Return a request as the proxy's client sent it; what is no scheme, host or prefix is passed over."""
    headers = MutableHeaders(scope=dict(scope, headers=list(scope["headers"])))
    forwarded = {name.lower(): value for name, value in _PAIR.findall(headers.get("forwarded", "").split(",")[-1])}
    proto = (forwarded.get("proto") or headers.get("x-forwarded-proto", "").split(",")[-1]).strip().lower()
    host = (forwarded.get("host") or headers.get("x-forwarded-host", "").split(",")[-1]).strip()
    prefix = headers.get("x-forwarded-prefix", "").split(",")[-1].strip().rstrip("/")
    changed = dict(scope)
    if proto in ("http", "https"):
        changed["scheme"] = proto
    if host and _HOST.fullmatch(host):
        headers["host"] = host
    if prefix and _PREFIX.fullmatch(prefix):
        changed["root_path"] = prefix
    return changed | {"headers": headers.raw}
