"""What a client likes best of what is offered: media types, codings, languages (RFC 9110, 12.4 and 12.5).

A client that likes nothing of it gets the default, not 406: RFC 9110, 12.5.1 leaves that to the server, and old clients
send odd lists.
"""

from collections.abc import Iterable, Mapping

__all__ = ["accepted", "preferred_coding", "preferred_format"]

_ALSO_JSON = (
    "application/geo+json",
    "application/schema+json",
    "application/vnd.oai.openapi+json",
    "application/problem+json",
)
"""Offers that a client which asks for plain JSON is glad of."""


def accepted(header: str) -> list[tuple[str, float]]:
    """Return what a header names, in lower case and without parameters, each with its quality; refused ones have 0.

    >>> accepted("text/html;level=1;q=0.5, */*")
    [('text/html', 0.5), ('*/*', 1.0)]
    """
    qualities = []
    for part in header.lower().split(","):
        name, *options = [piece.strip() for piece in part.split(";")]
        if name:
            qualities.append((name, _quality(options)))
    return qualities


def _quality(options: list[str]) -> float:
    """Return the weight of a part, from 0 to 1; one that cannot be read counts as refused."""
    text = next((value for name, _, value in (option.partition("=") for option in options) if name.strip() == "q"), "1")
    try:
        return min(max(float(text), 0.0), 1.0) if text.strip()[:1].isdigit() else 0.0
    except ValueError:
        return 0.0


def preferred_format(offered: Mapping[str, str], header: str, default: str) -> str:
    """Return the name of the format that an Accept header likes best; `offered` is name -> media type.

    The most specific range that fits an offer gives its quality. Of equals the one named most precisely wins, then the default.

    >>> preferred_format({"json": "application/json", "html": "text/html"}, "application/json;q=0.9, text/html;q=0.5", "html")
    'json'
    """
    ranges = accepted(header) or [("*/*", 1.0)]
    ranked = [(*_liking(ranges, media_type), name == default, name) for name, media_type in offered.items()]
    wanted = [entry for entry in ranked if entry[0] > 0]
    return max(wanted, key=lambda entry: entry[:3])[3] if wanted else default


def _liking(ranges: Iterable[tuple[str, float]], media_type: str) -> tuple[float, int]:
    """Return quality and precision of the most precise range that fits: 2 by name or as JSON, 1 by kind, 0 any, -1 none."""
    name = media_type.partition(";")[0]
    fitting = [(_precision(named, name), quality) for named, quality in ranges]
    precision, quality = max(fitting)
    return (quality, min(precision, 2)) if precision >= 0 else (0.0, -1)


def _precision(named: str, name: str) -> int:
    if named == name:
        return 3
    if named == "application/json" and name in _ALSO_JSON:
        return 2
    if named == f"{name.partition('/')[0]}/*":
        return 1
    return 0 if named == "*/*" else -1


def preferred_coding(offered: Iterable[str], header: str) -> str | None:
    """Return the coding that an Accept-Encoding header likes best, the first of equals; None for none.

    >>> preferred_coding(("br", "gzip"), "gzip, br;q=0.5")
    'gzip'
    """
    qualities = dict(accepted(header))
    ranked = [(coding, qualities.get(coding, qualities.get("*", 0.0))) for coding in offered]
    best, quality = max(ranked, key=lambda pair: pair[1])
    return best if quality > 0 and quality >= qualities.get("identity", 0.0) else None
