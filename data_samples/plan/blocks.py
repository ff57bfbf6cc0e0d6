"""Blocks between the streets and what the plan wants of them: land use, floor-area ratio, height limit."""

from dataclasses import dataclass

from shapely import Polygon

from data_samples.plan.frame import extent, point, polygons
from data_samples.plan.rail import Station, corridor
from data_samples.plan.streets import Street, land_of
from data_samples.plan.water import Waters

# use: (Chinese name, floor-area ratio, height limit in metres, green ratio in percent)
USES = {
    "R1": ("一类居住用地", 0.9, 15, 40),
    "R2": ("二类居住用地", 2.2, 100, 35),
    "H14": ("村庄建设用地", 0.7, 12, 20),
    "A1": ("行政办公用地", 1.8, 60, 30),
    "A2": ("文化设施用地", 1.2, 40, 35),
    "A33": ("中小学用地", 0.9, 24, 35),
    "A5": ("医疗卫生用地", 1.8, 80, 35),
    "B1": ("商业用地", 3.0, 80, 20),
    "B2": ("商务用地", 5.5, 150, 20),
    "B29": ("科技研发用地", 2.0, 60, 30),
    "M1": ("一类工业用地", 1.2, 24, 15),
    "W1": ("一类物流仓储用地", 1.0, 24, 15),
    "S3": ("交通枢纽用地", 0.8, 45, 15),
    "S41": ("公共交通场站用地", 0.5, 24, 15),
    "U": ("公用设施用地", 0.6, 20, 30),
    "G1": ("公园绿地", 0.05, 10, 75),
    "G2": ("防护绿地", 0.0, 0, 90),
    "G3": ("广场用地", 0.05, 10, 35),
    "E2": ("农林用地", 0.0, 8, 90),
}

# a place inside the block (plan offsets), use, style of building, Chinese and English name
PROGRAMME: tuple[tuple[float, float, str, str, str, str], ...] = (
    (120, 880, "R2", "slab", "柳岸雅苑", "Liu'an Court"),
    (370, 900, "R2", "midrise", "青石花园", "Qingshi Gardens"),
    (120, 640, "R2", "midrise", "沂河人家", "Yihe Homes"),
    (370, 620, "R2", "slab", "银杏里", "Ginkgo Lane"),
    (620, 880, "R2", "tower", "书香名邸", "Shuxiang Residences"),
    (880, 880, "R2", "midrise", "文澜华府", "Wenlan Mansions"),
    (620, 620, "A33", "school", "高铁新城第一小学", "New Town First Primary School"),
    (880, 620, "R2", "tower", "月河壹号", "Yuehe One"),
    (1120, 880, "R2", "tower", "锦绣天城", "Jinxiu Heights"),
    (1120, 620, "R2", "midrise", "锦绣东方", "Jinxiu East"),
    (1290, 880, "B1", "fan", "弦歌商业街", "Xiange Shops"),
    (1410, 880, "B2", "fan", "金融街西区", "Finance Street West"),
    (1380, 600, "B2", "fan", "西翼商务区", "West Wing Offices"),
    (1600, 900, "B1", "fan", "半月坊西里", "Half-Moon West"),
    (1900, 900, "B1", "fan", "半月坊东里", "Half-Moon East"),
    (1590, 680, "B2", "fan", "金融中心西区", "Finance Centre West"),
    (1900, 680, "B2", "fan", "金融中心东区", "Finance Centre East"),
    (1590, 540, "B2", "fan", "湖滨商务西里", "Lakeside Offices West"),
    (1900, 540, "B2", "fan", "湖滨商务东里", "Lakeside Offices East"),
    (1750, 880, "G1", "park", "中轴公园北段", "Axis Park North"),
    (1750, 680, "G1", "park", "中轴公园", "Axis Park"),
    (1750, 540, "G1", "park", "中轴公园南段", "Axis Park South"),
    (2090, 880, "B2", "fan", "金融街东区", "Finance Street East"),
    (2210, 880, "B1", "fan", "会展商业街", "Expo Shops"),
    (2120, 600, "B2", "fan", "东翼商务区", "East Wing Offices"),
    (2370, 880, "R2", "tower", "兰陵府", "Lanling Residences"),
    (2370, 620, "R2", "tower", "凤鸣台", "Fengming Terrace"),
    (2620, 880, "R2", "midrise", "银雀新居", "Yinque New Homes"),
    (2880, 880, "A33", "school", "琅琊实验学校", "Langya Experimental School"),
    (2620, 600, "R2", "slab", "泉香苑", "Quanxiang Court"),
    (2880, 600, "R2", "slab", "茶芽小区", "Chaya Estate"),
    (250, 430, "H14", "village", "柳家湾", "Liujiawan Village"),
    (750, 370, "A33", "campus", "琅琊高级中学", "Langya High School"),
    (1150, 420, "A2", "culture", "市民文化中心", "Civic Culture Centre"),
    (1600, 420, "G1", "park", "映月湖公园", "Yingyue Lake Park"),
    (2250, 400, "A5", "hospital", "琅琊中心医院", "Langya Central Hospital"),
    (2760, 430, "U", "works", "高铁新城水质净化厂", "Water Reclamation Works"),
    (200, 110, "E2", "farm", "南岸农田", "South Bank Farmland"),
    (750, 60, "R1", "villa", "清漪山庄", "Qingyi Villas"),
    (1250, 100, "G1", "park", "清漪森林公园", "Qingyi Forest Park"),
    (1750, 100, "G1", "park", "湿地公园", "Wetland Park"),
    (2250, 60, "R1", "villa", "汀兰别院", "Tinglan Villas"),
    (2760, 120, "H14", "village", "东河村", "Donghe Village"),
    (620, 1030, "S41", "depot", "公交首末站", "Bus Terminus"),
    (1250, 1090, "B1", "mall", "站西商业综合体", "Station West Mall"),
    (1750, 1060, "S3", "square", "站前广场", "Station Square"),
    (2250, 1100, "B1", "mall", "站东商业综合体", "Station East Mall"),
    (2750, 1150, "W1", "hall", "高铁物流园", "Rail Logistics Park"),
    (250, 1300, "H14", "village", "北岭村", "Beiling Village"),
    (750, 1330, "R2", "slab", "铁北新村", "Tiebei New Village"),
    (1250, 1390, "R2", "midrise", "凤鸣嘉园", "Fengming Homes"),
    (1750, 1430, "B29", "campus_office", "站北科创坊", "Station North Innovation Court"),
    (2250, 1450, "W1", "hall", "电商仓储园", "E-commerce Warehouses"),
    (620, 1630, "R2", "slab", "云台小镇", "Yuntai Estate"),
    (880, 1630, "R2", "slab", "青果家园", "Qingguo Homes"),
    (620, 1880, "R2", "slab", "云台北里", "Yuntai North"),
    (880, 1880, "A1", "campus_office", "政务服务中心", "Government Service Centre"),
    (1120, 1630, "B29", "campus_office", "数谷产业园", "Data Valley Park"),
    (1380, 1630, "B29", "campus_office", "智能制造研究院", "Institute of Smart Manufacturing"),
    (1120, 1880, "B29", "campus_office", "人工智能园", "AI Park"),
    (1380, 1880, "M1", "hall", "精密仪器园", "Precision Instrument Park"),
    (1620, 1630, "B29", "campus_office", "物联网园", "Internet-of-Things Park"),
    (1880, 1630, "M1", "hall", "电子信息园", "Electronics Park"),
    (1620, 1880, "M1", "hall", "新材料园", "New Materials Park"),
    (1880, 1880, "M1", "hall", "装备园", "Equipment Park"),
    (2120, 1630, "M1", "hall", "轨道交通装备园", "Rail Equipment Park"),
    (2370, 1630, "M1", "hall", "冷链园", "Cold Chain Park"),
    (2120, 1880, "M1", "hall", "包装园", "Packaging Park"),
    (2370, 1880, "W1", "hall", "北部仓储园", "North Warehouses"),
    (150, 1690, "G1", "park", "北岭山体公园", "Beiling Hill Park"),
    (2760, 1750, "H14", "village", "大茶棚村", "Dachapeng Village"),
)


@dataclass(frozen=True)
class Block:
    """A block of the plan: land between red lines with its use, style and name."""

    number: str
    land: Polygon
    use: str
    style: str
    name: str
    name_en: str

    @property
    def use_zh(self) -> str:
        """Chinese name of the land use."""
        return USES[self.use][0]


def build_blocks(streets: list[Street], waters: Waters, station: Station) -> list[Block]:
    """Return the blocks numbered from south-west to north-east; the rest is protective green."""
    taken = land_of(streets).union(corridor(station)).union(waters.river.buffer(8)).union(waters.lake)
    pieces = polygons(extent().difference(taken).buffer(-0.5).buffer(0.5), least_area=600)
    return [_block(f"LY-{i:02d}", piece) for i, piece in enumerate(pieces, 1)]


def _block(number: str, land: Polygon) -> Block:
    for u, v, use, style, name, name_en in PROGRAMME:
        if land.contains(point(u, v)):
            return Block(number, land, use, style, name, name_en)
    return Block(number, land, "G2", "green", "防护绿地", "Protective Green")
