"""`town.map`: any frame or layer becomes a page that needs no network, in Chromium too, flat and in three dimensions."""

import html
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from chromium import DECK_LOADED, OFFLINE_FLAGS
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from shapely import GeometryCollection, LineString, MultiPoint, Point, box

from tiles import notebook_map
from tiles.flat_map import LIBRARY
from tiles.notebook_map import NotebookMap
from twin_model.errors import CrsRefused, LayerNotFound, QueryRefused
from twin_model.town import Town, init_town

CRS = "EPSG:4548"
EAST, NORTH = 618500.0, 3886000.0
EVIL = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
LOADED = {True: "() => map.loaded() && map.areTilesLoaded()", False: DECK_LOADED}
"""How a page knows that it is drawn, by whether it is flat."""
MIDDLE = {
    True: "([lon, lat]) => { const at = map.project([lon, lat]); return [at.x, at.y]; }",
    False: """() => deckInstance.layerManager.getLayers().find(layer => layer.id === "building-1")
      .project([0, 0, 20]).slice(0, 2)""",
}
"""Where on the screen the middle of the second building is, in 3D that of its roof."""
TOOLTIP = {
    True: "() => document.getElementById('tooltip').textContent",
    False: "() => document.querySelector('.deck-tooltip').innerText",
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town of three buildings in a row, the second with a name that wants to be a script, and a street beside them."""
    with init_town(tmp_path_factory.mktemp("map") / "town", name="高铁新城", crs=CRS) as town:
        squares = [box(EAST + 60 * n - 20, NORTH - 20, EAST + 60 * n + 20, NORTH + 20) for n in (-1, 0, 1)]
        columns = {
            "name": ["站房", EVIL, None],
            "structure": ["砖", "钢", None],
            "storeys": [2, 6, 30],
            "height": [6.0, 20.0, 40.0],
        }
        buildings = gpd.GeoDataFrame(columns, geometry=squares, crs=CRS)
        street = [LineString([(EAST - 90, NORTH - 40), (EAST + 90, NORTH - 40)])]
        town.edit("building", buildings, reason="survey", effective="2022-01-01")
        road = gpd.GeoDataFrame({"name": ["锦绣街"]}, geometry=street, crs=CRS)
        town.edit("road_line", road, reason="survey", effective="2022-01-01")
        yield town


@pytest.fixture(scope="module")
def built() -> None:
    """Flat maps need the library that the built viewer has."""
    assert LIBRARY.is_dir(), f"{LIBRARY} is missing. Build it: make viewer"


def parcels() -> gpd.GeoDataFrame:
    """Return two areas that no layer knows, one of them without a value."""
    areas = [box(EAST - 100, NORTH - 30, EAST, NORTH + 30), box(EAST, NORTH - 30, EAST + 100, NORTH + 30)]
    return gpd.GeoDataFrame({"容积率": [1.5, None], "id no": ["a", "b"]}, geometry=areas, crs=CRS)


def legend_of(shown: Any) -> list[str]:
    """Return the lines of a map's legend as text."""
    legend = re.search(r"<details.*?</details>", shown.page, re.DOTALL)
    assert legend is not None
    lines = re.findall(r"<p[^>]*>(.*?)</p>", legend[0])
    return [html.unescape(re.sub("<[^>]+>", "", line)) for line in lines]


def test_a_layer_is_named_in_chinese_and_coloured_by_a_field_named_in_chinese(town: Town) -> None:
    shown = town.map("建筑物", column="地上层数")

    assert legend_of(shown) == ["建筑物 3", "地上层数", "2 1", "6 1", "30 1"]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("flat", [False, True])
def test_a_frame_of_any_kind_lies_over_layers_with_a_legend_of_its_own(town: Town, flat: bool) -> None:
    shown = town.map({"地块": parcels(), "建筑物": None, "street": "road_line"}, column="容积率", flat=flat)

    assert legend_of(shown) == ["地块 2", "容积率", "1.5 1", "无数据 1", "建筑物 3", "street 1"]
    assert repr(shown).startswith("<map of 地块 (2), 建筑物 (3), street (1); ")


def test_without_a_column_the_catalogue_colours_by_its_field_in_either_language(town: Town) -> None:
    assert legend_of(town.map("building")) == ["建筑物 3", "结构", "砖木结构 1", "钢结构 1", "无数据 1"]
    assert legend_of(town.map(["Buildings"], lang="en"))[1:3] == ["Structure", "brick 1"]


def test_a_frame_under_the_name_of_a_layer_is_drawn_as_that_layer(town: Town) -> None:
    tall = town.features("building", where="storeys > 5").assign(rank=["a", "b"])

    shown = town.map({"建筑物": tall}, column="rank")

    assert legend_of(shown) == ["建筑物 2", "rank", "a 1", "b 1"]
    assert '"extruded":true' in shown.page


def test_points_lines_and_areas_of_one_frame_are_drawn_each_in_its_way(town: Town) -> None:
    shapes = [
        MultiPoint([(EAST, NORTH), (EAST + 9, NORTH)]),
        GeometryCollection([Point(EAST, NORTH), parcels().geometry[0]]),
    ]
    mixed = gpd.GeoSeries([*shapes, None, LineString()], crs=CRS)

    shown = town.map(mixed, lang="en")

    assert legend_of(shown) == ["Result · points 3", "Result · areas 1"]


def test_a_frame_in_degrees_lies_where_its_twin_in_metres_lies(town: Town) -> None:
    metres, degrees = parcels(), parcels().to_crs("EPSG:4490")

    pages = [town.map(frame).page for frame in (metres, degrees)]  # type: ignore[attr-defined]

    rings = [re.findall(r'"polygon":\[\[\[(-?[\d.]+),(-?[\d.]+)', page) for page in pages]
    assert len(rings[0]) == 2
    for one, other in zip(*rings, strict=True):
        assert [float(each) for each in one] == pytest.approx([float(each) for each in other], abs=0.01)


def test_a_past_day_and_no_answer_give_a_map_with_nothing_on_it(town: Town) -> None:
    shown = [town.map("building", at="2001-01-01"), town.map(town.features("building", where="storeys > 99"))]

    assert [legend_of(each)[0] for each in shown] == ["建筑物 0", "建筑物 0"]


def test_a_map_says_how_the_highest_of_its_layers_is_classed_with_or_without_a_legend(town: Town) -> None:
    unmarked = town.map("building")
    settings = replace(town.settings, classification={"road_line": "秘密"}, map_approval={"building": "GS(2026)1号"})
    town.settings, before = settings, town.settings
    shown, picture = town.map(["building", "road_line"], legend=False), town.features("road_line")._repr_html_()
    town.settings = before

    assert '<div id="marking">密级：秘密　审图号：GS(2026)1号</div>' in shown.page
    assert "密级：秘密" in picture
    assert '<div id="marking">' not in unmarked.page


def test_a_map_can_do_without_its_legend(town: Town) -> None:
    assert "<details" not in town.map("building", legend=False).page  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("layers", "keywords", "error", "words"),
    [
        ("建筑", {}, LayerNotFound, "building"),
        ("building", {"column": "storey"}, QueryRefused, "storeys"),
        ("building", {"column": "geometry"}, QueryRefused, "no column|has a column"),
        (pd.DataFrame({"a": [1]}), {}, QueryRefused, "DataFrame"),
        (7, {}, QueryRefused, "int"),
        (parcels().set_crs(None, allow_override=True), {}, CrsRefused, "is not known"),
        ("building", {"column": "storeys", "palette": "rainbow"}, QueryRefused, "viridis"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_nearest(
    town: Town, layers: Any, keywords: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        town.map(layers, **keywords)


def test_a_map_that_a_notebook_could_not_open_again_is_refused(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook_map, "_MOST_CORNERS", 9)

    with pytest.raises(QueryRefused, match="15 corners") as refused:
        town.map("building")

    assert "bbox" in refused.value.text("zh")


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("flat", [False, True])
def test_pages_and_frames_name_no_other_host_and_hold_no_script_of_the_data(town: Town, flat: bool) -> None:
    shown: Any = town.map("building", column="name", flat=flat)

    for text in (shown.page, shown._repr_html_()):
        assert set(re.findall(r"(?:https?|wss?)://([a-z0-9][^/\s\"'`<>&]*)", text)) == {"www.w3.org"}, "XML namespaces"
    assert "<script>document" not in shown.page and "<img src=x" not in shown.page
    assert "站房" in shown.page


def test_a_map_is_written_into_a_folder_that_is_not_there_yet(town: Town, tmp_path: Path) -> None:
    path = town.map("building").to_html(tmp_path / "成果" / "map.html")

    assert path.read_text("utf-8").startswith("<!doctype html>")


@dataclass
class Opened:
    """A page, what it asked the network for, and what its console said that it should not."""

    page: Page
    asked: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def picture(self) -> Image.Image:
        return Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OFFLINE_FLAGS)
        yield browser
        browser.close()


def opened(browser: Browser, shown: NotebookMap, loaded: str) -> Opened:
    """Show a map as a notebook does, in a frame, in a Chromium that resolves no host."""
    visit = Opened(browser.new_page(viewport={"width": 640, "height": 420}))
    visit.page.on("request", lambda request: visit.asked.append(request.url))
    visit.page.on("pageerror", lambda error: visit.troubles.append(str(error)))
    visit.page.on(
        "console",
        lambda line: visit.troubles.append(line.text) if line.type in {"error", "warning"} else None,
    )
    visit.page.route("**/*", lambda route: route.abort())
    visit.page.set_content(f'<body style="margin:0">{shown._repr_html_()}</body>')
    visit.page.frames[1].wait_for_function(loaded, timeout=60_000)
    return visit


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("flat", [False, True])
def test_chromium_draws_the_map_without_network_and_the_pointer_reads_it(
    browser: Browser, town: Town, flat: bool
) -> None:
    """It draws with the processor alone, which takes seconds."""
    palette = {"站房": "#0000ff", EVIL: "#d62728"}
    shown: Any = town.map({"地块": parcels(), "建筑物": None}, column="name", palette=palette, flat=flat, height=420)
    place = gpd.GeoSeries([Point(EAST, NORTH)], crs=CRS).to_crs("EPSG:4490")

    visit = opened(browser, shown, LOADED[flat])
    frame = visit.page.frames[1]
    x, y = (round(each) for each in frame.evaluate(MIDDLE[flat], [place.x[0], place.y[0]]))
    middle = visit.picture().getpixel((x, y))
    visit.page.mouse.move(x - 4, y)
    visit.page.mouse.move(x, y)
    frame.wait_for_function(f"() => ({TOOLTIP[flat]})().includes('building.2')", timeout=20_000)
    tooltip = frame.evaluate(TOOLTIP[flat])

    assert isinstance(middle, tuple)
    assert middle[0] > middle[1] + 60 and middle[0] > middle[2] + 60, "the building in the middle is red"
    assert EVIL in tooltip and "地上层数: 6" in tooltip
    assert frame.evaluate("() => document.title") != "broken"
    assert frame.evaluate("() => document.getElementById('legend').innerText").startswith("图例")
    assert frame.evaluate("() => document.getElementById('scale').textContent") in {"10 m", "20 m", "50 m"}
    assert [url for url in visit.asked if not url.startswith(("data:", "blob:", "about:"))] == []
    assert visit.troubles == []
    visit.page.close()
