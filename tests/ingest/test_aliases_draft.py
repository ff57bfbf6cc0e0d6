"""Names of columns that an office has for its survey tables are proposed by likeness and by what stands in them."""

import tomllib
from pathlib import Path

import pytest

from ingest.draft import Draft, ReadOptions
from ingest.mapping import read_mapping
from ingest.mapping_draft import mapping_draft
from ingest.mapping_report import mapping_report
from ingest.survey.outline import survey_outline
from ingest.survey.reader import read_survey
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import SourceRefused

CATALOGUE = read_catalogue()
POINTS = [("W1", 3_885_000, 617_000, 65.1), ("W2", 3_885_020, 617_000, 65.2), ("W3", 3_885_040, 617_010, 65.3)]
LINES = [("W1", "W2", 1.5, 1.6, 300), ("W2", "W3", 1.6, 1.7, 300)]
HEADINGS = {
    "Chinese": ("测点编号,纵坐标,横坐标,地面标高,点性", "上游点,下游点,上游埋深,下游埋深,管径"),
    "English": ("label,north_m,east_m,ground,remark2", "from_node,to_node,from_depth,to_depth,dn"),
}


def survey(folder: Path, points: str, lines: str) -> Path:
    rows = {"WSPoint": [points, *("{},{},{},{},直线点".format(*row) for row in POINTS)]}
    rows["WSLine"] = [lines, *("{},{},{},{},{}".format(*row) for row in LINES)]
    for name, texts in rows.items():
        (folder / f"{name}.csv").write_text("\n".join(texts) + "\n", "utf-8")
    return folder / "WSPoint.csv"


@pytest.mark.parametrize("language", HEADINGS)
def test_a_draft_for_an_office_s_headings_reads_its_tables(tmp_path: Path, language: str) -> None:
    path = survey(tmp_path, *HEADINGS[language])
    file = tmp_path / "office.toml"

    file.write_text(mapping_draft(path.name, survey_outline(path, ReadOptions()), CATALOGUE, "zh"), "utf-8")
    options = ReadOptions(mapping=read_mapping(file), crs="EPSG:4548")
    with Draft(Source(path.name, "0" * 64), CATALOGUE, storage_crs="EPSG:4548") as draft:
        read_survey(path, draft, options)
        reports = mapping_report(options.mapping, survey_outline(path, options), draft)

    assert draft.counts.features == {"pipe_point": 3, "pipe_line": 2}
    fields = {each.field: (each.before, each.after) for report in reports for each in report.fields}
    assert fields["survey_no"] == (("W1", "W2", "W3"),) * 2
    assert fields["start_no"] == (("W1", "W2"),) * 2
    assert fields["end_depth"][0] == ("1.6", "1.7") and fields["section"][1] == ("300",)
    assert [column for report in reports for column, _ in report.kept] == [HEADINGS[language][0].split(",")[-1]]


def test_without_the_draft_the_tables_are_refused_and_the_draft_is_named(tmp_path: Path) -> None:
    path = survey(tmp_path, *HEADINGS["Chinese"])

    with (
        Draft(Source(path.name, "0" * 64), CATALOGUE, storage_crs="EPSG:4548") as draft,
        pytest.raises(SourceRefused, match=r"twin mapping draft WSPoint\.csv"),
    ):
        read_survey(path, draft, ReadOptions(crs="EPSG:4548"))


def test_names_that_other_tables_of_the_delivery_use_stay_known(tmp_path: Path) -> None:
    path = survey(tmp_path, "测点编号,X,Y,地面高程,特征", HEADINGS["Chinese"][1])
    (tmp_path / "YSPoint.csv").write_text("物探点号,X,Y\nY1,3885000,617000\n", "utf-8")

    draft = tomllib.loads(mapping_draft("delivery", survey_outline(tmp_path, ReadOptions()), CATALOGUE, "en"))

    assert draft["options"]["survey_aliases"]["point"] == {"survey_no": ["测点编号", "物探点号"]}
    assert path.is_file()


def test_tables_that_are_understood_need_no_mapping(tmp_path: Path) -> None:
    path = survey(tmp_path, "物探点号,X,Y,地面高程,特征", "起点点号,终点点号,起点埋深,终点埋深,管径")

    text = mapping_draft(path.name, survey_outline(path, ReadOptions()), CATALOGUE, "en")

    assert tomllib.loads(text) == {} and "no mapping is needed" in text
