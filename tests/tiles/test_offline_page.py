"""Pages that ask no host for anything: what people wrote stays text in them."""

import html
import json

import numpy as np

from tiles.offline_page import LegendGroup, frame_of, legend_html, page_html, script_json, without_hosts
from tiles.symbology import LegendEntry, Symbols

EVIL = "</script><script>alert(1)</script>"
COLORS = np.zeros((0, 4), dtype=np.uint8)


def test_a_text_never_ends_the_script_it_stands_in() -> None:
    written = script_json({"name": EVIL, "note": "<!-- <script>"})

    assert "<" not in written
    assert json.loads(written) == {"name": EVIL, "note": "<!-- <script>"}


def test_a_library_loses_the_addresses_of_other_hosts() -> None:
    code = (
        'const a = "https://town.example/x", b = "http://www.w3.org/2000/svg"; // </script>\n//# sourceMappingURL=a.map'
    )

    assert without_hosts(code) == 'const a = "town.example/x", b = "http://www.w3.org/2000/svg"; // <\\/script>\n'


def test_titles_and_legends_are_escaped() -> None:
    group = LegendGroup(
        EVIL, 1, 2, Symbols(COLORS, (LegendEntry("#ff0000", EVIL, 1), LegendEntry("#00ff00", "b", 2)), EVIL)
    )

    page = page_html(title=EVIL, scripts=["const scene = 1;"], legend=legend_html([group], "zh"))

    assert "<script>alert" not in page
    assert page.count(html.escape(EVIL)) == 4


def test_one_class_is_a_line_and_several_stand_below_their_layer() -> None:
    single = LegendGroup("道路面", 1234, 2, Symbols(COLORS, (LegendEntry("#ff0000", "道路面", 1234),)))
    several = LegendGroup(
        "管线段", 3, 1, Symbols(COLORS, (LegendEntry("#ff0000", "电力", 1), LegendEntry("#00ff00", "给水", 2)), "管类")
    )

    text = legend_html([single, several], "zh")

    assert text.count("道路面") == 1 and "1,234" in text
    assert text.count('class="class"') == 2 and 'class="line"' in text
    assert text.startswith('<details id="legend" open><summary>图例</summary>')
    assert legend_html([], "zh") == ""


def test_a_frame_holds_the_whole_page_as_text() -> None:
    page = page_html(title="城", scripts=['const a = "<b>";'])

    framed = frame_of(page, height=300)

    assert html.unescape(framed.split('srcdoc="')[1].split('" width')[0]) == page
    assert 'height="300"' in framed
