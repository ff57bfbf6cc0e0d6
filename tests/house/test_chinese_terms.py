"""Words that a Chinese survey office does not use stand in no message, help, template, title or text of the viewer."""

import re
from collections.abc import Iterator
from pathlib import Path

from twin_model.messages import messages, render

ROOT = Path(__file__).resolve().parents[2]
WRONG = {
    r"城镇|本镇|本城|示例城(?!市)|全城视图|全城": "城市库（库）、本区、全图",
    r"存储库": "数据库",
    r"城市目录|目录表": "图层目录、图层定义文件",
    r"搁置": "未入库（待改）",
    r"终止(?!点)": "失效（要素）、中止（程序）",
    r"存入|存储为": "入库",
    r"不复存在|已不存在": "失效、灭失",
    r"过滤": "筛选",
    r"飞到": "定位到此",
    r"正北朝上": "指北",
    r"按时间播放": "时序播放",
    r"中轴": "管中心",
    r"综合管沟": "综合管廊（沟）",
    r"平面精度": "平面位置限差",
    r"更正": "改正",
    r"质检记录": "质量问题记录",
    r"三维孪生|三维浏览器": "三维场景",
    r"一致性类.*都有测试为证|为真|何时获知": "有效时间、入库时间",
    r"应完好无损|应相同或更旧|应空闲|应为空位置|此处应没有|应各属一层": "要求…/须…，或不写",
    r"视野": "更新范围",
    r"这里没有|这里出了差错": "地址…不存在、服务器内部错误",
    r"建筑面积密度|建筑密度估算": "毛容积率（开发强度）",
    r"提交物": "成果",
}
"""What is wrong, and what an office writes instead."""
SURVEYORS = ("geometry.", "value.", "identity.", "time.", "dxf.", "survey.", "vector.", "ifc.", "epanet.", "source.")
"""Areas of messages that a survey office reads."""
WRITTEN_IN_FILES = {"survey_aliases", "cass_table", "maximum_depth", "north_east", "east_north"}
"""Keys of a mapping and their values, which are typed as they stand."""
LIBRARIES = re.compile(r"\b(GDAL|GEOS|OGR|PROJ|pyogrio|pandas|ezdxf|ifcopenshell|Python|NaN|None|NULL)\b")


def texts() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of everything that is shown in Chinese."""
    yield from messages("zh").items()
    files = [
        ROOT / "twin_model/messages/fragments.toml",
        ROOT / "viewer/src/words.ts",
        ROOT / "README.zh-CN.md",
        *(ROOT / "twin_model/catalogue").glob("*.toml"),
        *(ROOT / "api_config/templates").glob("*.html"),
        *(ROOT / "notebooks").glob("*.ipynb"),
        *(ROOT / "notebooks").glob("*.py"),
    ]
    for file in files:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            yield f"{file.relative_to(ROOT)}:{number}", line


def test_no_word_stands_in_chinese_that_an_office_does_not_use() -> None:
    places = list(texts())

    wrong = {
        (place, match[0]): better
        for pattern, better in WRONG.items()
        for place, text in places
        for match in [re.search(pattern, text)]
        if match
    }

    assert len(places) > 1000
    assert wrong == {}


def test_what_a_surveyor_reads_names_no_field_of_ours_and_no_library() -> None:
    rules = {rule: text for rule, text in messages("zh").items() if rule.startswith(SURVEYORS)}
    bare = {rule: re.sub(r"\{[^}]*\}", "", text) for rule, text in rules.items()}

    untitled = {rule for rule, text in rules.items() if re.search(r"\{(layer|layers|field)\}", text)}
    ids = {rule: set(re.findall(r"[a-z]+_[a-z_]+", text)) - WRITTEN_IN_FILES for rule, text in bare.items()}

    assert len(rules) > 150
    assert untitled == set()
    assert {rule: words for rule, words in ids.items() if words} == {}
    assert {rule: text for rule, text in bare.items() if LIBRARIES.search(text)} == {}


def test_no_value_stands_in_a_message_as_python_writes_it() -> None:
    values = {
        "bytes": "中文".encode("gbk"),
        "nothing": None,
        "number": 30.000166666203707,
        "not a number": float("nan"),
        "names": ["甲", "乙"],
        "pairs": [("甲", None), ("乙", 2)],
        "table": {"甲": None, "乙": [1, 2]},
        "bytes of nothing": [b"\xff\xfe"],
    }
    written_by_python = re.compile(r"b'|\bNone\b|\bnan\b|['\[\]{}]|\(\)|3333|6666")

    wrong = set()
    for rule, template in messages("zh").items():
        names = set(re.findall(r"\{(\w+)", template))
        own = set(written_by_python.findall(render(rule, "zh", dict.fromkeys(names, "x"))))
        for kind, value in values.items():
            text = render(rule, "zh", dict.fromkeys(names, value))
            if set(written_by_python.findall(text)) - own:
                wrong.add((kind, rule))

    assert sorted(wrong)[:20] == []


def test_a_finding_is_true_of_a_dry_run_too() -> None:
    """What is found is told before anything is stored, and where nothing will be: `twin check`, --dry-run."""
    past = {"en": r"(?<!not )\b(?:was|were) (?:repaired and )?stored\b", "zh": r"已[^，。；]{0,16}(?:入库|只存)"}
    findings = ("geometry.", "value.", "identity.", "time.", "dxf.", "survey.", "vector.", "epanet.", "attributes.")
    of_refusals = r"[Nn]othing (?:of it )?was stored"

    wrong = {
        (lang, rule): text
        for lang, pattern in past.items()
        for rule, text in messages(lang).items()
        if rule.startswith(findings) and re.search(pattern, re.sub(of_refusals, "", text))
    }

    assert wrong == {}
