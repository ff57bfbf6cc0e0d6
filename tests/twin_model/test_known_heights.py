"""Known heights stay where a delivery has none and lies at the same place, whichever way round a line is drawn."""

import numpy as np
import shapely
from surveyed_networks import Office, street

from twin_model.audit import verify
from twin_model.rows.known_heights import with_known_heights
from twin_model.store.base import FeatureQuery, Store


def test_heights_are_taken_over_vertex_by_vertex_where_the_place_is_the_same() -> None:
    known = "LINESTRING Z (0 0 5, 10 0 7)"
    cases = {
        "LINESTRING (0 0, 10 0.1)": "LINESTRING Z (0 0 5, 10 0.1 7)",
        "LINESTRING (10 0, 0 0)": "LINESTRING Z (10 0 7, 0 0 5)",
        "LINESTRING (0 0, 15 0)": "LINESTRING (0 0, 15 0)",
        "LINESTRING (0 0, 5 0, 10 0)": "LINESTRING (0 0, 5 0, 10 0)",
        "LINESTRING Z (0 0 1, 10 0 1)": "LINESTRING Z (0 0 1, 10 0 1)",
    }

    flat = np.array([shapely.to_wkb(shapely.from_wkt(text)) for text in cases], dtype=object)
    wkb, rows = with_known_heights(flat, [shapely.to_wkb(shapely.from_wkt(known), flavor="iso")] * len(cases), 1.2)

    assert [shapely.to_wkt(shape, trim=True) for shape in shapely.from_wkb(wkb)] == list(cases.values())
    assert rows.tolist() == [0, 1]


def test_a_delivery_without_heights_is_no_change_of_a_network_with_heights(store: Store) -> None:
    office = Office(store)
    raised = {
        name: frame.set_geometry(shapely.force_3d(frame.geometry, 58.0), crs=frame.crs)
        for name, frame in street(4).items()
    }
    office.deliver("a.csv", raised)

    same = office.deliver("a.csv", street(4))
    named = office.deliver("a.csv", street(4, road_name="一路"))

    assert not same.made
    assert named.touched["pipe_line"].updated == 3
    assert (
        shapely.get_coordinates(store.features(FeatureQuery("pipe_line")).geometry, include_z=True)[:, 2].tolist()
        == [58.0] * 6
    )
    assert not verify(store).unproved
