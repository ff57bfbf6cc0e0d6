"""One request, read once: its parameters checked against those known, its language, its view, its address.

Routes take a `Call`; they never look at the query string by themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from starlette.requests import Request

from api_config.settings import Settings
from twin_model.errors import QueryRefused
from twin_model.temporal import parse_instant, parse_when
from twin_model.town import Town
from twin_model.view import OPEN, Policy, View

__all__ = ["Call", "Door"]


@dataclass(frozen=True)
class Door:
    """What every route stands on: the town, the settings, the policy of those who are not signed in."""

    town: Town
    settings: Settings

    @cached_property
    def policy(self) -> Policy:
        closed = set(self.town.settings.closed)
        return (
            OPEN
            if not closed
            else Policy(layers=frozenset(layer.id for layer in self.town.catalogue if layer.id not in closed))
        )


class Call:
    """A request with its parameters; unknown ones are refused by `allow`."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.door: Door = request.app.state.door
        self.town = self.door.town
        self.settings = self.door.settings
        self.params: Mapping[str, str] = request.query_params

    @property
    def lang(self) -> str:
        """The language of words: `lang`, else the first of Accept-Language that we speak, else Chinese."""
        wanted = self.params.get("lang", "").lower()
        if wanted[:2] in {"zh", "en"}:
            return wanted[:2]
        for part in self.request.headers.get("accept-language", "").lower().split(","):
            if part.strip()[:2] in {"zh", "en"}:
                return part.strip()[:2]
        return "en" if self.request.headers.get("accept-language") else self.town.settings.languages[0]

    @property
    def base(self) -> str:
        """The address of the service as the client sees it, without a slash at the end."""
        return (self.settings.url or str(self.request.base_url)).rstrip("/")

    @property
    def path(self) -> dict[str, Any]:
        return self.request.path_params

    def allow(self, *names: str) -> None:
        """Refuse a parameter that means nothing here (OGC API - Features, 7.15.1: 400)."""
        known = {*names, "lang"}
        for name in self.params:
            if name not in known:
                nearest = get_close_matches(name, sorted(known), 3, 0.5) or sorted(known)
                raise QueryRefused("query.unknown_parameter", name=name, nearest=nearest)

    def format(self, offered: Mapping[str, str], default: str) -> str:
        """Return the format asked for by `f`, else by Accept; `offered` is name -> media type."""
        named = self.params.get("f")
        if named is not None:
            if named not in offered:
                raise QueryRefused("query.format", value=named, nearest=list(offered))
            return named
        accept = self.request.headers.get("accept", "*/*")
        wanted = sorted(_accepted(accept), key=lambda pair: -pair[1])
        for media, _ in wanted:
            if media == "*/*":
                return default
            for name, offer in offered.items():
                if offer.split(";")[0] == media or (
                    media == "application/json"
                    and offer in {"application/geo+json", "application/schema+json"}
                ):
                    return name
        return default

    def view(self) -> View:
        """Return how this client looks: valid time, recorded state, policy."""
        zone = self.town.settings.timezone
        return View(parse_when(self.params.get("datetime"), zone), self._recorded(zone), self.door.policy)

    def _recorded(self, zone: str) -> int | None:
        value = self.params.get("recorded")
        if value is None:
            return None
        if value.isdigit() and len(value) < 9 and not (len(value) == 4 and 1900 <= int(value) <= 2200):
            number = int(value)
            self.town.store.ensure_version(number)
            return number
        at: int = self.town.store.recorded_at(parse_instant(value, zone)[0])
        return at

    def integer(self, name: str, default: int, most: int) -> int:
        value = self.params.get(name)
        if value is None:
            return default
        if not value.isascii() or not value.isdigit() or not int(value[:12]) >= 1:
            raise QueryRefused("query.limit", value=value, most=most)
        return min(int(value[:12]), most)


def _accepted(header: str) -> list[tuple[str, float]]:
    accepted = []
    for part in header.split(","):
        media, *options = [piece.strip() for piece in part.split(";")]
        quality = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            accepted.append((media.lower(), float(quality)))
        except ValueError:
            continue
    return [pair for pair in accepted if pair[1] > 0]
