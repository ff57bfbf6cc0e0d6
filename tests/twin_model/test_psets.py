"""Property sets of BIM elements as columns of the right types, from both stores."""

import json
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from twin_model import Town, init_town
from twin_model.desk.psets import bim_properties
from twin_model.errors import EditRefused, QueryRefused

CRS = "EPSG:4548"
SETS = [
    {
        "Pset_WallCommon": {"FireRating": "2h", "IsExternal": True, "ThermalTransmittance": 0.25},
        "Qto": {"Count": 3, "Sides": [1, 2]},
    },
    {"Pset_WallCommon": {"FireRating": "1h", "IsExternal": False, "ThermalTransmittance": 1}, "Qto": {"Mixed": 1}},
    {"Pset_DoorCommon": {"FireRating": None}, "Qto": {"Count": 4, "Mixed": "one"}},
    None,
]


def elements(properties: list[object]) -> gpd.GeoDataFrame:
    shapes = [shapely.force_3d(shapely.MultiPolygon([shapely.box(n, 0, n + 0.5, 1)])) for n in range(len(properties))]
    columns = {"global_id": [f"E{n}" for n in range(len(properties))], "properties": properties}
    return gpd.GeoDataFrame(
        columns,
        geometry=shapely.transform(shapes, lambda xyz: xyz + np.array([618_000, 3_886_000, 60]), include_z=True),
        crs=CRS,
    )


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    with init_town(tmp_path / "town", name="测试", crs=CRS, store=location) as town:
        texts = [None if each is None else json.dumps(each) for each in SETS]
        town.edit("bim_element", elements(texts), effective="2020-01-01", reason="model")
        yield town


def test_every_property_is_a_column_of_its_type(town: Town) -> None:
    frame = town.bim_properties()

    assert frame.index.equals(town.features("bim_element").index)
    assert frame.dtypes.astype(str).to_dict() == {
        "Pset_WallCommon.FireRating": "str",
        "Pset_WallCommon.IsExternal": "boolean",
        "Pset_WallCommon.ThermalTransmittance": "float64",
        "Qto.Count": "Int64",
        "Qto.Mixed": "object",
        "Qto.Sides": "object",
    }
    assert frame["Pset_WallCommon.FireRating"].dropna().tolist() == ["2h", "1h"]
    assert frame["Pset_WallCommon.IsExternal"].sum() == 1 and frame["Qto.Count"].sum() == 7
    assert frame["Pset_WallCommon.ThermalTransmittance"].tolist()[:2] == [0.25, 1.0]
    assert frame["Qto.Mixed"].tolist() == [None, 1, "one", None] and frame["Qto.Sides"].iloc[0] == [1, 2]


def test_sets_and_properties_are_chosen_by_name_in_that_order(town: Town) -> None:
    walls = town.features("bim_element", where="psets.Pset_WallCommon.FireRating LIKE '%h'")

    chosen = town.bim_properties(walls, ["Qto.Count", "psets.Pset_WallCommon.FireRating"])

    assert chosen.columns.tolist() == ["Qto.Count", "Pset_WallCommon.FireRating"] and len(walls.join(chosen)) == 2
    assert town.bim_properties(walls, "Pset_WallCommon").shape == (2, 3)
    assert town.bim_properties("BIM 构件", "Qto").shape == (4, 3)
    assert town.bim_properties(walls.iloc[:0], "Pset_WallCommon").shape == (0, 0)
    assert town.bim_properties("bim_space").shape == (0, 0)


def test_a_set_that_nobody_has_is_refused_with_the_nearest(town: Town) -> None:
    for name, nearest in (
        ("Pset_WalCommon", "Pset_WallCommon"),
        ("Pset_WallCommon.FireRatng", "Pset_WallCommon.FireRating"),
        ("xyz", "Qto"),
    ):
        with pytest.raises(QueryRefused, match=f"None of the 4 elements has.*Nearest: .*{nearest}") as refused:
            town.bim_properties(psets=[name])
        assert "4 个构件都没有" in refused.value.text("zh")
    with pytest.raises(
        QueryRefused, match="no property sets: its columns are global_id.*Expected the column properties"
    ):
        town.bim_properties(town.features("bim_element", fields=["global_id"]))
    with pytest.raises(QueryRefused, match="columns are name, usage, structure"):
        town.bim_properties("building")


def test_dicts_as_the_service_answers_them_are_read_too() -> None:
    frame = bim_properties(pd.DataFrame({"properties": SETS}), "Qto.Count")

    assert frame["Qto.Count"].tolist() == [3, pd.NA, 4, pd.NA]


def test_a_field_of_json_takes_dicts_and_refuses_what_is_no_json(town: Town) -> None:
    """A text that is no JSON would spoil every answer that holds it."""
    with pytest.raises(EditRefused, match="properties is 'FireRating=2h'. Expected JSON"):
        town.edit("bim_element", elements(["FireRating=2h"]).assign(global_id="X"), reason="typed by hand")

    town.edit("bim_element", elements([{"A": {"B": 1}}]).assign(global_id="X"), reason="from a dict")

    assert town.features("bim_element", where="psets.A.B = 1")["properties"].map(json.loads).tolist() == [
        {"A": {"B": 1}}
    ]
