"""The page for analysts is carried out as it stands: every line that says what it answers answers that."""

import ast
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twin_model import open_town
from twin_model.errors import StoreError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "for-analysts.md"
_ANSWER = re.compile(r"  # -> (.+)$")


def blocks(language: str, page: Path = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)


@pytest.fixture
def place(demo_town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a copy of the sample town in `town`."""
    shutil.copytree(demo_town, tmp_path / "town", ignore=shutil.ignore_patterns("sources", "backups"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def carry_out(block: str, names: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Run a block in a namespace; yield line, expected and actual answer of each line that says what it answers."""
    lines = block.splitlines()
    for statement in ast.parse(block).body:
        line = lines[(statement.end_lineno or statement.lineno) - 1]
        expected = _ANSWER.search(line)
        if expected is None or not isinstance(statement, ast.Expr):
            exec(compile(ast.Module([statement], []), line, "exec"), names)
            continue
        value = eval(compile(ast.Expression(statement.value), line, "eval"), names)
        yield line, expected[1], shown(value)


def shown(value: Any) -> str:
    """Return a value as a reader writes it: 1647, not np.int64(1647)."""
    return repr(value.item() if hasattr(value, "item") else value)


def test_every_line_of_the_page_answers_what_it_says(place: Path) -> None:
    """It reads and writes the whole sample town and starts a service: seconds."""
    names: dict[str, Any] = {}

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        answers = [answer for block in blocks("python") for answer in carry_out(block, names)]

    names["town"].store.close()
    wrong = [f"{line}\n    answers {actual}" for line, expected, actual in answers if expected != actual]
    assert not wrong, "\n".join(wrong)
    assert len(answers) == PAGE.read_text("utf-8").count("  # -> ") > 30


def test_a_table_that_to_file_replaced_is_named_as_the_page_says(place: Path) -> None:
    (wrong,) = blocks("python wrong")
    town = open_town("town")
    exec(wrong, {"town": town})
    town.store.close()

    with pytest.raises(StoreError, match="dropped or replaced the table of the layer building") as refusal:
        open_town("town")

    assert str(refusal.value).split(" in ")[0] in PAGE.read_text("utf-8")
    assert "twin restore" in str(refusal.value)


def test_the_notebook_lines_of_both_readmes_run(place: Path) -> None:
    for page in ("README.md", "README.zh-CN.md"):
        (block,) = blocks("python", PAGE.parents[1] / page)
        names: dict[str, Any] = {}
        answers = []
        for statement in ast.parse(block).body:
            if isinstance(statement, ast.Expr):
                answers.append(eval(compile(ast.Expression(statement.value), page, "eval"), names))
            else:
                exec(compile(ast.Module([statement], []), page, "exec"), names)
        names["town"].store.close()

        tall, known, drawn = answers
        assert (len(tall), len(known), len(names["parcels"])) == (212, 1647, 88), page
        assert drawn.titles == ("容积率 (88)", "建筑物 (1,647)"), page
        assert not names["service"].is_running and names["lang"] in ("zh", "en")


def test_the_page_stays_short_and_every_file_it_links_to_exists() -> None:
    text = PAGE.read_text("utf-8")

    assert len(text.splitlines()) < 250
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (PAGE.parent / target).exists(), target
