"""Files as somebody would deliver them who wants to take the machine's memory or time, or to break its reader down.

Each is small or made on the spot, and none is kept: `WRITERS` is name -> what writes it into a path.
"""

import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import ezdxf.document
import geopandas as gpd
import numpy as np
import openpyxl
import shapely

CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0
_SHEET = "xl/worksheets/sheet1.xml"
_SHEET_START = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_SHARED_TYPE = (
    b'<Override PartName="/xl/sharedStrings.xml" '
    b'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)
_SHEET_END = "</sheetData></worksheet>"
_IFC = """ISO-10303-21;
HEADER;
FILE_DESCRIPTION((''),'2;1');
FILE_NAME('x.ifc','2024-01-01T00:00:00',(''),(''),'','','');
FILE_SCHEMA(('IFC4'));
ENDSEC;
DATA;
#1=IFCPROJECT('0YvctVUKr0kugbFTf53O9L',$,'p',$,$,$,$,(#10),#20);
#10=IFCGEOMETRICREPRESENTATIONCONTEXT($,'Model',3,1.E-5,#11,$);
#11=IFCAXIS2PLACEMENT3D(#12,$,$);
#12=IFCCARTESIANPOINT((0.,0.,0.));
#20=IFCUNITASSIGNMENT((#21));
#21=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);
#30=IFCSITE('1YvctVUKr0kugbFTf53O9L',$,'s',$,$,#31,$,$,.ELEMENT.,$,$,$,$,$);
#31=IFCLOCALPLACEMENT($,#11);
#32=IFCRELAGGREGATES('2YvctVUKr0kugbFTf53O9L',$,$,$,#1,(#30));
"""
_IFC_END = "ENDSEC;\nEND-ISO-10303-21;\n"


def buildings(count: int = 2) -> gpd.GeoDataFrame:
    shapes = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 10, NORTH + 10) for n in range(count)]
    return gpd.GeoDataFrame({"name": [f"楼{n}" for n in range(count)]}, geometry=shapes, crs=CRS)


def _workbook(path: Path, sheet: str | bytes = "", shared: str = "") -> None:
    """Write a workbook with coordinates whose first sheet, or whose texts, are replaced."""
    plain = path.with_name(f"{path.stem}.plain")
    book = openpyxl.Workbook()
    book.active.append(["X", "Y", "name"])
    book.active.append([NORTH, EAST, "甲"])
    book.save(plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "[Content_Types].xml" and shared:
                content = content.replace(b"</Types>", _SHARED_TYPE + b"</Types>")
            target.writestr(name, sheet if name == _SHEET and sheet else content)
        if shared:
            target.writestr("xl/sharedStrings.xml", shared)
    plain.unlink()


def _cell(place: str, value: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def _heading() -> str:
    return f'<row r="1">{_cell("A1", "X")}{_cell("B1", "Y")}{_cell("C1", "name")}</row>'


def _feature_row(number: int) -> str:
    return f'<row r="{number}"><c r="A{number}"><v>{NORTH}</v></c><c r="B{number}"><v>{EAST}</v></c></row>'


def far_row(path: Path) -> None:
    _workbook(path, _SHEET_START + _heading() + _feature_row(2) + _feature_row(2_000_000_000) + _SHEET_END)


def far_row_first(path: Path) -> None:
    _workbook(path, _SHEET_START + _feature_row(2_000_000_000) + _SHEET_END)


def far_columns(path: Path) -> None:
    rows = "".join(f'<row r="{n}">{_cell(f"XFD{n}", "x")}</row>' for n in range(3, 30_000))
    _workbook(path, _SHEET_START + _heading() + _feature_row(2) + rows + _SHEET_END)


def beyond_columns(path: Path) -> None:
    _workbook(path, _SHEET_START + _heading() + f'<row r="2">{_cell("ZZZ2", "x")}</row>' + _SHEET_END)


def shared_texts(path: Path) -> None:
    texts = "".join(f"<si><t>{'x' * 900}{n}</t></si>" for n in range(400_000))
    _workbook(path, shared=f'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{texts}</sst>')


def sheet_bomb(path: Path) -> None:
    _workbook(path, _SHEET_START + _heading() + _feature_row(2) + _feature_row(3) * 3_000_000 + _SHEET_END)


def recursive_view(path: Path) -> None:
    buildings().to_file(path, layer="building", engine="pyogrio")
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE VIEW endless AS WITH RECURSIVE n(fid) AS (SELECT 1 UNION ALL SELECT fid + 1 FROM n) "
            "SELECT n.fid AS fid, b.geom AS geom FROM n, building b"
        )
        db.execute(
            "INSERT INTO gpkg_contents(table_name, data_type, identifier, srs_id) VALUES ('endless', 'features', 'e', 4548)"
        )
        db.execute("INSERT INTO gpkg_geometry_columns VALUES ('endless', 'geom', 'POLYGON', 4548, 0, 0)")
    db.close()


def triggers(path: Path) -> None:
    buildings().to_file(path, layer="building", engine="pyogrio")
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TRIGGER grow AFTER INSERT ON building BEGIN INSERT INTO building(name) SELECT name FROM building; END"
        )
    db.close()


def wrong_counts(path: Path) -> None:
    buildings().to_file(path, encoding="utf-8")
    content = bytearray(path.read_bytes())
    content[100 + 8 + 36 : 100 + 8 + 44] = (0x7FFFFFFF).to_bytes(4, "little") * 2
    path.write_bytes(content)
    table = path.with_suffix(".dbf")
    content = bytearray(table.read_bytes())
    content[4:8] = (0x7FFFFFFF).to_bytes(4, "little")
    table.write_bytes(content)


def _drawing() -> ezdxf.document.Drawing:
    drawing = ezdxf.document.Drawing.new("R2010")
    corners = [(EAST, NORTH), (EAST + 9, NORTH), (EAST + 9, NORTH + 9)]
    drawing.modelspace().add_lwpolyline(corners, close=True, dxfattribs={"layer": "building"})
    return drawing


def endless_arc(path: Path) -> None:
    drawing = _drawing()
    for n, angle in enumerate((1e300, 1e18, -1e300, float("inf"), float("nan"))):
        drawing.modelspace().add_arc((EAST + n, NORTH), 5, 0, angle, dxfattribs={"layer": "building"})
        drawing.modelspace().add_ellipse((EAST + n, NORTH), (5, 0), 0.5, 0, angle)
    drawing.modelspace().add_circle((EAST, NORTH), 1e300)
    drawing.modelspace().add_lwpolyline([(EAST, NORTH, 1e300), (EAST + 1e-9, NORTH, 1e-300)], format="xyb")
    drawing.saveas(path)


def nested_blocks(path: Path) -> None:
    drawing = _drawing()
    drawing.blocks.new("B0").add_line((0, 0), (1, 1))
    for depth in range(1, 12):
        block = drawing.blocks.new(f"B{depth}")
        for n in range(10):
            block.add_blockref(f"B{depth - 1}", (n, 0))
    drawing.modelspace().add_blockref("B11", (EAST, NORTH))
    drawing.saveas(path)


def many_cells(path: Path) -> None:
    drawing = _drawing()
    drawing.blocks.new("B").add_line((0, 0), (1, 1))
    insert = drawing.modelspace().add_blockref("B", (EAST, NORTH))
    insert.dxf.row_count, insert.dxf.column_count = 32_000, 32_000
    drawing.saveas(path)


def many_knots(path: Path) -> None:
    drawing = _drawing()
    spline = drawing.modelspace().add_spline(
        [(EAST, NORTH), (EAST + 1, NORTH + 1), (EAST + 2, NORTH), (EAST + 3, NORTH)]
    )
    drawing.modelspace().add_open_spline([(EAST + n % 7, NORTH + n % 5) for n in range(1000)], degree=10)
    count = 300_000
    spline.control_points = [(EAST + n % 100, NORTH + n % 77, 0) for n in range(count)]
    spline.knots = list(range(count + 4))
    drawing.saveas(path)


def sparse_hatch(path: Path) -> None:
    drawing = _drawing()
    hatch = drawing.modelspace().add_hatch(dxfattribs={"layer": "building"})
    edges = hatch.paths.add_edge_path()
    edges.add_arc((EAST, NORTH), 5, 0, 1e300)
    edges.add_ellipse((EAST, NORTH), (5e300, 0), 0.5, 0, 1e300)
    drawing.saveas(path)


def deep_placements(path: Path) -> None:
    count = 100_000
    chain = "".join(f"#{1000 + n}=IFCLOCALPLACEMENT({'#31' if not n else f'#{999 + n}'},#11);\n" for n in range(count))
    wall = f"#900=IFCWALL('3YvctVUKr0kugbFTf53O9L',$,'w',$,$,#{999 + count},#910,$,$);\n" + _solid(910)
    path.write_text(_IFC + chain + wall + _IFC_END, "utf-8")


def _solid(number: int) -> str:
    return (
        f"#{number}=IFCPRODUCTDEFINITIONSHAPE($,$,(#{number + 1}));\n"
        f"#{number + 1}=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#{number + 2}));\n"
        f"#{number + 2}=IFCEXTRUDEDAREASOLID(#{number + 3},#11,#{number + 4},3.);\n"
        f"#{number + 3}=IFCRECTANGLEPROFILEDEF(.AREA.,$,$,5.,5.);\n#{number + 4}=IFCDIRECTION((0.,0.,1.));\n"
        f"#{number + 5}=IFCRELCONTAINEDINSPATIALSTRUCTURE('4YvctVUKr0kugbFTf53O9L',$,$,$,(#900),#30);\n"
    )


def endless_placements(path: Path) -> None:
    text = "#40=IFCLOCALPLACEMENT(#41,#11);\n#41=IFCLOCALPLACEMENT(#40,#11);\n"
    wall = "#900=IFCWALL('3YvctVUKr0kugbFTf53O9L',$,'w',$,$,#40,#910,$,$);\n" + _solid(910)
    path.write_text(_IFC + text + wall + _IFC_END, "utf-8")


def endless_booleans(path: Path) -> None:
    solid = _solid(910).replace("(#912)", "(#950)")
    text = "#950=IFCBOOLEANRESULT(.DIFFERENCE.,#951,#912);\n#951=IFCBOOLEANRESULT(.UNION.,#950,#912);\n"
    wall = "#900=IFCWALL('3YvctVUKr0kugbFTf53O9L',$,'w',$,$,#31,#910,$,$);\n" + solid
    path.write_text(_IFC + text + wall + _IFC_END, "utf-8")


def deep_booleans(path: Path) -> None:
    count = 50_000
    chain = "".join(f"#{1000 + n}=IFCBOOLEANRESULT(.UNION.,#{912 if not n else 999 + n},#912);\n" for n in range(count))
    wall = "#900=IFCWALL('3YvctVUKr0kugbFTf53O9L',$,'w',$,$,#31,#910,$,$);\n"
    path.write_text(_IFC + chain + wall + _solid(910).replace("(#912)", f"(#{999 + count})") + _IFC_END, "utf-8")


def endless_aggregates(path: Path) -> None:
    text = (
        "#50=IFCBUILDING('5YvctVUKr0kugbFTf53O9L',$,'b',$,$,#31,$,$,.ELEMENT.,$,$,$);\n"
        "#51=IFCRELAGGREGATES('6YvctVUKr0kugbFTf53O9L',$,$,$,#30,(#50));\n"
        "#52=IFCRELAGGREGATES('7YvctVUKr0kugbFTf53O9L',$,$,$,#50,(#30));\n"
        "#53=IFCRELAGGREGATES('8YvctVUKr0kugbFTf53O9L',$,$,$,#50,(#50,#1));\n"
    )
    wall = "#900=IFCWALL('3YvctVUKr0kugbFTf53O9L',$,'w',$,$,#31,#910,$,$);\n" + _solid(910).replace("#30);", "#50);")
    path.write_text(_IFC + text + wall + _IFC_END, "utf-8")


def one_line_ifc(path: Path) -> None:
    points = "".join(f"#{1000 + n}=IFCCARTESIANPOINT(({n}.,0.,0.));" for n in range(2_500_000))
    path.write_text(_IFC.replace("\n", "") + points + _IFC_END.replace("\n", ""), "utf-8")


def deep_ifc_list(path: Path) -> None:
    path.write_text(_IFC + "#60=IFCPROPERTYSET(" + "(" * 1_000_000 + ")" * 1_000_000 + ");\n" + _IFC_END, "utf-8")


def deep_json(path: Path) -> None:
    text = '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"a":%s},"geometry":null}]}'
    path.write_text(text % ("[" * 100_000 + "]" * 100_000), "utf-8")


def deep_collections(path: Path) -> None:
    start, end = '{"type":"GeometryCollection","geometries":[', "]}"
    inner = start * 50_000 + '{"type":"Point","coordinates":[118,35]}' + end * 50_000
    path.write_text(f'{{"type":"Feature","properties":{{}},"geometry":{inner}}}', "utf-8")


def large_polygon(path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 500_000, endpoint=False)
    radius = 400 + 40 * np.sin(4000 * angles)
    shape = shapely.Polygon(np.column_stack((EAST + radius * np.cos(angles), NORTH + radius * np.sin(angles))))
    gpd.GeoDataFrame({"name": ["大"]}, geometry=[shape], crs=CRS).to_file(path, layer="building", engine="pyogrio")


def random_rings(path: Path) -> None:
    numbers = np.random.default_rng(7)
    corners = np.column_stack((EAST + numbers.uniform(0, 500, 6000), NORTH + numbers.uniform(0, 500, 6000)))
    shape = shapely.Polygon(corners)
    gpd.GeoDataFrame({"name": ["乱"]}, geometry=[shape], crs=CRS).to_file(path, layer="building", engine="pyogrio")


def giant_sections(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("[JUNCTIONS]\n J1 10\n J2 11\n[PIPES]\n P1 J1 J2 10 100 100\n[COORDINATES]\n")
        file.write(f" J1 {EAST} {NORTH}\n J2 {EAST + 9} {NORTH}\n[VERTICES]\n")
        file.writelines(f" P1 {EAST + n % 9} {NORTH + n % 7}\n" for n in range(2_000_000))
        file.write("[DEMANDS]\n" + " J1 1\n" * 2_000_000)


def long_line(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(f"X,Y,name\n{NORTH},{EAST},甲\n{NORTH},{EAST},")
        for _ in range(100):
            file.write("x" * 2**20)
        file.write("\n")


def zero_bytes(path: Path) -> None:
    path.write_bytes(f"X,Y,name\n{NORTH},{EAST},".encode() + b"\0" * 1_000_000 + b"\n")


def open_quote(path: Path) -> None:
    rows = f"{NORTH},{EAST},乙\n" * 1_000_000
    path.write_text(f'X,Y,name\n{NORTH},{EAST},"甲\n{rows}', "utf-8")


def many_columns(path: Path) -> None:
    path.write_text("X,Y," + ",".join(f"c{n}" for n in range(500_000)) + f"\n{NORTH},{EAST}\n" * 3, "utf-8")


def entity_bomb(path: Path) -> None:
    entities = '<!ENTITY a "x">' + "".join(
        f'<!ENTITY {"abcdefghijklmn"[n + 1]} "{f"&{chr(97 + n)};" * 20}">' for n in range(10)
    )
    path.write_text(f'<?xml version="1.0"?><!DOCTYPE k [{entities}]><kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
                    "<Placemark><name>&k;</name><Point><coordinates>118,35</coordinates></Point></Placemark></Document></kml>",
                    "utf-8")  # fmt: skip


def deep_kml(path: Path) -> None:
    inner = (
        "<MultiGeometry>" * 50_000 + "<Point><coordinates>118,35</coordinates></Point>" + "</MultiGeometry>" * 50_000
    )
    path.write_text(f'<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark>{inner}</Placemark></kml>', "utf-8")


def deep_gml(path: Path) -> None:
    path.write_text("<a>" * 1_000_000 + "</a>" * 1_000_000, "utf-8")


WRITERS: dict[str, Callable[[Path], None]] = {
    "far_row.xlsx": far_row, "far_row_first.xlsx": far_row_first, "far_columns.xlsx": far_columns,
    "beyond_columns.xlsx": beyond_columns, "shared_texts.xlsx": shared_texts, "sheet_bomb.xlsx": sheet_bomb,
    "recursive_view.gpkg": recursive_view, "triggers.gpkg": triggers, "wrong_counts.shp": wrong_counts,
    "endless_arc.dxf": endless_arc, "nested_blocks.dxf": nested_blocks, "many_cells.dxf": many_cells,
    "many_knots.dxf": many_knots, "sparse_hatch.dxf": sparse_hatch,
    "deep_placements.ifc": deep_placements, "endless_placements.ifc": endless_placements,
    "endless_booleans.ifc": endless_booleans, "deep_booleans.ifc": deep_booleans, "endless_aggregates.ifc": endless_aggregates,
    "one_line.ifc": one_line_ifc, "deep_list.ifc": deep_ifc_list,
    "nested.geojson": deep_json, "deep_collections.geojson": deep_collections,
    "large_polygon.gpkg": large_polygon, "random_rings.gpkg": random_rings,
    "giant_sections.inp": giant_sections, "long_line.csv": long_line, "zero_bytes.csv": zero_bytes,
    "open_quote.csv": open_quote, "many_columns.csv": many_columns,
    "entity_bomb.kml": entity_bomb, "deep_kml.kml": deep_kml, "deep_gml.gml": deep_gml,
}  # fmt: skip
