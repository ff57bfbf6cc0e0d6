"""CASS drawings: what becomes a feature, with which values, and what is said about the rest."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from ezdxf import filemanagement
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.draft import Draft, ReadOptions
from ingest.dxf.reader import read_dxf
from ingest.mapping import Mapping
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.finding import Finding

EAST, NORTH = 618000.0, 3885000.0


@dataclass
class Read:
    """What came out of one file."""

    layers: dict[str, gpd.GeoDataFrame]
    findings: list[Finding]
    counts: dict[str, Any]
    surveyed: str | None = None

    def __getitem__(self, layer: str) -> gpd.GeoDataFrame:
        return self.layers[layer]

    def found(self, rule: str) -> list[Finding]:
        return [one for one in self.findings if one.rule == rule]

    @property
    def balanced(self) -> bool:
        parts = ("stored", "quarantined", "decoration")
        return bool(self.counts["read"] == sum(self.counts[part] for part in parts))


def read(path: Path, *, storage_crs: str = "EPSG:4548", **options: Any) -> Read:
    """Read a drawing with the reader itself, in EPSG:4548 unless told otherwise."""
    given = {"crs": "EPSG:4548"} | options
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs=storage_crs) as draft:
        read_dxf(path, draft, ReadOptions(**given))
        frames: dict[str, list[gpd.GeoDataFrame]] = {}
        for layer, frame in draft.frames():
            frames.setdefault(layer, []).append(frame)
        layers = {layer: pd.concat(parts, ignore_index=True) for layer, parts in frames.items()}
        return Read(layers, list(draft.findings), draft.counts.to_dict(), draft.surveyed)


class Cass:
    """A CASS drawing in the making; coordinates are metres from EAST, NORTH."""

    def __init__(self, release: str = "R2000", application: str = "SOUTH") -> None:
        self.document = filemanagement.new(release)
        self.document.encoding = "gbk"
        self.application = application
        self.document.appids.new(application)
        self.document.blocks.new("GC200").add_circle((0, 0), 0.25)
        self.space = self.document.modelspace()

    def coded(self, entity: Any, code: str | None) -> Any:
        if code:
            entity.set_xdata(self.application, [(1000, code)])
        return entity

    def ring(self, code: str | None, *xy: tuple[float, float], layer: str = "JMD", closed: bool = True) -> Any:
        points = [(EAST + x, NORTH + y) for x, y in xy]
        return self.coded(self.space.add_lwpolyline(points, close=closed, dxfattribs={"layer": layer}), code)

    def box(self, code: str | None, x: float, y: float, side: float, layer: str = "JMD") -> Any:
        return self.ring(code, (x, y), (x + side, y), (x + side, y + side), (x, y + side), layer=layer)

    def text(
        self,
        words: str,
        x: float,
        y: float,
        *,
        code: str | None = None,
        layer: str = "JMD",
        size: float = 1.0,
    ) -> Any:
        text = self.space.add_text(words, height=size, dxfattribs={"layer": layer, "insert": (EAST + x, NORTH + y)})
        return self.coded(text, code)

    def spot(
        self,
        x: float,
        y: float,
        z: float,
        *,
        code: str | None = "202101",
        label: str | None = None,
        block: str = "GC200",
    ) -> Any:
        insert = self.space.add_blockref(block, (EAST + x, NORTH + y, z), dxfattribs={"layer": "GCD"})
        if label is not None:
            insert.add_attrib("HEIGHT", label, (EAST + x, NORTH + y))
        return self.coded(insert, code)

    def line(self, code: str | None, layer: str, *xy: tuple[float, float], height: float | None = None) -> Any:
        attributes: dict[str, Any] = {"layer": layer}
        if height is not None:
            attributes["elevation"] = height
        points = [(EAST + x, NORTH + y) for x, y in xy]
        return self.coded(self.space.add_lwpolyline(points, dxfattribs=attributes), code)

    def save(self, path: Path) -> Path:
        self.document.saveas(path)
        return path


def drawn(path: Path, draw: Callable[[Cass], None], **made: Any) -> Path:
    """Write a CASS drawing and return where."""
    drawing = Cass(**made)
    draw(drawing)
    return drawing.save(path)


def draw_house(drawing: Cass, words: str | None = "砼3", code: str = "141111") -> None:
    drawing.box(code, 0, 0, 10)
    if words is not None:
        drawing.text(words, 2, 4)


@pytest.mark.parametrize("application", ["SOUTH", "south", "South"])
def test_a_code_counts_whatever_the_case_of_the_application(tmp_path: Path, application: str) -> None:
    path = drawn(tmp_path / "a.dxf", draw_house, application=application)

    found = read(path)

    assert len(found["building"]) == 1
    assert found["building"].structure.tolist() == ["砼"]


def test_the_code_is_the_first_string_of_south_with_other_data_before_and_after(tmp_path: Path) -> None:
    drawing = Cass()
    drawing.document.appids.new("OTHER")
    house = drawing.space.add_lwpolyline([(0, 0), (9, 0), (9, 9)], close=True)
    house.set_xdata("OTHER", [(1000, "204201"), (1040, 1.5)])
    house.set_xdata("SOUTH", [(1040, 2.5), (1000, "141161"), (1000, "204201"), (1040, 3.5)])

    found = read(drawing.save(tmp_path / "a.dxf"))

    assert found.counts["features"] == {"building": 1}
    assert found["building"].structure.tolist() == ["混"]


@pytest.mark.parametrize(
    ("words", "structure", "storeys", "below", "source"),
    [
        ("砼3", "砼", 3, None, "text"),
        ("混5-2", "混", 5, 2, "text"),
        ("混５－２", "混", 5, 2, "text"),
        ("砖", "砖", 1, None, "convention"),
        ("建", "建", 1, None, "convention"),
        ("砖混6", "混", 6, None, "text"),
        ("12", "砼", 12, None, "text"),
    ],
)
def test_structure_and_storeys_are_read_from_the_text_inside(
    tmp_path: Path, words: str, structure: str, storeys: int, below: int | None, source: str
) -> None:
    found = read(drawn(tmp_path / "a.dxf", lambda drawing: draw_house(drawing, words)))

    house = found["building"].iloc[0]
    assert (house.structure, house.storeys, house.storeys_source) == (structure, storeys, source)
    assert house.storeys_below == below
    assert house.height == storeys * 3.0
    assert house.height_source == "storeys"
    assert house.floor_area_estimate == pytest.approx(100.0 * storeys)
    assert house.base_elevation is None
    assert found.counts["read"] == found.counts["stored"] == 2


def test_split_texts_coded_1_and_2_are_joined_to_their_building(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        draw_house(drawing, None, "141101")
        drawing.text("钢", 2, 4, code="141101-1")
        drawing.text("7-1", 5, 4, code="141101-2")

    house = read(drawn(tmp_path / "a.dxf", draw))["building"].iloc[0]

    assert (house.structure, house.storeys, house.storeys_below) == ("钢", 7, 1)


def test_a_building_without_text_has_no_height_and_a_finding(tmp_path: Path) -> None:
    found = read(drawn(tmp_path / "a.dxf", lambda drawing: draw_house(drawing, None, "141200")))

    house = found["building"].iloc[0]
    assert house.structure == "简"
    assert (house.storeys, house.height, house.floor_area_estimate) == (None, None, None)
    assert house.height_source == "unknown"
    finding = found.found("dxf.building_without_text")[0]
    assert (finding.severity, finding.layer) == ("warning", "building")
    assert finding.point == pytest.approx((EAST, NORTH))


@pytest.mark.parametrize("words", [None, "天井"])
def test_an_inner_ring_of_the_same_code_is_a_courtyard(tmp_path: Path, words: str | None) -> None:
    def draw(drawing: Cass) -> None:
        drawing.box("141111", 0, 0, 30)
        drawing.text("砼5", 2, 2)
        drawing.box("141111", 10, 10, 10)
        if words:
            drawing.text(words, 14, 14)

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert len(found["building"]) == 1
    assert found["building"].area.iloc[0] == pytest.approx(900 - 100)
    assert found["building"].floor_area_estimate.iloc[0] == pytest.approx(800 * 5)
    assert found.counts["stored"] == found.counts["read"] == (4 if words else 3)


def test_a_tower_on_its_podium_is_a_building_of_its_own(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        drawing.box("141111", 0, 0, 30)
        drawing.text("砼3", 2, 2)
        drawing.box("141111", 10, 10, 10)
        drawing.text("砼20", 14, 14)

    found = read(drawn(tmp_path / "a.dxf", draw))["building"].sort_values("storeys")

    assert found.storeys.tolist() == [3, 20]
    assert found.area.tolist() == pytest.approx([900, 100])


def test_a_text_belongs_to_the_smallest_ring_around_it(tmp_path: Path) -> None:
    dice = random.Random(5)
    sides = [dice.uniform(2, 40) for _ in range(40)]
    drawing = Cass()
    for i, side in enumerate(sides):
        drawing.box("141111", i * 100, 0, side + 50)
        drawing.text(f"砼{i + 1}", i * 100 + side + 45, 1)
        drawing.box("141121", i * 100 + 1, 1, side)
        drawing.text(f"砖{100 + i}", i * 100 + 1 + side / 2, 1 + side / 2)

    found = read(drawing.save(tmp_path / "a.dxf"))["building"]

    expected = {round((side + 50) ** 2, 2): i + 1 for i, side in enumerate(sides)}
    expected |= {round(side**2, 2): 100 + i for i, side in enumerate(sides)}
    assert {round(area, 2): storeys for area, storeys in zip(found.area, found.storeys, strict=True)} == expected


def test_a_ring_drawn_twice_is_stored_once(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        draw_house(drawing)
        drawing.box("141111", 0, 0, 10)

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert len(found["building"]) == 1
    assert len(found.found("dxf.drawn_twice")) == 1
    assert found.balanced


def test_bulges_are_flattened_to_a_sagitta_of_five_centimetres(tmp_path: Path) -> None:
    drawing = Cass()
    round_house = drawing.space.add_lwpolyline(
        [(EAST - 10, NORTH, 1.0), (EAST + 10, NORTH, 1.0)], format="xyb", close=True
    )
    drawing.coded(round_house, "141111")

    shape = read(drawing.save(tmp_path / "a.dxf"))["building"].geometry.iloc[0]

    ring = shapely.get_coordinates(shape) - (EAST, NORTH)
    middles = (ring[1:] + ring[:-1]) / 2
    assert np.hypot(*ring.T) == pytest.approx(np.full(len(ring), 10.0))
    assert 0.0 < (10.0 - np.hypot(*middles.T)).max() <= 0.05


def test_an_outline_open_by_centimetres_is_closed_and_one_open_by_metres_set_aside(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        drawing.ring("141111", (0, 0), (9, 0), (9, 9), (0, 9), (0, 0.05), closed=False)
        drawing.ring("141111", (20, 0), (29, 0), (29, 9), (20, 9), closed=False)

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert found["building"].area.tolist() == pytest.approx([81.0], abs=0.5)
    assert found.found("dxf.closed")[0].values["gap"] == pytest.approx(0.05)
    aside = found.found("dxf.not_closed")[0]
    assert aside.raw is not None
    assert aside.raw["code"] == "141111"
    assert found.balanced


def test_only_coded_entities_become_features(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        drawing.line("204201", "DMTZ", (0, 0), (50, 0))
        for tick in range(12):
            drawing.line(None, "DMTZ", (tick * 4, 0), (tick * 4, -1))
        drawing.space.add_circle((EAST, NORTH), 3, dxfattribs={"layer": "ZBTZ"})

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert found.counts["features"] == {"structure": 1}
    assert found["structure"].kind.tolist() == ["未加固陡坎"]
    assert found.counts["decoration"] == 13
    assert found.found("dxf.decoration")[0].values["count"] == 13


def test_codes_go_to_their_layers_with_kind_and_gb_code(tmp_path: Path) -> None:
    cases = [
        ("164400", "DLSS", "road_line", "430600"),
        ("161201", "DLSS", "rail", "410101"),
        ("181101", "SXSS", "water_line", "210101"),
        ("191401", "JJ", "boundary", "650201"),
        ("144302", "JMD", "structure", "380201"),
    ]
    areas = [("182200", "SXSS", "water_area", "230102"), ("211100", "ZBTZ", "vegetation_area", "810301")]
    drawing = Cass()
    for code, layer, _, _ in cases:
        drawing.line(code, layer, (0, 0), (10, 5), (20, 0))
    for code, layer, _, _ in areas:
        drawing.box(code, 50, 0, 9, layer=layer)

    found = read(drawing.save(tmp_path / "a.dxf"))

    assert {layer: frame.code.iloc[0] for layer, frame in found.layers.items()} == {
        layer: gb for _, _, layer, gb in cases + areas
    }


def test_point_codes_go_to_their_layers_with_the_height_of_control_points(tmp_path: Path) -> None:
    drawing = Cass()
    for i, code in enumerate(("155210", "165631", "213801", "174200", "340612", "131500")):
        drawing.spot(i * 10, 0, 61.25, code=code, block="ANY")

    found = read(drawing.save(tmp_path / "a.dxf"))

    assert found.counts["features"] == dict.fromkeys(
        ("street_lamp", "traffic_signal", "vegetation_point", "facility", "camera", "control_point"), 1
    )
    assert found["control_point"].elevation.tolist() == [61.25]
    assert found["control_point"].geometry.iloc[0].z == 61.25
    assert not found["street_lamp"].geometry.iloc[0].has_z


def test_a_tree_row_stands_at_each_of_its_vertices_and_counts_as_one_record(tmp_path: Path) -> None:
    found = read(drawn(tmp_path / "a.dxf", lambda d: d.line("213702", "ZBTZ", (0, 0), (5, 0), (10, 0))))

    assert len(found["vegetation_point"]) == 3
    assert found.counts["read"] == found.counts["stored"] == 1


def test_an_unknown_code_is_set_aside_and_a_street_code_is_understood_by_its_family(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        drawing.line("163250", "DLSS", (0, 0), (10, 0))
        drawing.line("999999", "DLSS", (0, 5), (10, 5))

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert found["road_line"].kind.tolist() == ["城市道路"]
    assert found.found("dxf.code_uncertain")[0].values["codes"] == ["163250"]
    assert found.found("dxf.unknown_code")[0].values["code"] == "999999"
    assert found.counts["quarantined"] == 1


@pytest.mark.parametrize("block", ["GC200", "gc200"])
def test_a_spot_height_is_the_z_of_its_block_even_without_a_code(tmp_path: Path, block: str) -> None:
    def draw(drawing: Cass) -> None:
        drawing.spot(0, 0, 67.43, code=None, label="67.4", block=block)
        draw_house(drawing)

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert found["spot_height"].elevation.tolist() == [67.43]
    assert found["spot_height"].geometry.iloc[0].z == 67.43
    assert not found.found("dxf.spot_height_label")


def test_a_label_that_differs_by_more_than_five_centimetres_is_a_finding(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        drawing.spot(0, 0, 67.43, label="67.38")
        drawing.spot(9, 0, 67.43, label="67.37")

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert [one.values["label"] for one in found.found("dxf.spot_height_label")] == [67.37]
    assert len(found["spot_height"]) == 2


def test_contours_at_zero_or_off_the_interval_are_findings(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        for i, height in enumerate([60.0, 60.5, 61.0, 61.5, 62.0, 62.5, 63.0, 63.5, 64.0, 64.5, 65.0, 65.3, 0.0]):
            drawing.line("201101", "DGX", (0, i), (50, i), height=height)

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert len(found["contour"]) == 13
    assert [one.values["elevation"] for one in found.found("dxf.contour_off_interval")] == [65.3]
    assert found.found("dxf.contour_off_interval")[0].values["interval"] == 0.5
    assert [one.values["lowest"] for one in found.found("geometry.height_unlikely")] == [60.0]
    assert found.found("dxf.contour_at_zero") == []


def test_a_contour_at_zero_among_low_ones_or_alone_is_a_question(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        for i, height in enumerate([0.5, 1.0, 1.5, 2.0, 0.0]):
            drawing.line("201101", "DGX", (0, i), (50, i), height=height)

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert len(found.found("dxf.contour_at_zero")) == 1
    assert found.found("geometry.height_unlikely") == []


@pytest.mark.parametrize("height", [0.0, 999.0, 9999.0, -999.0, 635.0])
def test_a_spot_height_that_cannot_be_true_is_told_at_its_place_with_the_heights_around(
    tmp_path: Path, height: float
) -> None:
    def draw(drawing: Cass) -> None:
        for i in range(6):
            drawing.line("201101", "DGX", (0, 9 * i), (50, 9 * i), height=62.0 + i)
        drawing.spot(20, 20, 64.4)
        drawing.spot(30, 20, height)

    found = read(drawn(tmp_path / "a.dxf", draw))

    [finding] = found.found("geometry.height_unlikely")
    assert (finding.values["height"], finding.values["lowest"], finding.values["highest"]) == (height, 62.0, 67.0)
    assert finding.point == pytest.approx((EAST + 30, NORTH + 20))
    assert len(found["spot_height"]) == 2


def test_a_polyline_contour_takes_vertex_z_or_header_z_without_its_frame_points(tmp_path: Path) -> None:
    drawing = Cass()
    spatial = drawing.space.add_polyline3d([(EAST + i, NORTH, 62.0) for i in range(5)])
    for vertex in list(spatial.vertices)[1:4:2]:
        vertex.dxf.flags |= 16
    drawing.coded(spatial, "201101")
    flat = drawing.space.add_polyline2d([(EAST + i, NORTH + 9) for i in range(4)])
    flat.dxf.elevation = (0, 0, 63.0)
    drawing.coded(flat, "201102")

    found = read(drawing.save(tmp_path / "a.dxf"))["contour"]

    assert found.elevation.tolist() == [62.0, 63.0]
    assert shapely.get_num_coordinates(found.geometry.to_numpy()).tolist() == [3, 4]
    assert shapely.get_coordinates(found.geometry.to_numpy(), include_z=True)[:, 2].tolist() == [62.0] * 3 + [63.0] * 4


def test_texts_on_zj_and_coded_texts_are_annotations(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        drawing.text("沂蒙路", 50, 50, layer="ZJ", size=3.0)
        drawing.text("65", 60, 60, code="202111", layer="DGX")
        drawing.text("某说明", 70, 70, layer="DLSS")

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert found["annotation"].text.tolist() == ["65", "沂蒙路"]
    assert found["annotation"]["size"].tolist() == [1.0, 3.0]
    assert found.counts["decoration"] == 1


def draw_sheet(drawing: Cass) -> None:
    """A 1:1000 sheet whose eastern half only is surveyed."""
    drawing.document.header["$USERR1"] = 1000.0
    drawing.box(None, -12, -12, 524, layer="TK")
    drawing.box(None, 0, 0, 500, layer="TK")
    for words, y in (
        ("3885.0-618.0", 517),
        ("1:1000", -18),
        ("2023年11月数字化成图", -22),
        ("GB/T 20257.1-2017图式", -26),
        ("基本等高距为0.5米", -30),
    ):
        drawing.text(words, 100, y, layer="TK")
    drawing.text("琅琊新城", 250, 530, layer="TK", size=5)
    for x in range(255, 500, 20):
        for y in range(5, 500, 20):
            drawing.spot(x, y, 60.0)


def test_the_frame_gives_the_sheet_and_its_survey_date(tmp_path: Path) -> None:
    found = read(drawn(tmp_path / "a.dxf", draw_sheet))

    sheet = found["map_sheet"].iloc[0]
    assert (sheet.sheet_key, sheet.number, sheet.scale) == ("1000_3885.0-618.0", "3885.0-618.0", 1000)
    assert (sheet.title, sheet.surveyed, sheet.acceptance) == ("琅琊新城", "2023-11", "delivered")
    assert shapely.from_wkt(sheet.neatline).equals(shapely.box(EAST, NORTH, EAST + 500, NORTH + 500))
    assert found.surveyed == "2023-10-31T16:00:00.000Z"
    assert found.balanced


def test_a_survey_date_that_does_not_exist_is_named_and_is_none(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        draw_sheet(drawing)
        (day,) = (each for each in drawing.space.query("TEXT") if "数字化" in each.dxf.text)
        day.dxf.text = "2023年2月30日数字化成图"

    found = read(drawn(tmp_path / "a.dxf", draw))

    (unread,) = (each for each in found.findings if each.rule == "value.unreadable")
    assert (unread.values["field"], unread.values["value"]) == ("surveyed", "2023-02-30")
    assert found.surveyed is None and found["map_sheet"].surveyed.isna().all()


def test_neighbours_in_the_table_of_adjoining_sheets_are_not_the_sheet_and_a_wrong_number_is_a_finding(
    tmp_path: Path,
) -> None:
    def draw(drawing: Cass, own: str | None) -> None:
        for n, words in enumerate(("3885.5-617.5", "3885.5-618.0", "3885.5-618.5", "3885.0-617.5", "3885.0-618.5")):
            drawing.text(words, -60 + 20 * (n % 3), 550 - 10 * (n // 3), layer="TK")
        draw_sheet(drawing)
        if own is not None:
            numbers = [each for each in drawing.space.query("TEXT") if each.dxf.text == "3885.0-618.0"]
            numbers[0].dxf.text = own

    plain = read(drawn(tmp_path / "a.dxf", lambda drawing: draw(drawing, None)))
    wrong = read(drawn(tmp_path / "b.dxf", lambda drawing: draw(drawing, "3999.0-618.0")))

    for found in (plain, wrong):
        assert found["map_sheet"]["sheet_key"].tolist() == ["1000_3885.0-618.0"]
        assert found.balanced
    assert not plain.found("dxf.sheet_number_overruled")
    assert [each.values["number"] for each in wrong.found("dxf.sheet_number_overruled")] == ["3885.0-618.0"]


def test_the_geometry_of_a_sheet_is_its_surveyed_part_and_no_hull(tmp_path: Path) -> None:
    part = read(drawn(tmp_path / "a.dxf", draw_sheet))["map_sheet"].geometry.iloc[0]

    expected = shapely.box(EAST + 250, NORTH, EAST + 500, NORTH + 500)
    assert part.symmetric_difference(expected).area <= 2 * 25.0 * 500


def test_a_scale_that_differs_between_margin_and_header_is_a_finding(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        draw_sheet(drawing)
        drawing.document.header["$USERR1"] = 2000.0

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert found.found("dxf.scale_disagrees")[0].values == {"text": 1000, "header": 2000}
    assert found["map_sheet"]["scale"].tolist() == [1000]


def test_the_office_table_and_work_def_lie_over_the_house_table(tmp_path: Path) -> None:
    table, work_def = tmp_path / "office.csv", tmp_path / "WORK.DEF"
    table.write_text("code,layer,kind\n888001,road_line,主干道\n164400,,\n", "gb18030")
    work_def.write_bytes("163255,DLSS,1,continuous,0,次干道\nEND\n".encode("gb18030"))

    def draw(drawing: Cass) -> None:
        drawing.line("888001", "DLSS", (0, 0), (10, 0))
        drawing.line("164400", "DLSS", (0, 5), (10, 5))
        drawing.line("163255", "DLSS", (0, 9), (10, 9))

    path = drawn(tmp_path / "a.dxf", draw)
    by_table = read(path, mapping=Mapping("office", (), options={"cass_table": str(table)}))
    by_work_def = read(path, mapping=Mapping("office", (), options={"cass_table": str(work_def)}))

    assert sorted(by_table["road_line"].kind) == ["主干道", "城市道路"]
    assert by_table.counts["decoration"] == 1
    assert "次干道" in by_work_def["road_line"].kind.tolist()


def test_storey_height_is_an_option_of_the_mapping(tmp_path: Path) -> None:
    path = drawn(tmp_path / "a.dxf", draw_house)

    found = read(path, mapping=Mapping("office", (), options={"storey_height": 3.6}))

    assert found["building"].height.tolist() == pytest.approx([10.8])


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize(("declared", "written"), [("ANSI_936", "gbk"), ("ANSI_936", "utf-8"), ("ANSI_1252", "gbk")])
def test_chinese_text_is_read_right_even_where_the_code_page_lies(
    tmp_path: Path, declared: str, written: str, damaged: bool
) -> None:
    drawing = Cass()
    draw_house(drawing, "混5-2")
    drawing.text("沂蒙路社区", 50, 50, layer="ZJ")
    path = drawing.save(tmp_path / "a.dxf")
    text = path.read_text("gbk").replace("ANSI_936", declared)
    path.write_bytes(text.removesuffix("  0\nEOF\n" if damaged else "").encode(written))

    found = read(path)

    assert found["building"].structure.tolist() == ["混"]
    assert found["annotation"].text.tolist() == ["沂蒙路社区"]
    assert len(found.found("dxf.code_page")) == (0 if (declared, written) == ("ANSI_936", "gbk") else 1)
    assert len(found.found("dxf.recovered")) == int(damaged)


@pytest.mark.parametrize("release", ["R12", "R2000", "R2007", "R2018"])
def test_every_release_reads_the_same(tmp_path: Path, release: str) -> None:
    drawing = Cass(release=release)
    ring = [(EAST, NORTH), (EAST + 9, NORTH), (EAST + 9, NORTH + 9), (EAST, NORTH + 9)]
    drawing.coded(drawing.space.add_polyline2d(ring, close=True, dxfattribs={"layer": "JMD"}), "141111")
    drawing.text("砼4", 3, 3)

    found = read(drawing.save(tmp_path / "a.dxf"))

    assert found["building"].storeys.tolist() == [4]
    assert found["building"].area.tolist() == pytest.approx([81.0])


def test_a_cass_drawing_is_in_metres_whatever_its_header_says(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        draw_house(drawing)
        drawing.document.header["$INSUNITS"] = 4

    assert read(drawn(tmp_path / "a.dxf", draw))["building"].area.tolist() == pytest.approx([100.0])


@given(st.lists(st.tuples(st.sampled_from(["141111", "201101", "202101", "155210", "999999", "211100", None]),
                          st.sampled_from(["ring", "line", "spot", "text"])), min_size=1, max_size=25))  # fmt: skip
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_entity_ends_stored_set_aside_or_decoration(tmp_path: Path, pieces: list[tuple[str | None, str]]) -> None:
    drawing = Cass()
    drawing.line("164400", "DLSS", (0, -50), (9, -50))
    for i, (code, shape) in enumerate(pieces):
        {
            "ring": lambda i=i, code=code: drawing.box(code, i * 12, 0, 10),
            "line": lambda i=i, code=code: drawing.line(code, "DGX", (i * 12, 20), (i * 12 + 9, 22), height=60.0),
            "spot": lambda i=i, code=code: drawing.spot(i * 12, 40, 60.0, code=code),
            "text": lambda i=i, code=code: drawing.text("砼2", i * 12 + 5, 5, code=code),
        }[shape]()

    found = read(drawing.save(tmp_path / "a.dxf"))

    assert found.balanced
    assert found.counts["read"] == len(pieces) + 1


@pytest.mark.parametrize("wrong", ["nan", "inf", "1e300", "-1e15"])
@pytest.mark.parametrize("code", ["141111", "201101", "164400", "211100", "202101"])
def test_a_coordinate_that_is_no_place_spoils_only_its_own_entity(tmp_path: Path, code: str, wrong: str) -> None:
    drawing = Cass()
    draw_sheet(drawing)
    draw_house(drawing)
    drawing.box(code, 777, 20, 10)
    drawing.spot(777, 90, 60.0, code=code)
    path = drawing.save(tmp_path / "a.dxf")
    spoiled = path.read_text("gbk").replace("\n618777.0\n", f"\n{wrong}\n")
    path.write_text(spoiled, "gbk")

    found = read(path)

    assert found.balanced
    assert found["building"].storeys.tolist()[0] == 3
    assert found["map_sheet"].area.iloc[0] < 300 * 500


def test_the_hand_made_drawings_hold_what_their_table_says(samples_by_hand: Path) -> None:
    lower = read(samples_by_hand / "lower_case_south.dxf")["building"]
    split = read(samples_by_hand / "split_structure_and_storeys.dxf")["building"]
    contours = read(samples_by_hand / "contour_group_38.dxf")["contour"]
    spots = read(samples_by_hand / "spot_height_gc200.dxf")["spot_height"]
    other = read(samples_by_hand / "xdata_of_other_app_first.dxf")["building"]
    spline = read(samples_by_hand / "polyline_spline_frame_points.dxf")["contour"]

    assert (lower.structure[0], lower.storeys[0], lower.area[0]) == ("砼", 3, pytest.approx(240))
    assert split.storeys.tolist() == [2, 5, None]
    assert split.storeys_below.tolist() == [None, 2, None]
    assert contours.elevation.tolist() == [66.5, 67.5]
    assert shapely.get_num_coordinates(contours.geometry.to_numpy()).tolist() == [5, 5]
    assert spots.elevation.tolist() == [67.43, 66.98]
    assert (other.structure[0], other.storeys[0]) == ("混", 6)
    assert (spline.elevation[0], shapely.get_num_coordinates(spline.geometry[0])) == (68.0, 7)


@pytest.fixture
def samples_by_hand() -> Path:
    return Path(__file__).resolve().parents[2] / "data_samples" / "byhand"


def test_sheds_without_text_are_no_fault_and_houses_without_one_are(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        for n in range(3):
            drawing.box("141500", 20 * n, 0, 10)
        drawing.box("141111", 80, 0, 10)

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert len(found.found("dxf.building_without_text")) == 1
    assert found["building"]["structure"].tolist()[:3] == ["棚"] * 3


def test_texts_taken_from_another_layer_are_said_once_for_that_layer(tmp_path: Path) -> None:
    def draw(drawing: Cass) -> None:
        for n in range(3):
            drawing.box("141111", 20 * n, 0, 10)
            drawing.text(f"砼{n + 2}", 20 * n + 5, 5, layer="DLDW" if n else "JMD")

    found = read(drawn(tmp_path / "a.dxf", draw))

    assert found["building"]["storeys"].tolist() == [2, 3, 4]
    [finding] = found.found("dxf.text_of_other_layer")
    assert (finding.values["text"], finding.values["source_layer"], finding.values["count"]) == ("砼3", "DLDW", 2)
    assert finding.point == pytest.approx((EAST + 25, NORTH + 5))


def test_a_code_that_is_read_as_its_family_has_a_place(tmp_path: Path) -> None:
    found = read(drawn(tmp_path / "a.dxf", lambda drawing: draw_house(drawing, code="141119")))

    places = [one.point for one in found.findings if one.rule in {"dxf.code_uncertain", "dxf.unknown_code"}]
    assert places and None not in places
