"""On any day of the past one thing stands in one place: what takes the place of another begins when that ends."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from surveyed_networks import CRS, Office, laid_anew, merged, street

from twin_model.audit import verify
from twin_model.catalogue import read_catalogue
from twin_model.ground import in_the_same_place
from twin_model.history import revert
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import parse_instant
from twin_model.versioning import commit
from twin_model.view import View

BUILT = "2005-01-01"


def length(store: Store, day: str) -> float:
    view = View(parse_instant(day)[0])
    return float(store.features(FeatureQuery("pipe_line", view=view)).geometry.length.sum())


@pytest.mark.parametrize("way", ["split", "merged", "laid anew"])
def test_what_takes_the_place_of_a_pipe_begins_when_that_ends(store: Store, way: str) -> None:
    office, whole = Office(store), street(8, built=BUILT)
    surveys = {
        "split": (merged(whole), whole),
        "merged": (whole, merged(whole)),
        "laid anew": (whole, laid_anew(whole)),
    }
    office.deliver("a.csv", surveys[way][0])
    before = store.features(FeatureQuery("pipe_line"))

    version = office.deliver("a.csv", surveys[way][1])

    assert version.touched["pipe_line"].terminated > 0
    assert [length(store, day) for day in ("2004-06-01", "2006-06-01", "2010-01-02", "2020-01-01")] == [0.0, 140.0, 140.0, 140.0]  # fmt: skip
    now = store.features(FeatureQuery("pipe_line"))
    new = now[~now["fid"].isin(before["fid"])]
    assert len(new) and set(new["built"].astype(str)) == {BUILT}, "the field stays as it was said"
    assert set(now["valid_from"][now["fid"].isin(before["fid"])]) <= set(before["valid_from"])
    verify(store)
    commit(store, revert(store, version.number, author="tester"))
    assert store.features(FeatureQuery("pipe_line")).index.tolist() == before.index.tolist()


def test_a_pipe_beside_another_or_on_free_ground_begins_when_it_was_built(store: Store) -> None:
    office, first = Office(store), street(4, built=BUILT)
    office.deliver("a.csv", first)
    longer = street(6, built=BUILT)

    office.deliver("a.csv", longer)

    assert length(store, "2006-06-01") == 100.0


def test_a_house_in_the_place_of_another_begins_when_that_ends(store: Store) -> None:
    boxes = {"old": shapely.box(500_000, 3_886_000, 500_010, 3_886_010), "new": shapely.box(500_002, 3_886_002, 500_020, 3_886_012)}  # fmt: skip
    office = Office(store)
    for name, box in boxes.items():
        office.deliver("houses.shp", {"building": gpd.GeoDataFrame({"name": [name], "built": [BUILT]}, geometry=[box], crs=CRS)})  # fmt: skip

    past = store.features(FeatureQuery("building", view=View(parse_instant("2006-06-01")[0])))

    assert past["name"].tolist() == ["old"]


def test_places_are_the_same_where_half_of_the_smaller_one_is_shared() -> None:
    layers = read_catalogue()
    line = shapely.LineString([(0, 0), (20, 0)])
    lines = np.array([line, shapely.LineString([(12, 0), (60, 0)]), shapely.LineString([(10, -9), (10, 9)]), None], dtype=object)  # fmt: skip
    boxes = np.array([shapely.box(0, 0, 10, 10), shapely.box(6, 0, 30, 10), shapely.box(4, 0, 30, 10)], dtype=object)

    line_pairs = in_the_same_place(layers["pipe_line"], lines, np.array([line]))
    box_pairs = in_the_same_place(layers["building"], boxes, boxes[:1])

    assert line_pairs[0].tolist() == [0]
    assert sorted(box_pairs[0].tolist()) == [0, 2]
