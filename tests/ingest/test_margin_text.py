"""Margins of maps and titles of tables: what they say of coordinates is read, compared and quoted, never guessed from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ezdxf
import pytest

from ingest.draft import Draft, ReadOptions
from ingest.margin_text import codes_of, contradicts, margin_of
from ingest.place import TownPlace
from ingest.readers import reader_of
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import SourceRefused

CATALOGUE = read_catalogue()
EAST, NORTH = 618_100.0, 3_885_400.0
XIAN = "1980西安坐标系 3度带第39带"


@pytest.mark.parametrize(
    ("text", "datums", "meridians", "heights"),
    [
        ("2000国家大地坐标系 中央子午线117度", {"CGCS2000/WGS 84"}, {117.0}, set()),
        ("2 0 0 0 国 家 大 地 坐 标 系", {"CGCS2000/WGS 84"}, set(), set()),
        ("CGCS2000，３度带，第３９带", {"CGCS2000/WGS 84"}, {117.0}, set()),
        ("高斯投影三度带，带号：39", set(), {117.0}, set()),
        ("高斯投影三度带39带", set(), {117.0}, set()),
        ("6度带第20带", set(), {117.0}, set()),
        ("中央子午线：东经117°30′", set(), {117.5}, set()),
        ("1980西安坐标系，1985国家高程基准", {"Xian 1980"}, set(), {"1985国家高程基准"}),
        ("西安80坐标系", {"Xian 1980"}, set(), set()),
        ("1954年北京坐标系；1956年黄海高程系", {"Beijing 1954"}, set(), {"1956年黄海高程系"}),
        ("采用独立坐标系，假定高程", {"local"}, set(), {"假定高程"}),
        ("由北京54坐标系转换为2000国家大地坐标系", {"Beijing 1954", "CGCS2000/WGS 84"}, set(), set()),
        ("1985国家高程基准,等高距0.5米", set(), set(), {"1985国家高程基准"}),
        ("绿化带宽39米", set(), set(), set()),
        ("2000年测图，砼39", set(), set(), set()),
        ("北京路54号", set(), set(), set()),
    ],
)
def test_what_a_text_says_of_coordinates_is_read_and_nothing_else(
    text: str, datums: set[str], meridians: set[float], heights: set[str]
) -> None:
    margin = margin_of([text, "无关"])

    assert (margin.datums, margin.meridians, margin.heights) == (datums, meridians, heights)
    assert margin.quoted == (text if datums or meridians or heights else None)


@pytest.mark.parametrize(
    ("text", "agreeing", "contradicting", "codes"),
    [
        ("2000国家大地坐标系 中央子午线117度", ["EPSG:4548", "EPSG:4527", "EPSG:4490"], ["EPSG:4549", "EPSG:2384"], ["EPSG:4548", "EPSG:4527"]),
        (XIAN, ["EPSG:2384"], ["EPSG:4548", "EPSG:2385"], ["EPSG:2384", "EPSG:2363"]),
        ("北京54坐标系，3度带第39带", ["EPSG:2436"], ["EPSG:4548"], ["EPSG:2436", "EPSG:2415"]),
        ("3度带第39带", ["EPSG:4548", "EPSG:2384"], ["EPSG:4549"], []),
        ("由北京54坐标系转换为2000国家大地坐标系", ["EPSG:4548", "EPSG:2436"], ["EPSG:2384"], []),
        ("独立坐标系", [], ["EPSG:4548"], []),
        ("无关", ["EPSG:4548", "EPSG:2384"], [], []),
    ],
)  # fmt: skip
def test_a_margin_agrees_with_the_systems_it_may_mean_and_contradicts_the_others(
    text: str, agreeing: list[str], contradicting: list[str], codes: list[str]
) -> None:
    margin = margin_of([text])

    assert [one for one in (*agreeing, *contradicting) if contradicts(margin, one)] == contradicting
    assert codes_of(margin) == codes


def drawing(path: Path, text: str) -> Path:
    """Write a drawing whose margin stands in a block of paper space, as many offices have it."""
    document = ezdxf.new()
    document.modelspace().add_point((EAST, NORTH))
    block = document.blocks.new("TUKUO")
    block.add_mtext(text.replace(" ", "\\P"))
    document.layout().add_blockref("TUKUO", (0, 0))
    document.saveas(path)
    return path


def survey(path: Path, text: str) -> Path:
    path.write_text(f"{text},,,\n物探点号,X,Y,地面高程\nJ1,{NORTH},{EAST},10\n", "utf-8")
    return path


@pytest.mark.parametrize(("make", "name"), [(drawing, "a.dxf"), (survey, "JSPOINT.csv")])
def test_a_margin_that_contradicts_the_crs_refuses_the_source_until_crs_wins(
    make: Callable[[Path, str], Path], name: str, tmp_path: Path
) -> None:
    def read(text: str, **options: Any) -> tuple[list[str], dict[str, Any]]:
        path, asked = (
            make(tmp_path / name, text),
            ReadOptions(kind="street_lamp" if name == "a.dxf" else None, **options),
        )
        town = TownPlace("EPSG:4548", is_real=True, height_datum="1985国家高程基准")
        with Draft(Source(path.name, "0" * 64), CATALOGUE, storage_crs=town.crs, town=town) as draft:
            reader_of(path, asked).read(path, draft, asked)
            changeset = draft.to_changeset(author="test", reason="test")
            return [one.rule for one in changeset.findings], dict(changeset.counts)

    with pytest.raises(SourceRefused) as refusal:
        read(XIAN, crs="EPSG:4548")
    with pytest.raises(SourceRefused) as silent:
        read("2000国家大地坐标系 中央子午线117度")
    findings, details = read(XIAN, crs="EPSG:4548", crs_wins=True)
    agreed, _ = read("2000国家大地坐标系 1985国家高程基准", crs="EPSG:4548")
    heights, _ = read("2000国家大地坐标系 1956年黄海高程系", crs="EPSG:4548")

    assert refusal.value.rule_id == "source.margin_contradicts"
    for words in (str(refusal.value), refusal.value.text("zh")):
        assert "西安坐标系" in words and "EPSG:4548" in words and "EPSG:2384" in words and "--crs-wins" in words
    assert silent.value.rule_id == "source.no_crs"
    assert "中央子午线117度" in str(silent.value) and "--crs EPSG:4548" in silent.value.text("zh")
    assert "source.margin_overruled" in findings and details["crs_wins"].endswith("-> EPSG:4548")
    assert [one for one in agreed if one.startswith("source.margin")] == []
    assert [one for one in heights if one.startswith("source.margin")] == ["source.margin_heights"]
