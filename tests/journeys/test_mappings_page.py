"""The page on mappings is carried out as it stands: each example reads a small source, and the commands run.

An example without a source here, or a source without an example on the page, is a failure.
"""

import csv
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from click.testing import CliRunner
from ezdxf import filemanagement
from ifc_lines import LINES
from ifc_lines import write as write_ifc
from pyogrio import write_dataframe

from api_config.cli import make_cli
from ingest.coordinates import coordinates_of
from ingest.draft import Draft, ReadOptions
from ingest.mapping import OPTION_KEYS, ensure_fits, read_mapping
from ingest.readers import identify, read_source
from twin_model import init_town, open_town
from twin_model.catalogue import read_catalogue

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mappings.md"
MAPPINGS = dict(re.findall(r"^```toml mapping=(\w+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S))
CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0


class Read:
    """What a mapping in the current folder makes of a source: frames by layer, rules of findings."""

    def __init__(self, source: str) -> None:
        path, mapping, catalogue = Path(source), read_mapping(Path("office.toml")), read_catalogue()
        ensure_fits(mapping, catalogue)
        with Draft(identify(path), catalogue, storage_crs=CRS, coordinates=coordinates_of(mapping)) as draft:
            read_source(path, draft, ReadOptions(mapping=mapping))
            parts: dict[str, list[gpd.GeoDataFrame]] = {}
            for layer, frame in draft.frames():
                parts.setdefault(layer, []).append(frame)
            self.layers = {layer: pd.concat(frames, ignore_index=True) for layer, frames in parts.items()}
            self.rules = [finding.rule for finding in draft.findings]

    @property
    def numbers(self) -> dict[str, int]:
        return {layer: len(frame) for layer, frame in self.layers.items()}

    def column(self, layer: str, name: str) -> list[Any]:
        """Return the values of a column, None where there is none."""
        column = self.layers[layer][name].astype(object)
        return list(column.where(column.notna(), None))

    def places(self, layer: str) -> list[list[float]]:
        """Return x and y of the points of a layer, to the millimetre."""
        return [[round(float(number), 3) for number in xy] for xy in self.layers[layer].get_coordinates().to_numpy()]


def square(number: int) -> shapely.Polygon:
    return shapely.box(EAST + 20 * number, NORTH, EAST + 20 * number + 10, NORTH + 10)


def street(number: int) -> shapely.LineString:
    return shapely.LineString([(EAST, NORTH + 20 * number), (EAST + 50, NORTH + 20 * number)])


def point(number: int) -> shapely.Point:
    return shapely.Point(EAST + 20 * number, NORTH)


def write(
    name: str, shapes: Sequence[Any], crs: str | None = CRS, *, layer: str | None = None, **columns: Sequence[Any]
) -> str:
    """Write shapes with columns, each as long as they are, and return the file's name."""
    frame = gpd.GeoDataFrame(dict(columns), geometry=list(shapes), crs=crs)
    more = {"layer": layer, "append": Path(name).exists()} if layer else {}
    write_dataframe(frame, name, **more)
    return name


def write_table(name: str, rows: Sequence[Sequence[object]]) -> None:
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def write_survey(
    *,
    elevation: str = "地面高程",
    material: str = "材质",
    kind: str = "WS",
    swapped: bool = False,
    depths: Sequence[float] = (1.5, 4.0),
    made_of: str = "PE",
) -> str:
    """Write a survey of two points and the line between them."""
    xy = [(NORTH + 30 * number, EAST) for number in range(2)]
    rows = [[f"W{number}", *(pair[::-1] if swapped else pair), 65, kind] for number, pair in enumerate(xy)]
    write_table("管线点.csv", [["物探点号", "X", "Y", elevation, "管类"], *rows])
    heading = ["起点点号", "终点点号", "起点埋深", "终点埋深", "管径", material, "管类"]
    write_table("管线.csv", [heading, ["W0", "W1", *depths, "300", made_of, kind]])
    return "管线.csv"


class Plan:
    """A drawing without codes in the making; coordinates are metres from EAST, NORTH, divided by `unit`."""

    def __init__(self, unit: float = 1.0) -> None:
        self.document = filemanagement.new("R2004", setup=False)
        self.space = self.document.modelspace()
        self.unit = unit

    def at(self, x: float, y: float) -> tuple[float, float]:
        return (EAST + x) / self.unit, (NORTH + y) / self.unit

    def ring(self, x: float, *, gap: float | None = None, **attributes: Any) -> None:
        xy = [self.at(x, 0), self.at(x + 10, 0), self.at(x + 10, 10), self.at(x, 10)]
        xy += [] if gap is None else [self.at(x, gap)]
        self.space.add_lwpolyline(xy, close=gap is None, dxfattribs=attributes)

    def symbol(self, block: str, x: float, tags: dict[str, str] | None = None, **attributes: Any) -> None:
        if block not in self.document.blocks:
            self.document.blocks.new(block).add_circle((0, 0), 0.2)
        reference = self.space.add_blockref(block, self.at(x, 0), dxfattribs=attributes)
        for tag, words in (tags or {}).items():
            reference.add_attrib(tag, words)

    def text(self, words: str, x: float, layer: str) -> None:
        self.space.add_text(words, height=1, dxfattribs={"layer": layer, "insert": self.at(x, 5)})

    def saved(self) -> str:
        self.document.saveas("plan.dxf")
        return "plan.dxf"


def first() -> None:
    columns = {"NAME": ["沂蒙路", "通达路"], "宽度": [24.0, 30.0], "kind": ["1", "支路"]}
    source = write("road_2025.shp", [square(0), square(1)], None, **columns)

    roads = Read(source).layers["road_area"]

    assert roads[["name", "width", "kind", "surface"]].values.tolist() == [
        ["沂蒙路", 24.0, "主干路", "沥青"],
        ["通达路", 30.0, "支路", "沥青"],
    ]


def order() -> None:
    source = write("地块.gpkg", [square(0), square(1)], 类别=["水面", "住宅"])

    assert Read(source).numbers == {"water_area": 1, "land_use": 1}


def crs() -> None:
    bare = gpd.GeoSeries([point(0)], crs=CRS).to_crs("EPSG:4549")
    source = write("lamps.shp", bare, None, GH=["A1"])

    assert Read(source).places("street_lamp") == [[EAST, NORTH]]


def patterns() -> None:
    for layer in ("灯杆", "LAMP_1", "ld2_x", "LD3_x"):
        write("works.gpkg", [point(0)], layer=layer, GH=["A1"])

    read = Read("works.gpkg")

    assert read.numbers == {"street_lamp": 3}
    assert read.rules.count("vector.layer_left_out") == 1


def geometry() -> None:
    source = write("mixed.gpkg", [square(0), street(0), shapely.MultiLineString([street(1)])], NO=[1, 2, 3])

    assert Read(source).numbers == {"road_line": 2, "building": 1}


def drawing() -> None:
    plan = Plan()
    plan.ring(0, layer="JMD")
    plan.ring(20, layer="plan$0$JMD")
    plan.space.add_line(plan.at(0, 0), plan.at(9, 9), dxfattribs={"layer": "JMD"})
    plan.symbol("TREE-2", 40, layer="green")
    plan.symbol("LAMP", 60, layer="green")

    assert Read(plan.saved()).numbers == {"building": 2, "vegetation_point": 1}


def where() -> None:
    source = write(
        "parcels.gpkg",
        [square(number) for number in range(5)],
        kind=["Road 3", "道路", "道路", None, "park"],
        lanes=[4.0, 4.0, 2.0, 4.0, 4.0],
    )

    assert Read(source).numbers == {"road_area": 2, "vegetation_area": 1, "land_use": 2}


def where_drawing() -> None:
    plan = Plan()
    plan.document.layers.add("red", color=1)
    plan.ring(0, layer="red")
    plan.ring(20, true_color=0x00FF00)
    plan.ring(40, color=5)
    plan.symbol("LAMP7", 60, {"状态": "在用"})
    plan.symbol("LAMP7", 80, {"状态": "拆除"})

    assert Read(plan.saved()).numbers == {"building": 2, "street_lamp": 1}


def fields() -> None:
    columns = {"mc": ["A"], "建筑物详细地址": ["沂蒙路 1"], "USAGE": ["住宅"]}
    gpd.GeoDataFrame(columns, geometry=[square(0)], crs=CRS).to_file("houses.shp", encoding="GBK", engine="pyogrio")

    (house,) = Read("houses.shp").layers["building"][["name", "address", "usage"]].values.tolist()

    assert house == ["A", "沂蒙路 1", "住宅"]


def block_attributes() -> None:
    plan = Plan()
    plan.symbol("LAMP", 0, {"杆号": "D-17", "功率": "250"}, layer="路灯")

    (lamp,) = Read(plan.saved()).layers["street_lamp"][["pole_no", "power_w", "road_name"]].values.tolist()

    assert lamp == ["D-17", 250.0, "路灯"]


def constants() -> None:
    source = write("houses.gpkg", [square(0), square(1)], structure=["砖", None])

    houses = Read(source)

    assert houses.column("building", "structure") == ["砼", "砼"]
    assert houses.column("building", "storeys") == [6, 6]


def values() -> None:
    source = write("houses.gpkg", [square(0), square(1), square(2)], TYPE=[1.0, 2.0, 9.0])

    assert Read(source).column("building", "usage") == ["住宅", "商业", "9"]


def valid_from() -> None:
    dates = ["2019-05-01", "2020-06", "2020", None]
    source = write("houses.gpkg", [square(number) for number in range(4)], SURVEYED=dates)

    houses = Read(source)

    midnights = ["2019-04-30T16:00:00.000Z", "2020-05-31T16:00:00.000Z", "2019-12-31T16:00:00.000Z", None]
    assert houses.column("building", "valid_from") == midnights
    assert houses.column("building", "valid_precision")[:3] == ["day", "month", "year"]


def texts() -> None:
    plan = Plan()
    plan.ring(0, layer="JMD")
    plan.ring(20, layer="JMD")
    for words, x, layer in (("混5-2", 5, "TXT1"), ("粮站", 6, "ZJ"), ("门卫", 25, "ZJ"), ("备注", 26, "BZ")):
        plan.text(words, x, layer)

    read = Read(plan.saved())

    assert read.column("building", "name") == ["混5-2 粮站", "门卫"]
    (house, _) = read.layers["building"][["structure", "storeys", "storeys_below"]].values.tolist()
    assert house == ["混", 5, 2]


def join() -> None:
    source = write("parcels.gpkg", [square(number) for number in range(3)], NO=[1, 2, 3])
    write_table("owners.csv", [["编号", "业主"], [2, "乙"], [1, "甲"], [2, "丙"]])

    read = Read(source)

    assert read.column("land_use", "name") == ["甲", "乙", None]
    assert {"vector.join_unmatched", "vector.join_repeated"} <= set(read.rules)


def join_table() -> None:
    source = write("parcels.gpkg", [square(0), square(1)], layer="parcels", NO=[1, 2])
    owners = pd.DataFrame({"NO": ["2", "1"], "业主": ["乙", "甲"]})
    write_dataframe(owners, source, layer="owners", driver="GPKG", append=True)

    assert Read(source).column("land_use", "name") == ["甲", "乙"]


def attributes() -> None:
    source = write("lamps.gpkg", [point(0)], GH=["A1"], 厂家=["甲"], WATTS=[250])

    read = Read(source)

    assert read.column("street_lamp", "pole_no") == ["A1"]
    assert json.loads(read.column("street_lamp", "attributes")[0]) == {"厂家": "甲", "WATTS": 250}
    assert "attributes.kept" in read.rules


def encoding() -> None:
    frame = gpd.GeoDataFrame({"name": ["車站"]}, geometry=[square(0)], crs=CRS)
    frame.to_file("houses.shp", encoding="BIG5", engine="pyogrio")
    Path("houses.cpg").unlink()

    assert Read("houses.shp").column("building", "name") == ["車站"]


def coordinates() -> None:
    numbers = shapely.Point((NORTH - 3_800_000) * 1000, (EAST - 600_000) * 1000)
    source = write("street_lamp.shp", [numbers], None, GH=["A1"])

    # the axes are read first, so that the offset is east before north
    assert Read(source).places("street_lamp") == [[EAST, NORTH]]


def anywhere() -> None:
    source = write("street_lamp.gpkg", [shapely.Point(1200, 800)], GH=["A1"])

    assert Read(source).places("street_lamp") == [[1200.0, 800.0]]


def units() -> None:
    plan = Plan(unit=0.001)
    plan.ring(0)
    plan.ring(20, gap=0.3)
    plan.ring(40, gap=3.0)

    read = Read(plan.saved())

    assert read.layers["building"].total_bounds.round(3).tolist() == [EAST, NORTH, EAST + 30, NORTH + 10]
    assert (read.rules.count("dxf.closed"), read.rules.count("dxf.not_closed")) == (1, 1)


def cass() -> None:
    write_table("office_codes.csv", [["code", "layer", "kind"], ["888001", "road_line", "主干道"]])
    plan = Plan()
    plan.document.appids.new("SOUTH")
    plan.ring(0, layer="JMD")
    plan.space.add_lwpolyline([plan.at(0, 50), plan.at(50, 50)])
    codes = ["141111", "888001"]
    for height in (60.0, 62.0, 64.0, 65.0):
        plan.space.add_lwpolyline([plan.at(0, height), plan.at(50, height)], dxfattribs={"elevation": height})
        codes.append("201101")
    for entity, code in zip(plan.space, codes, strict=True):
        entity.set_xdata("SOUTH", [(1000, code)])
    plan.text("砼3", 5, "JMD")

    read = Read(plan.saved())

    assert read.column("road_line", "kind") == ["主干道"]
    assert read.column("building", "height") == [pytest.approx(10.8)]
    assert read.rules.count("dxf.contour_off_interval") == 1


def survey_aliases() -> None:
    read = Read(write_survey(elevation="井口标高", material="管道质地"))

    assert read.column("pipe_point", "ground_elevation") == [65.0, 65.0]
    assert read.column("pipe_line", "material") == ["PE"]


def survey() -> None:
    read = Read(write_survey(kind="生活污", swapped=True))

    assert read.places("pipe_point") == [[EAST, NORTH], [EAST, NORTH + 30]]
    point = read.layers["pipe_point"].iloc[0]
    assert point[["class", "subclass", "project"]].tolist() == ["PS", "WS", "2025-07"]


def survey_rules() -> None:
    read = Read(write_survey(depths=(150, 400), made_of="波纹管"))

    line = read.layers["pipe_line"].iloc[0]
    assert line[["start_depth", "material", "depth_reference"]].tolist() == [1.5, "PE", "top"]
    assert read.rules.count("survey.depth_impossible") == 1


def project() -> None:
    nodes = "[JUNCTIONS]\n J1 10 0\n[RESERVOIRS]\n R1 50\n[PIPES]\n P1 R1 J1 100 12 100 0 Open\n"
    places = f"[COORDINATES]\n R1 {EAST} {NORTH}\n J1 {EAST + 50} {NORTH}\n[END]\n"
    Path("net.inp").write_text(nodes + places, "utf-8")

    assert set(Read("net.inp").column("pipe_point", "project")) == {"east works"}


def placement() -> None:
    of_its_place = ("#69=", "#70=", "#71=")
    write_ifc(Path("lost.ifc"), [line for line in LINES if not line.startswith(of_its_place)])

    read = Read("lost.ifc")

    assert read.column("bim_model", "placement") == ["mapping"]
    shape = read.layers["bim_element"].union_all()
    assert shape.distance(shapely.Point(618_500, 3_886_000)) < 10
    assert shapely.get_coordinates(shape, include_z=True)[:, 2].min() == pytest.approx(62.5)


SOURCES: dict[str, Callable[[], None]] = {
    source.__name__: source
    for source in (
        first, order, crs, patterns, geometry, drawing, where, where_drawing, fields, block_attributes, constants, values, valid_from, texts, join, join_table,
        attributes, encoding, coordinates, anywhere, units, cass, survey_aliases, survey, survey_rules, project, placement,
    )
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*crs.*was not provided", "ignore:Column names longer")
@pytest.mark.parametrize("name", MAPPINGS)
def test_an_example_of_the_page_reads_a_source_as_the_page_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "office.toml").write_text(MAPPINGS[name], "utf-8")

    SOURCES[name]()


def test_each_example_of_the_page_has_a_source_and_each_source_an_example() -> None:
    blocks = re.findall(r"^```toml", PAGE.read_text("utf-8"), re.M)

    assert set(MAPPINGS) == set(SOURCES)
    assert len(blocks) == len(MAPPINGS), "a block without a name, or a name twice"
    options = [tomllib.loads(text).get("options", {}) for text in MAPPINGS.values()]
    assert set().union(*options) == OPTION_KEYS


def test_the_commands_of_the_page_run_and_a_learned_mapping_reads_the_next_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWIN_TOWN", str(tmp_path / "town"))
    monkeypatch.setenv("TWIN_JOBS", "0")  # read in this process: a worker takes seconds to start
    init_town(tmp_path / "town", name="试点", crs=CRS).store.close()
    write("lamps.gpkg", [point(0), point(1)], layer="路灯", 灯杆编号=["A1", "A2"], 功率=[250, 400])
    write("lamps_next_month.gpkg", [point(5)], layer="灯", 灯杆编号=["A9"], 功率=[150])
    (block,) = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)

    answers = [CliRunner().invoke(make_cli("en"), shlex.split(line)[1:]) for line in block.splitlines()]

    assert [answer.output for answer in answers if answer.exit_code] == []
    assert len(answers) == 4 and "office.toml" in answers[3].output
    with open_town(tmp_path / "town") as town:
        assert sorted(town.features("street_lamp")["pole_no"]) == ["A1", "A2", "A9"]
