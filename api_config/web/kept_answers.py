"""Answers that may be kept for good, since their address names the version of what they say (`?v=...`).

The viewer's configuration (`api_config/routes/viewer.py`) gives such addresses and is itself asked for anew each time: after a change
it gives others. An address with a version that has passed is answered as it is now, and is not kept.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Any

from api_config.web.answer import etag_of
from api_config.web.call import Call

__all__ = ["KEPT", "caching", "version_of", "versioned"]

KEPT = "max-age=31536000, immutable"
"""For a year, without asking whether it still stands."""


def version_of(*parts: Any) -> str:
    """Return a short name of everything that answers depend on besides their address; another release has other names."""
    return etag_of(_release(), *parts)[3:-1]


@cache
def _release() -> str:
    return version("hsr-town-twin")


def versioned(address: str, version: str) -> str:
    return f"{address}?v={version}"


def caching(call: Call, version: Callable[[], str]) -> dict[str, str]:
    """Return the header by which an answer is kept, where its address names the version that is there.

    Ask once the answer is made: what changed while it was made is not kept. Only the looker's own browser keeps it, for another
    looker may be allowed to see less under the same address.
    """
    is_current = "v" in call.params and call.params["v"] == version()
    return {"Cache-Control": f"private, {KEPT}"} if is_current else {}
