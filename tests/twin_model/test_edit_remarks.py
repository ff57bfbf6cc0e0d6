"""What looks like a mistake in an edit is a remark, before it is written and after."""

from pathlib import Path

import geopandas as gpd
import shapely

from twin_model import init_town
from twin_model.catalogue import read_catalogue
from twin_model.desk.edit_remarks import remarks_before, remarks_on
from twin_model.editing import rows_of

CRS, ZONE = "EPSG:4548", "Asia/Shanghai"
NOTHING = {"inserted": 0, "updated": 0, "ended": 0}
LAMP = read_catalogue()["street_lamp"]


def lamps(*places: float) -> gpd.GeoDataFrame:
    shapes = [shapely.Point(618_000 + place, 3_886_000) for place in places]
    return gpd.GeoDataFrame({"road_name": ["x"] * len(shapes)}, geometry=shapes, crs=CRS)


def test_a_layer_that_is_emptied_or_changed_throughout_is_remarked_on() -> None:
    emptied = remarks_on("building", 3, NOTHING | {"ended": 3}, "en")
    changed = remarks_on("building", 10, NOTHING | {"updated": 10}, "en")

    assert [text.split(":")[0] for text in emptied + changed] == [
        "building is empty now",
        "All 10 features of building changed. Expected fewer",
    ]


def test_a_layer_that_is_replaced_or_small_is_not_remarked_on() -> None:
    replaced = remarks_on("building", 3, NOTHING | {"ended": 3, "inserted": 3}, "en")
    small = remarks_on("building", 9, NOTHING | {"updated": 9}, "en")
    empty = remarks_on("building", 0, NOTHING, "en")

    assert replaced + small + empty == []


def test_rows_that_are_stored_already_are_remarked_on_and_new_ones_are_not(tmp_path: Path) -> None:
    with init_town(tmp_path / "town", name="t", crs=CRS) as town:
        town.edit("street_lamp", lamps(0), reason="survey")
        again, new = ([rows_of(LAMP, lamps(place), CRS, zone=ZONE)] for place in (0, 50))

        remarks = [remarks_before(town.store, LAMP, rows, base=None, lang="en") for rows in (again, new)]

    assert ["street_lamp.1" in text for text in remarks[0]] == [True]
    assert remarks[1] == []
