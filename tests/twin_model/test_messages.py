"""The words of errors and findings: the same rules and values in both languages, whole sentences, never a failure."""

import ast
import pickle
import re
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_areas import NAMING_AREAS
from source_trees import tree_of

from twin_model.errors import ChainBroken, LayerNotFound, TwinError
from twin_model.finding import Finding
from twin_model.messages import LANGUAGES, messages, render

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("twin_model", "ingest", "tiles", "api_config")
RULES = sorted(messages("en"))
AREAS = {rule.split(".")[0] for rule in RULES}
OUTPUT = (*NAMING_AREAS, "cli.", "mapping_draft.")
"""Areas of titles and of what commands and notebooks print: no messages of four parts."""
VALUES = st.one_of(
    st.none(), st.integers(), st.floats(), st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.integers())
)


def named_values(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def literals() -> dict[str, str]:
    """Every text in our sources that is written like a rule of one of our areas, and where."""
    found = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(tree_of(path)):
                text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
                if re.fullmatch(r"[a-z_]+\.[a-z_]+", text) and text.split(".")[0] in AREAS:
                    found[text] = str(path.relative_to(ROOT))
    return found


def is_file_name(text: str) -> bool:
    return text.split(".")[1] in {"toml", "json", "html", "gpkg", "py", "csv"}


def all_errors(kind: type[TwinError] = TwinError) -> list[type[TwinError]]:
    return [one for below in kind.__subclasses__() for one in (below, *all_errors(below))]


def test_both_languages_have_the_same_rules() -> None:
    assert set(messages("en")) == set(messages("zh"))


def test_both_languages_name_the_same_values() -> None:
    values = {lang: {rule: named_values(text) for rule, text in messages(lang).items()} for lang in LANGUAGES}

    assert {rule: values["en"][rule] for rule in RULES if values["en"][rule] != values["zh"][rule]} == {}
    assert [rule for rule in RULES if "" in values["en"][rule]] == []


def test_every_rule_the_code_writes_has_words() -> None:
    unknown = {
        rule: place
        for rule, place in literals().items()
        if rule not in RULES
        and not is_file_name(rule)
        and not (rule.endswith("_") and any(one.startswith(rule) for one in RULES))  # "cli.csv_" and a column
    }

    assert unknown == {}


def test_every_class_of_error_has_words() -> None:
    own = {one.rule for one in all_errors() if "rule" in vars(one)}

    assert own <= set(RULES)


def test_what_mends_a_whole_source_is_not_said_of_a_few_of_its_rows() -> None:
    """The others are right: to swap the axes of all, or to read all in another system, would misplace them."""
    rules = [rule.removesuffix("_minority") for rule in RULES if rule.endswith("_minority")]
    blanks = {
        "source": "a.csv",
        "x": 1,
        "y": 2,
        "crs": "EPSG:4548",
        "likely": "EPSG:4527",
        "unit": "mm",
        "number": "J1",
    }

    assert len(rules) == 9
    for rule in rules:
        for lang, other in (("en", "Correct th"), ("zh", "改正")):
            few, most = (render(rule, lang, {**blanks, "count": count, "total": 4}) for count in (2, 3))
            assert other in few and other not in most, (rule, lang)
            assert "options" not in few and "read the file with" not in few, (rule, lang)


def with_blanks(rule: str, lang: str) -> str:
    """Return the text of a rule with an x for each value."""
    return render(rule, lang, dict.fromkeys(named_values(messages(lang)[rule]), "x"))


def test_a_message_says_what_happened_what_was_expected_and_what_to_do() -> None:
    rules = sorted(rule for rule in literals() if rule in RULES and not rule.startswith(OUTPUT))
    english = {rule: with_blanks(rule, "en") for rule in rules}
    chinese = {rule: with_blanks(rule, "zh") for rule in rules}

    assert len(rules) > 200
    assert {rule: text for rule, text in english.items() if text[-1] in ",;"} == {}
    assert {rule: text for rule, text in english.items() if len(text) <= 30} == {}
    assert {rule: text for rule, text in chinese.items() if not re.search(r"[.;:,。；：，]", text)} == {}
    assert {rule: text for rule, text in chinese.items() if not re.search(r"[\u4e00-\u9fff]", text)} == {}
    assert {rule: text for rule, text in english.items() if re.search(r"[\u4e00-\u9fff]{5}", text)} == {}


def raised_rules() -> list[str]:
    """The rules that stand first in a `raise SomeError("...")`, or belong to its class."""
    kinds = {one.__name__: one for one in all_errors()}
    found = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    name = getattr(node.exc.func, "id", "")
                    first = node.exc.args[0] if node.exc.args else None
                    if name in kinds:
                        given_rule = first.value if isinstance(first, ast.Constant) else kinds[name].rule
                        found.add(str(given_rule))
    return sorted(found)


def test_an_error_has_its_parts_as_sentences() -> None:
    raised = raised_rules()
    texts = {(rule, lang): with_blanks(rule, lang) for rule in raised for lang in LANGUAGES if rule in RULES}
    stops = {"en": r"[.:?!](\s|$)", "zh": r"[。：？！:](\s|\S|$)"}
    parts = {
        (rule, lang): len(re.findall(stops[lang], f"{text} ")) + (text[-1] not in ".。")
        for (rule, lang), text in texts.items()
    }

    assert len(raised) > 100
    assert set(raised) - set(RULES) == set()
    assert {key: texts[key] for key, count in parts.items() if count < 3} == {}


@given(st.sampled_from(RULES), st.sampled_from(LANGUAGES), st.data())
def test_no_value_and_no_gap_keeps_a_message_from_being_said(rule: str, lang: str, data: st.DataObject) -> None:
    names = sorted(named_values(messages(lang)[rule]))
    values: dict[str, Any] = data.draw(st.dictionaries(st.sampled_from(names or ["x"]), VALUES))

    text = render(rule, lang, values)

    assert text or list(values.values()) == [""], "only what says a single value may be as empty as that"
    for name, value in values.items():
        if name in names and isinstance(value, int):
            assert str(value) in text.replace(",", "")


def test_braces_in_a_value_are_shown_as_they_are() -> None:
    assert "'{name} {0} {'" in str(LayerNotFound(name="{name} {0} {", nearest=["{x}"]))
    assert "{x}" in LayerNotFound(name="a", nearest=["{x}"]).text("zh")


def test_an_unknown_rule_still_tells_its_id_and_values() -> None:
    assert render("no.such_rule", "en", {"a": 1, "b": "x"}) == "no.such_rule: a=1, b='x'"


def test_an_unknown_language_is_english() -> None:
    assert render("layer.not_found", "fr", {"name": "x"}) == render("layer.not_found", "en", {"name": "x"})


def test_a_list_is_said_with_commas_and_nothing_with_a_dash() -> None:
    assert "Nearest: a, b." in str(LayerNotFound(name="x", nearest=["a", "b"]))
    assert "Nearest: -." in str(LayerNotFound(name="x", nearest=[]))
    assert "Nearest: -." in str(LayerNotFound(name="x"))


def test_a_finding_says_where_it_was() -> None:
    finding = Finding("geometry.missing", place="row 17", layer="building")

    assert finding.text("en").startswith("row 17: the feature has no geometry")
    assert finding.text("zh").startswith("第 17 行：要素无图形")


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("the history ends at 7", 8),
        ("it follows 0a1b2c3d4e5f", "f0e1d2c3b4a5"),
        ("building holds version 9", 7),
        ("building fid 12 says something else", "what was delivered"),
        ("counts, links, other numbers or findings of road_area do not add up", "12-34"),
        ("closed rows of pipe_line do not add up", "12-34"),
        ("recorded 2026-01-01T00:00:00.000Z", "after 2026-01-02T00:00:00.000Z"),
    ],
)
def test_a_broken_history_is_told_in_chinese_to_its_last_word(cause: str, expected: object) -> None:
    sentence = ChainBroken(version=3, cause=cause, expected=expected).text("zh")

    assert "报错原文" not in sentence
    assert not re.search(r"[a-z]{3,} [a-z]{2,}", sentence.replace("twin restore", "")), sentence


def test_an_error_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(LayerNotFound("feature.not_found", id="7", layer="building")))

    assert type(error) is LayerNotFound
    assert str(error) == str(LayerNotFound("feature.not_found", id="7", layer="building"))
