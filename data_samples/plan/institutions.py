"""Schools, the hospital, the culture centre, malls, the works: blocks drawn one by one."""

from collections.abc import Callable

from shapely import Polygon, union_all
from shapely.geometry.base import BaseGeometry

from data_samples.plan import footprints as shape
from data_samples.plan.blocks import Block
from data_samples.plan.frame import EAST, NORTH
from data_samples.plan.house import House
from data_samples.plan.packing import rows

# building: shape, offset from the block's middle (east, north), turn, structure, storeys, height, name
Part = tuple[Polygon, float, float, float, str, int, float, str]


def _site(block: Block, land: BaseGeometry, parts: list[Part]) -> list[House]:
    west, south, east, north = block.land.bounds
    x, y = (west + east) / 2, (south + north) / 2
    inner = land.buffer(-4)
    houses = [
        House(shape.placed(plan, x + a, y + b, turn_deg=turn), structure, storeys, height, name=name)
        for plan, a, b, turn, structure, storeys, height, name in parts
    ]
    return [house for house in houses if inner.contains(house.footprint)]


def _school(block: Block, land: BaseGeometry) -> list[House]:
    return _site(
        block,
        land,
        [
            (shape.comb(92, 56, wing=13), -42, 34, 0, "砼", 4, 16.0, f"{block.name}教学楼"),
            (shape.bar(44, 26), 52, 52, 0, "钢", 2, 13.0, "体育馆"),
            (shape.bar(40, 16), 55, 16, 0, "混", 3, 11.0, "食堂"),
            (shape.bar(5, 4), 78, -84, 0, "砖", 1, 3.0, ""),
        ],
    )


def _high_school(block: Block, land: BaseGeometry) -> list[House]:
    return _site(
        block,
        land,
        [
            (shape.comb(96, 52, wing=13), -130, 74, 0, "砼", 5, 20.0, "琅琊高级中学教学楼"),
            (shape.court(56, 46, wing=12), -22, 76, 0, "砼", 5, 20.0, "实验楼"),
            (shape.oval(54, 44), 62, 80, 0, "钢", 2, 15.0, "琅琊高级中学体育馆"),
            (shape.bar(54, 13, bays=3), 150, 98, 0, "混", 6, 19.2, "1号宿舍"),
            (shape.bar(54, 13, bays=3), 150, 66, 0, "混", 6, 19.2, "2号宿舍"),
            (shape.bar(54, 13, bays=3), 150, 34, 0, "混", 6, 19.2, "3号宿舍"),
            (shape.bar(46, 22), 60, 30, 0, "混", 2, 10.0, "食堂"),
        ],
    )


def _hospital(block: Block, land: BaseGeometry) -> list[House]:
    base = _site(
        block,
        land,
        [
            (shape.bar(120, 46), -60, 84, 0, "砼", 4, 18.0, "门诊医技楼"),
            (shape.ue(66, 44, wing=15), 74, 82, 0, "砼", 6, 25.2, "妇儿中心"),
            (shape.court(56, 44, wing=13), 158, 82, 0, "砼", 5, 21.0, "感染科楼"),
            (shape.bar(66, 15, bays=2), -130, 22, 0, "砼", 8, 32.0, "行政科研楼"),
            (shape.bar(60, 15, bays=2), 90, 22, 0, "混", 6, 20.0, "康复楼"),
            (shape.bar(30, 16), 170, 28, 0, "混", 2, 8.0, "后勤楼"),
        ],
    )
    if not base:
        return base
    podium = base[0].footprint.centroid
    tower = shape.placed(shape.bar(84, 22), podium.x, podium.y)
    return [*base, House(tower, "砼", 18, 72.0, basements=2, name="琅琊中心医院住院楼", stands_on=base[0])]


def _culture(block: Block, land: BaseGeometry) -> list[House]:
    return _site(
        block,
        land,
        [
            (shape.oval(110, 74, corners=48), -150, 50, 0, "钢", 4, 32.0, "琅琊大剧院"),
            (shape.court(76, 60, wing=18), -40, 60, 0, "砼", 4, 22.0, "新城图书馆"),
            (shape.chamfered(74, 56, cut=16), 62, 66, 0, "砼", 3, 21.0, "规划展览馆"),
            (shape.oval(56, 56), 152, 74, 0, "砼", 5, 27.0, "科技馆"),
        ],
    )


def _mall(block: Block, land: BaseGeometry) -> list[House]:
    inner = land.buffer(-9)
    west, south, east, _ = inner.bounds
    found: list[House] = []
    for i, share in enumerate((0.2, 0.5, 0.8)):
        x, y = west + (east - west) * share, south + 42
        plan = shape.placed(shape.chamfered(116, 72, cut=18), x, y)
        if not inner.contains(plan):
            continue
        podium = House(plan, "砼", 5, 26.0, basements=2, name=("万象汇", "新城广场", "奥莱天地")[i] if i else "")
        found.append(podium)
        for side in (-1, 1):
            tower = shape.placed(shape.chamfered(30, 26, cut=5), x + 34 * side, y + 12)
            storeys = 21 + 3 * i + (2 if side > 0 else 0)
            found.append(House(tower, "砼", storeys, storeys * 3.6, basements=2, stands_on=podium))
    room = inner.difference(union_all([house.footprint.buffer(16) for house in found]))
    for lot in rows(room, length=48, depth=18, gap=18, row_gap=26, turn_deg=7):
        plan = shape.placed(shape.bar(48, 18), lot.east, lot.north, turn_deg=7)
        found.append(House(plan, "砼", 12, 43.2, basements=1, use="B2"))
    return found


def _works(block: Block, land: BaseGeometry) -> list[House]:
    return _site(
        block,
        land,
        [
            (shape.oval(34, 34, corners=40), -150, 28, 0, "砼", 1, 4.5, "二沉池1"),
            (shape.oval(34, 34, corners=40), -108, 28, 0, "砼", 1, 4.5, "二沉池2"),
            (shape.oval(26, 26, corners=40), -70, 32, 0, "砼", 1, 5.0, "浓缩池"),
            (shape.bar(70, 40), 0, 24, 0, "砼", 1, 5.0, "生化池"),
            (shape.bar(34, 16), 66, 34, 0, "砼", 2, 8.5, "脱水机房"),
            (shape.bar(40, 14), 120, 36, 0, "混", 3, 10.8, "水质净化厂综合楼"),
            (shape.bar(18, 12), 62, 4, 0, "砼", 1, 6.0, "进水泵房"),
        ],
    )


def _depot(block: Block, land: BaseGeometry) -> list[House]:
    return _site(block, land, [(shape.bar(46, 14), 110, 10, 5, "砼", 2, 9.0, "公交首末站")])


def _park(block: Block, land: BaseGeometry) -> list[House]:
    """Return a few pavilions and a tea house along a park's middle, never in its water."""
    spots: dict[str, list[tuple[float, float, Polygon, str]]] = {
        "映月湖公园": [
            (1610, 452, shape.oval(12, 12, corners=8), "望月亭"),
            (1900, 455, shape.ell(26, 18, wing=8), "湖心茶社"),
        ],
        "中轴公园": [(1750, 700, shape.oval(16, 16, corners=12), "")],
        "中轴公园北段": [(1750, 860, shape.oval(14, 14, corners=12), "")],
        "清漪森林公园": [
            (1180, 90, shape.ell(24, 18, wing=8), "林间驿站"),
            (1330, 130, shape.oval(10, 10, corners=8), ""),
        ],
        "湿地公园": [
            (1690, 120, shape.court(28, 24, wing=7), "湿地科普馆"),
            (1850, 60, shape.oval(10, 10, corners=8), ""),
        ],
        "北岭山体公园": [
            (150, 1690, shape.oval(14, 14, corners=8), "北岭阁"),
            (330, 1600, shape.bar(24, 10), "园林管理所"),
        ],
    }
    inner = land.buffer(-3)
    houses = [
        House(shape.placed(plan, EAST + u, NORTH + v), "砖", 1, 4.5, name=name)
        for u, v, plan, name in spots.get(block.name, [])
    ]
    return [house for house in houses if inner.contains(house.footprint)]


INSTITUTIONS: dict[str, Callable[[Block, BaseGeometry], list[House]]] = {
    "school": _school,
    "campus": _high_school,
    "hospital": _hospital,
    "culture": _culture,
    "mall": _mall,
    "works": _works,
    "depot": _depot,
    "park": _park,
}
