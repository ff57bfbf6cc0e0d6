"""Addresses as they are written: a slash that belongs to an id is %2F, and stays apart from the slashes between segments."""

from typing import Any
from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Match, Route
from starlette.types import Scope

__all__ = ["EncodedRoute", "allowed_methods", "encoded_path", "path_segment", "path_within", "path_written"]

_WRITTEN = "/%:@!$&'()*+,;=~"
_KEY = "twin.encoded"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OF_FILES = ("GET", "HEAD")


class _Segments(Convertor[str]):
    """One segment or several, none of them missing at either end: what a slash too many follows is no id."""

    regex = "[^/](?:.*[^/])?"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("segments", _Segments())


def path_segment(text: str) -> str:
    """Return a text as one segment of an address, whatever its characters.

    "." and ".." are written in percent too: written plainly they mean a folder.

    >>> path_segment("雨水/7"), path_segment("..")
    ('%E9%9B%A8%E6%B0%B4%2F7', '%2E%2E')
    """
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe=":")


def encoded_path(scope: Scope) -> str:
    """Return the path of a request as the client wrote it, percent signs and all; what must be encoded is."""
    raw = scope.get("raw_path")
    return quote(raw.decode("latin-1"), safe=_WRITTEN) if raw else quote(scope["path"], safe=_WRITTEN.replace("%", ""))


def path_within(scope: Scope) -> str:
    """Return the path of a request within the service, without the prefix of a proxy."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def path_written(scope: Scope) -> str:
    """Return the same as the client wrote it, percent signs and all."""
    return encoded_path(scope).removeprefix(quote(scope.get("root_path", "")))


class EncodedRoute(Route):
    """A route that is compared with the path as it was written; its parameters are decoded afterwards.

    Most requests are another route's, so what stands before the first parameter is looked at first.
    """

    def __init__(self, path: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(path, *args, **kwargs)
        self._beginning = path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and not path_within(scope).startswith(self._beginning):
            return Match.NONE, {}
        if scope["type"] != "http" or b"%" not in scope.get("raw_path", b""):
            return super().matches(scope)
        if _KEY not in scope:
            scope[_KEY] = dict(scope, path=encoded_path(scope))
        match, child = super().matches(dict(scope[_KEY], method=scope["method"]))
        if match != Match.NONE:
            child = dict(child, path_params=_decoded(child["path_params"]))
        return match, child


def allowed_methods(scope: Scope) -> str:
    """Return the methods that the address of a request takes, with commas between; none where there is nothing."""
    taken: set[str] = set()
    # A folder of files that took the request has moved its root.
    asked = dict(scope, root_path=scope.get("app_root_path", scope.get("root_path", "")))
    for route in scope["app"].routes:
        if route.matches(asked)[0] != Match.NONE:
            taken.update(getattr(route, "methods", None) or _OF_FILES)
    return ", ".join(method for method in _METHODS if method in {*taken, "OPTIONS"}) if taken else ""


def _decoded(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: unquote(value) for name, value in parameters.items()}
