"""Small drawings made byte by byte from the description of CASS drawings, without a drawing library.

Each is written as group code and value on lines of their own, in GBK, as AutoCAD 2000 would. What is in each
stands in its 999 comment and in the folder's README.md.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from data_samples.plan.town import Town

Group = tuple[int, str | int | float]
EAST, NORTH = 618_600.0, 3_885_800.0


def write_byhand(town: Town, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Write the drawings and the table of what each holds."""
    del town
    folder.mkdir(parents=True, exist_ok=True)
    for name, (expected, applications, entities) in DRAWINGS.items():
        tell(name)
        (folder / name).write_bytes(drawing(expected, applications, entities()))
    rows = "\n".join(f"| `{name}` | {expected} |" for name, (expected, _, _) in DRAWINGS.items())
    (folder / "README.md").write_text(README.format(rows=rows), encoding="utf-8")


def drawing(comment: str, applications: tuple[str, ...], entities: Iterable[Group]) -> bytes:
    """Return the bytes of a drawing with header, layers and applications."""
    groups: list[Group] = [(999, comment), (0, "SECTION"), (2, "HEADER"), (9, "$ACADVER"), (1, "AC1015")]
    groups += [
        (9, "$DWGCODEPAGE"),
        (3, "ANSI_936"),
        (9, "$USERR1"),
        (40, 1000.0),
        (9, "$HANDSEED"),
        (5, "FFFF"),
        (0, "ENDSEC"),
    ]
    groups += [(0, "SECTION"), (2, "TABLES"), *_applications(applications), *_layers(), (0, "ENDSEC")]
    groups += [*_blocks(), (0, "SECTION"), (2, "ENTITIES"), *_handled(entities), (0, "ENDSEC"), (0, "EOF")]
    text = "".join(f"{code:>3}\r\n{value}\r\n" for code, value in groups)
    return text.encode("gbk")


def _applications(names: tuple[str, ...]) -> list[Group]:
    groups: list[Group] = [
        (0, "TABLE"),
        (2, "APPID"),
        (5, "9"),
        (100, "AcDbSymbolTable"),
        (70, len(names) + 1),
    ]
    for i, name in enumerate(("ACAD", *names)):
        groups += [
            (0, "APPID"),
            (5, f"{0x12 + i:X}"),
            (100, "AcDbSymbolTableRecord"),
            (100, "AcDbRegAppTableRecord"),
            (2, name),
            (70, 0),
        ]
    return [*groups, (0, "ENDTAB")]


def _layers() -> list[Group]:
    rows = (("0", 7), ("JMD", 6), ("DGX", 2), ("GCD", 1))
    groups: list[Group] = [(0, "TABLE"), (2, "LAYER"), (5, "2"), (100, "AcDbSymbolTable"), (70, len(rows))]
    for i, (name, colour) in enumerate(rows):
        groups += [
            (0, "LAYER"),
            (5, f"{0x20 + i:X}"),
            (100, "AcDbSymbolTableRecord"),
            (100, "AcDbLayerTableRecord"),
        ]
        groups += [(2, name), (70, 0), (62, colour), (6, "CONTINUOUS")]
    return [*groups, (0, "ENDTAB")]


def _blocks() -> list[Group]:
    return [
        (0, "SECTION"),
        (2, "BLOCKS"),
        (0, "BLOCK"),
        (5, "40"),
        (100, "AcDbEntity"),
        (8, "0"),
        (100, "AcDbBlockBegin"),
        (2, "gc200"),
        (70, 2),
        (10, 0.0),
        (20, 0.0),
        (30, 0.0),
        (3, "gc200"),
        (1, ""),
        (0, "CIRCLE"),
        (5, "41"),
        (100, "AcDbEntity"),
        (8, "0"),
        (100, "AcDbCircle"),
        (10, 0.0),
        (20, 0.0),
        (30, 0.0),
        (40, 0.25),
        (0, "ENDBLK"),
        (5, "42"),
        (100, "AcDbEntity"),
        (8, "0"),
        (100, "AcDbBlockEnd"),
        (0, "ENDSEC"),
    ]


def _handled(groups: Iterable[Group]) -> Iterable[Group]:
    """Give every entity a handle."""
    handle = 0x100
    for code, value in groups:
        yield code, value
        if code == 0:
            yield 5, f"{handle:X}"
            handle += 1


def _code(code: str, *, application: str = "SOUTH", more: tuple[Group, ...] = ()) -> list[Group]:
    return [(1001, application), (1000, code), *more]


def _polyline(
    layer: str, places: list[tuple[float, float]], *, closed: bool = True, height: float | None = None
) -> list[Group]:
    groups: list[Group] = [
        (0, "LWPOLYLINE"),
        (100, "AcDbEntity"),
        (8, layer),
        (100, "AcDbPolyline"),
        (90, len(places)),
        (70, int(closed)),
    ]
    groups += [(38, height)] if height is not None else []
    for x, y in places:
        groups += [(10, EAST + x), (20, NORTH + y)]
    return groups


def _text(layer: str, words: str, x: float, y: float) -> list[Group]:
    return [
        (0, "TEXT"),
        (100, "AcDbEntity"),
        (8, layer),
        (100, "AcDbText"),
        (10, EAST + x),
        (20, NORTH + y),
        (30, 0.0),
        (40, 2.0),
        (1, words),
        (100, "AcDbText"),
    ]


SQUARE = [(0.0, 0.0), (20.0, 0.0), (20.0, 12.0), (0.0, 12.0)]


def _lower_case() -> list[Group]:
    return [*_polyline("JMD", SQUARE), *_code("141111", application="south"), *_text("JMD", "砼3", 9, 6)]


def _split() -> list[Group]:
    return [
        *_polyline("JMD", SQUARE),
        *_code("141101"),
        *_text("JMD", "砖", 7, 6),
        *_code("141101-1"),
        *_text("JMD", "2", 11, 6),
        *_code("141101-2"),
        *_polyline("JMD", [(x + 30, y) for x, y in SQUARE]),
        *_code("141101"),
        *_text("JMD", "混", 37, 6),
        *_code("141101-1"),
        *_text("JMD", "5-2", 41, 6),
        *_code("141101-2"),
        *_polyline("JMD", [(x + 60, y) for x, y in SQUARE]),
        *_code("141101"),
    ]


def _contours() -> list[Group]:
    low = [(float(x), 0.02 * x * x) for x in range(0, 41, 10)]
    return [
        *_polyline("DGX", low, closed=False, height=66.5),
        *_code("201101", more=((1040, 66.5),)),
        *_polyline("DGX", [(x, y + 15) for x, y in low], closed=False, height=67.5),
        *_code("201102", more=((1040, 67.5),)),
    ]


def _spot_heights() -> list[Group]:
    groups: list[Group] = []
    for x, y, height, scale in ((5.0, 5.0, 67.43, 1.0), (25.0, 9.0, 66.98, 0.5)):
        groups += [
            (0, "INSERT"),
            (100, "AcDbEntity"),
            (8, "GCD"),
            (100, "AcDbBlockReference"),
            (66, 1),
            (2, "gc200"),
        ]
        groups += [
            (10, EAST + x),
            (20, NORTH + y),
            (30, height),
            (41, scale),
            (42, scale),
            (43, scale),
            *_code("202101"),
        ]
        groups += [
            (0, "ATTRIB"),
            (100, "AcDbEntity"),
            (8, "GCD"),
            (100, "AcDbText"),
            (10, EAST + x + 1.2),
            (20, NORTH + y - 0.8),
        ]
        groups += [
            (30, height),
            (40, 2.0),
            (1, f"{height:.1f}"),
            (100, "AcDbAttribute"),
            (2, "HEIGHT"),
            (70, 0),
        ]
        groups += [(0, "SEQEND"), (100, "AcDbEntity"), (8, "GCD")]
    return groups


def _other_application() -> list[Group]:
    other: list[Group] = [
        (1001, "TCH_SURVEY"),
        (1000, "999999"),
        (1070, 7),
        (1002, "{"),
        (1000, "141300"),
        (1002, "}"),
    ]
    south = _code("141161", more=((1000, "LYCH"), (1040, 240.0), (1000, "141200")))
    return [*_polyline("JMD", SQUARE), *other, *south, *_text("JMD", "混6", 9, 6)]


def _spline_frame() -> list[Group]:
    """Return an old-style contour: vertices with flag 16 frame the spline, those with flag 8 are the line."""
    groups: list[Group] = [(0, "POLYLINE"), (100, "AcDbEntity"), (8, "DGX"), (100, "AcDb2dPolyline"), (66, 1)]
    groups += [(10, 0.0), (20, 0.0), (30, 68.0), (70, 4), (75, 6), *_code("201101")]
    frame = [(0.0, 0.0), (15.0, 30.0), (30.0, 0.0)]
    curve = [(0.0, 0.0), (5.0, 8.33), (10.0, 13.33), (15.0, 15.0), (20.0, 13.33), (25.0, 8.33), (30.0, 0.0)]
    for flag, places in ((16, frame), (8, curve)):
        for x, y in places:
            groups += [
                (0, "VERTEX"),
                (100, "AcDbEntity"),
                (8, "DGX"),
                (100, "AcDbVertex"),
                (100, "AcDb2dVertex"),
            ]
            groups += [(10, EAST + x), (20, NORTH + y), (30, 68.0), (70, flag)]
    return [*groups, (0, "SEQEND"), (100, "AcDbEntity"), (8, "DGX")]


# name: what a reader finds, applications, entities
DRAWINGS: dict[str, tuple[str, tuple[str, ...], Callable[[], list[Group]]]] = {
    "lower_case_south.dxf": (
        "one building 141111, structure 砼, 3 storeys, footprint 240 m2; the application is south",
        ("south",),
        _lower_case,
    ),
    "split_structure_and_storeys.dxf": (
        "three buildings 141101: 砖 with 2 storeys, 混 with 5 storeys and 2 basements, one without text",
        ("SOUTH",),
        _split,
    ),
    "contour_group_38.dxf": (
        "two contours from group 38: 201101 at 66.5 m and 201102 at 67.5 m, five vertices each",
        ("SOUTH",),
        _contours,
    ),
    "spot_height_gc200.dxf": (
        "two spot heights from the Z of block gc200, 67.43 m and 66.98 m, not from labels 67.4 and 67.0",
        ("SOUTH",),
        _spot_heights,
    ),
    "xdata_of_other_app_first.dxf": (
        "one building 141161, structure 混, 6 storeys; codes 999999, 141300 and 141200 are not its code",
        ("TCH_SURVEY", "SOUTH"),
        _other_application,
    ),
    "polyline_spline_frame_points.dxf": (
        "one contour 201101 at 68.0 m with seven vertices; the three of flag 16 are not part of it",
        ("SOUTH",),
        _spline_frame,
    ),
}

README = """# Drawings made by hand / 手工字节样例

Written byte by byte (GBK, AC1015) from the description of CASS drawings in the field's practice, without a
drawing library. No office's own drawing was to be had: built to the description, not yet seen on an office's
file.
按 CASS 图形文件的描述逐字节写成，未使用绘图库；未见过测绘单位的真实图件。

All lie near E 618600, N 3885800 in EPSG:4548. Group 999 at the head of each file says the same as this table.

| file | a reader finds |
|---|---|
{rows}
"""
