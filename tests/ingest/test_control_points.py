"""Tables of control points: the headings of offices, axes that somebody has to say, and what is no table of them."""

from pathlib import Path

import numpy as np
import openpyxl
import pytest

from ingest.control_points import ensure_in_town, read_control
from ingest.place import TownPlace
from twin_model.errors import SourceRefused, TwinError

EAST, NORTH = 618_000.0, 3_886_000.0
TOWN = TownPlace("EPSG:4548", is_real=True)
ROW = {"east": 12.5, "north": 34.5, "height": 7.5}


def table(path: Path, heading: str, *rows: str) -> Path:
    path.write_text("\n".join((heading, *rows)) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    ("heading", "row", "axes"),
    [
        ("点号,源X,源Y,目标X,目标Y", f"K1,34.5,12.5,{NORTH},{EAST}", "yx"),
        ("点号,源X,源Y,目标X,目标Y", f"K1,12.5,34.5,{EAST},{NORTH}", "xy"),
        ("点名,原坐标X(m),原坐标Y(m),新坐标X(m),新坐标Y(m)", f"K1,34.5,12.5,{NORTH},{EAST}", "yx"),
        ("point,source_x,source_y,target_x,target_y", f"K1,12.5,34.5,{EAST},{NORTH}", "xy"),
        ("id,local E,local N,target E,target N", f"K1,12.5,34.5,{EAST},{NORTH}", None),
        ("点号,源东,源北,目标东,目标北", f"K1,12.5,34.5,{EAST},{NORTH}", None),
    ],
)
def test_headings_of_offices_are_read_as_east_and_north(
    heading: str, row: str, axes: str | None, tmp_path: Path
) -> None:
    control = read_control(table(tmp_path / "k.csv", heading, row, ""), axes=axes)

    assert control.numbers == ("K1",)
    assert control.source[0, :2].tolist() == [12.5, 34.5]
    assert control.target[0, :2].tolist() == [EAST, NORTH]


def test_a_workbook_with_degrees_and_heights_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["备注"])  # type: ignore[union-attr]
    sheet = book.create_sheet("控制点")
    sheet.append(["点号", "源B", "源L", "源H", "目标B", "目标L", "目标H"])
    sheet.append(["G1", 35.1, 118.3, 60.5, 35.2, 118.4, 61.5])
    book.save(tmp_path / "k.xlsx")

    control = read_control(tmp_path / "k.xlsx")

    assert control.source.tolist() == [[118.3, 35.1, 60.5]]
    assert control.target.tolist() == [[118.4, 35.2, 61.5]]


@pytest.mark.parametrize(
    ("heading", "row", "rule"),
    [
        ("点号,X,Y", "K1,1,2", "no_heading"),
        ("点号,源X,源Y,目标X,目标Y", "K1,1,2,3,4", "axes_unsaid"),
        ("点号,源东,源北,目标东,目标北", "K1,1,2米,3,4", "no_number"),
        ("点号,源东,源北,目标东,目标北", "K1,1,2,3,4\nK1,2,3,4,5", "repeated"),
    ],
)
def test_what_is_no_table_of_control_points_is_refused_by_cause(
    heading: str, row: str, rule: str, tmp_path: Path
) -> None:
    with pytest.raises(TwinError) as refusal:
        read_control(table(tmp_path / "k.csv", heading, row))

    assert refusal.value.rule_id == f"georeference.{rule}"
    assert "georeference." not in str(refusal.value) + refusal.value.text("zh")


@pytest.mark.parametrize(
    ("east", "north", "rule", "likely"),
    [(NORTH, EAST, "target_swapped", "EPSG:4548"), (EAST + 39e6, NORTH, "target_elsewhere", "EPSG:4527")],
)
def test_targets_outside_the_town_are_refused_by_the_rule_of_all_readers(
    east: float, north: float, rule: str, likely: str, tmp_path: Path
) -> None:
    control = read_control(table(tmp_path / "k.csv", "点号,源东,源北,目标东,目标北", f"K1,1,2,{east},{north}"))

    with pytest.raises(SourceRefused) as refusal:
        ensure_in_town(control, "EPSG:4548", TOWN, "k.csv")

    assert (refusal.value.rule_id, refusal.value.values["likely"]) == (f"georeference.{rule}", likely)
    assert not np.isnan(control.target[:, :2]).any()
