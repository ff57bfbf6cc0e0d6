"""What a delivery means for the town: no change, a new version of a known feature, or a new one."""

from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.draft import Draft
from twin_model.changeset import Source, Version
from twin_model.town import Town, init_town
from twin_model.versioning import commit

EAST, NORTH = 618_000.0, 3_886_000.0


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with init_town(tmp_path / "town", name="小城", crs="EPSG:4548") as made:
        yield made


def deliver(town: Town, layer: str, frame: gpd.GeoDataFrame, effective: str = "2024-01-01T00:00:00.000Z") -> Version:
    source = Source("sheet", f"{layer}-{town.store.version()}-{effective}")
    with Draft(source, town.catalogue, storage_crs=town.store.crs, effective=effective) as draft:
        draft.add(layer, frame)
        return commit(town.store, draft.to_changeset(author="tester", reason="test"))


def houses(count: int, seed: int = 0) -> gpd.GeoDataFrame:
    random = np.random.default_rng(seed)
    x, y = EAST + 25.0 * np.arange(count), np.full(count, NORTH)
    shapes = shapely.box(x, y, x + random.uniform(8, 16, count).round(3), y + 9)
    content = {"name": [f"{n}号楼" for n in range(count)], "storeys": random.integers(1, 9, count)}
    return gpd.GeoDataFrame(content, geometry=shapes, crs="EPSG:4548")


def test_reading_the_same_houses_again_in_any_order_and_writing_is_no_change(town: Town) -> None:
    frame = houses(30)
    deliver(town, "building", frame)
    ids = set(town.features("building").index)
    again = frame.sample(frac=1.0, random_state=1)[["geometry", "storeys", "name"]]
    again = again.set_geometry(shapely.reverse(shapely.normalize(again.geometry.to_numpy())))

    version = deliver(town, "building", again, "2025-01-01T00:00:00.000Z")

    assert (version.made, version.number) == (False, 1)
    assert version.touched["building"].unchanged == 30
    assert set(town.features("building").index) == ids


def test_one_house_without_storeys_leaves_its_neighbours_unchanged(town: Town) -> None:
    frame = houses(10)
    deliver(town, "building", frame)
    frame["storeys"] = frame["storeys"].astype("Int64")
    frame.loc[3, "storeys"] = None

    touched = deliver(town, "building", frame, "2025-01-01T00:00:00.000Z").touched["building"]

    assert (touched.inserted, touched.updated, touched.unchanged) == (0, 1, 9)


def test_an_annex_built_is_one_new_version_of_one_house(town: Town) -> None:
    frame = houses(10)
    deliver(town, "building", frame)
    before = town.features("building")
    minx, _, _, maxy = shapely.bounds(frame.geometry[4])
    frame.loc[4, "geometry"] = shapely.union(frame.geometry[4], shapely.box(minx, maxy, minx + 4, maxy + 3))

    version = deliver(town, "building", frame, "2025-01-01T00:00:00.000Z")

    after, touched = town.features("building"), version.touched["building"]
    assert (version.number, touched.inserted, touched.updated, touched.terminated) == (2, 0, 1, 0)
    assert sorted(after.index) == sorted(before.index)
    grown = after.area - before.area
    assert grown[grown > 0.01].tolist() == pytest.approx([12.0])
    then = town.features("building", at="2024-06-01")
    assert then.area.sum() == pytest.approx(before.area.sum())


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
def test_another_survey_with_3_cm_of_noise_adds_and_ends_nothing(town: Town, seed: int) -> None:
    random = np.random.default_rng(seed)
    layer = "street_lamp"
    points = gpd.GeoDataFrame(
        {"pole_no": [f"A{n}" for n in range(20)]},
        geometry=shapely.points(EAST + 30.0 * np.arange(20), np.full(20, NORTH)),
        crs="EPSG:4548",
    )
    deliver(town, layer, points)
    ids = sorted(town.features(layer).index)
    again = points.assign(pole_no=[f"B{n}" for n in range(20)]).sample(frac=1.0, random_state=seed)
    again = again.set_geometry(
        shapely.transform(again.geometry.to_numpy(), lambda xy: xy + random.uniform(-0.03, 0.03, xy.shape))
    )

    touched = deliver(town, layer, again, "2025-01-01T00:00:00.000Z").touched[layer]

    assert (touched.inserted, touched.terminated) == (0, 0)
    assert sorted(town.features(layer).index) == ids


def test_two_equal_houses_at_one_place_stay_two(town: Town) -> None:
    frame = houses(1)
    twice = gpd.GeoDataFrame(gpd.pd.concat([frame, frame], ignore_index=True), crs="EPSG:4548")
    deliver(town, "building", twice)

    version = deliver(town, "building", twice, "2025-01-01T00:00:00.000Z")

    assert not version.made
    assert len(town.features("building")) == 2


def test_a_layer_with_numbers_goes_by_its_numbers_wherever_the_thing_lies(town: Town) -> None:
    sites = gpd.GeoDataFrame(
        {"project_no": ["P1", "P2", None], "stage": ["设计", "施工", "设计"]},
        geometry=[shapely.box(x, NORTH, x + 50, NORTH + 50) for x in (EAST, EAST + 100, EAST + 200)],
        crs="EPSG:4548",
    )
    deliver(town, "project", sites)
    moved = sites.iloc[:2].set_geometry(sites.geometry[:2].translate(1_000.0))
    moved.loc[1, "project_no"] = "P3"

    touched = deliver(town, "project", moved, "2025-01-01T00:00:00.000Z").touched["project"]

    assert (touched.inserted, touched.updated) == (1, 1)
    assert town.features("project", where="project_no = 'P1'").bounds["minx"].tolist() == [EAST + 1_000.0]
    assert len(town.features("project")) == 4
