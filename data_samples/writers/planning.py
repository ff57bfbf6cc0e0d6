"""The planning office's GeoPackage: planning area, land use, control lines, projects."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from data_samples.plan.blocks import USES
from data_samples.plan.control import control_lines, planning_area, projects
from data_samples.plan.frame import EPSG, TOWN_EN, TOWN_ZH
from data_samples.plan.town import Town

WRITTEN = "2025-01-15T00:00:00.000Z"


def write_planning(town: Town, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Write `new_town_plan.gpkg` with four layers, the same bytes in every process.

    It has no R-tree: GDAL chooses how to build one by the memory that is free, and its bulk loader sorts unstably.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "new_town_plan.gpkg"
    frames = {
        "planning_area": area_frame(),
        "land_use": land_use_frame(town),
        "control_line": control_line_frame(town),
        "project": project_frame(town),
    }
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": WRITTEN})
    try:
        for name, frame in frames.items():
            tell(f"planning layer {name}")
            frame.to_file(path, layer=name, engine="pyogrio", driver="GPKG", SPATIAL_INDEX="NO")
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def area_frame() -> gpd.GeoDataFrame:
    """Return the planning area; a strip in the north has not been surveyed."""
    row = {
        "规划区编号": "GH-2024-01",
        "名称": TOWN_ZH,
        "name_en": TOWN_EN,
        "批复日期": "2024-01-10",
        "规划期限": "2024-2035",
    }
    return gpd.GeoDataFrame(pd.DataFrame([row]), geometry=[planning_area()], crs=EPSG)


def land_use_frame(town: Town) -> gpd.GeoDataFrame:
    """Return a parcel per block with its use, ratios and height limit."""
    rows = []
    for block in town.blocks:
        name, ratio, limit, green = USES[block.use]
        rows.append(
            {
                "地块编号": block.number,
                "用地代码": block.use,
                "用地性质": name,
                "地块名称": block.name,
                "name_en": block.name_en,
                "用地面积": round(block.land.area, 1),
                "容积率": ratio,
                "建筑限高": float(limit),
                "绿地率": float(green),
                "建筑密度": 35.0 if ratio > 1 else 25.0,
            }
        )
    return gpd.GeoDataFrame(pd.DataFrame(rows), geometry=[b.land for b in town.blocks], crs=EPSG)


def control_line_frame(town: Town) -> gpd.GeoDataFrame:
    """Return red, blue, green and black lines."""
    kinds = {"red": "红线", "blue": "蓝线", "green": "绿线", "black": "黑线"}
    found = control_lines(town.streets, town.waters, town.blocks, town.station)
    rows = [
        {
            "编号": f"KZX-{i:03d}",
            "控制线类型": kinds[c.kind],
            "line_type": c.kind,
            "名称": c.name,
            "退让距离": c.setback,
        }
        for i, c in enumerate(found, 1)
    ]
    return gpd.GeoDataFrame(pd.DataFrame(rows), geometry=[c.line for c in found], crs=EPSG)


def project_frame(town: Town) -> gpd.GeoDataFrame:
    """Return the construction projects with stage and dates."""
    found = projects(town.blocks, town.station)
    rows = [
        {
            "项目编号": p.number,
            "项目名称": p.name,
            "name_en": p.name_en,
            "阶段": p.stage,
            "许可证号": p.permit,
            "开工日期": p.started or None,
            "竣工日期": p.finished or None,
        }
        for p in found
    ]
    return gpd.GeoDataFrame(pd.DataFrame(rows), geometry=[p.site for p in found], crs=EPSG)
