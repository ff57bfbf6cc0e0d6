"""Whole numbers of more than 15 digits, beside rows that have none: the same from the source to every answer and export."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely

from api_config.delivery import Delivery, deliver
from ingest.draft import ReadOptions
from tiles.encodings.files import write_frames
from twin_model.store.base import FeatureQuery
from twin_model.town import init_town

FIRST = 12_345_678_901_234_801
NUMBERS = [FIRST, FIRST + 1, None, FIRST + 2]
EAST, NORTH = 617_000.0, 3_886_000.0


def write(path: Path, numbers: list[int | None]) -> Path:
    outlines = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 10, NORTH + 10) for n in range(len(numbers))]
    columns = {"storeys": pd.array(numbers, dtype="Int64"), "name": list("abcd")}
    pyogrio.write_dataframe(gpd.GeoDataFrame(columns, geometry=outlines, crs="EPSG:4548"), path)
    return path


def by_name(records: list[dict[str, Any]]) -> dict[str, Any]:
    return {record["name"]: None if pd.isna(record["storeys"]) else record["storeys"] for record in records}


def test_every_digit_is_stored_answered_and_exported_and_a_last_digit_is_a_change(
    location: str, tmp_path: Path, inside_of: Callable[..., Any]
) -> None:
    options = Delivery(ReadOptions(kind="building"))
    expected = dict(zip("abcd", NUMBERS, strict=True))

    with init_town(tmp_path / "town", name="镇", crs="EPSG:4548", store=location) as town:
        deliver(town, [write(tmp_path / "building.shp", NUMBERS)], options)
        exported = {}
        for ending in (".geojson", ".gpkg", ".fgb", ".shp", ".csv"):
            file = tmp_path / f"out{ending}"
            write_frames(
                town.store.frames(FeatureQuery("building"), 2), town.catalogue["building"], file, crs="EPSG:4548"
            )
            table = pd.read_csv(file, dtype_backend="numpy_nullable") if ending == ".csv" else pyogrio.read_dataframe(file, use_arrow=True, arrow_to_pandas_kwargs={"integer_object_nulls": True})  # fmt: skip
            exported[ending] = by_name(table.to_dict("records"))
        version = town.store.version()
        deliver(town, [write(tmp_path / "building.shp", [*NUMBERS[:3], FIRST + 3])], options)
        again = by_name(town.features("building").reset_index().to_dict("records"))
        changed = town.store.version() - version
    service = inside_of(tmp_path / "town")
    answer = json.loads(service.get("/collections/building/items?f=json").content)
    asked = json.loads(service.get(f"/collections/building/items?f=json&storeys={FIRST}").content)

    assert exported == dict.fromkeys(exported, expected)
    assert changed == 1
    assert again == {**expected, "d": FIRST + 3}
    assert by_name([one["properties"] for one in answer["features"]]) == again
    assert [one["properties"]["name"] for one in asked["features"]] == ["a"]
