"""The survey office delivers again: a sheet saved anew is no change, a survey by somebody else is the same street."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from twin_command import run_twin

_HANDLES = {5, 105, 1005, *range(320, 370), *range(390, 400), 480, 481}
"""Group codes of a DXF whose values are handles."""


def twin(town: Path, *words: str) -> Any:
    done = run_twin("--town", town, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) if "--json" in words else done.stdout


@pytest.fixture
def town(tmp_path: Path) -> Path:
    twin(tmp_path / "town", "init", "--name", "新城", "--crs", "EPSG:4548")
    return tmp_path / "town"


def with_other_handles(drawing: bytes) -> bytes:
    """Return a drawing as another program saves it: every handle is another one."""
    lines = drawing.split(b"\r\n" if b"\r\n" in drawing else b"\n")
    for n in range(0, len(lines) - 1, 2):
        code, value = lines[n].strip(), lines[n + 1].strip()
        if code.isdigit() and int(code) in _HANDLES and value not in (b"", b"0"):
            lines[n + 1] = b"%X" % (int(value, 16) + 0x4000)
    return b"\n".join(lines)


@pytest.mark.parametrize("scale", ["1000", "2000"])
def test_a_sheet_saved_again_with_other_handles_is_no_change(
    scale: str, town: Path, samples: Path, tmp_path: Path
) -> None:
    sheet = min((samples / "topo" / scale).glob("*.dxf"))
    saved = tmp_path / "again" / sheet.name
    saved.parent.mkdir()
    saved.write_bytes(with_other_handles(sheet.read_bytes()))
    assert saved.read_bytes() != sheet.read_bytes()

    (first,) = twin(town, "ingest", str(sheet), "--crs", "EPSG:4548", "--json")
    (again,) = twin(town, "ingest", str(saved), "--crs", "EPSG:4548", "--json")

    assert first["version"] == 1 and again["version"] is None and again["already"] is None
    assert again["changes"]["building"]["unchanged"] == first["changes"]["building"]["inserted"] > 0
    assert all(one["inserted"] == one["updated"] == one["terminated"] == 0 for one in again["changes"].values())


def test_a_pipeline_survey_with_its_rows_and_columns_in_another_order_is_no_change(
    town: Path, samples: Path, tmp_path: Path
) -> None:
    tables = sorted((samples / "survey").glob("DL*.csv"))
    assert len(tables) >= 2
    (tmp_path / "again").mkdir()
    for table in tables:
        rows = list(csv.reader(table.read_text("gb18030").splitlines()))
        turned = [list(reversed(row)) for row in (rows[0], *reversed(rows[1:]))]
        with (tmp_path / "again" / table.name).open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(turned)

    first = twin(town, "ingest", str(tables[0]), "--crs", "EPSG:4548", "--json")
    again = twin(town, "ingest", str(tmp_path / "again" / tables[0].name), "--crs", "EPSG:4548", "--json")

    assert first[0]["changes"]["pipe_line"]["inserted"] > 0
    assert again[0]["version"] is None
    assert again[0]["changes"]["pipe_line"]["unchanged"] == first[0]["changes"]["pipe_line"]["inserted"]
