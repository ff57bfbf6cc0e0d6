"""Which address clients know the service by: behind a proxy, and where a client says one that is not ours.

A proxy that is trusted (`TWIN_PROXIES`) says it in `Forwarded` (RFC 7239) or `X-Forwarded-Proto`, `-Host`, `-Prefix`. The Host that
a client sends is believed where it can be this machine's; links in answers are made of it, and caches between would keep them.

The prefix under which a proxy shows the service is that of `TWIN_URL`, or what the proxy says; whether the proxy leaves it in the
path or takes it off is all the same.
"""

import ipaddress
import re
import socket
from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api_config.web.problems import refused_host
from api_config.web.reach import TRUSTED, is_loopback

__all__ = ["BehindProxy", "KnownHosts"]

_PAIR = re.compile(r'\s*(proto|host|for)\s*=\s*"?([^";,\s]+)"?', re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9.\-_]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")


class BehindProxy:
    """Takes the scheme, host and prefix from a trusted proxy; every other part of the service sees the client's address.

    `proxies` are addresses or networks; `url` is the service's address where it is set (`TWIN_URL`): its path is the prefix.
    """

    def __init__(self, app: ASGIApp, *, proxies: tuple[str, ...], url: str) -> None:
        self._app, self._prefix = app, urlsplit(url).path.rstrip("/")
        self._proxies = tuple(ipaddress.ip_network(each, strict=False) for each in proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            is_trusted = bool(self._proxies) and self._is_proxy((scope.get("client") or ("",))[0])
            scope = dict(scope, **{TRUSTED: is_trusted})
            if is_trusted:
                scope = dict(_as_told(scope), client=(self._client(Headers(scope=scope)), 0))
            prefix = self._prefix or scope.get("root_path", "")
            scope = _under(prefix, scope) if prefix else scope
        await self._app(scope, receive, send)

    def _is_proxy(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    def _client(self, headers: Headers) -> str:
        """Return who asked the outermost proxy that is trusted; what stands before it in the headers anybody may have written."""
        named = [client for name, client in _PAIR.findall(headers.get("forwarded", "")) if name.lower() == "for"]
        named = named or headers.get("x-forwarded-for", "").split(",")
        clients = [_without_port(client.strip()) for client in named]
        return next((client for client in reversed(clients) if not self._is_proxy(client)), clients[0])


class KnownHosts:
    """Refuses a host that is nobody's here, unless a trusted proxy said it; `fixed` says that hosts do not count (`TWIN_URL`)."""

    def __init__(
        self, app: ASGIApp, *, hosts: tuple[str, ...], fixed: bool, language: Callable[[Request], str]
    ) -> None:
        self._app, self._fixed, self._language = app, fixed, language
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http" and not self._fixed
        if is_http and not scope.get(TRUSTED) and not self._is_ours(Headers(scope=scope).get("host", ""), scope):
            request = Request(scope)
            await refused_host(request, self._language(request))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

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


def _without_port(client: str) -> str:
    """Return the address in "192.0.2.1:443", "[2001:db8::1]:443" or one that stands alone."""
    bracketed = re.fullmatch(r"\[([^]]*)\](:\d+)?", client)
    return bracketed[1] if bracketed else re.sub(r"^([^:]*):\d+$", r"\1", client)


def _under(prefix: str, scope: Scope) -> Scope:
    """Return a request as ASGI wants it under a prefix: with the prefix in its path, whether the proxy took it off or not."""
    path, raw = scope["path"], scope.get("raw_path", scope["path"].encode())
    if path == prefix or path.startswith(f"{prefix}/"):
        return dict(scope, root_path=prefix)
    return dict(scope, root_path=prefix, path=prefix + path, raw_path=prefix.encode() + raw)
