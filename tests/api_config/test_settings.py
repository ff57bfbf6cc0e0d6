"""Settings: what was given, else the environment, else the default; every one documented in both languages."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twin_command import run_twin

from api_config.settings import Settings, language, settings_from, user_name
from twin_model.errors import CalledWrongly

NUMBERS = [one.name for one in fields(Settings) if one.type == "int" or one.type is int]
TEXTS = [one.name for one in fields(Settings) if one.type == "str" or one.type is str]


def variable(name: str) -> str:
    return next(str(one.metadata["variable"]) for one in fields(Settings) if one.name == name)


def test_without_anything_said_the_defaults_hold() -> None:
    assert settings_from({}) == Settings()
    assert settings_from({"PATH": "/bin", "TWIN_UNKNOWN": "1"}) == Settings()


def test_every_setting_has_its_own_variable_and_help_in_both_languages() -> None:
    variables = [one.metadata["variable"] for one in fields(Settings)]

    assert len(set(variables)) == len(variables)
    assert all(name.startswith("TWIN_") for name in variables)
    assert all(one.metadata["zh"] and one.metadata["en"].isascii() for one in fields(Settings))


@pytest.mark.parametrize("name", NUMBERS)
@given(st.integers(1, 65_535), st.integers(1, 65_535))
def test_a_number_given_goes_before_the_environment_and_that_before_the_default(
    name: str, said: int, around: int
) -> None:
    environment = {variable(name): str(around)}

    assert getattr(settings_from(environment), name) == around
    assert getattr(settings_from(environment, **{name: said}), name) == said
    assert settings_from(environment, **{name: None}) == settings_from(environment)


@pytest.mark.parametrize("name", TEXTS)
@given(st.text(min_size=1))
def test_a_text_is_taken_as_it_is(name: str, said: str) -> None:
    assert getattr(settings_from({variable(name): said}), name) == said


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1))
def test_a_folder_becomes_a_path(said: str) -> None:
    assert settings_from({"TWIN_TOWN": said}).town == Path(said)
    assert settings_from({}, town=Path(said)).town == Path(said)


def test_an_empty_variable_is_no_setting() -> None:
    assert settings_from({variable(one.name): "" for one in fields(Settings)}) == Settings()


@pytest.mark.parametrize("name", [*NUMBERS, "request_seconds", "jobs", "access_log"])
def test_a_value_that_a_setting_cannot_have_is_refused_with_its_variable(name: str) -> None:
    for value in ("eight", "-1", "nan", "1.5e400"):
        with pytest.raises(CalledWrongly) as refused:
            settings_from({variable(name): value})
        assert variable(name) in str(refused.value) and value in refused.value.text("zh")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "0"),
        ("port", "99999"),
        ("workers", "0"),
        ("page_limit", "0"),
        ("request_seconds", "0"),
        ("read_seconds", "0"),
    ],
)
def test_a_number_beyond_what_a_setting_means_is_refused(name: str, value: str) -> None:
    with pytest.raises(CalledWrongly, match=value):
        settings_from({variable(name): value})


@pytest.mark.parametrize(("value", "expected"), [("yes", True), ("1", True), ("ON", True), ("no", False), ("0", False)])
def test_a_switch_is_on_or_off(value: str, expected: bool) -> None:
    assert settings_from({"TWIN_ACCESS_LOG": value}).access_log is expected


@pytest.mark.parametrize(
    ("words", "environment"), [(["status"], {"TWIN_PORT": "abc"}), (["serve", "--port", "99999"], {})]
)
def test_the_command_tells_a_setting_that_is_wrong_as_a_sentence(
    words: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    done = run_twin(*words, environment=environment, folder=tmp_path)

    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and re.search("65[ ,_]?535", done.stderr), done.stderr


@pytest.mark.parametrize(
    ("said", "environment", "expected"),
    [
        ("zh", {"LANG": "en_US.UTF-8"}, "zh"),
        ("en", {"LANG": "zh_CN.UTF-8"}, "en"),
        ("", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("", {"LANG": "de_DE.UTF-8"}, "en"),
        ("", {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ("", {"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "en_US"}, "zh"),
        ("", {}, "en"),
        ("fr", {"LANG": "zh_CN"}, "zh"),
    ],
)
def test_the_language_is_the_setting_else_the_locale(said: str, environment: dict[str, str], expected: str) -> None:
    assert language(Settings(lang=said), environment) == expected


def test_the_author_is_the_one_named_else_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "surveyor")

    assert user_name(Settings(author="测绘院")) == "测绘院"
    assert user_name(Settings()) == "surveyor"


def test_settings_cannot_be_changed_once_made() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]


def test_the_viewer_is_looked_for_beside_the_code() -> None:
    assert Settings().viewer.parts[-2:] == ("viewer", "dist")
    assert Settings().viewer.is_absolute()
