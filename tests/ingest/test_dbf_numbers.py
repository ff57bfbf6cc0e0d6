"""Numbers of a shapefile's table are those that stand in it, also where GDAL reads others without a word."""

import struct
from pathlib import Path
from typing import Any

import pytest

from ingest.vector.dbf_numbers import numbers_as_written


def table(path: Path, columns: dict[str, tuple[int, int, list[str]]]) -> Path:
    """Write a table of numbers: name -> width, decimals, cells as they stand."""
    width = 1 + sum(one[0] for one in columns.values())
    count = len(next(iter(columns.values()))[2])
    head = struct.pack("<4BIHH20x", 3, 126, 1, 1, count, 33 + 32 * len(columns), width)
    for name, (size, decimals, _) in columns.items():
        head += struct.pack("<11sc4xBB14x", name.encode("gbk"), b"N", size, decimals)
    records = "".join(
        " " + "".join(cells[row].rjust(size) for size, _, cells in columns.values()) for row in range(count)
    )
    path.write_bytes(head + b"\r" + records.encode("gbk") + b"\x1a")
    return path


def test_usual_numbers_are_left_to_gdal(tmp_path: Path) -> None:
    usual = {
        "A": (10, 2, ["1.25", "-0.5", "", "1e5"]),
        "B": (18, 0, ["123456789012345678", "1", "*" * 18, "2"]),
        "C": (20, 0, ["12", "", "7", "123456789012345"]),
    }

    assert numbers_as_written(table(tmp_path / "a.dbf", usual)) == {}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ((10, 2, ["1,25", "", "*" * 10]), ["1,25", None, None]),
        ((10, 0, ["abc", "1", "2"]), ["abc", "1", "2"]),
        ((20, 0, ["1234567890123456781", "", "1234567890123456783"]), [1234567890123456781, None, 1234567890123456783]),
        ((20, 0, ["12345678901234567891", "1", "2"]), ["12345678901234567891", "1", "2"]),
    ],
)
def test_columns_that_gdal_would_read_as_other_numbers_come_as_they_are_written(
    tmp_path: Path, column: tuple[int, int, list[str]], expected: list[Any]
) -> None:
    path = table(tmp_path / "a.dbf", {"USUAL": (5, 0, ["1", "2", "3"]), "面积": column})

    columns = numbers_as_written(path)

    assert [name.encode("latin-1").decode("gbk") for name in columns] == ["面积"]
    assert next(iter(columns.values())).tolist() == expected


@pytest.mark.parametrize(
    "content", [b"", b"\x03" * 20, b"\x03" * 40, struct.pack("<4BIHH20x", 3, 1, 1, 1, 9, 65000, 0)]
)
def test_a_table_whose_head_makes_no_sense_gives_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.dbf").write_bytes(content)

    assert numbers_as_written(tmp_path / "a.dbf") == {}
