"""Flat geometries in layers with heights, as PostGIS keeps them: delivered, read, moved and proved as in a GeoPackage."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from ingest.draft import Draft
from twin_model.audit import verify
from twin_model.changeset import Source
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.postgis.flat_shapes import with_heights
from twin_model.versioning import commit

CRS = "EPSG:4548"


def test_points_that_lack_a_height_are_delivered_into_a_layer_with_heights(store: Store) -> None:
    points = [shapely.Point(618_000, 3_886_000), shapely.Point(618_009, 3_886_000, 5.0)]
    frame = gpd.GeoDataFrame({"survey_no": ["1", "2"], "class": "JS"}, geometry=points, crs=CRS)

    with Draft(
        Source("d.csv", "0" * 64), store.catalogue, storage_crs=CRS, effective="2020-01-01T00:00:00.000Z"
    ) as draft:
        draft.add("pipe_point", frame)
        commit(store, draft.to_changeset(author="office", reason="first", reach="nothing"))

    read = store.features(FeatureQuery("pipe_point"))
    assert read.geometry.to_wkt().tolist() == ["POINT (618000 3886000)", "POINT Z (618009 3886000 5)"]
    assert verify(store).changesets == 1


@pytest.mark.parametrize(
    "text", ["POINT (1 2)", "MULTILINESTRING ((1 2, 3 4))", "MULTIPOLYGON (((1 2, 3 4, 5 9, 1 2)))"]
)
def test_a_flat_geometry_gets_heights_that_are_no_numbers(store: Store, text: str) -> None:
    layer = store.catalogue["pipe_point"]

    (wkb,) = with_heights(layer, [shapely.to_wkb(shapely.from_wkt(text), byte_order=1)])

    heights = shapely.get_coordinates(shapely.from_wkb(wkb), include_z=True)[:, 2]
    assert np.isnan(heights).all() and with_heights(layer, [None, wkb]) == [None, wkb]
