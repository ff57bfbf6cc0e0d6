"""Columns that are meant to be empty are named by field, title or attribute; a slip is answered with the nearest."""

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from api_config.blank_columns import ensure_columns
from api_config.delivery import Delivery, deliver
from ingest.draft import ReadOptions
from twin_model.errors import CalledWrongly
from twin_model.temporal import parse_instant
from twin_model.town import init_town

CRS = "EPSG:4548"


def test_a_column_that_the_town_has_nowhere_cannot_be_emptied(tmp_path: Path) -> None:
    with init_town(tmp_path / "town", name="t", crs=CRS) as town:
        with pytest.raises(CalledWrongly, match="road_nam.*road_name"):
            deliver(town, [tmp_path], Delivery(blank=("road_nam",)))
        with pytest.raises(CalledWrongly, match="'OWNER' names no field, and no feature has such an attribute"):
            ensure_columns(("OWNER",), town)


def test_an_attribute_may_be_named_alone_where_a_feature_has_or_had_it(tmp_path: Path) -> None:
    path, square = tmp_path / "houses.gpkg", shapely.box(618_600, 3_885_800, 618_610, 3_885_810)
    with init_town(tmp_path / "town", name="t", crs=CRS) as town:
        for day, columns, blank in (("2024-06-01", {"OWNER": ["Li"], '产权"人 (2020)': ["甲"]}, ()),
                                    ("2025-06-01", {"NUMBER": [1]}, ("OWNER", "storeys", "层数"))):  # fmt: skip
            gpd.GeoDataFrame(columns, geometry=[square], crs=CRS).to_file(path, engine="pyogrio")
            options = ReadOptions(kind="building", effective=parse_instant(day)[0])
            (outcome,) = deliver(town, [path], Delivery(options=options, blank=blank))
            assert outcome.error is None, outcome.error

        ensure_columns(("OWNER", '产权"人 (2020)', "NUMBER", "attributes", "attributes.OWNER", "storeys", "层数"), town)

        assert town.features("building")["attributes"].tolist() == [{'产权"人 (2020)': "甲", "NUMBER": 1}]
        for slip, nearest in (("OWNRE", "OWNER"), ("NUMBR", "NUMBER"), ("storeyz", "storeys")):
            with pytest.raises(CalledWrongly, match=f"'{slip}' .*Nearest: .*{nearest}"):
                ensure_columns((slip,), town)
