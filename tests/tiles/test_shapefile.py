"""Shapefiles hold names of ten bytes and texts of 254: nothing is shortened without being told."""

import csv
import warnings
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely

from tiles.encodings.files import write_frames
from tiles.encodings.shapefile import fitted_table, short_names
from twin_model.catalogue import read_catalogue
from twin_model.errors import QueryRefused
from twin_model.finding import Finding

NAMES = [
    "id",
    "房屋结构说明",
    "不动产单元号",
    "不动产类型",
    "storeys_above",
    "storeys_below",
    "storeys_be",
    "长文本一",
    "长文本二",
]


def table(**columns: list[object]) -> gpd.GeoDataFrame:
    shapes = [shapely.Point(618_000, 3_886_000 + n) for n in range(2)]
    return gpd.GeoDataFrame({"id": ["a", "b"], **columns}, geometry=shapes, crs="EPSG:4548")


def test_short_names_are_told_apart_and_speak_where_they_can() -> None:
    short = short_names(NAMES)

    assert short["id"] == "id"
    assert short["房屋结构说明"] == "房屋结"
    assert (short["不动产单元号"], short["不动产类型"]) == ("BDCDYH", "BDCLX")
    assert short["storeys_above"] == "storeys_ab"
    assert short["storeys_be"] == "storeys_be"
    assert short["storeys_below"] == "storeys__1"
    assert short["长文本一"] == "CWBY"
    assert len({name.lower() for name in short.values()}) == len(NAMES)
    assert max(len(name.encode()) for name in short.values()) <= 10


def test_no_two_of_many_long_names_are_alike() -> None:
    names = [f"attributes.长长长长{'x' * (n % 3)}{n}" for n in range(120)] + ["ATTRIBUTES.a", "attributes"]

    short = short_names(names)

    assert len({name.lower() for name in short.values()}) == len(names)
    assert max(len(name.encode()) for name in short.values()) <= 10


def test_texts_are_cut_between_characters_and_counted() -> None:
    whole = "中" * 84 + "ab"

    fitted = fitted_table(table(说明=["中" * 100, "x" * 300], 备注=[whole, None], 层数=[1, 2]))

    assert fitted.table["说明"].tolist() == ["中" * 84, "x" * 254]
    assert fitted.table["备注"].iloc[0] == whole
    assert (fitted.cut, fitted.first_cut, fitted.shortened) == ({"说明": 2}, {"说明": "a"}, {})


def test_an_export_says_what_a_shapefile_cannot_hold_and_warns_in_no_other_way(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = table(
        fid=[1, 2], name=["中" * 100, "乙"], storeys_below=[1, 2], height=[2.0, 2.0], 数值=[1e300, 2.0]
    ).set_index("id")
    findings: list[Finding] = []

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = read_catalogue()["building"]
        write_frames(iter([frame]), layer, tmp_path / "out.shp", crs="EPSG:4548", report=findings.append)

    told = {finding.rule: finding.text("zh") for finding in findings}
    assert list(told) == ["export.names_shortened", "export.texts_cut", "export.notice"]
    assert "storeys_be = storeys_below" in told["export.names_shortened"]
    assert "有 1 个值超过 shapefile 的 254 字节，已截短，首个为 a。" in told["export.texts_cut"]
    assert "超出字段宽度" in told["export.notice"]
    assert "报错原文" not in told["export.notice"]
    with (tmp_path / "out.fields.csv").open(encoding="utf-8-sig") as rows:
        assert list(csv.reader(rows))[1][:3] == ["storeys_be", "storeys_below", layer_title("storeys_below")]
    assert (tmp_path / "out.cpg").read_text() == "UTF-8"
    assert pyogrio.read_dataframe(tmp_path / "out.shp")["name"].tolist() == ["中" * 84, "乙"]
    assert capfd.readouterr().err == ""


def layer_title(name: str) -> str:
    return next(field.title.zh for field in read_catalogue()["building"].fields if field.name == name)


def test_a_day_without_features_is_refused_in_words_of_an_export(tmp_path: Path) -> None:
    layer = read_catalogue()["building"]

    with pytest.raises(QueryRefused, match=r"building holds no features on 2020-01-01.*twin history") as refused:
        write_frames(iter([]), layer, tmp_path / "out.csv", crs="EPSG:4548", day="2020-01-01")

    assert "建筑物在 2020-01-01 没有有效要素，未导出" in refused.value.text("zh")
    assert list(tmp_path.iterdir()) == []
