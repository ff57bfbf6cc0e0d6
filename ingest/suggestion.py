"""Which layers of the town could take in what a source holds: by geometry, the ones of a like name first."""

from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

from twin_model.catalogue import Catalogue
from twin_model.layer import Layer

__all__ = ["fitting_layers"]

_MOST = 8
_LIKE = 0.5


def fitting_layers(catalogue: Catalogue, dimensions: Collection[int], names: Iterable[str] = ()) -> list[str]:
    """Return ids of layers that hold points (0), lines (1) or areas (2); all where no dimension is given.

    First those whose id or title is like one of `names`, then those of topography; at most eight, each dimension in turn.
    """
    words = [name.lower() for name in list(names)[:20]]
    layers = [layer for layer in catalogue if layer.has_geometry and layer.kind == "feature" and layer.id != "finding"]
    fitting = [layer for layer in layers if not dimensions or layer.dimension in dimensions]
    rows = {id(layer): row for row, layer in enumerate(fitting)}
    ranked = sorted(fitting, key=lambda layer: (-_likeness(layer, words), layer.cim_class != "base", rows[id(layer)]))
    queues = [[layer.id for layer in ranked if layer.dimension == wanted] for wanted in sorted(dimensions or {0, 1, 2})]
    in_turn = [queue[turn] for turn in range(_MOST) for queue in queues if turn < len(queue)]
    return in_turn[:_MOST]


def _likeness(layer: Layer, words: list[str]) -> float:
    """Return how like the best of some names is to a layer's id or titles, 0.0 where none is like it at all."""
    own = [layer.id, layer.title.zh, layer.title.en.lower(), *layer.id.split("_")]
    ratios = [_ratio(name, word) for name in own if name for word in words]
    best = max(ratios, default=0.0)
    return best if best >= _LIKE else 0.0


def _ratio(name: str, word: str) -> float:
    return 1.0 if name in word and len(name) > 1 else SequenceMatcher(None, name, word).ratio()
