"""Texts keep their letters whatever a file says of its encoding: bytes decide, and what was decided is said."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from ingest.draft import Draft, ReadOptions
from ingest.encoding import contradicting, ensure_encoding, likely_encoding
from ingest.vector.reader import read_vector
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import CalledWrongly
from twin_model.finding import Finding
from twin_model.messages import render

NAMES = ["高铁站房", "兰陵路", "代村河", "会展中心"]
CRS = "EPSG:4548"


def frame(names: Iterable[str], **columns: Any) -> gpd.GeoDataFrame:
    names = list(names)
    places = [shapely.Point(527_000 + 10 * number, 3_884_000) for number in range(len(names))]
    return gpd.GeoDataFrame({"name": names, **columns}, geometry=places, crs=CRS)


def read(path: Path, **options: Any) -> tuple[list[Any], list[Finding]]:
    """Return the names of the facilities in a file, and the findings."""
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs=CRS) as draft:
        read_vector(path, draft, ReadOptions(kind="facility", crs=CRS, **options))
        rows = [name for _, part in draft.frames() for name in part["name"].tolist()]
        return rows, draft.findings


def shapefile(folder: Path, *, bytes_in: str, declared: str | None, names: Iterable[str] = NAMES) -> Path:
    path = folder / "facility.shp"
    frame(names).to_file(path, encoding=bytes_in, engine="pyogrio")
    path.with_suffix(".cpg").unlink(missing_ok=True)
    table = path.with_suffix(".dbf")
    content = bytearray(table.read_bytes())
    content[29] = 0
    table.write_bytes(content)
    if declared is not None:
        path.with_suffix(".cpg").write_text(declared)
    return path


@pytest.mark.parametrize(
    ("bytes_in", "declared", "is_said"),
    [
        ("GBK", "UTF-8", True),
        ("UTF-8", "GBK", True),
        ("GBK", "ISO-8859-1", True),
        ("UTF-8", "1252", True),
        ("GBK", "936", False),
        ("UTF-8", "65001", False),
        ("GBK", None, False),
    ],
)  # fmt: skip
def test_a_cpg_that_lies_gives_the_names_that_were_meant_and_is_said(
    tmp_path: Path, bytes_in: str, declared: str | None, *, is_said: bool
) -> None:
    names, findings = read(shapefile(tmp_path, bytes_in=bytes_in, declared=declared))

    assert names == NAMES
    assert ("vector.encoding_contradicts" in {one.rule for one in findings}) == is_said


def test_western_and_russian_texts_are_believed(tmp_path: Path) -> None:
    western, _ = read(shapefile(tmp_path, bytes_in="CP1252", declared="1252", names=["Zürich", "Québec", "Ærø"]))
    russian, findings = read(shapefile(tmp_path, bytes_in="CP1251", declared="1251", names=["Москва", "Тверь"]))

    assert western == ["Zürich", "Québec", "Ærø"]
    assert russian == ["Москва", "Тверь"]
    assert not {one.rule for one in findings} & {"vector.encoding_contradicts", "vector.texts_otherwise"}


def test_a_name_in_another_encoding_than_the_others_is_read_and_said(tmp_path: Path) -> None:
    path = shapefile(tmp_path, bytes_in="UTF-8", declared="UTF-8", names=[*NAMES, "ABCDEF"])
    table = path.with_suffix(".dbf")
    table.write_bytes(table.read_bytes().replace(b"ABCDEF", "道路口".encode("gbk")))

    names, findings = read(path)

    assert names == [*NAMES, "道路口"]
    said = next(one for one in findings if one.rule == "vector.texts_otherwise")
    assert said.values == {"source": "facility.shp", "texts": 1, "found": "GBK", "usual": "UTF-8"}
    assert "GBK" in render(said.rule, "zh", said.values)


def test_an_encoding_that_the_caller_names_is_believed(tmp_path: Path) -> None:
    path = shapefile(tmp_path, bytes_in="Big5", declared="GBK", names=["臺北車站", "淡水河"])

    assert read(path, encoding=ensure_encoding("big-5"))[0] == ["臺北車站", "淡水河"]


@pytest.mark.parametrize("encoding", [None, "gb18030"])
def test_gbk_bytes_in_a_geopackage_do_not_refuse_the_file(tmp_path: Path, encoding: str | None) -> None:
    path = tmp_path / "facility.gpkg"
    frame(NAMES).to_file(path, engine="pyogrio")
    with closing(sqlite3.connect(path)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f'DROP TRIGGER "{trigger}"')
        db.execute("UPDATE facility SET name = CAST(? AS TEXT) WHERE fid = 2", ("道路".encode("gbk"),))
        db.commit()

    names, findings = read(path, encoding=encoding)

    assert sorted(names) == sorted([NAMES[0], "道路", *NAMES[2:]])
    assert "vector.texts_otherwise" in {one.rule for one in findings}


def test_two_columns_of_one_name_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "facility.shp"
    frame(NAMES, other=["甲", "乙", "丙", "丁"], third=[1, 2, 3, 4]).to_file(path, encoding="UTF-8", engine="pyogrio")
    table = path.with_suffix(".dbf")
    content = bytearray(table.read_bytes())
    for column in (1, 2):
        content[32 + 32 * column : 43 + 32 * column] = b"name".ljust(11, b"\0")
    table.write_bytes(content)

    names, findings = read(path)

    assert names == NAMES
    renamed = [one.values["to"] for one in findings if one.rule == "vector.column_renamed"]
    assert renamed == ["name_2", "name_3"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("道路中心线", "gb18030"), ("道路中心线", "utf-8"), ("Zürich Ærø", "cp1252"), ("plain", None)],
)
def test_bytes_look_like_the_encoding_they_are_in(text: str, encoding: str | None) -> None:
    assert likely_encoding(text.encode(encoding or "ascii")) == encoding
    assert contradicting(text.encode(encoding or "ascii"), encoding or "utf-8") is None


def test_an_encoding_that_nobody_knows_is_refused_with_the_nearest() -> None:
    with pytest.raises(CalledWrongly) as refusal:
        ensure_encoding("GBB")

    assert "GBK" in refusal.value.values["nearest"]
