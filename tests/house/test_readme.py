"""What the README claims is tied to something that can fail."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def table() -> list[list[str]]:
    """Return the rows of the standards table: standard, yes or partly or no, where it is proved."""
    rows = [
        line
        for line in README.splitlines()
        if line.startswith("| ") and re.search(r"\| (yes|partly|no) \|", line)
    ]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_standard_that_is_claimed_names_a_test_that_exists() -> None:
    rows = table()

    assert len(rows) > 8
    for standard, claim, proof in rows:
        named = re.findall(r"`(tests/[^`]+)`", proof)
        assert (claim == "no") == (not named), standard
        for path in named:
            assert "def test_" in (ROOT / path).read_text("utf-8"), path


def test_every_file_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")

    for target in set(re.findall(r"(?:`|\$ )make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.M), target
