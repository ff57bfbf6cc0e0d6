"""Shapefiles of the municipal office: GBK without a .cpg, field names of at most ten bytes, EPSG:4548."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
from shapely import Point
from shapely.geometry.base import BaseGeometry

from data_samples.plan.frame import EPSG
from data_samples.plan.pipes import built_in
from data_samples.plan.streets import road_areas
from data_samples.plan.terrain import water_level
from data_samples.plan.town import Town

GREEN_ZH = {"wood": "林地", "lawn": "草地", "field": "耕地", "playground": "运动场"}
WATER_ZH = {"river": "河流", "lake": "湖泊", "pond": "池塘"}


def write_shapefiles(town: Town, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Write road, water and green areas, street lamps and car parks as shapefiles."""
    folder.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[Town], gpd.GeoDataFrame]] = {
        "道路面": road_frame,
        "水域面": water_frame,
        "绿地面": green_frame,
        "路灯": lamp_frame,
        "停车场": car_park_frame,
    }
    for name, make in makers.items():
        tell(f"shapefile {name}")
        path = folder / f"{name}.shp"
        make(town).to_file(path, engine="pyogrio", driver="ESRI Shapefile", encoding="GBK")
        path.with_suffix(".cpg").unlink(missing_ok=True)
        _date_dbf(path.with_suffix(".dbf"))


def _date_dbf(path: Path) -> None:
    """Give the table a fixed date (bytes 1-3: year after 1900, month, day) and no code page mark."""
    content = bytearray(path.read_bytes())
    content[1:4] = bytes((124, 3, 18))
    content[29] = 0
    path.write_bytes(bytes(content))


def road_frame(town: Town) -> gpd.GeoDataFrame:
    """Return the carriageways, one polygon per street and stretch; a junction belongs to the wider street."""
    rows = [
        {
            "道路编号": f"DL{i:03d}",
            "道路名称": street.name,
            "道路等级": street.kind_zh,
            "路面宽": street.kerb_width,
            "红线宽": street.red_line_width,
            "路面材质": "沥青",
            "建成年份": built_in(street.name),
        }
        for i, (street, _) in enumerate(road_areas(town.streets), 1)
    ]
    return _frame(rows, [polygon for _, polygon in road_areas(town.streets)])


def water_frame(town: Town) -> gpd.GeoDataFrame:
    """Return river, lake and ponds with their water level."""
    rows = [
        {
            "水系编号": f"SX{i:02d}",
            "水系名称": name,
            "水系类型": WATER_ZH[kind],
            "水位": round(float(water_level(polygon.centroid.x)), 2),
        }
        for i, (kind, name, polygon) in enumerate(town.waters.areas, 1)
    ]
    return _frame(rows, [polygon for _, _, polygon in town.waters.areas])


def green_frame(town: Town) -> gpd.GeoDataFrame:
    """Return lawns, woods, fields and playgrounds."""
    rows = [
        {
            "绿地编号": f"LD{i:03d}",
            "绿地类型": GREEN_ZH[g.kind],
            "所在地块": g.name,
            "面积": round(g.area.area, 1),
        }
        for i, g in enumerate(town.greens, 1)
    ]
    return _frame(rows, [green.area for green in town.greens])


def lamp_frame(town: Town) -> gpd.GeoDataFrame:
    """Return the lamps: pole number, watts, height, remote control (name cut at ten bytes)."""
    rows = [
        {
            "灯杆编号": lamp.number,
            "道路名称": lamp.street,
            "功率": lamp.power_w,
            "杆高": lamp.height,
            "光源": "LED",
            "是否远程控": "是" if i % 5 else "否",
        }
        for i, lamp in enumerate(town.lamps)
    ]
    return _frame(rows, [Point(lamp.east, lamp.north) for lamp in town.lamps])


def car_park_frame(town: Town) -> gpd.GeoDataFrame:
    """Return the car parks with places and charging places."""
    rows = [
        {
            "停车场号": park.number,
            "名称": park.name,
            "泊位数": park.spaces,
            "充电桩数": park.chargers,
            "开放时间": "00:00-24:00",
        }
        for park in town.car_parks
    ]
    return _frame(rows, [park.area for park in town.car_parks])


def _frame(rows: Sequence[Mapping[str, object]], shapes: list[BaseGeometry]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(pd.DataFrame(rows), geometry=shapes, crs=EPSG)
