"""Pipeline survey tables in the formats of four offices: a workbook and three ways of writing CSV.

In all of them X is north and Y is east. Depths go to the crown for water and power, to the invert for drains.
"""

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook

from data_samples.plan.frame import EAST, NORTH
from data_samples.plan.pipes import OWNERS, PipeLine, PipePoint, Survey
from data_samples.plan.town import Town

Row = dict[str, object]
SAVED = datetime(2024, 4, 2, 9, 0, 0)
SURVEYOR, SURVEYED = "琅琊市勘察测绘院", "2024-03-28"
BURIAL_CODE = {"直埋": "ZM", "管沟": "GG", "管块": "GK"}


def write_survey(town: Town, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Write the tables of water (XLSX), storm (CSV, GBK), sewer (CSV, UTF-8) and power (CSV, GBK)."""
    folder.mkdir(parents=True, exist_ok=True)
    tell("survey of water, XLSX")
    _write_workbook(folder / "JS给水管线.xlsx", {"JSPoint": water_points(town), "JSLine": water_lines(town)})
    for names, encoding, points, lines in (
        (("YSPOINT.csv", "YSLINE.csv"), "gbk", storm_points(town), storm_lines(town)),
        (("WSPoint.csv", "WSLine.csv"), "utf-8", sewer_points(town), sewer_lines(town)),
        (("DLPOINT.csv", "DLLINE.csv"), "gbk", power_points(town), power_lines(town)),
    ):
        tell(f"survey tables {names[0]}, {names[1]}")
        write_csv(folder / names[0], points, encoding)
        write_csv(folder / names[1], lines, encoding)


def write_csv(path: Path, rows: list[Row], encoding: str) -> None:
    """Write rows under a heading line, with the line ends of a spreadsheet program."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


def _write_workbook(path: Path, sheets: dict[str, list[Row]]) -> None:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append([None if value == "" else value for value in row.values()])
        sheet.freeze_panes = "A2"
    book.properties.created = book.properties.modified = SAVED
    book.properties.creator = SURVEYOR
    buffer = io.BytesIO()
    book.save(buffer)
    _write_undated(buffer, path)


def _write_undated(buffer: io.BytesIO, path: Path) -> None:
    """Copy a workbook with fixed dates of its parts, so that the same rows give the same bytes."""
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            content = source.read(part)
            if part.filename == "docProps/core.xml":
                content = _fixed_dates(content)
            target.writestr(zipfile.ZipInfo(part.filename, SAVED.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)


def _fixed_dates(core: bytes) -> bytes:
    head, modified, tail = core.partition(b"<dcterms:modified")
    if not modified:
        return core
    opening, _, rest = tail.partition(b">")
    _, closing, end = rest.partition(b"</dcterms:modified>")
    return head + modified + opening + b">" + SAVED.strftime("%Y-%m-%dT%H:%M:%SZ").encode() + closing + end


def sheet_number(point: PipePoint) -> str:
    """Return the number of the 1:1000 sheet square a point lies in."""
    north = NORTH + (point.north - NORTH) // 500 * 500
    east = EAST + (point.east - EAST) // 500 * 500
    return f"{north / 1000:.1f}-{east / 1000:.1f}"


def water_points(town: Town) -> list[Row]:
    """Return the rows of sheet JSPoint."""
    return [
        {
            "物探点号": p.number,
            "图上点号": p.number[:2] + str(int(p.number[2:])),
            "X坐标(m)": p.north,
            "Y坐标(m)": p.east,
            "地面高程(m)": p.ground,
            "特征": p.feature,
            "附属物": p.appurtenance,
            "井深(m)": p.well_depth or "",
            "权属单位": OWNERS["JS"],
            "建设年代": str(p.year),
            "道路名称": p.street,
            "图幅号": sheet_number(p),
            "使用状态": "在用",
            "探测单位": SURVEYOR,
            "探测日期": SURVEYED,
            "备注": "",
        }
        for p in town.surveys["JS"].points
    ]


def water_lines(town: Town) -> list[Row]:
    """Return the rows of sheet JSLine."""
    survey = town.surveys["JS"]
    return [
        {
            "起点点号": k.start,
            "终点点号": k.end,
            "起点埋深(m)": k.start_depth,
            "终点埋深(m)": k.end_depth,
            "起点管顶高程(m)": top,
            "终点管顶高程(m)": end_top,
            "管径(mm)": k.size,
            "材质": k.material,
            "埋设方式": k.burial,
            "压力(MPa)": k.pressure_mpa,
            "权属单位": OWNERS["JS"],
            "建设年代": str(k.year),
            "道路名称": k.street,
            "使用状态": "在用",
        }
        for k, (top, end_top) in _with_heights(survey)
    ]


def storm_points(town: Town) -> list[Row]:
    """Return the rows of YSPOINT.csv."""
    return [
        {
            "物探点号": p.number,
            "X": f"{p.north:.3f}",
            "Y": f"{p.east:.3f}",
            "地面高程": f"{p.ground:.3f}",
            "特征": p.feature,
            "附属物": p.appurtenance,
            "井底埋深": f"{p.well_depth:.2f}" if p.well_depth else "",
            "权属单位": OWNERS["YS"],
            "建设年代": p.year,
            "道路名称": p.street,
            "备注": "",
        }
        for p in town.surveys["YS"].points
    ]


def storm_lines(town: Town) -> list[Row]:
    """Return the rows of YSLINE.csv."""
    return [
        {
            "起点点号": k.start,
            "终点点号": k.end,
            "起点埋深": f"{k.start_depth:.2f}",
            "终点埋深": f"{k.end_depth:.2f}",
            "起点管底高程": f"{low:.3f}",
            "终点管底高程": f"{end_low:.3f}",
            "管径或断面尺寸": k.size,
            "材质": k.material,
            "埋设方式": k.burial,
            "流向": "+",
            "建设年代": k.year,
            "道路名称": k.street,
            "数据来源": 1,
            "使用状态": 0,
        }
        for k, (low, end_low) in _with_heights(town.surveys["YS"])
    ]


def sewer_points(town: Town) -> list[Row]:
    """Return the rows of WSPoint.csv."""
    return [
        {
            "Exp_No": p.number,
            "Map_No": p.number[:2] + str(int(p.number[2:])),
            "X": f"{p.north:.3f}",
            "Y": f"{p.east:.3f}",
            "High": f"{p.ground:.3f}",
            "Feature": p.feature,
            "Subsid": p.appurtenance,
            "WellDeep": f"{p.well_depth:.2f}" if p.well_depth else "",
            "Belong": OWNERS["WS"],
            "MDate": p.year,
            "Road": p.street,
            "SDate": SURVEYED,
            "Note": "",
        }
        for p in town.surveys["WS"].points
    ]


def sewer_lines(town: Town) -> list[Row]:
    """Return the rows of WSLine.csv."""
    return [
        {
            "S_Point": k.start,
            "E_Point": k.end,
            "S_Deep": f"{k.start_depth:.2f}",
            "E_Deep": f"{k.end_depth:.2f}",
            "S_High": f"{low:.3f}",
            "E_High": f"{end_low:.3f}",
            "PSize": k.size,
            "Material": k.material,
            "EmBed": BURIAL_CODE[k.burial],
            "FlowDir": "+",
            "MDate": k.year,
            "Belong": OWNERS["WS"],
            "Road": k.street,
            "DataSource": 1,
            "Status": 0,
        }
        for k, (low, end_low) in _with_heights(town.surveys["WS"])
    ]


def power_points(town: Town) -> list[Row]:
    """Return the rows of DLPOINT.csv."""
    return [
        {
            "点号": p.number,
            "X坐标": f"{p.north:.3f}",
            "Y坐标": f"{p.east:.3f}",
            "高程": f"{p.ground:.3f}",
            "管点特征": p.feature,
            "附属物名称": p.appurtenance,
            "井深": f"{p.well_depth:.2f}" if p.well_depth else "",
            "管理单位": OWNERS["DL"],
            "所在道路": p.street,
        }
        for p in town.surveys["DL"].points
    ]


def power_lines(town: Town) -> list[Row]:
    """Return the rows of DLLINE.csv."""
    return [
        {
            "起点物探点号": k.start,
            "终点物探点号": k.end,
            "起点埋深": f"{k.start_depth:.2f}",
            "终点埋深": f"{k.end_depth:.2f}",
            "断面尺寸": k.size.replace("X", "×"),
            "管材": k.material,
            "敷设方式": k.burial,
            "电压等级": f"{k.voltage_kv:g}kV",
            "电缆条数": k.cables,
            "总孔数": k.holes,
            "已用孔数": k.holes_used,
            "埋设日期": k.year,
            "所在道路": k.street,
        }
        for k in town.surveys["DL"].lines
    ]


def _with_heights(survey: Survey) -> list[tuple[PipeLine, tuple[float, float]]]:
    """Return the lines with the heights of their ends: ground less depth."""
    ground = {p.number: p.ground for p in survey.points}
    return [
        (k, (round(ground[k.start] - k.start_depth, 3), round(ground[k.end] - k.end_depth, 3))) for k in survey.lines
    ]
