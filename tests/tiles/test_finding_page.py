"""The page of findings: a map with every place in it, texts that cannot break out, and its filter in a browser."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from chromium import OFFLINE_FLAGS
from playwright.sync_api import sync_playwright

from tiles.encodings.finding_page import finding_map, finding_page
from tiles.encodings.finding_report import FindingReport, ReportHeading
from tiles.encodings.finding_rows import FindingRow, row_of
from twin_model.finding import Finding

HEADING = ReportHeading("新城 <b>", "", "CGCS2000", "1985", "王工", "2026年11月30日")


def row(rule: str, severity: str, point: tuple[float, float] | None, place: str = "row 1") -> FindingRow:
    return row_of(Finding(rule, severity, point=point, place=place), "zh", source="<i>.csv")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report() -> FindingReport:
    shapes = np.array(
        [
            shapely.box(0, 0, 100, 50),
            shapely.MultiPoint([(5, 5), (6, 6)]),
            None,
            shapely.LineString([(0, 0, 1), (9, 9, 1)]),
        ]
    )
    rows = [
        row("identity.duplicate", "error", (50.0, 25.0)),
        row("time.assumed_today", "info", (99_999_999.0, 0.0)),
        row("survey.line_to_itself", "error", (400.0, 25.0)),
        row("geometry.missing", "warning", None, "<script>alert(1)</script>"),
    ]
    return FindingReport(HEADING, rows, "zh", shapes=[shapes], shapes_left_out=7)


def test_the_map_shows_what_was_read_and_counts_what_it_cannot_show(report: FindingReport) -> None:
    drawn = finding_map(report)

    assert drawn.count("<circle") == 2 and drawn.count("<path") == 1
    assert "图外问题 1 条，无位置的问题 1 条，未绘出的图形 7 个" in drawn
    assert "没有可定位的问题" in finding_map(FindingReport(HEADING, [report.rows[3]], "zh"))
    assert finding_map(FindingReport(HEADING, [report.rows[0]], "en")).count("<circle") == 1


def test_texts_of_a_source_cannot_break_out_of_the_page(report: FindingReport) -> None:
    page = finding_page(report)

    assert "<script>alert" not in page and "<i>.csv" not in page and "新城 <b>" not in page
    assert "&lt;script&gt;alert" in page


def test_the_filter_hides_rows_and_dots_in_a_browser(report: FindingReport, tmp_path: Path, chromium: str) -> None:
    """Costs what starting a browser costs."""
    file = tmp_path / "page.html"
    file.write_text(finding_page(report), "utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OFFLINE_FLAGS)
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(file.as_uri())

        page.uncheck("input[value=info]")
        without_info = page.locator("tr[data-rule]:visible").count(), page.inner_text("#shown")
        page.select_option("select[name=rule]", "identity.duplicate")
        of_a_rule = page.locator("tr[data-rule]:visible").count(), page.locator("circle:not(.off)").count()
        browser.close()

    assert (without_info, of_a_rule, errors) == ((3, "3"), (1, 1), [])
