"""Block references: what they stand for comes in, wherever and however often a drawing inserts it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely
from drawing_readings import EAST, NORTH, Reading
from ezdxf import filemanagement

from ingest.mapping import LayerMapping, Mapping
from twin_model.errors import SourceRefused
from twin_model.messages import render

HOUSES = Mapping(
    "houses",
    (
        LayerMapping(("房屋",), "building"),
        LayerMapping(("树",), "vegetation_point"),
        LayerMapping(("路",), "road_line"),
    ),
)


def square(
    space: Any, layer: str, *, at: tuple[float, float] = (0.0, 0.0), code: str | None = None, size: float = 10
) -> None:
    x, y = at
    corners = [(x, y), (x + size, y), (x + size, y + size), (x, y + size)]
    ring = space.add_lwpolyline(corners, close=True, dxfattribs={"layer": layer})
    if code is not None:
        ring.set_xdata("SOUTH", [(1000, code)])


def drawing() -> Any:
    document = filemanagement.new("R2004", setup=False)
    document.appids.add("SOUTH")
    return document


def saved(document: Any, folder: Path) -> Path:
    path = folder / "plan.dxf"
    document.saveas(path)
    return path


@pytest.mark.parametrize("coded", [True, False], ids=["CASS", "by layers"])
def test_each_cell_of_a_reference_with_rows_and_columns_is_a_feature(tmp_path: Path, *, coded: bool) -> None:
    document = drawing()
    document.blocks.new("TREE").add_circle((0, 0), 0.5)
    grid = {
        "row_count": 3,
        "column_count": 5,
        "row_spacing": 8.0,
        "column_spacing": 6.0,
        "rotation": 90.0,
        "layer": "树",
    }
    tree = document.modelspace().add_blockref("TREE", (EAST, NORTH), dxfattribs=grid)
    if coded:
        tree.set_xdata("SOUTH", [(1000, "213803")])

    reading = Reading(saved(document, tmp_path), mapping=None if coded else HOUSES)

    places = shapely.get_coordinates(reading.layers["vegetation_point"].geometry.to_numpy()) - (EAST, NORTH)
    expected = {(round(-8.0 * row), round(6.0 * column)) for row in range(3) for column in range(5)}
    assert {(round(x), round(y)) for x, y in places} == expected
    assert reading.counts["read"] == 15
    assert reading.is_accounted_for


@pytest.mark.parametrize("coded", [True, False], ids=["CASS", "by layers"])
@pytest.mark.parametrize(
    ("reference", "corner", "area"),
    [
        ({}, (EAST + 20, NORTH), 100.0),
        ({"xscale": 2.0, "yscale": 2.0, "zscale": 2.0}, (EAST + 40, NORTH), 400.0),
        ({"xscale": 1.0, "yscale": 0.5}, (EAST + 20, NORTH), 50.0),
        ({"rotation": 90.0}, (EAST, NORTH + 20), 100.0),
        ({"xscale": -1.0}, (EAST - 20, NORTH), 100.0),
        ({"extrusion": (0, 0, -1)}, (EAST - 20, NORTH), 100.0),
    ],
)  # fmt: skip
def test_houses_inside_a_block_come_in_where_the_reference_draws_them(
    tmp_path: Path, reference: dict[str, Any], corner: tuple[float, float], area: float, *, coded: bool
) -> None:
    document = drawing()
    sheet = document.blocks.new("旧图")
    inner = document.blocks.new("一排")
    for x in (0.0, 20.0):
        square(inner, "房屋", at=(x, 0.0), code="141101" if coded else None)
    sheet.add_blockref("一排", (0, 0))
    sheet.add_line((0, 0), (5, 5), dxfattribs={"layer": "路"})
    x = -EAST if "extrusion" in reference else EAST
    document.modelspace().add_blockref("旧图", (x, NORTH), dxfattribs=reference)

    reading = Reading(saved(document, tmp_path), mapping=None if coded else HOUSES)

    houses = reading.layers["building"].geometry
    assert reading.numbers == ({"building": 2} if coded else {"building": 2, "road_line": 1})
    assert houses.area.round(6).tolist() == [area] * 2
    assert shapely.distance(shapely.Point(corner), houses.to_numpy()).min() < 1e-6
    assert reading.counts["read"] == 3
    assert reading.is_accounted_for


def test_a_sheet_bound_from_another_drawing_is_read_by_the_names_its_layers_had(tmp_path: Path) -> None:
    document = drawing()
    square(document.blocks.new("旧图"), "旧图$0$房屋")
    document.modelspace().add_blockref("旧图", (EAST, NORTH))

    reading = Reading(saved(document, tmp_path), mapping=HOUSES)

    assert reading.numbers == {"building": 1}


def test_areas_that_one_block_draws_apart_are_features_each(tmp_path: Path) -> None:
    document = drawing()
    block = document.blocks.new("院")
    for x in (0.0, 20.0, 40.0):
        square(block, "0", at=(x, 0.0))
    document.modelspace().add_blockref("院", (EAST, NORTH), dxfattribs={"layer": "房屋"})
    path = saved(document, tmp_path)

    by_layer, by_block = (
        Reading(path, mapping=HOUSES),
        Reading(path, mapping=Mapping("m", (LayerMapping(("房屋|INSERT",), "building"),))),
    )

    assert (by_layer.numbers, by_layer.counts["read"]) == ({"building": 3}, 3)
    assert (by_block.numbers, by_block.counts["read"]) == ({"building": 1}, 1)


def test_arcs_in_a_stretched_block_stay_one_outline(tmp_path: Path) -> None:
    document = drawing()
    block = document.blocks.new("塔")
    block.add_lwpolyline([(0, 0, 0, 0, 1), (10, 0, 0, 0, 1)], close=True, dxfattribs={"layer": "房屋"})
    document.modelspace().add_blockref("塔", (EAST, NORTH), dxfattribs={"xscale": 3.0, "yscale": 1.0})

    reading = Reading(saved(document, tmp_path), mapping=HOUSES)

    assert reading.numbers == {"building": 1}
    assert reading.layers["building"].area.iat[0] == pytest.approx(3 * 3.14159265 * 25, rel=0.01)


def chain_of_blocks(document: Any, *, length: int, cells: int) -> None:
    square(document.blocks.new("B0"), "房屋")
    for number in range(1, length):
        grid = {"row_count": cells, "column_count": 1, "row_spacing": 1.0}
        document.blocks.new(f"B{number}").add_blockref(f"B{number - 1}", (0, 0), dxfattribs=grid)
    document.modelspace().add_blockref(f"B{length - 1}", (EAST, NORTH))


def many_cells(document: Any) -> None:
    document.blocks.new("B0").add_circle((0, 0), 1)
    grid = {"row_count": 30_000, "column_count": 30_000, "row_spacing": 1.0, "column_spacing": 1.0, "layer": "树"}
    document.modelspace().add_blockref("B0", (EAST, NORTH), dxfattribs=grid)


@pytest.mark.parametrize(
    "bomb",
    [
        lambda document: chain_of_blocks(document, length=30, cells=10),
        lambda document: chain_of_blocks(document, length=200, cells=1),
        many_cells,
    ],
    ids=["nested rows", "nested deep", "rows and columns"],
)
def test_a_block_that_stands_for_too_much_is_refused_in_words(tmp_path: Path, bomb: Callable[[Any], None]) -> None:
    document = drawing()
    bomb(document)

    with pytest.raises(SourceRefused) as refusal:
        Reading(saved(document, tmp_path), mapping=HOUSES)

    assert refusal.value.rule_id == "dxf.too_many_parts"
    assert "B" in render(refusal.value.rule_id, "zh", refusal.value.values)


def test_a_block_that_holds_itself_is_left_out_once_and_the_rest_comes_in(tmp_path: Path) -> None:
    document = drawing()
    outer, inner = document.blocks.new("甲"), document.blocks.new("乙")
    square(outer, "房屋")
    outer.add_blockref("乙", (30, 0))
    square(inner, "房屋")
    inner.add_blockref("甲", (30, 0), dxfattribs={"layer": "房屋"})
    document.modelspace().add_blockref("甲", (EAST, NORTH))

    reading = Reading(saved(document, tmp_path), mapping=HOUSES)

    assert reading.numbers == {"building": 2}
    assert reading.rules()["dxf.broken_entity"] == 1
    assert reading.is_accounted_for


def test_other_drawings_and_paper_space_are_named_and_left_out(tmp_path: Path) -> None:
    document = drawing()
    document.add_xref_def("..\\secret\\地形图.dwg", "地形图")
    document.modelspace().add_blockref("地形图", (EAST, NORTH))
    square(document.modelspace(), "房屋", at=(EAST, NORTH))
    document.paperspace().add_line((0, 0), (1, 1))

    reading = Reading(saved(document, tmp_path), mapping=HOUSES)

    findings = {finding.rule: finding.values for finding in reading.findings}
    assert findings["dxf.xref_not_read"] == {"count": 1, "kinds": ["地形图.dwg (1)"]}
    assert findings["dxf.paper_space"] == {"count": 1}
    assert reading.counts["read"] == 2
    assert reading.is_accounted_for


def test_parallel_lines_drawn_as_one_are_the_line_they_are_drawn_along(tmp_path: Path) -> None:
    document = drawing()
    document.modelspace().add_mline(
        [(EAST, NORTH), (EAST + 30, NORTH), (EAST + 30, NORTH + 40)], dxfattribs={"layer": "路"}
    )

    reading = Reading(saved(document, tmp_path), mapping=HOUSES)

    assert reading.layers["road_line"].length.tolist() == [70.0]


def test_a_block_that_draws_an_area_is_told_where_it_becomes_a_point_and_the_remedy_draws_it(tmp_path: Path) -> None:
    document = drawing()
    square(document.blocks.new("HOUSE"), "0")
    document.blocks.new("LAMP").add_circle((0, 0), 5)
    square(document.blocks.new("SIGN"), "0", size=2)
    space = document.modelspace()
    for number, (name, layer) in enumerate([("HOUSE", "建筑"), ("HOUSE", "建筑"), ("LAMP", "灯"), ("SIGN", "牌")]):
        space.add_blockref(name, (EAST + 50 * number, NORTH), dxfattribs={"layer": layer, "rotation": 30})
    space.add_blockref("SIGN", (EAST, NORTH + 90), dxfattribs={"layer": "牌", "xscale": 4, "yscale": 4})
    path = saved(document, tmp_path)

    read = Reading(path)
    mapped = Reading(path, mapping=Mapping("remedy", (LayerMapping(("建筑",), "building"),)))

    (told,) = [finding for finding in read.findings if finding.rule == "dxf.block_as_point"]
    assert told.values["kinds"] == ["HOUSE (2)", "SIGN (1)"]
    assert 'from = "建筑" to = "building"' in told.text("zh")
    assert mapped.layers["building"].geometry.area.round(3).tolist() == [100.0, 100.0]
    assert "dxf.block_as_point" not in mapped.rules()


def test_attributes_are_told_under_the_layer_of_the_drawing_that_has_them(tmp_path: Path) -> None:
    document = drawing()
    document.blocks.new("LAMP").add_circle((0, 0), 0.2)
    space = document.modelspace()
    space.add_text("注记", dxfattribs={"layer": "注记", "insert": (EAST, NORTH)})
    for number, layer in enumerate(["路灯", "井盖"]):
        lamp = space.add_blockref("LAMP", (EAST + number, NORTH), dxfattribs={"layer": layer})
        lamp.add_attrib(["杆号", "井号"][number], "1")

    read = Reading(saved(document, tmp_path))

    told = {
        finding.values["source_layer"]: finding.values["names"]
        for finding in read.findings
        if finding.rule == "attributes.kept"
    }
    assert told == {"路灯": ["杆号"], "井盖": ["井号"]}
