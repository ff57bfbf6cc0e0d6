"""HTML of what a notebook shows: nothing of the data gets into it but as text."""

from html.parser import HTMLParser

import pytest

from twin_model.markup import checked_color, listed_short, panel, rows_table

EVIL = '<script>alert("1")</script>&'


class Tags(HTMLParser):
    """Collects the tags that a browser would see, and the attributes of each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_every_text_is_escaped() -> None:
    html = panel(EVIL, [(EVIL, EVIL)], below=rows_table([EVIL], [[EVIL]], colors=[EVIL]))

    seen = Tags(html)
    assert set(seen.tags) <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    assert seen.attributes == {"style"}
    assert "".join(seen.texts).count(EVIL) == 5


def test_a_row_has_a_square_in_its_colour() -> None:
    html = rows_table(["layer"], [["road"], ["rail"]], colors=["#abc123", ""])

    assert html.count("<span") == 1
    assert "background:#abc123" in html


@pytest.mark.parametrize("color", ["red", "#12", "#12345g", "#fff;position:fixed", '#fff"', None, 7])
def test_only_a_hexadecimal_colour_is_one(color: object) -> None:
    assert checked_color(color) == ""


def test_a_list_is_cut_between_its_members() -> None:
    assert listed_short(["JS 给水", "PS 排水"], 40) == "JS 给水; PS 排水"
    assert listed_short(["JS 给水", "PS 排水"], 9) == "JS 给水; …"
    assert listed_short(["JS 给水"], 3) == "…"
    assert listed_short([], 3) == ""
