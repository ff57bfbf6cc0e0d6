"""What `town.toml` says about reading reaches the readers."""

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from api_config.delivery import Delivery, deliver
from ingest.draft import ReadOptions
from twin_model.town import init_town, open_town

BYHAND = Path(__file__).resolve().parents[2] / "data_samples" / "byhand"


@pytest.mark.parametrize("metres", [3.0, 3.6])
def test_the_towns_storey_height_turns_storeys_into_metres_whatever_the_source(tmp_path: Path, metres: float) -> None:
    init_town(tmp_path / "town", name="镇", crs="EPSG:4548").store.close()
    settings = tmp_path / "town" / "town.toml"
    settings.write_text(
        settings.read_text("utf-8").replace("storey_height = 3.0", f"storey_height = {metres}"), "utf-8"
    )
    houses = tmp_path / "building.geojson"
    gpd.GeoDataFrame({"storeys": [5]}, geometry=[shapely.box(118.3, 35.1, 118.3002, 35.1002)], crs=4326).to_file(houses)

    with open_town(tmp_path / "town") as town:
        sources = [houses, BYHAND / "split_structure_and_storeys.dxf"]
        outcomes = deliver(town, sources, Delivery(ReadOptions(crs="EPSG:4548")))
        found = town.features("building", where="storeys > 0")

    assert [one.error for one in outcomes] == [None, None]
    assert len(found) >= 2 and set(found["height_source"]) == {"storeys"}
    assert found["height"].tolist() == pytest.approx([storeys * metres for storeys in found["storeys"]])
