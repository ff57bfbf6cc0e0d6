"""Which columns a source fills in, over all its frames: an attribute is one of them."""

from typing import Any

import geopandas as gpd
import shapely

from ingest.draft import Draft
from ingest.filled_columns import BlankColumns
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Rows, Source

CRS = "EPSG:4548"
CATALOGUE = read_catalogue()


def delivered(*frames: dict[str, list[Any]], blank: tuple[str, ...] = ()) -> list[Rows]:
    with Draft(Source("houses.gpkg", "houses"), CATALOGUE, storage_crs=CRS) as draft:
        for number, columns in enumerate(frames):
            houses = [shapely.box(618_000 + 20 * number, 3_886_000 + 20 * n, 618_010 + 20 * number, 3_886_010 + 20 * n) for n in (0, 1)]  # fmt: skip
            draft.add("building", gpd.GeoDataFrame(columns, geometry=houses, crs=CRS))
        return [each.rows() for each in draft.to_changeset(author="o", reason="r", blank=blank).delivered]


def test_rows_say_what_any_frame_of_the_source_fills_in() -> None:
    first, second = delivered(
        {"name": ["a", "b"], "storeys": [None, None], "attributes": [{"OWNER": "Li", "NOTE": None}, None]},
        {"name": ["c", "d"], "storeys": [3, None]},
    )

    assert sorted(first.columns) == ["attributes", "name", "storeys"]
    assert second.columns["attributes"].tolist() == [None, None]
    assert first.attribute_names == second.attribute_names == second.take(slice(1)).attribute_names == {"OWNER"}


def test_columns_that_are_meant_to_be_empty_are_said_and_filled_ones_stay() -> None:
    (rows,) = delivered({"name": ["a", "b"]}, blank=("name", "storeys", "attributes.OWNER"))
    (all_of_them,) = delivered({"attributes": [{"A": 1}] * 2}, blank=("attributes",))

    assert rows.columns["name"].tolist() == ["a", "b"] and rows.columns["storeys"].tolist() == [None, None]
    assert rows.columns["attributes"].tolist() == [None, None] and rows.attribute_names == {"OWNER"}
    assert all_of_them.attribute_names is None and all_of_them.columns["attributes"].tolist() == ['{"A":1}'] * 2


def test_a_name_that_is_no_field_of_the_layer_is_one_in_attributes() -> None:
    storeys = CATALOGUE["building"].field_of("storeys")
    assert storeys is not None
    names = ("storeys", storeys.title.zh, "road_name", "attributes.storeys")

    blank = BlankColumns.of(CATALOGUE["building"], names)

    assert blank == BlankColumns(("storeys",), frozenset({"road_name", "storeys"}), False)
    assert BlankColumns.of(CATALOGUE["building"], ("attributes",)) == BlankColumns((), frozenset(), True)
