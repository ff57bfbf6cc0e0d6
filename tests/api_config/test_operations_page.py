"""The page on operating the service names every setting as the program has it."""

from dataclasses import fields
from pathlib import Path

from api_config.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_every_setting_stands_on_the_page_with_its_words() -> None:
    rows = {cells[0].strip("` "): [cell.strip() for cell in cells[2:4]] for line in PAGE.read_text("utf-8").splitlines()
            if (cells := line.strip("|").split("|"))[0].strip().startswith("`TWIN_") and len(cells) == 4}  # fmt: skip

    assert rows == {each.metadata["variable"]: [each.metadata["en"], each.metadata["zh"]] for each in fields(Settings)}
