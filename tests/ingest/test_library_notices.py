"""What libraries log while a source is read is counted by kind; nothing of it reaches the terminal."""

import logging
import warnings
from pathlib import Path

import ezdxf
import pytest

from ingest.draft import Draft, ReadOptions
from ingest.library_notices import library_notices
from ingest.readers import read_source
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source


def test_notices_of_one_kind_are_counted_and_the_first_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with library_notices() as notices:
        for handle in ("#2", "#3F", "#4"):
            logging.getLogger("ezdxf").warning(f"Found non-unique entity handle {handle}, data validation is required.")
        logging.getLogger("another").error('no layer "a b"')
        logging.getLogger("ezdxf").info("nothing of note")
        logging.getLogger("twin.cache").warning("a notice of ours")
        warnings.warn("Workbook contains no default style", stacklevel=1)

    findings = notices.findings("plan.dxf")
    assert [(finding.values["count"], finding.values["cause"]) for finding in findings] == [
        (3, "Found non-unique entity handle #2, data validation is required"),
        (1, 'no layer "a b"'),
    ]
    assert "有 3 处不合规范，如：实体句柄重复（#2）。" in findings[0].text("zh")
    assert '有 1 处不合规范，如：内容无法识别（报错原文：no layer "a b"）。' in findings[1].text("zh")
    assert capfd.readouterr().err == "a notice of ours\n"


def test_handles_that_are_wrong_are_a_finding_of_the_drawing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    drawing = ezdxf.new("R2000")
    for number in range(3):
        drawing.modelspace().add_line((618_000 + number, 3_886_000), (618_010, 3_886_010))
    path = tmp_path / "plan.dxf"
    drawing.saveas(path)
    handles = [line.dxf.handle for line in drawing.modelspace()]
    text = path.read_text().replace(f"\n  5\n{handles[1]}\n", f"\n  5\n{handles[0]}\n")
    path.write_text(text.replace(f"\n  5\n{handles[2]}\n", "\n  5\nI2\n"))

    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_source(path, draft, ReadOptions(crs="EPSG:4548"))
        notices = [finding for finding in draft.findings if finding.rule == "source.library_notice"]

    captured = capfd.readouterr()
    assert draft.counts.read == 3
    assert {finding.text("zh").split("如：")[1].split("。")[0] for finding in notices} >= {
        f"实体句柄重复（#{handles[0]}）"
    }
    assert any("实体句柄无效（“I2”）" in finding.text("zh") for finding in notices)
    assert captured.out + captured.err == ""
