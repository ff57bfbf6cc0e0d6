"""What GDAL says becomes a short cause; in Chinese no English is left outside the mark of a library's own words."""

import re
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from ingest.vector.file import VectorFile
from twin_model.errors import SourceRefused
from twin_model.gdal_words import gdal_words
from twin_model.messages import render

ENGLISH = re.compile(r"[A-Za-z]{2,}[ ,:;]+[a-z]{2,}")
FAULTS = {
    "ring.geojson": '{"type":"Polygon","coordinates":[5]}',
    "height.geojson": '{"type":"Point","coordinates":[1,2,"f"]}',
    "comma.geojson": '{"type":"Point" "coordinates":[1,2]}',
    "no_features.geojson": '{"type":"FeatureCollection","feature":[]}',
    "no_coordinates.geojson": '{"type":"Point"}',
    "cut.geojson": '{"type":"Point","coordinates":[1,2',
    "bytes.geojson": '{"type":"Point","coordinates":[1\xd5,2]}',
    "cut.mif": 'Version 300\nCharset "Neutral"\nDelimiter ","\nColumns 1\n  a Integer\nData\n\nPline 5\n1 2\n',
}


def refusal_of(path: Path) -> SourceRefused | None:
    """Return the refusal of a file that is read to its end, None where GDAL takes it."""
    try:
        file = VectorFile(path, path.name)
        for name, geometry in file.names():
            layer = file.layer(name, geometry)
            list(file.batches(layer, list(layer.fields), 100))
    except SourceRefused as refusal:
        return refusal
    return None


def in_our_words(refusal: SourceRefused) -> str:
    """Return a refusal in Chinese without what is quoted from the file and from the library."""
    text = refusal.text("zh").replace(str(refusal.values["source"]), "")
    return re.sub(r"（报错原文：.*?）|“.*?”|'.*?'", "", text)


def test_sentences_come_once_without_functions_folders_and_raw_bytes() -> None:
    said = (
        "Failed to read; OGRReadPoint(): invalid 'x'.; OGRReadPoint(): invalid 'x'.; Could not decode error message to "
        "UTF-8. Raw error: b'a\\xd5b'; /tmp/x/a.shp"
    )

    assert gdal_words(said, "/tmp/x") == "Failed to read; invalid 'x'"
    assert gdal_words(said.split("; ", 3)[3], "/tmp/x") == "a�b; a.shp"
    assert gdal_words("", "/tmp/x") == ""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_file_is_told_in_chinese_words(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FAULTS[name].encode("latin-1"))

    refusal = refusal_of(path)

    assert refusal is not None
    assert refusal.rule_id == "source.unreadable"
    assert not ENGLISH.search(in_our_words(refusal)), refusal.text("zh")
    assert "报错原文" not in refusal.text("zh")


def test_a_cut_shapefile_says_in_chinese_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lines.shp"
    lines = [shapely.LineString([(n, 0), (n, 1)]) for n in range(9)]
    gpd.GeoDataFrame({"a": range(9)}, geometry=lines, crs="EPSG:4548").to_file(path)
    path.write_bytes(path.read_bytes()[:700])

    refusal = refusal_of(path)

    assert refusal is not None
    assert "文件不完整：第" in refusal.text("zh")
    assert "报错原文" not in refusal.text("zh")


def test_real_files_with_faults_are_refused_in_chinese_words(realdata: Path) -> None:
    faulty = sorted((realdata / "bad" / "geojson" / "bad").glob("*.geojson"))
    refusals = [refusal for path in faulty if (refusal := refusal_of(path)) is not None]

    english = [refusal.text("zh") for refusal in refusals if ENGLISH.search(in_our_words(refusal))]

    assert len(refusals) > 9
    assert english == []


def test_the_words_of_a_library_that_nobody_translated_stand_behind_a_mark() -> None:
    values = {"source": "a.shp", "kind": "shp"}

    text = {
        cause: render("source.unreadable", "zh", values | {"cause": cause})
        for cause in [
            "Frobnication failed",
            "Layer schema generation failed; Frobnication failed",
            "q=river park",
            "甲 a b",
        ]
    }

    assert "：内容无法识别（报错原文：Frobnication failed）。" in text["Frobnication failed"]
    assert "：无法确定图层的字段结构（报错原文：Frobnication failed）。" in text[list(text)[1]]
    assert "：q=river park。" in text["q=river park"]
    assert "：甲 a b。" in text["甲 a b"]
    assert "：日期不存在" in render(
        "source.unreadable", "zh", values | {"cause": ValueError("day is out of range for month")}
    )
    assert "Frobnication failed. " in render("source.unreadable", "en", values | {"cause": "Frobnication failed"})
