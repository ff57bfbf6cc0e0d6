"""Pages from templates: one environment, the words of a language, and how values are written for a reader."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api_config.pages.address import address_of, safe_href, value_href
from api_config.web.call import Call
from twin_model.crs import title_of as title_of_crs
from twin_model.layer import Layer
from twin_model.messages import messages, render
from twin_model.messages.fragments import in_chinese
from twin_model.messages.values import title_of_layer

__all__ = ["Document", "feature_title", "number", "render_page"]

Document = Mapping[str, Any]
_LONGEST_TEXT, _LONGEST_CELL = 10_000, 300
"""Characters of a value on the page of its feature, and in a table of many."""


@cache
def _environment() -> Environment:
    """Return the one environment of all pages; templates are compiled once."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "crs_name": title_of_crs,
        "worded": _worded,
        "safe_href": safe_href,
        "value_href": value_href,
        "number": number,
        "unit": _unit,
        "group": _grouped,
        "pretty": _pretty,
        "readable": _readable,
    }
    environment.tests["mapping_value"] = lambda value: isinstance(value, Mapping)
    environment.tests["list_value"] = lambda value: isinstance(value, list)
    return environment


def render_page(call: Call, name: str, **values: Any) -> bytes:
    environment = _environment()
    words = getattr(environment.get_template("words.html").module, call.lang)
    zone = ZoneInfo(call.town.settings.timezone)
    page = environment.get_template(f"{name}.html").render(
        t=words,
        lang=call.lang,
        at=address_of(call),
        town=call.town.settings,
        instant=lambda value: _instant(value, zone),
        title_of=feature_title,
        **values,
    )
    return page.encode()


def number(value: float) -> str:
    """Return a number without noise of binary fractions: at most three decimals, none where they are zero."""
    return str(value) if isinstance(value, int) or not math.isfinite(value) else f"{value:.3f}".rstrip("0").rstrip(".")


def _grouped(value: int) -> str:
    return f"{value:,}"


def _unit(unit: str) -> str:
    return unit.replace("m2", "m²").replace("m3", "m³")


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _readable(value: Any, whole: bool, too_long: str) -> Any:
    """Return a text no longer than a reader looks at, with how long it is; the data hold all of it."""
    most = _LONGEST_TEXT if whole else _LONGEST_CELL
    return (
        value
        if not isinstance(value, str) or len(value) <= most
        else value[:most] + too_long.format(n=_grouped(len(value)))
    )


def _instant(value: object, zone: ZoneInfo) -> str:
    """Return an instant on the town's clock; what is not one comes back as it is."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    local = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(zone)
    return local.strftime("%Y-%m-%d" if (local.hour, local.minute) == (0, 0) else "%Y-%m-%d %H:%M")


def feature_title(layer: Layer, feature: Document) -> str:
    """Return the name a person would call the feature by, else its id."""
    return layer.title_of(feature.get("properties") or {}, feature.get("id", ""))


def _worded(value: Any, layer: Layer, name: str, lang: str) -> Any:
    """Return a finding's layer, place and rule in words for a Chinese reader; any other value as it is."""
    if layer.id != "finding" or lang != "zh" or not isinstance(value, str):
        return value
    if name == "layer":
        return title_of_layer(value) or value
    if name == "rule":
        area = f"rule_area.{value.split('.')[0]}"
        return f"{render(area, lang, {})}（{value}）" if area in messages(lang) else value
    return in_chinese(value) if name == "place" else value
