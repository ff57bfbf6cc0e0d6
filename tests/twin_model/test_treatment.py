"""A town that holds a network twice is mended by one changeset, and that can be undone."""

import numpy as np
import pytest
import surveyed_networks
from doubled_towns import put_beside, states
from surveyed_networks import CRS, Office, frames

from twin_model.changeset import Changeset
from twin_model.doctor import apply_treatment, treatment_of
from twin_model.errors import VersionConflict
from twin_model.history import revert, verify
from twin_model.plan import LayerPlan
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import now
from twin_model.versioning import commit

NETWORK = ("pipe_point", "pipe_line")


@pytest.mark.parametrize(("seed", "classes"), [(1, "whole"), (2, "parent"), (3, "unknown")])
def test_a_network_that_stands_twice_is_one_again_and_an_undone_treatment_leaves_two(
    store: Store, seed: int, classes: str
) -> None:
    random = np.random.default_rng(seed)
    net = surveyed_networks.network(random)
    Office(store).deliver("first", frames(net, random))
    once = states(store, *NETWORK)
    put_beside(store, frames(net, random, renumbered=True, classes=classes, noise=0.03), random)
    twice = states(store, *NETWORK)

    treatment = treatment_of(store)
    version = apply_treatment(store, treatment, author="tester", reason="doubled")

    assert sum(len(each.pairs) for each in treatment.layers) == sum(len(twice[n]) - len(once[n]) for n in NETWORK) > 0
    assert states(store, *NETWORK) == once
    assert treatment_of(store).is_empty
    commit(store, revert(store, version.number, author="tester"))
    assert states(store, *NETWORK) == twice
    verify(store)


def test_a_delivery_under_the_newer_numbers_finds_the_features_that_stayed(store: Store) -> None:
    random = np.random.default_rng(4)
    net = surveyed_networks.network(random)
    office = Office(store)
    office.deliver("first", frames(net, random))
    put_beside(store, frames(net, random, renumbered=True, noise=0.03))
    point_ids = {row["id"]: row["fid"] for row in states(store, "pipe_point")["pipe_point"]}
    treatment = treatment_of(store)

    apply_treatment(store, treatment, author="tester", reason="doubled")

    (points,) = [each for each in treatment.layers if each.layer.id == "pipe_point"]
    stays = {key[1]: point_ids[stays] for key, stays in points.new_ids.items()}
    assert store.fids_of_past_ids("pipe_point", [*stays]) == stays
    assert {(link.kind, link.to_fid) for link in store.links("pipe_point")} == {
        ("merged", fid) for fid in stays.values()
    }
    version = office.deliver("second", frames(net, random, renumbered=True, noise=0.03))
    assert [version.touched[name].inserted + version.touched[name].terminated for name in NETWORK] == [0, 0]


def test_what_only_the_newer_knows_is_taken_over_and_lines_name_the_points_that_stay(store: Store) -> None:
    random = np.random.default_rng(5)
    net = surveyed_networks.network(random, size=3)
    lacking = frames(net, random, classes="parent", lacking=("road_name", "material", "feature"))
    lacking["pipe_line"] = lacking["pipe_line"].iloc[:-1]
    Office(store).deliver("first", lacking)
    finer = frames(net, random, noise=0.03)
    for layer, names in {"pipe_point": ("survey_no",), "pipe_line": ("segment_key", "start_no", "end_no")}.items():
        finer[layer] = finer[layer].assign(**{name: "N" + finer[layer][name] for name in names})
    put_beside(store, finer)

    apply_treatment(store, treatment_of(store), author="tester", reason="doubled")

    points, lines = (store.features(FeatureQuery(name)) for name in NETWORK)
    assert len(points) == len(net.points) and len(lines) == len(net.lines)
    assert set(points["survey_no"]) == set(net.points), "the older numbers stay"
    assert set(points["subclass"].dropna()) == {"YS", "WS", "TR"}, "the finer class is known"
    assert set(points["feature"]) == {"直线点"} and set(lines["material"]) == {"钢"}
    assert set(lines["start_no"]) | set(lines["end_no"]) == set(net.points), "also of the line that the older lacked"


def test_of_a_line_that_runs_the_other_way_round_start_and_end_are_exchanged(store: Store) -> None:
    random = np.random.default_rng(9)
    net = surveyed_networks.network(random, size=2)
    older, newer = frames(net, random), frames(net, random)
    older["pipe_line"]["flow_direction"] = newer["pipe_line"]["end_depth"] = None
    older["pipe_line"].geometry = older["pipe_line"].geometry.force_2d()
    reversed_lines = newer["pipe_line"].assign(start_depth=1.5, flow_direction="+", note="乙方")
    reversed_lines.geometry = reversed_lines.geometry.reverse()
    Office(store).deliver("first", {"pipe_line": older["pipe_line"]})
    put_beside(store, {"pipe_line": reversed_lines})

    apply_treatment(store, treatment_of(store), author="tester", reason="doubled")

    lines = store.features(FeatureQuery("pipe_line"))
    assert len(lines) == len(net.lines)
    assert set(lines["end_depth"]) == {1.5} and lines["start_depth"].isna().all()
    assert set(lines["flow_direction"]) == {"-"} and set(lines["note"]) == {"乙方"}
    assert lines.geometry.has_z.all(), "known heights are taken over"


def test_pipes_that_contradict_each_other_and_pipes_of_one_delivery_are_two(store: Store) -> None:
    random = np.random.default_rng(6)
    net = surveyed_networks.network(random, size=3)
    both = frames(net, random)
    both["pipe_point"] = both["pipe_point"].iloc[:0]
    Office(store).deliver("first", both)
    other = frames(net, random, renumbered=True)
    abandoned = other["pipe_line"].iloc[:2].assign(status="1")
    wider = other["pipe_line"].iloc[2:4].assign(width_mm=900.0)
    deeper = other["pipe_line"].iloc[4:6].set_geometry(other["pipe_line"].geometry.iloc[4:6].force_2d().force_3d(51.0))
    classed = other["pipe_line"].iloc[6:].assign(**{"class": "DL", "subclass": None})

    for rows in (abandoned, wider, deeper, classed):
        put_beside(store, {"pipe_line": rows})

    assert treatment_of(store).is_empty


def test_a_treatment_is_refused_where_others_have_changed_its_features_since(store: Store) -> None:
    random = np.random.default_rng(7)
    net = surveyed_networks.network(random, size=2)
    Office(store).deliver("first", frames(net, random))
    put_beside(store, frames(net, random, renumbered=True))
    treatment = treatment_of(store)
    ended = states(store, "pipe_point")["pipe_point"][-1]["fid"]
    plan = {"pipe_point": LayerPlan("pipe_point", np.empty(0, dtype=np.int64), np.array([ended]))}
    store.commit(Changeset("other", "ended", now(), edit=True, since_recorded=True), lambda *_: plan)

    with pytest.raises(VersionConflict):
        apply_treatment(store, treatment, author="tester", reason="doubled")


def test_layers_with_features_that_have_no_place_on_the_globe_are_named(store: Store) -> None:
    random = np.random.default_rng(8)
    net = surveyed_networks.network(random, size=2, east=9e9)

    put_beside(store, frames(net, random))

    assert set(treatment_of(store).unplaced) == set(NETWORK)
    assert store.crs == CRS
