"""A plan holds as long as the layers that it was compared with; whoever is overtaken twice plans while others wait."""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from store_contract import CATALOGUE, CRS, deliver, houses

from ingest.draft import Draft
from twin_model.audit import verify
from twin_model.changeset import Changeset, Delivered, Source
from twin_model.editing import rows_of
from twin_model.errors import VersionConflict
from twin_model.plan import LayerPlan
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.plan_basis import compared_layers
from twin_model.temporal import now
from twin_model.versioning import commit, plan_changeset


def roads(count: int) -> gpd.GeoDataFrame:
    shapes = [shapely.box(618_000, 3_886_100 + 20 * n, 618_100, 3_886_110 + 20 * n) for n in range(count)]
    return gpd.GeoDataFrame({"name": [f"{n}路" for n in range(count)]}, geometry=shapes, crs=CRS)


@pytest.mark.parametrize(("busy", "plans"), [("road_area", 1), ("building", 3)])
def test_a_plan_outlives_commits_in_other_layers_and_is_made_under_the_lock_after_two(
    store: Store, busy: str, plans: int
) -> None:
    """Another writer commits while each plan is made: to another layer for ever, to the same one as long as it can."""
    frames, calls = {"road_area": roads, "building": houses}, []

    def overtaken(asked: Store, changeset: Changeset) -> Mapping[str, LayerPlan]:
        made = plan_changeset(asked, changeset)
        calls.append(made)
        if len(calls) < 3:
            deliver(store, busy, frames[busy](len(calls)), name=f"{busy} {len(calls)}")
        return made

    with Draft(Source("plan.shp", "a"), CATALOGUE, storage_crs=CRS) as draft:
        draft.add("building", houses(4))
        version = store.commit(draft.to_changeset(author="a", reason="r"), overtaken)

    assert len(calls) == plans
    assert version.number == store.version() == plans + (1 if busy == "road_area" else 0)
    assert store.count(FeatureQuery("building")) == 4
    verify(store)


def test_the_layers_of_a_network_are_compared_together_and_findings_with_any_source() -> None:
    rows = Delivered.of("pipe_line", rows_of(CATALOGUE["pipe_line"], houses(0)[["geometry"]], CRS))
    edit = Changeset("a", "r", now(), (rows,), edit=True, terminated={"building": ("building.1",)})

    assert compared_layers(edit, CATALOGUE) == ["building", "pipe_line", "pipe_point"]
    source = Changeset("a", "r", now(), source=Source("x", "x"))
    assert compared_layers(source, CATALOGUE, ["road_line"]) == ["finding", "road_line"]


def test_a_delete_on_a_stale_base_is_refused_as_an_update_is(store: Store) -> None:
    deliver(store, "building", houses(2))
    deliver(store, "building", houses(2, usage=["住宅", None]), "2024-02-01")
    ended = {"building": ("building.1", "building.2")}

    def delete(base: int | None, **ids: tuple[str, ...]) -> Any:
        return commit(store, Changeset("a", "delete", now(), edit=True, base=base, terminated=ids))

    with pytest.raises(VersionConflict) as refusal:
        delete(1, **ended)
    assert refusal.value.values["features"] == {"building": ["building.1"]}
    assert store.count(FeatureQuery("building")) == 2

    assert delete(1, building=("building.2",)).touched["building"].terminated == 1
    assert delete(2, building=("building.1",)).touched["building"].terminated == 1


def test_a_feature_that_is_ended_while_its_delete_is_planned_is_a_conflict(store: Store) -> None:
    deliver(store, "building", houses(1))
    delete = Changeset("a", "delete", now(), edit=True, base=1, terminated={"building": ("building.1",)})

    def overtaken(asked: Store, changeset: Changeset) -> Mapping[str, LayerPlan]:
        if asked.version() == 1:
            commit(store, delete)
        return plan_changeset(asked, changeset)

    with pytest.raises(VersionConflict) as refusal:
        store.commit(delete, overtaken)

    assert refusal.value.values["features"] == {"building": ["building.1"]}


def test_an_id_given_by_hand_is_never_minted_again(store: Store) -> None:
    layer = CATALOGUE["building"]

    def add(frame: gpd.GeoDataFrame, ids: list[str | None]) -> list[str]:
        known = set(store.features(FeatureQuery("building")).index)
        rows = rows_of(layer, frame.set_axis(pd.Index(ids, name="id"))[["name", "geometry"]], CRS)
        commit(store, Changeset("a", "add", now(), (Delivered.of("building", rows),), edit=True))
        return sorted(set(store.features(FeatureQuery("building")).index) - known)

    by_hand = add(houses(1), ["building.3"])
    minted = add(houses(3), [None, None, None])
    mixed = add(houses(3), [None, "building.5", None])
    commit(store, Changeset("a", "end", now(), edit=True, terminated={"building": ("building.3",)}))
    store_again = add(houses(1), ["building.9"]) + add(houses(2), [None, None])

    assert by_hand == ["building.3"]
    assert minted == ["building.2", "building.3.2", "building.4"]
    assert mixed == ["building.5", "building.5.2", "building.7"]
    assert store_again == ["building.9", "building.10", "building.9.2"]
    verify(store)
