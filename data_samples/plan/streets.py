"""The streets: a grid along the sheet lines, arcs round the station square, roads by river and railway."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from shapely import LineString, Polygon, union_all
from shapely.geometry.base import BaseGeometry

from data_samples.plan.frame import EAST, NORTH, WIDTH, extent, line, polygons
from data_samples.plan.rail import railway_north
from data_samples.plan.water import Waters, river_north

# class: Chinese name, width between red lines, width between kerbs
CLASSES = {
    "arterial": ("主干道", 50.0, 32.0),
    "secondary": ("次干道", 36.0, 22.0),
    "branch": ("支路", 22.0, 12.0),
}
ORDER = tuple(CLASSES)
AXIS = 1750.0


@dataclass(frozen=True)
class Street:
    """A named street: centreline, class, and the names of the services that lie in it (if it has any)."""

    name: str
    name_en: str
    kind: str
    centreline: LineString
    piped: bool = False

    @property
    def red_line_width(self) -> float:
        """Width between the red lines in metres."""
        return CLASSES[self.kind][1]

    @property
    def kerb_width(self) -> float:
        """Width of the carriageway between the kerbs in metres."""
        return CLASSES[self.kind][2]

    @property
    def kind_zh(self) -> str:
        """Chinese name of the class."""
        return CLASSES[self.kind][0]

    @cached_property
    def land(self) -> BaseGeometry:
        """The street between its red lines."""
        return self.centreline.buffer(self.red_line_width / 2, cap_style="flat")

    @cached_property
    def carriageway(self) -> BaseGeometry:
        """The street between its kerbs."""
        return self.centreline.buffer(self.kerb_width / 2, cap_style="flat")


def build_streets() -> list[Street]:
    """Return every street, arterials first."""
    return _grid() + _branches() + _arcs() + _beside()


def _grid() -> list[Street]:
    rows = [
        ("沂蒙大道", "Yimeng Avenue", "arterial", (1000, 0), (1000, 2000)),
        ("高铁大道", "Gaotie Avenue", "arterial", (2000, 0), (2000, 2000)),
        ("迎宾大道", "Yingbin Avenue", "arterial", (0, 1000), (3000, 1000)),
        ("文澜路", "Wenlan Road", "secondary", (500, 0), (500, 2000)),
        ("凤鸣路", "Fengming Road", "secondary", (1500, 0), (1500, 2000)),
        ("银雀路", "Yinque Road", "secondary", (2500, 0), (2500, 2000)),
        ("滨湖路", "Binhu Road", "secondary", (0, 500), (3000, 500)),
        ("科创路", "Kechuang Road", "secondary", (0, 1500), (3000, 1500)),
    ]
    return [Street(zh, en, kind, line(a, b), piped=True) for zh, en, kind, a, b in rows]


def _branches() -> list[Street]:
    wave = [(float(u), 752 + 38 * float(np.sin(u / 1000 * 2 * np.pi))) for u in range(0, 1001, 20)]
    bow = [(float(u), 750 - 60 * float(np.sin((u - 2500) / 500 * np.pi))) for u in range(2500, 3001, 20)]
    rows: list[tuple[str, str, list[tuple[float, float]], bool]] = [
        ("月河街", "Yuehe Street", wave, False),
        ("茶芽街", "Chaya Street", bow, False),
        ("柳青街", "Liuqing Street", [(255, 500), (240, 640), (255, 780), (250, 1000)], False),
        ("书院街", "Shuyuan Street", [(760, 500), (745, 1000)], False),
        ("锦绣街", "Jinxiu Street", [(1250, 500), (1250, 1000)], False),
        ("兰陵街", "Lanling Street", [(2250, 500), (2250, 1000)], False),
        ("泉香街", "Quanxiang Street", [(2760, 500), (2750, 1000)], False),
        ("金桥西街", "Jinqiao West Street", [(1000, 750), (1413, 750)], True),
        ("金桥东街", "Jinqiao East Street", [(2087, 750), (2500, 750)], True),
        ("云台街", "Yuntai Street", [(500, 1760), (2500, 1760)], True),
        ("创业街", "Chuangye Street", [(1250, 1500), (1250, 2000)], False),
        ("数谷街", "Shugu Street", [(1760, 1500), (1760, 2000)], False),
        ("物联街", "Wulian Street", [(2260, 1500), (2240, 2000)], False),
        ("青果街", "Qingguo Street", [(740, 1500), (765, 1760), (750, 2000)], False),
        ("中轴西街", "Axis West Street", [(AXIS - 52, 500), (AXIS - 52, 1000)], False),
        ("中轴东街", "Axis East Street", [(AXIS + 52, 500), (AXIS + 52, 1000)], False),
    ]
    return [Street(zh, en, "branch", line(*places), piped=piped) for zh, en, places, piped in rows]


def _arcs() -> list[Street]:
    turns = np.radians(np.linspace(180, 360, 61))
    rows = (("半月街", "Half-Moon Street", 236.0), ("弦歌街", "Xiange Street", 424.0))
    return [
        Street(
            zh,
            en,
            "branch",
            line(*[(AXIS + r * float(np.cos(t)), 1000 + r * float(np.sin(t))) for t in turns]),
        )
        for zh, en, r in rows
    ]


def _beside() -> list[Street]:
    u = np.arange(0.0, WIDTH + 1, 15.0)
    slope = (river_north(u + 1) - river_north(u - 1)) / 2
    norm = np.hypot(1, slope)
    bank = np.column_stack([EAST + u - 78 * slope / norm, NORTH + river_north(u) + 78 / norm])
    riverside = LineString(bank).intersection(extent())
    assert isinstance(riverside, LineString)
    north = line(*[(float(a), railway_north(float(a)) + 62) for a in (0, 2500)])
    west = line((500, railway_north(500) - 66), (1500, railway_north(1500) - 66))
    east = line((2000, railway_north(2000) - 66), (3000, railway_north(3000) - 66))
    return [
        Street("滨河北路", "Binhe North Road", "branch", riverside),
        Street("铁北街", "Tiebei Street", "branch", north),
        Street("铁南西街", "Tienan West Street", "branch", west),
        Street("铁南东街", "Tienan East Street", "branch", east),
    ]


def land_of(streets: list[Street]) -> BaseGeometry:
    """Return all land between red lines, corners rounded as at real junctions."""
    return union_all([street.land for street in streets]).buffer(6).buffer(-6).intersection(extent())


def carriageways(streets: list[Street]) -> BaseGeometry:
    """Return all carriageways as one area whose corners have a kerb radius of 9 m."""
    whole = union_all([street.carriageway for street in streets])
    return whole.buffer(9, quad_segs=6).buffer(-9, quad_segs=6).intersection(extent())


def road_areas(streets: list[Street]) -> list[tuple[Street, Polygon]]:
    """Return the carriageways as polygons that do not overlap: a junction belongs to the higher class."""
    taken: BaseGeometry = Polygon()
    rows: list[tuple[Street, Polygon]] = []
    for street in sorted(streets, key=lambda s: ORDER.index(s.kind)):
        own = street.carriageway.intersection(extent()).difference(taken)
        rows += [(street, part) for part in polygons(own, least_area=20)]
        taken = taken.union(street.carriageway)
    return rows


def bridges(streets: list[Street], waters: Waters) -> list[tuple[Street, Polygon]]:
    """Return the deck of every bridge over the river, three metres beyond either bank."""
    rows = []
    for street in streets:
        wet = street.centreline.intersection(waters.river.buffer(3))
        if not wet.is_empty and wet.length > 30:
            deck = wet.buffer(street.kerb_width / 2 + 3, cap_style="flat")
            rows += [(street, part) for part in polygons(deck)]
    return rows
