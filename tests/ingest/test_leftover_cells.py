"""Columns of survey tables that no field takes are kept by their headings, typed column by column."""

import json
from pathlib import Path
from typing import Any

from ingest.draft import Draft, ReadOptions
from ingest.survey.reader import read_survey
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source

CRS = "EPSG:4548"
POINTS = [
    "物探点号,X,Y,地面高程,照片编号,井盖直径,备用",
    "W1,3886000,618000,20.0,IMG-01,700,",
    "W2,3886010,618000,20.0,,650.5,",
]


def kept(folder: Path) -> tuple[dict[str, list[Any]], list[str]]:
    """Return the attributes of each layer's features, and what findings say of them."""
    with Draft(Source("survey", "0" * 64), read_catalogue(), storage_crs=CRS) as draft:
        read_survey(folder, draft, ReadOptions(crs=CRS))
        frames = dict(draft.frames())
        texts = [one.text("en") for one in draft.findings if one.rule == "attributes.kept"]
    return {
        layer: [json.loads(text) if isinstance(text, str) else None for text in frame["attributes"]]
        for layer, frame in frames.items()
        if "attributes" in frame
    }, texts


def test_columns_of_points_and_lines_that_no_field_takes_are_kept(tmp_path: Path) -> None:
    (tmp_path / "WSPOINT.csv").write_text("\n".join(POINTS), "utf-8")
    lines = ["起点点号,终点点号,起点埋深,终点埋深,数据来源,检修周期,照片编号", "W1,W2,1.5,1.6,探查,007,x"]
    (tmp_path / "WSLINE.csv").write_text("\n".join(lines), "utf-8")

    attributes, texts = kept(tmp_path)

    assert attributes["pipe_point"] == [{"照片编号": "IMG-01", "井盖直径": 700}, {"井盖直径": 650.5}]
    assert attributes["pipe_line"] == [{"数据来源": "探查", "检修周期": "007", "照片编号": "x"}]
    assert len(texts) == 2 and "照片编号, 井盖直径, 备用" in texts[0]


def test_a_line_told_by_two_rows_keeps_what_both_say_in_whatever_order(tmp_path: Path) -> None:
    heading = "物探点号,连接点号,X,Y,地面高程,埋深,管径,材质,特征,附属物,照片"
    rows = ["W1,W2,3886000,618000,20,1.5,300,砼,起点,,b", "W2,W1,3886010,618000,20,1.6,300,砼,终点,,a"]
    found = []
    for number, order in enumerate((rows, rows[::-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "WS成果表.csv").write_text("\n".join([heading, *order]), "utf-8")
        found.append(kept(folder)[0])

    assert found[0] == found[1] == {"pipe_line": [{"照片": ["a", "b"]}]}
