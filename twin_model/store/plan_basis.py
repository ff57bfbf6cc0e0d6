"""What a plan rests on: the layers it was compared with. A commit elsewhere in the town leaves it as good as it was.

A store plans outside its lock, so that others can write meanwhile, and looks at these layers again once it holds the
writer's place. After `_PLANS_AHEAD` plans that others have overtaken it plans while it holds the place: nobody starves.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from twin_model.catalogue import Catalogue
from twin_model.changeset import Changeset
from twin_model.plan import LayerPlan

__all__ = ["compared_layers", "written_as_planned"]

_PLANS_AHEAD = 2
"""So many plans are made before the writer's place is held."""

Connection = TypeVar("Connection")
Written = TypeVar("Written")
Plans = Mapping[str, LayerPlan]


def written_as_planned(
    *,
    plan: Callable[[], Plans],
    basis: Callable[[Connection], Any],
    asking: Callable[[], AbstractContextManager[Connection]],
    writing: Callable[[], AbstractContextManager[Connection]],
    write: Callable[[Connection, Plans], Written],
) -> Written:
    """Return what `write` returns, given plans whose `basis` has not changed when the writer's place is held.

    `asking` and `writing` lend a connection, `writing` with the writer's place; `basis` is asked of either.
    """
    for _ in range(_PLANS_AHEAD):
        with asking() as connection:
            planned_on = basis(connection)
        plans = plan()
        with writing() as connection:
            if basis(connection) == planned_on:
                return write(connection, plans)
    with writing() as connection:
        return write(connection, plan())


def compared_layers(changeset: Changeset, catalogue: Catalogue, described: Iterable[str] = ()) -> list[str]:
    """Return the ids of layers that the plan of a changeset depends on; the layers of a network go together."""
    names = [delivery.layer for delivery in changeset.delivered]
    names += ["finding"] if changeset.source is not None or changeset.findings else []
    names += [*changeset.terminated, *changeset.restored, *described]
    if any(name in catalogue and catalogue[name].is_network for name in names):
        names += [layer.id for layer in catalogue if layer.is_network]
    return sorted(set(names))
