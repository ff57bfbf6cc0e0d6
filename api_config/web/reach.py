"""Whether a request can come from beyond this machine: then underground layers are shown only where `town.toml` says so.

The address that is listened on, the one that clients are told, and the one that a connection came in by are looked at: a server
that was started otherwise than by `twin serve` is known by the last. What a proxy hands on came from where a trusted one says, and
from beyond where none is trusted.
"""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.requests import Request

from api_config.settings import Settings

__all__ = ["TRUSTED", "is_from_outside", "is_loopback"]

TRUSTED = "twin.trusted"
"""Where a request carries whether a trusted proxy handed it on; its `client` is then the one that the proxy named."""

_HANDED_ON = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
"""Headers that proxies add."""


def is_loopback(host: str) -> bool:
    """Say whether a name or address is that of the machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_from_outside(request: Request, settings: Settings) -> bool:
    """Say whether others than this machine's users may be asking."""
    scope = request.scope
    server, client = scope.get("server"), scope.get("client")
    if scope.get(TRUSTED):
        is_handed_on = client is None or not is_loopback(client[0])
    else:
        is_handed_on = any(name in _HANDED_ON for name, _ in scope["headers"])
    return is_handed_on or _reaches_outside(settings.host, settings.url, server[0] if server is not None else None)


@lru_cache(maxsize=256)
def _reaches_outside(host: str, url: str, server: str | None) -> bool:
    """Say whether an address that is listened on, told to clients or connected to is another than the machine's own."""
    public = urlsplit(url).hostname if url else None
    if not is_loopback(host) or (public is not None and not is_loopback(public)):
        return True
    try:
        return server is not None and not ipaddress.ip_address(server).is_loopback
    except ValueError:  # a name, as in tests, or the path of a socket
        return False
