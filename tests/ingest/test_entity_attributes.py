"""What an entity says and no field takes: layer, block, its attributes, colour, linetype, thickness, hyperlink, XDATA, text."""

import json
from pathlib import Path
from typing import Any

import ezdxf

from ingest.draft import Draft, ReadOptions
from ingest.dxf.reader import read_dxf
from ingest.mapping import LayerMapping, Mapping
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source

CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0


def attributes(path: Path, *entries: LayerMapping) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Return the attributes of each layer's features, and what the findings say of them."""
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs=CRS) as draft:
        mapping = Mapping("mine", entries) if entries else None
        read_dxf(path, draft, ReadOptions(crs=CRS, mapping=mapping))
        said = {layer: [json.loads(text) for text in frame["attributes"]] for layer, frame in draft.frames()}
        return said, [one.text("en") for one in draft.findings if one.rule == "attributes.kept"]


def test_a_mapped_entity_keeps_what_no_field_takes(tmp_path: Path) -> None:
    drawing = ezdxf.new("R2010", units=6)
    drawing.layers.add("路灯", color=3)
    block = drawing.blocks.new("LAMP")
    block.add_circle((0, 0), 0.2)
    drawing.appids.add("OFFICE")
    space = drawing.modelspace()
    lamp = space.add_blockref("LAMP", (EAST, NORTH), dxfattribs={"layer": "路灯", "color": 1, "rotation": 30})
    lamp.add_attrib("杆号", "D-17")
    lamp.add_attrib("功率", "250W")
    lamp.set_hyperlink("http://town.example/D-17")
    lamp.set_xdata("OFFICE", [(1000, "测绘一队"), (1070, 7), (1040, 1.5)])
    fence = space.add_lwpolyline(
        [(EAST, NORTH), (EAST + 9, NORTH)], dxfattribs={"layer": "围墙", "linetype": "DASHED", "thickness": 0.25}
    )
    fence.set_xdata("OFFICE", [(1000, "砖")])
    drawing.linetypes.add("DASHED", [0.2, 0.1, -0.1])
    drawing.saveas(tmp_path / "street.dxf")

    said, texts = attributes(
        tmp_path / "street.dxf",
        LayerMapping(("路灯",), "street_lamp", fields={"pole_no": ("杆号",)}),
        LayerMapping(("围墙",), "structure"),
    )

    assert said["street_lamp"] == [
        {"block": "LAMP", "color": "1", "layer": "路灯", "rotation": 30.0, "功率": "250W",
         "hyperlink": "http://town.example/D-17", "xdata.OFFICE": ["测绘一队", 7, 1.5]},
    ]  # fmt: skip
    assert said["structure"] == [
        {"color": "7", "layer": "围墙", "linetype": "DASHED", "thickness": 0.25, "xdata.OFFICE": "砖"}
    ]
    assert len(texts) == 2 and "hyperlink, xdata.OFFICE, 功率" in texts[0]


def test_a_coded_entity_keeps_its_layer_and_its_code(tmp_path: Path) -> None:
    drawing = ezdxf.new("R2010", units=6)
    drawing.appids.add("SOUTH")
    space = drawing.modelspace()
    house = space.add_lwpolyline(
        [(EAST, NORTH), (EAST + 9, NORTH), (EAST + 9, NORTH + 9), (EAST, NORTH + 9)],
        close=True,
        dxfattribs={"layer": "JMD", "color": 2},
    )
    house.set_xdata("SOUTH", [(1000, "141111"), (1040, 3.0)])
    lamp = space.add_point((EAST, NORTH, 5), dxfattribs={"layer": "DLDW"})
    lamp.set_xdata("SOUTH", [(1000, "155210")])
    drawing.saveas(tmp_path / "sheet.dxf")

    said, _ = attributes(tmp_path / "sheet.dxf")

    assert said["building"] == [{"color": "2", "layer": "JMD", "xdata.SOUTH": ["141111", 3.0]}]
    assert all("xdata.SOUTH" in row for rows in said.values() for row in rows)


def test_dates_and_numbers_of_a_drawing_are_found_as_those_of_a_table_are(tmp_path: Path) -> None:
    """`valid_from` in any case, and "3" for 3.0 in `values`."""
    drawing = ezdxf.new("R2010", units=6)
    drawing.blocks.new("TREE").add_circle((0, 0), 0.2)
    tree = drawing.modelspace().add_blockref("TREE", (EAST, NORTH), dxfattribs={"layer": "ZB", "rotation": 3})
    tree.add_attrib("PLANTED", "2020")
    drawing.saveas(tmp_path / "trees.dxf")
    kinds = {"kind": {"3": "乔木"}}
    entry = LayerMapping(("ZB",), "vegetation_point", {"kind": ("rotation",)}, values=kinds, valid_from="planted")

    with Draft(Source("trees.dxf", "0" * 64), read_catalogue(), storage_crs=CRS) as draft:
        read_dxf(tmp_path / "trees.dxf", draft, ReadOptions(crs=CRS, mapping=Mapping("mine", (entry,))))
        ((_, frame),) = draft.frames()

    assert frame[["kind", "valid_precision"]].values.tolist() == [["乔木", "year"]]


def test_entities_with_and_without_attributes_stand_in_one_layer(tmp_path: Path) -> None:
    drawing = ezdxf.new("R2010", units=6)
    drawing.linetypes.add("DASHED", [0.2, 0.1, -0.1])
    for number, linetype in enumerate(("BYLAYER", "DASHED")):
        points = [(EAST, NORTH + number), (EAST + 9, NORTH + number)]
        drawing.modelspace().add_lwpolyline(points, dxfattribs={"layer": "围墙", "linetype": linetype})
    drawing.saveas(tmp_path / "fences.dxf")

    with Draft(Source("fences.dxf", "0" * 64), read_catalogue(), storage_crs=CRS) as draft:
        read_dxf(tmp_path / "fences.dxf", draft, ReadOptions(crs=CRS))
        ((_, frame),) = draft.frames()

    assert frame["attributes"].isna().tolist() == [True, False]
    assert json.loads(frame["attributes"].iloc[1]) == {"linetype": "DASHED"}
