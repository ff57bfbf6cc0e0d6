"""Every escape of a drawing's texts is decoded once, wherever a program wrote it and whichever release it is."""

from pathlib import Path

import pytest
from drawing_readings import EAST, NORTH, Reading
from ezdxf import filemanagement

from ingest.dxf.texts import decoded_name, decoded_paragraphs, decoded_text
from ingest.mapping import LayerMapping, Mapping

ROADS = Mapping(
    "roads",
    (
        LayerMapping(("井", "井|INSERT|盖"), "facility", fields={"name": ("名称",), "kind": ("block",)}),
        LayerMapping(("注记",), "annotation"),
    ),
)


@pytest.mark.parametrize(
    ("written", "line", "paragraph"),
    [
        (r"\U+4E95\U+76d6", "井盖", "井盖"),
        (r"\U+D83D\U+DE00", "😀", "😀"),
        (r"\U+D83D", "�", "�"),
        (r"\M+5BEAE", "井", "井"),
        (r"\M+5ZZZZ", r"\M+5ZZZZ", None),
        ("%%c300 %%P0.1 45%%d 50%%%", "Ø300 ±0.1 45° 50%", "Ø300 ±0.1 45° 50%"),
        ("%%uDN300%%u", "DN300", "DN300"),
        ("%%065%%130", "A%%130", "A%%130"),
        (r"{\fSimSun|b0|i0|c134|p2;混3}", "混3", "混3"),
        (r"\A1;{\H0.7x;\C1;\fArial.ttf;PE}", "PE", "PE"),
        (r"DN100\P\U+4E95", "DN100\n井", "DN100\n井"),
        (r"{\H0.5x;\S1/2;} \S+0.1^-0.2; m\S2^;", "1/2 +0.1/-0.2 m2", "1/2 +0.1/-0.2 m2"),
        (r"C:\temp\file", r"C:\temp\file", None),
        ("x{y}z", "x{y}z", "xyz"),
        (r"a\\b \{c\}", r"a\\b \{c\}", r"a\b {c}"),
    ],
)  # fmt: skip
def test_texts_are_read_as_people_see_them(written: str, line: str, paragraph: str | None) -> None:
    assert decoded_text(written, "cp1252") == line
    if paragraph is not None:
        assert decoded_paragraphs(written, "cp1252") == paragraph


def test_bytes_that_fit_no_declared_code_page_are_read_as_gbk() -> None:
    undeclared = "道路".encode("gbk").decode("ascii", "surrogateescape")

    assert decoded_name(undeclared, "ascii") == "道路"


@pytest.mark.parametrize("release", ["R12", "R2000", "R2004", "R2018"])
def test_escapes_are_decoded_in_layers_blocks_attributes_and_texts_of_every_release(
    tmp_path: Path, release: str
) -> None:
    document = filemanagement.new(release, setup=False)
    space = document.modelspace()
    document.blocks.new("plug").add_circle((0, 0), 1)
    manhole = space.add_blockref("plug", (EAST, NORTH), dxfattribs={"layer": "well"})
    manhole.add_attrib("title", "value", (EAST, NORTH))
    space.add_text("words", height=2.0, dxfattribs={"layer": "note", "insert": (EAST, NORTH)})
    path = tmp_path / "plan.dxf"
    document.saveas(path)
    names = {
        "well": r"\U+4E95", "note": r"\U+6CE8\U+8BB0", "plug": r"\M+5B8C7", "words": r"%%c300 \U+9053", "title": r"\U+540D\U+79F0",
        "TITLE": r"\U+540D\U+79F0", "value": r"{\fSimSun|b0;\U+96E8}\M+5CBAE",
    }  # fmt: skip
    lines = [names.get(line, line) for line in path.read_text("utf-8").split("\n")]
    path.write_text("\n".join(lines), "utf-8", newline="\n")

    reading = Reading(path, mapping=ROADS)

    facility, note = reading.layers["facility"].iloc[0], reading.layers["annotation"].iloc[0]
    assert (facility["name"], facility["kind"]) == ("雨水", "盖")
    assert note["text"] == "Ø300 道"
