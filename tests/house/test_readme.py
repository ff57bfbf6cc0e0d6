"""What the README claims is tied to something that can fail."""

import re
from pathlib import Path

from api_config.cli import make_cli

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text("utf-8")


def table() -> list[list[str]]:
    """Return the rows of the standards table: standard, yes or partly or no, where it is proved."""
    rows = [line for line in README.splitlines() if line.startswith("| ") and re.search(r"\| (yes|partly|no) \|", line)]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_standard_that_is_claimed_names_a_test_that_exists() -> None:
    rows = table()

    assert len(rows) > 8
    for standard, claim, proof in rows:
        named = re.findall(r"`(tests/[^`]+)`", proof)
        assert (claim == "no") == (not named), standard
        for path in named:
            assert "def test_" in (ROOT / path).read_text("utf-8"), path


def test_every_file_that_readme_and_contributing_link_to_exists() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README + CONTRIBUTING):
        assert (ROOT / target).exists(), target


def test_the_make_targets_that_pages_name_exist_and_make_help_lists_all() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    listed = set(re.findall(r"^# make ([a-z]+)", makefile, re.M))

    named = set(re.findall(r"(?:`|\$ |^    )make ([a-z]+)", README + CONTRIBUTING, re.M))

    assert named - targets == set()
    assert targets - listed == {"viewer", "system", "clean", "help"}, "steps of the others"


def test_the_commands_of_contributing_lead_to_tests_that_exist() -> None:
    for path, _, test, word in re.findall(r"pytest \"?(tests/[\w/.]+)(::(\w+))?\"?(?: -k (\w+))?", CONTRIBUTING):
        files = [ROOT / path] if path.endswith(".py") else list((ROOT / path).glob("test_*.py"))
        text = "".join(file.read_text("utf-8") for file in files)
        assert not test or f"def {test}(" in text, test
        assert not word or re.search(rf"def test_\w*{word}", text) or word in {"geopackage", "postgis"}, word


def test_the_chinese_readme_names_the_same_commands_and_files_that_exist() -> None:
    """Verbs of `twin` and options; a command that is added to one of the two pages is missed in the other."""

    def commands(text: str) -> set[str]:
        verbs = "|".join(make_cli("en").commands)
        typed = re.findall(rf"twin (?:--town \w+ )?((?:{verbs})\b(?: verify| pygeoapi)?)", text)
        return set(typed) | set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))

    assert commands(README) <= commands(CHINESE), commands(README) - commands(CHINESE)
    assert "README.zh-CN.md" in README.split("##")[0]
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", CHINESE):
        assert (ROOT / target).exists(), target
