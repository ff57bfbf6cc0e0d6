"""A delivery ends what its own project, or a delivery that it replaces, brought; what others brought is counted and stays."""

from typing import Any

from surveyed_networks import Frames, Office, street

from twin_model.ownership import covers
from twin_model.store.base import Store


def without(frames: Frames, row: int) -> Frames:
    return {**frames, "pipe_line": frames["pipe_line"].drop(index=row)}


def beside(frames: Frames, **columns: Any) -> Frames:
    """Return a network 4 m beside another, with columns of its own."""
    return {
        name: frame.set_geometry(frame.translate(0, 4), crs=frame.crs).assign(**columns)
        for name, frame in frames.items()
    }


def test_a_delivery_ends_only_what_is_its_own(store: Store) -> None:
    office = Office(store)
    office.deliver("survey.csv", street(12))
    office.deliver("model.inp", beside(street(12), project="M"))
    cases = {
        "its own name": ("survey.csv", without(street(12), 5), "seen", (1, 11)),
        "another name, nearly all of it": ("survey 2025.xlsx", without(street(12), 5), "seen", (1, 11)),
        "another name, a part of it": (
            "part.csv",
            {name: f.iloc[:4] for name, f in street(12).items()},
            "seen",
            (0, 0),
        ),
        "another project": ("b.csv", without(street(12, project="B"), 5), "seen", (0, 12)),
        "a layer that the user named": ("survey.csv", street(12), "layer", (11, 0)),
    }

    for case, (name, frames, reach, expected) in cases.items():
        plan = office.plan(name, frames, reach=reach)["pipe_line"]
        assert (len(plan.ended), plan.others if case != "another name, a part of it" else 0) == expected, case


def test_a_class_is_covered_by_itself_its_parent_and_the_unknown_one() -> None:
    delivered = frozenset({("PS", None), ("RQ", "TR")})

    covered = [covers(delivered, key) for key in (("PS", None), ("PS", "YS"), ("RQ", "TR"), ("RQ", None), ("JS", None))]

    assert covered == [True, True, True, False, False]
    assert covers(frozenset({(None, None)}), ("JS", None))
