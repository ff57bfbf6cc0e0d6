"""How values are written in messages: quotes, bytes, places, titles, systems, degrees; English pieces in Chinese."""

import ast
import re
from pathlib import Path

import pytest

from twin_model.crs import title_of
from twin_model.errors import CrsRefused, QueryRefused, SourceRefused, StoreError, TwinError
from twin_model.filter import check_names, parse_filter
from twin_model.finding import Finding
from twin_model.messages.fragments import in_chinese
from twin_model.query_area import bbox_area
from twin_model.town_settings import _READERS

ROOT = Path(__file__).resolve().parents[2]
EXPLAINED = {"expected", "hint", "reason", "cause", "kind", "unit"}
FIELDS = {"storeys": "integer", "name": "string", "built": "date", "geometry": "geometry", "open": "boolean"}
ENGLISH = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){1,}")  # two words or more: a name or a keyword stands alone


def filter_literals() -> set[str]:
    """Every English text that the filter's and the box's refusals put into a message."""
    texts = set()
    for path in [*(ROOT / "twin_model" / "filter").glob("*.py"), ROOT / "twin_model/query_area.py"]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = [(one.arg, one.value) for one in node.keywords] if isinstance(node, ast.Call) else []
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                named.append((node.targets[0].id, node.value))
            texts |= {
                value.value
                for name, value in named
                if name in EXPLAINED and isinstance(value, ast.Constant) and isinstance(value.value, str)
            }
    return {text for text in texts if re.search("[a-z]{2}", text)}


def test_every_piece_of_english_in_a_refusal_has_chinese() -> None:
    texts = filter_literals() | {words for words, _ in _READERS.values()}

    assert len(texts) > 40
    assert {text for text in texts if in_chinese(text) == text} == set()


def test_a_refused_filter_or_box_is_said_without_english_sentences() -> None:
    asked = ["storeys > 'three'", "name > 3", "built = 'x'", "open > true", "storeys >", "", "storeys == 3", "name ILIKE 'a'", "name = 'a",
             "S_INTERSECTS(name, POINT(1 2))", "S_INTERSECTS(geometry, POLYGON((0 0, 2 2, 2 0, 0 2, 0 0)))", "T_AFTER(name, DATE('2024-01-01'))",
             "storeys IN ()", "built = DATE('2024-02-30')", "name LIKE 3", "nam = 'x'", "storeys > 10；", "foo(name) = 1", "storeys > 99999999999999999999",
             "S_INTERSECTS(geometry, BBOX(3,1,2,2))", "geometry = 1", "storeys BETWEEN 'a' AND 3"]  # fmt: skip
    boxes = ["1,2", "a,b,c,d", "3,3,1,1", "-200,0,200,95"]
    refused: list[TwinError] = []
    for text in asked:
        with pytest.raises(TwinError) as error:
            check_names(parse_filter(text), FIELDS)  # type: ignore[arg-type]
        refused.append(error.value)
    for box in boxes:
        with pytest.raises(QueryRefused) as error:
            bbox_area(box, "OGC:CRS84")
        refused.append(error.value)

    for one in refused:
        text = re.sub(r"“[^”]*”|/[\w/{}]+", "", one.text("zh"))  # what the client wrote, addresses
        assert not ENGLISH.search(re.sub(r"\b(AND|OR|NOT|IS|NULL|LIKE|IN|storeys|name)\b", "", text)), text


def test_places_types_and_reasons_are_said_in_chinese() -> None:
    pieces = {"YSPOINT row 3": "YSPOINT 表第 3 行", "row 17": "第 17 行", "handle 2F3": "实体（句柄 2F3）", "entity 7": "第 7 个实体",
              "fid 0": "第 0 号要素（FID）", "房屋 fid 4": "房屋 层第 4 号要素（FID）", "line 12": "第 12 行", "MultiPolygon": "面",
              "Self-intersection[618610 3885806]": "自相交（618610, 3885806）", "the next changeset is 4": "其后一条记录为版本 4",
              "Failed to read GeoJSON data; At line 27, character 3: Unterminated string": "GeoJSON 内容不完整或有误（第 27 行第 3 个字符）",
              "number and text": "数值与文本", "salt and pepper": "salt and pepper", "Kerb": "Kerb"}  # fmt: skip

    assert {one: in_chinese(one) for one in pieces} == pieces


def test_what_a_user_wrote_is_quoted_as_it_is_and_bytes_are_shown_as_the_text_they_are() -> None:
    refused = SourceRefused("source.unknown_kind", source="信.dxf", found="尊敬的客户：您好".encode()[:16])
    binary = SourceRefused("source.unknown_kind", source="a.bin", found=b"\x89PNG\x00\x01")
    hostile = QueryRefused("query.limit", value="row 3\x1b[2J", most=10)

    assert "“尊敬的客户”" in refused.text("zh") and "'尊敬的客户'" in refused.text("en")
    assert "89 50 4E 47 00 01" in binary.text("zh") and "89 50 4E 47 00 01" in binary.text("en")
    assert "“row 3\\x1b[2J”" in hostile.text("zh")


def test_layers_and_fields_are_named_by_their_titles_in_chinese_only() -> None:
    finding = Finding(
        "value.unreadable",
        layer="building",
        place="fid 2",
        values={"field": "storeys", "value": "很多", "expected": "integer"},
    )
    own = Finding("value.unreadable", layer="bench", values={"field": "colour", "value": "x", "expected": "number"})

    assert finding.text("zh").startswith("第 2 号要素（FID）：地上层数的值“很多”不是整数")
    assert finding.text("en").startswith("fid 2: storeys = '很多' cannot be read as integer")
    assert "colour的值" in own.text("zh")


def test_a_coordinate_system_is_named_as_chinese_maps_print_it() -> None:
    names = {
        "EPSG:4548": "2000国家大地坐标系（CGCS2000）/ 3度带 117°E（EPSG:4548）",
        "EPSG:4527": "2000国家大地坐标系（CGCS2000）/ 3度带第 39 带（EPSG:4527）",
        "EPSG:2384": "1980西安坐标系 / 3度带 117°E（EPSG:2384）",
        "EPSG:4490": "2000国家大地坐标系（CGCS2000）（EPSG:4490）",
        "nowhere": "nowhere",
    }
    box = Finding(
        "geometry.outside_area",
        values={
            "crs": "EPSG:4548",
            "bounds": [112.5141, 0.0003, 112.5141, 0.0003],
            "area": [115.5, 22.6, 118.5, 49.88],
        },
    )

    assert {one: title_of(one, "zh") for one in names} == names
    assert "东经112.5141°、北纬0.0003°，超出2000国家大地坐标系" in box.text("zh")
    assert "（东经115.5°～118.5°、北纬22.6°～49.88°）" in box.text("zh")
    assert "112.5141° E, 0.0003° N" in box.text("en") and "115.5° E to 118.5° E" in box.text("en")


def test_an_error_as_the_cause_of_another_comes_in_the_same_language() -> None:
    inner = CrsRefused("crs.unknown", crs="x", nearest=["EPSG:4548"])

    text = SourceRefused("source.scope_unreadable", value="a.geojson", cause=inner).text("zh")

    assert "无法识别坐标系“x”" in text and "not known" not in text


def test_a_client_of_the_service_is_not_told_to_run_a_command() -> None:
    for error in (
        CrsRefused("crs.unknown", crs="x"),
        StoreError("store.error", cause="disk"),
        TwinError("layer.not_found", name="x"),
        TwinError("feature.not_found", id="x", layer="building"),
    ):
        for lang in ("zh", "en"):
            assert not re.search(r"twin |--\w", error.text(lang, door="http")), error.rule_id
    assert "twin status" in TwinError("layer.not_found", name="x").text("zh")
