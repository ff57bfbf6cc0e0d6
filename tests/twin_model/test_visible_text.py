"""What is not seen in a text is written out: a terminal obeys nothing, nothing is turned, every text can be encoded."""

from hypothesis import given
from hypothesis import strategies as st

from twin_model.visible_text import unseen, visible


def test_control_characters_turned_writing_and_broken_bytes_are_written_out() -> None:
    names = ["a\x1b]0;x\x07.csv", "b\u202evsc.exe", "c\udcff\n.csv", "d\x9b31m", "\ud800", "井盖 é.csv"]

    assert [visible(name) for name in names] == [
        r"a\x1b]0;x\x07.csv", r"b\u202evsc.exe", "c\\xff\n.csv", r"d\x9b31m", r"\ud800", "井盖 é.csv"
    ]  # fmt: skip
    assert [unseen(name) for name in names] == [
        [r"\x1b", r"\x07"],
        [r"\u202e"],
        [r"\xff", r"\n"],
        [r"\x9b"],
        [r"\ud800"],
        [],
    ]


@given(st.text(st.characters(), max_size=20))
def test_every_text_can_be_encoded_and_holds_nothing_unseen(text: str) -> None:
    shown = visible(text, keeps="")

    assert unseen(shown) == []
    assert shown.encode("utf-8").decode("utf-8") == shown
