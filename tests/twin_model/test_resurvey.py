"""A network surveyed anew is the same network: whatever an office calls its things, edits alone are changes, named by kind."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from surveyed_networks import Frames, Office, edited, frames, merged, network, street

from twin_model.history import predecessors_of, revert
from twin_model.plan import LayerPlan
from twin_model.store.base import FeatureQuery, Store
from twin_model.versioning import commit

SEEDS = st.integers(0, 2**32 - 1)
QUIET = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
LAYERS = ("pipe_point", "pipe_line")


def changed(plans: dict[str, LayerPlan], layer: str) -> tuple[int, int]:
    counts = plans[layer].counts if layer in plans else {"inserted": 0, "terminated": 0}
    return counts["inserted"], counts["terminated"]


@pytest.fixture
def office(store: Store) -> Office:
    return Office(store)


def check_nothing_new(office: Office, seed: int, size: int, every: int = 1) -> None:
    random = np.random.default_rng(seed)
    net = network(random, size, east=(office.day * 10_000.0) % 400_000)
    office.deliver("first.csv", frames(net, random))
    offices = itertools.product(("whole", "parent", "unknown"), (False, True), ("first.csv", "b.xlsx"))
    for classes, renumbered, name in [*offices][seed % every :: every]:
        lacking = tuple(random.choice(["road_name", "built", "feature", "material", "status"], 2))
        again = frames(net, random, classes=classes, renumbered=renumbered, noise=0.03, lacking=lacking)

        plans = office.plan(name, again)

        assert {layer: changed(plans, layer) for layer in LAYERS} == dict.fromkeys(LAYERS, (0, 0)), (
            seed,
            classes,
            renumbered,
            name,
        )
        assert {kind for plan in plans.values() for kind in plan.kinds} == set(), (seed, classes, renumbered, name)


@settings(max_examples=3, deadline=None, suppress_health_check=QUIET)
@given(SEEDS)
def test_a_network_renumbered_reclassed_and_3_cm_off_is_the_same_network(office: Office, seed: int) -> None:
    check_nothing_new(office, seed, 4, every=5)


def halves(whole: Frames, random: np.random.Generator) -> tuple[Frames, Frames]:
    """Return the lines of a survey in two files, each with the points that its lines need."""
    lines = whole["pipe_line"]
    first = random.permutation(len(lines)) < len(lines) // 2
    parts = []
    for chosen in (lines[first], lines[~first]):
        needed = set(chosen["start_no"]) | set(chosen["end_no"])
        parts.append(
            {"pipe_point": whole["pipe_point"][whole["pipe_point"]["survey_no"].isin(needed)], "pipe_line": chosen}
        )
    return parts[0], parts[1]


@settings(max_examples=2, deadline=None, suppress_health_check=QUIET)
@given(SEEDS)
def test_a_survey_in_two_files_ends_nothing_of_the_other_file(office: Office, seed: int) -> None:
    random = np.random.default_rng(seed)
    net = network(random, 10, east=(office.day * 10_000.0) % 400_000)
    office.deliver("whole.csv", frames(net, random))

    for part in halves(frames(net, random, renumbered=True, noise=0.03), random):
        plans = office.plan("part.csv", part)

        assert {layer: changed(plans, layer) for layer in LAYERS} == dict.fromkeys(LAYERS, (0, 0))


def check_edits(office: Office, seed: int, size: int, *, renumbered: bool) -> None:
    random = np.random.default_rng(seed)
    net = network(random, size, east=(office.day * 10_000.0) % 400_000)
    after, kinds = edited(net, random)
    office.deliver("first.csv", frames(net, random))

    plan = office.plan("first.csv", frames(after, random, renumbered=renumbered, noise=0.03))["pipe_line"]

    assert dict(plan.kinds) == kinds, (seed, renumbered)
    assert (len(plan.ended) - plan.replaced, plan.replaced) == (1, 1)


@settings(max_examples=3, deadline=None, suppress_health_check=QUIET)
@given(SEEDS, st.booleans())
def test_edits_of_a_network_are_exactly_those_changes_named_by_kind(
    office: Office, seed: int, renumbered: bool
) -> None:
    check_edits(office, seed, 6, renumbered=renumbered)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(40))
def test_many_networks_and_edits(office: Office, seed: int) -> None:
    check_nothing_new(office, seed, 6)
    check_edits(office, seed, 6, renumbered=bool(seed % 2))


def test_merged_lines_are_linked_to_what_follows_them_and_a_revert_unties_them(office: Office) -> None:
    office.deliver("a.csv", street(8))
    fids = office.store.features(FeatureQuery("pipe_line"))["fid"]

    version = office.deliver("a.csv", merged(street(8)))

    whole = int(office.store.features(FeatureQuery("pipe_line")).loc["P1.RQ1~RQ3", "fid"])
    links = [(link.kind, link.from_fid, link.to_fid) for link in office.store.links("pipe_line")]
    assert links == [("merged", int(fids["P1.RQ1~RQ2"]), whole), ("merged", int(fids["P1.RQ2~RQ3"]), whole)]
    assert dict(version.touched["pipe_line"].kinds) == {"merged": 1}
    followed = ("pipe_line", "merged", "P1.RQ1~RQ3", ("P1.RQ1~RQ2", "P1.RQ2~RQ3"))
    assert predecessors_of(office.store, version.number) == [followed]
    undone = commit(office.store, revert(office.store, version.number, author="tester"))
    assert office.store.links("pipe_line") == []
    commit(office.store, revert(office.store, undone.number, author="tester"))
    assert [(link.kind, link.from_fid, link.to_fid) for link in office.store.links("pipe_line")] == links


def test_a_split_is_the_other_way_round_and_the_first_lines_come_back_as_merged(office: Office) -> None:
    office.deliver("a.csv", merged(street(8)))

    version = office.deliver("a.csv", street(8))

    assert dict(version.touched["pipe_line"].kinds) == {"split": 1}
    assert [link.kind for link in office.store.links("pipe_line")] == ["split", "split"]
    again = office.deliver("a.csv", merged(street(8)))
    assert dict(again.touched["pipe_line"].kinds) == {"merged": 1}


def test_a_line_of_another_class_at_the_same_place_is_the_line_reclassed(office: Office) -> None:
    office.deliver("a.csv", street(8))
    frames = street(8)
    frames["pipe_line"].loc[3, ["class", "segment_key"]] = ["RL", "RL3~RL4"]

    version = office.deliver("a.csv", frames)

    assert dict(version.touched["pipe_line"].kinds) == {"reclassed": 1}
    assert office.store.features(FeatureQuery("pipe_line")).loc["P1.RQ3~RQ4", "class"] == "RL"


def test_a_pipe_of_another_size_or_depth_and_of_an_unknown_class_is_another_pipe(office: Office) -> None:
    office.deliver("a.csv", street(4))
    wider = street(4, **{"class": None, "project": "P2"})
    wider["pipe_line"] = wider["pipe_line"].assign(width_mm=600.0)

    plan = office.plan("b.csv", wider)["pipe_line"]

    assert (plan.counts["inserted"], plan.counts["terminated"]) == (3, 0)
