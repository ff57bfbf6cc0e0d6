"""What a plan rests on: the layers it was compared with. A commit elsewhere in the town leaves it as good as it was.

A store plans outside its lock, so that others can write meanwhile, and looks at these layers again once it holds the
writer's place. After `PLANS_AHEAD` plans that others have overtaken it plans while it holds the place: nobody starves.
"""

from collections.abc import Iterable

from twin_model.catalogue import Catalogue
from twin_model.changeset import Changeset

__all__ = ["PLANS_AHEAD", "compared_layers"]

PLANS_AHEAD = 2
"""So many plans are made before the writer's place is held."""


def compared_layers(changeset: Changeset, catalogue: Catalogue, described: Iterable[str] = ()) -> list[str]:
    """Return the ids of layers that the plan of a changeset depends on; the layers of a network go together."""
    names = [delivery.layer for delivery in changeset.delivered]
    names += ["finding"] if changeset.source is not None or changeset.findings else []
    names += [*changeset.terminated, *changeset.restored, *described]
    if any(name in catalogue and catalogue[name].is_network for name in names):
        names += [layer.id for layer in catalogue if layer.is_network]
    return sorted(set(names))
