"""What the planning office adds: the planning area, control lines and construction projects."""

from dataclasses import dataclass

from shapely import LineString, MultiLineString, Polygon
from shapely.geometry.base import BaseGeometry

from data_samples.plan.blocks import Block
from data_samples.plan.frame import area, extent, lines
from data_samples.plan.rail import Station, corridor
from data_samples.plan.streets import Street, land_of
from data_samples.plan.water import Waters


@dataclass(frozen=True)
class ControlLine:
    """A line that building may not cross; `kind` is red, blue, green or black (railway)."""

    kind: str
    name: str
    setback: float
    line: MultiLineString


@dataclass(frozen=True)
class Project:
    """A construction project with its stage and dates."""

    number: str
    name: str
    name_en: str
    stage: str
    permit: str
    started: str
    finished: str
    site: Polygon


def planning_area() -> Polygon:
    """Return the planning area: the surveyed rectangle less two corners, and a strip not surveyed yet."""
    return area((60, 40), (2700, 40), (2960, 300), (2960, 2100), (420, 2100), (60, 1900))


def control_lines(streets: list[Street], waters: Waters, blocks: list[Block], station: Station) -> list[ControlLine]:
    """Return red lines of streets, blue lines of water, green lines of parks, the railway's black line."""
    rim = extent().exterior.buffer(0.01)
    red = [ControlLine("red", "道路红线", 5.0, _multi(land_of(streets).boundary.difference(rim)))]
    blue = [
        ControlLine(
            "blue",
            "清漪河蓝线",
            10.0,
            _multi(waters.river.buffer(15).intersection(extent()).boundary.difference(rim)),
        )
    ]
    blue.append(ControlLine("blue", "映月湖蓝线", 8.0, _multi(waters.lake.buffer(8).exterior)))
    green = [ControlLine("green", f"{b.name}绿线", 3.0, _multi(b.land.exterior)) for b in blocks if b.use == "G1"]
    rail = [
        ControlLine(
            "black",
            "铁路控制线",
            20.0,
            _multi(corridor(station).intersection(extent()).boundary.difference(rim)),
        )
    ]
    return red + blue + green + rail


def _multi(geometry: BaseGeometry) -> MultiLineString:
    parts: list[LineString] = lines(geometry if geometry.geom_type != "LinearRing" else LineString(geometry.coords))
    return MultiLineString(parts)


def projects(blocks: list[Block], station: Station) -> list[Project]:
    """Return eight projects in different stages; the station is the first."""
    rows = [
        ("湖滨商务西里", "施工", "2024-05-01", ""),
        ("金融中心西区", "竣工", "2020-03-15", "2023-11-30"),
        ("金融中心东区", "竣工", "2020-03-15", "2024-02-28"),
        ("泉香苑", "施工", "2024-08-10", ""),
        ("云台北里", "施工", "2025-02-20", ""),
        ("人工智能园", "规划许可", "", ""),
        ("市民文化中心", "竣工", "2019-06-01", "2022-09-30"),
    ]
    by_name = {b.name: b for b in blocks}
    found = [
        Project(
            "XM2023001",
            "琅琊东站",
            "Langya East Station",
            "竣工",
            "建字第371300202300001号",
            "2022-04-01",
            "2025-06-30",
            station.yard,
        )
    ]
    for i, (name, stage, started, finished) in enumerate(rows, 2):
        block = by_name[name]
        permit = f"建字第37130020{19 + i}{i:05d}号"
        found.append(Project(f"XM2023{i:03d}", name, block.name_en, stage, permit, started, finished, block.land))
    return found
