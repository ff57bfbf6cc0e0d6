"""Addresses that pages show and link to, and what may become a link at all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from api_config.web.call import Call
from api_config.web.path import path_segment

__all__ = ["PageAddress", "address_of", "safe_href", "value_href"]


def address_of(call: Call) -> "PageAddress":
    return PageAddress(urlsplit(call.base).path, call.base, dict(call.params))


@dataclass(frozen=True)
class PageAddress:
    """Addresses of this service: `root` is the path it stands at, `base` the whole address for programs."""

    root: str
    base: str
    params: Mapping[str, str]

    def page(self, *parts: str, **query: str) -> str:
        """Return the path of a page; a language chosen by the reader is kept, parts are quoted."""
        language = {"lang": self.params["lang"]} if "lang" in self.params else {}
        path = self.root + "/" + "/".join(path_segment(str(part)) for part in parts)
        return path + ("?" + urlencode(language | query) if language or query else "")

    def data(self, *parts: str, **query: str) -> str:
        """Return the whole address of a document for other programs."""
        path = "/".join((self.base, *(path_segment(str(part)) for part in parts)))
        return path + ("?" + urlencode(query) if query else "")

    def query(self, *without: str, **changes: str) -> str:
        """Return this page with other parameters, relative to itself; paging begins anew."""
        others = {name: value for name, value in self.params.items() if name not in {*without, *changes, "cursor"}}
        return "?" + urlencode(others | changes)

    def again(self, **changes: str) -> str:
        """Return this very page, as far as the reader has paged, in another form or language."""
        return "?" + urlencode({**self.params, **changes})

    def kept(self, *without: str) -> list[tuple[str, str]]:
        """Return the parameters a form must carry on."""
        return [(name, value) for name, value in self.params.items() if name not in {*without, "cursor"}]


def safe_href(url: object) -> str | None:
    """Return a URL that may become a link: http, https or relative within this host; None for every other.

    Control characters, blanks and backslashes are refused: browsers drop or turn them, as in `java\\nscript:`
    and `/\\host`.
    """
    text = str(url)
    if not text or re.search(r"[\x00-\x20\\\x7f-\xa0]", text):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    if parts.scheme:
        return text if parts.scheme in {"http", "https"} and parts.netloc else None
    return None if text.startswith("//") or ":" in text.split("/")[0].split("?")[0].split("#")[0] else text


def value_href(value: object) -> str | None:
    """Return an attribute value that is a whole http(s) address; anything else stays text."""
    return safe_href(value) if isinstance(value, str) and value.lower().startswith(("http://", "https://")) else None
