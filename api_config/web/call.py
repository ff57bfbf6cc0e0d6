"""One request, read once: its parameters checked against those known, its language, its view, its address.

Routes take a `Call`; they never look at the query string by themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

from api_config.settings import Settings
from api_config.web.negotiation import accepted, preferred_format
from api_config.web.path import path_written
from api_config.web.reach import is_from_outside
from twin_model.errors import LayerNotFound, QueryRefused
from twin_model.layer import Layer
from twin_model.town import Town
from twin_model.view import Policy, View, withholding

__all__ = ["Call", "Service", "anonymous_policy"]

_SPOKEN = ("zh", "en")
_LONGEST_TIME = 100


@dataclass(frozen=True)
class Service:
    """What every route stands on: the town, the settings, the policy of those who are not signed in."""

    town: Town
    settings: Settings

    @cached_property
    def policy(self) -> Policy:
        """What everybody on this machine may see."""
        return anonymous_policy(self.town)

    @cached_property
    def outside_policy(self) -> Policy:
        """What everybody elsewhere may see: underground layers only where `town.toml` publishes them."""
        if self.town.settings.publish_underground:
            return self.policy
        return anonymous_policy(self.town, closed=[layer.id for layer in self.town.catalogue if layer.underground])


def anonymous_policy(town: Town, *, closed: Sequence[str] = ()) -> Policy:
    """Return what those may see who are not signed in: closed layers not at all, nor what findings say about them.

    `closed` are further ones than those of `town.toml`.
    """
    dropped = [layer.id for layer in town.catalogue if layer.dropped]
    return withholding(town.catalogue, closed=(*town.settings.closed, *closed), dropped=dropped)


class Call:
    """A request with its parameters; unknown ones are refused by `allow`."""

    def __init__(self, request: Request, parameters: Mapping[str, str] | None = None) -> None:
        """`parameters` are those of a body; without them, those of the address count."""
        self.request = request
        self.service: Service = request.app.state.service
        self.town: Town = self.service.town
        self.settings: Settings = self.service.settings
        self.params: Mapping[str, str] = request.query_params if parameters is None else parameters

    @cached_property
    def policy(self) -> Policy:
        """What the caller may see. This is the one place that decides it: nobody signs in, so it is what everybody may."""
        is_outside = is_from_outside(self.request, self.settings)
        return self.service.outside_policy if is_outside else self.service.policy

    @property
    def layers(self) -> list[Layer]:
        """The layers of features the caller may see, each with the fields the caller may see."""
        return self.policy.visible_layers(self.town.catalogue)

    @property
    def lang(self) -> str:
        """The language of words: `lang`, else the one Accept-Language likes best of those we speak, else the town's."""
        wanted = self.params.get("lang", "").lower()
        if wanted[:2] in _SPOKEN:
            return wanted[:2]
        header = self.request.headers.get("accept-language", "")
        for tag, quality in sorted(accepted(header), key=lambda pair: -pair[1]):
            if tag[:2] in _SPOKEN and quality > 0:
                return tag[:2]
        return "en" if header else self.town.settings.languages[0]

    @cached_property
    def base(self) -> str:
        """The address of the service as the client sees it, without a slash at the end."""
        return (self.settings.url or str(self.request.base_url)).rstrip("/")

    @property
    def here(self) -> str:
        """The address of this very request, as the client sees it."""
        query = self.request.url.query
        return self.base + self.route + (f"?{query}" if query else "")

    @property
    def route(self) -> str:
        """The path of this request as it was written, without the prefix of a proxy."""
        return path_written(self.request.scope)

    @property
    def path(self) -> dict[str, Any]:
        return self.request.path_params

    def allow(self, *names: str) -> None:
        """Refuse a parameter that means nothing here (OGC API - Features, 7.15.1: 400), or that is there twice."""
        known = {*names, "lang"}
        for name in self.params:
            if name not in known:
                nearest = get_close_matches(name, sorted(known), 3, 0.5) or sorted(known)
                raise QueryRefused("query.unknown_parameter", name=name[:100], nearest=nearest)
        items = self.params.multi_items() if isinstance(self.params, QueryParams) else self.params.items()
        given = [name for name, _ in items]
        twice = next((name for name in self.params if given.count(name) > 1), None)
        if twice is not None:
            raise QueryRefused(
                "query.refused", cause=f"{twice}={self.params[twice][:100]}, ...", expected=f"{twice}=..."
            )
        if self.params.get("lang", "zh").lower()[:2] not in _SPOKEN:
            raise QueryRefused("query.refused", cause=f"lang={self.params['lang'][:100]}", expected=", ".join(_SPOKEN))

    def layer(self) -> Layer:
        """Return the collection of the address with its visible fields; a closed one is as absent as one that is not there."""
        name = str(self.path["collection"])
        layer = self.policy.visible_layer(self.town.catalogue.layers, name)
        if layer is None:
            admitted = [layer.id for layer in self.layers]
            raise LayerNotFound(name=name[:100], nearest=get_close_matches(name, admitted, 3, 0.4) or admitted[:5])
        return layer

    def whole(self, *names: str) -> tuple[int, ...]:
        """Return whole numbers of the address; what is none leads nowhere (404)."""
        texts = [str(self.path[name]) for name in names]
        if not all(text.isascii() and text.isdigit() and len(text) < 11 for text in texts):
            raise HTTPException(404)
        return tuple(int(text) for text in texts)

    def format(self, offered: Mapping[str, str], default: str) -> str:
        """Return the format asked for by `f`, else by Accept; `offered` is name -> media type."""
        named = self.params.get("f")
        if named is not None:
            if named not in offered:
                raise QueryRefused("query.format", value=named[:100], nearest=list(offered))
            return named
        return preferred_format(offered, self.request.headers.get("accept", ""), default)

    def view(self) -> View:
        """Return how this client looks: valid time, recorded state, policy."""
        for name in ("datetime", "recorded"):
            if len(self.params.get(name, "")) > _LONGEST_TIME:
                raise QueryRefused("query.datetime", value=self.params[name][:_LONGEST_TIME])
        return self.town.view(self.params.get("datetime"), self.params.get("recorded"), self.policy)

    def integer(self, name: str, default: int, most: int) -> int:
        value = self.params.get(name)
        if value is None:
            return default
        if not value.isascii() or not value.isdigit() or not int(value[:12]) >= 1:
            raise QueryRefused("query.limit", value=value[:100], most=most)
        return min(int(value[:12]), most)
