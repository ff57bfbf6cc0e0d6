"""The one way to look: which instant, which recorded state, and what the looker may see.

Routes, tiles, exports, processes and pages take a `View` from one place and hand it to every query.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any

from shapely.geometry.base import BaseGeometry

from twin_model.errors import AccessRefused
from twin_model.filter import Expression, parse_filter
from twin_model.filter.expression import Logical
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.temporal import Instant, Interval

__all__ = ["NOW", "OPEN", "Policy", "View", "withholding"]


@dataclass(frozen=True)
class Policy:
    """What a looker may see: `layers` None means all; rows by filter; fields that stay hidden ("attributes" hides these)."""

    layers: frozenset[str] | None = None
    rows: Mapping[str, Expression] = field(default_factory=dict)
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.digest)

    def admits(self, layer: str) -> bool:
        return self.layers is None or layer in self.layers

    def admits_whole(self, layer: str) -> bool:
        """Say whether every feature of a layer may be seen."""
        return self.admits(layer) and layer not in self.rows

    def visible(self, layer: Layer) -> Layer:
        """Return the layer with its visible fields only; what asks the layer for its fields then knows no hidden one.

        A layer of which nothing is hidden is returned itself, any other is made once: what is kept by layer stays kept.
        """
        hidden = self.hidden.get(layer.id)
        return _without(layer, frozenset(hidden)) if hidden and hidden & {*layer.field_names, ATTRIBUTES} else layer

    def visible_layers(self, layers: Iterable[Layer]) -> list[Layer]:
        """Return the layers of features that may be seen, each with its visible fields."""
        return [self.visible(layer) for layer in layers if layer.kind == "feature" and self.admits(layer.id)]

    def visible_layer(self, layers: Mapping[str, Layer], name: str) -> Layer | None:
        """Return one layer of features with its visible fields; None where it is not there, or may not be seen."""
        layer = layers.get(name)
        return None if layer is None else next(iter(self.visible_layers([layer])), None)

    @cached_property
    def digest(self) -> str:
        """A short name of this policy, for cache keys."""
        shown = (
            sorted(self.layers) if self.layers is not None else None,
            sorted((k, _spelled(v)) for k, v in self.rows.items()),
            sorted((k, sorted(v)) for k, v in self.hidden.items()),
        )
        return blake2b(repr(shown).encode(), digest_size=6).hexdigest()


def _spelled(node: Any) -> str:
    """Return all that a filter says; its own repr cuts long geometries short, and two districts would be one."""
    if isinstance(node, BaseGeometry):
        return str(node.wkb_hex)
    if isinstance(node, tuple):
        return f"({','.join(map(_spelled, node))})"
    if is_dataclass(node):
        return type(node).__name__ + _spelled(tuple(getattr(node, each.name) for each in fields(node)))
    return repr(node)


@lru_cache(maxsize=256)
def _without(layer: Layer, hidden: frozenset[str]) -> Layer:
    """Return a layer without some fields: neither its style nor the properties of its model speak of them.

    What shapes a model (`height`, `width_mm`) is still named there, for the shape shows it in any case.
    """
    style = {key: value for key, value in layer.style.items() if not (key in ("by", "label") and value in hidden)}
    if "by" not in style:
        style.pop("colors", None)
    model = dict(layer.model)
    if "properties" in model:
        model["properties"] = [name for name in model["properties"] if name not in hidden]
    shown = tuple(each for each in layer.fields if each.name not in hidden)
    is_hidden = layer.attributes_hidden or ATTRIBUTES in hidden
    return replace(layer, fields=shown, style=style, model=model, attributes_hidden=is_hidden)


OPEN = Policy()


def withholding(
    layers: Iterable[Layer],
    *,
    closed: Collection[str] = (),
    dropped: Collection[str] = (),
    rows: Mapping[str, Expression] | None = None,
    hidden: Mapping[str, frozenset[str]] | None = None,
) -> Policy:
    """Return the policy that keeps back layers, rows and fields, and the findings about layers that are not shown whole.

    `dropped` layers are not there for anybody; nothing about them is secret. A finding quotes what it is about; one that names no layer may speak of any, so it is kept back with them.
    """
    rows, hidden = dict(rows or {}), dict(hidden or {})
    names = [layer.id for layer in layers]
    partial = sorted({*closed, *rows, *hidden} - {"finding"})
    if not (closed or rows or hidden):
        return Policy(frozenset(names) - set(dropped)) if dropped else OPEN
    if partial and "finding" in names:
        about = {"op": "in", "args": [{"property": "layer"}, partial]}
        others = parse_filter({"op": "not", "args": [about]}, lang="cql2-json")
        rows["finding"] = Logical("and", (rows["finding"], others)) if "finding" in rows else others
    absent = {*closed, *dropped}
    return Policy(frozenset(names) - absent if absent else None, rows, hidden)


@dataclass(frozen=True)
class View:
    """Valid time, recorded state (a version number; None is the newest) and policy of one look at the town."""

    datetime: Instant | Interval | None = None
    recorded: int | None = None
    policy: Policy = OPEN

    def ensure_admits(self, layer: str) -> None:
        if not self.policy.admits(layer):
            raise AccessRefused(layer=layer)

    @property
    def is_now(self) -> bool:
        return self.datetime is None and self.recorded is None


NOW = View()
"""The town as it is now, as it is known now, all of it."""
