"""Outlines of sources that mappings name: drawings by layer and what is drawn on it, tables with coordinates by their columns."""

import tomllib
from pathlib import Path

import ezdxf
import pytest

from ingest.draft import Draft, ReadOptions
from ingest.dxf.outline import dxf_outline
from ingest.learned_mappings import learn, learned_mapping
from ingest.mapping import read_mapping
from ingest.mapping_draft import mapping_draft
from ingest.mapping_report import mapping_report
from ingest.outline import shown_values
from ingest.readers import identify, read_source, reader_of
from ingest.vector.outline import vector_outline
from twin_model.catalogue import read_catalogue
from twin_model.errors import SourceRefused

CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    """Two houses with texts on one layer, two lamps as blocks with a number, and a frame."""
    document = ezdxf.new("R2010")
    space = document.modelspace()
    document.blocks.new("LAMP").add_circle((0, 0), 0.3)
    for number in range(2):
        east = EAST + 30 * number
        corners = [(east, NORTH), (east + 10, NORTH), (east + 10, NORTH + 10), (east, NORTH + 10)]
        space.add_lwpolyline(corners, close=True, dxfattribs={"layer": "房屋", "color": 1})
        space.add_text(f"砼{number}", dxfattribs={"layer": "房屋"}).set_placement((east + 5, NORTH + 5))
        lamp = space.add_blockref("LAMP", (east, NORTH - 9), dxfattribs={"layer": "路灯"})
        lamp.add_attrib("GH", f"L{number}", (east, NORTH - 9))
    space.add_line((EAST, NORTH - 50), (EAST + 100, NORTH - 50), dxfattribs={"layer": "TK"})
    document.saveas(tmp_path / "plan.dxf")
    return tmp_path / "plan.dxf"


def test_layers_of_a_drawing_are_told_by_kind_with_what_their_entities_say(drawing: Path) -> None:
    outlines = {outline.name: outline for outline in dxf_outline(drawing, ReadOptions())}

    assert outlines["房屋"].rows == {"Polygon": 2, "Point": 2}
    assert outlines["房屋"].patterns("Polygon") == ("房屋|LWPOLYLINE",)
    assert outlines["路灯"].patterns("Point") == ("路灯",)
    columns = {column.name: column.values for column in outlines["路灯"].columns}
    assert columns["GH"] == ("L0", "L1") and columns["block"] == ("LAMP",)


def test_a_drafted_mapping_of_a_drawing_reads_it_and_is_learned_by_the_names_of_its_layers(
    drawing: Path, tmp_path: Path
) -> None:
    outlines = dxf_outline(drawing, ReadOptions())
    path = tmp_path / "plan.toml"
    path.write_text(mapping_draft("plan.dxf", outlines, read_catalogue(), "zh"), "utf-8")
    mapping = read_mapping(path)

    with Draft(identify(drawing), read_catalogue(), storage_crs=CRS) as draft:
        read_source(drawing, draft, ReadOptions(mapping=mapping, crs=CRS))
        reports = {(each.source_layer, each.target): each for each in mapping_report(mapping, outlines, draft)}
        features = dict(draft.counts.features)
    learned = learn(tmp_path / "mappings", mapping, outlines)

    assert features == {"building": 2, "annotation": 2, "street_lamp": 2}
    assert {each.field: each.after for each in reports["路灯", "street_lamp"].fields}["pole_no"] == ("L0", "L1")
    assert ("TK", "") in reports and tomllib.loads(path.read_text("utf-8"))["layer"]
    assert learned_mapping(learned.parent, outlines) == read_mapping(learned)
    assert learned_mapping(learned.parent, [outline for outline in outlines if outline.name != "TK"]) is not None
    renamed = ezdxf.readfile(drawing)
    for lamp in renamed.modelspace().query("INSERT"):
        lamp.dxf.layer = "树"
    renamed.saveas(tmp_path / "trees.dxf")
    assert learned_mapping(learned.parent, dxf_outline(tmp_path / "trees.dxf", ReadOptions())) is None


def test_a_drawing_with_codes_is_told_to_need_no_mapping_of_layers(samples: Path) -> None:
    sheet = next((samples / "byhand").glob("spot_height*.dxf"))

    with pytest.raises(SourceRefused, match="carry CASS codes"):
        dxf_outline(sheet, ReadOptions())


def test_a_table_with_coordinates_has_an_outline_as_a_file_that_gdal_opens(tmp_path: Path) -> None:
    table = tmp_path / "lamps.csv"
    table.write_text("点号,经度,纬度,灯杆编号\n1,118.28,35.1,A1\n2,118.29,35.1,A2\n", "utf-8")
    options = ReadOptions(crs="EPSG:4490")

    (outline,) = vector_outline(table, options)

    assert reader_of(table, options).name == "vector" and outline.rows == {"Point": 2}
    assert {column.name: column.values for column in outline.columns}["灯杆编号"] == ("A1", "A2")


def test_values_are_shown_once_short_and_whole_numbers_as_such() -> None:
    assert shown_values([3.0, 3, None, float("nan"), 2.5, "x" * 50]) == ("3", "2.5", f"{'x' * 40}…")
