"""The pages: what a reader sees, and what no value in the store may do to a reader."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import geopandas as gpd
import numpy as np
import orjson
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from api_config.app import make_app
from api_config.pages import address, pages, render
from api_config.settings import Settings
from api_config.web.call import Call
from api_config.web.envelope import CSP
from ingest.draft import Draft
from twin_model.changeset import Source
from twin_model.town import init_town
from twin_model.versioning import commit

SCRIPT = "<script>alert(1)</script>"
BREAKOUT = '"><img src=x onerror=alert(1)>'
HOSTILE = (
    SCRIPT,
    BREAKOUT,
    "' onmouseover='alert(1)",
    "</title><svg onload=alert(1)>",
    "{{ 7*7 }}",
    "javascript:alert(1)",
    "]]>--><b>",
)
VOID = {"meta", "link", "input", "img", "br", "hr"}


class Page(HTMLParser):
    """A page as a browser reads it: elements with attributes, and the words between them."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.script_text = ""
        self._open: list[str] = []
        self.feed(body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "script" in self._open or "style" in self._open:
            self.script_text += data
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def links(self) -> list[str]:
        return [one["href"] for one in self.all("a") if "href" in one]


def violations(page: Page) -> list[str]:
    """Return what the policy forbids or a browser would run, load from elsewhere or follow as code."""
    found = [f"text in script or style: {page.script_text[:60]}"] if page.script_text.strip() else []
    for tag, attributes in page.elements:
        if tag in {"style", "base", "iframe", "object", "embed", "image", "use", "foreignobject", "b"}:
            found.append(f"<{tag}>")
        if tag == "meta" and "http-equiv" in attributes:
            found.append("meta http-equiv")
        if tag == "img" and not attributes.get("src", "").endswith("/static/icon.svg"):
            found.append(f"img {attributes}")
        if tag == "script" and attributes.get("src", "").split("/static/")[-1] not in {"map.js", "copy.js"}:
            found.append(f"script {attributes}")
        for name, value in attributes.items():
            if name == "style" or name.startswith("on"):
                found.append(f"{tag} {name}={value}")
            loaded = name in {"src", "srcset", "action", "formaction", "data", "poster", "xlink:href"} or (
                tag == "link" and name == "href"
            )
            if loaded and (urlsplit(value).netloc or urlsplit(value).scheme):
                found.append(f"{tag} loads {value}")
            if name == "href" and urlsplit(value.strip()).scheme not in {"", "http", "https"}:
                found.append(f"{tag} leads to {value}")
    return found


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    """A small town: forty buildings, one hostile, plans with hostile ids, an element with property sets."""
    town = init_town(tmp_path_factory.mktemp("pages") / "town", name="高铁<新>城", crs="EPSG:4548")
    with Draft(Source("town.gpkg", "a1"), town.catalogue, storage_crs="EPSG:4548") as draft:
        draft.add("building", _buildings())
        draft.add("planning_area", _plans())
        draft.add("bim_element", _elements())
        draft.add("pipe_line", _pipes())
        commit(town.store, draft.to_changeset(author="test", reason="test"))
    town.store.close()
    yield make_app(Settings(town=town.path))


def _squares(count: int, *, at: tuple[float, float] = (618000.0, 3886000.0)) -> Any:
    x, y = at[0] + np.arange(count) % 8 * 60.0, at[1] + np.arange(count) // 8 * 60.0
    return shapely.box(x, y, x + 30, y + 20)


def _buildings() -> gpd.GeoDataFrame:
    names = [f"楼{n}" for n in range(40)]
    names[3] = SCRIPT
    address = [None] * 36 + [
        "https://city.example/doc?a=1&b=2",
        "javascript:alert(1)",
        BREAKOUT,
        "//x.example/doc",
    ]
    storeys = np.arange(40) % 30 + 1
    return gpd.GeoDataFrame(
        {
            "name": names,
            "structure": ["砼", "混"] * 20,
            "storeys": storeys,
            "height": storeys * 3.0,
            "address": address,
        },
        geometry=_squares(40),
        crs="EPSG:4548",
    )


def _plans() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"name": list(HOSTILE)}, geometry=_squares(len(HOSTILE), at=(617000.0, 3885000.0)), crs="EPSG:4548"
    )


def _elements() -> gpd.GeoDataFrame:
    sets = {
        "Pset_WallCommon": {"FireRating": "2h", "IsExternal": True, SCRIPT: BREAKOUT},
        "Qto": {"Length": {"lower": 1.0, "upper": 2.5}},
    }
    return gpd.GeoDataFrame(
        {
            "global_id": ["0abc"],
            "model": ["M"],
            "ifc_class": ["IfcWall"],
            "name": ["墙"],
            "properties": [orjson.dumps(sets).decode()],
        },
        geometry=shapely.force_3d(_squares(1)),
        crs="EPSG:4548",
    )


def _pipes() -> gpd.GeoDataFrame:
    lines = [shapely.LineString([(618000, 3886000 + 5 * n, 60), (618200, 3886000 + 5 * n, 59)]) for n in range(3)]
    return gpd.GeoDataFrame(
        {"segment_key": ["a", "b", "c"], "class": ["JS", "PS", "RQ"], "width_mm": [200.0, 300.0, 400.0]},
        geometry=lines,
        crs="EPSG:4548",
    )


@pytest.fixture(scope="module")
def client(app: Starlette) -> TestClient:
    return TestClient(app, headers={"Accept": "text/html"})


def call_of(app: Starlette, address: str = "/") -> Call:
    """A call as the server makes it from an address."""
    parts = urlsplit(address)
    scope = {
        "type": "http",
        "method": "GET",
        "path": parts.path,
        "query_string": parts.query.encode(),
        "headers": [(b"host", b"testserver")],
        "app": app,
        "scheme": "http",
        "server": ("testserver", 80),
        "root_path": "",
    }
    return Call(Request(scope))


def read(client: TestClient, address: str) -> Page:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text[:500]
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == CSP
    return Page(answer.content)


ADDRESSES = (
    "/",
    "/collections",
    "/collections/building",
    "/collections/planning_area",
    "/collections/camera",
    "/collections/building/items",
    "/collections/planning_area/items",
    "/collections/pipe_line/items",
    "/collections/bim_element/items",
    "/collections/camera/items",
    "/collections/building/queryables",
    "/collections/building/sortables",
    "/collections/bim_element/schema",
    "/conformance",
    "/api",
)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_obeys_the_content_policy_and_speaks_the_readers_language(
    client: TestClient, address: str, lang: str
) -> None:
    page = read(client, f"{address}?lang={lang}")

    assert violations(page) == []
    assert page.all("html")[0]["lang"] == {"zh": "zh-CN", "en": "en"}[lang]
    assert page.all("h1")


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_can_be_used_by_keyboard_and_screen_reader(client: TestClient, address: str) -> None:
    page = read(client, address)

    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    named = {one.get("for") for one in page.all("label")}
    assert len(ids) == len(set(ids))
    assert all(one["id"] in named for one in page.all("input") if one.get("type") != "hidden")
    assert all("alt" in one for one in page.all("img"))
    assert all(link[1:] in ids for link in page.links() if link.startswith("#"))


def test_a_hostile_name_is_read_as_text_in_table_map_and_item(client: TestClient) -> None:
    items = read(client, "/collections/building/items?lang=zh")
    (href,) = [link for link in items.links() if re.search(r"/items/building\.4\b", link)][-1:]
    item = read(client, href)

    assert SCRIPT in items.text
    assert SCRIPT in item.text
    assert violations(items) + violations(item) == []


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_feature_whose_id_is_hostile_has_a_page_that_its_links_lead_to(client: TestClient, hostile: str) -> None:
    items = read(client, "/collections/planning_area/items?lang=zh")
    wanted = f"/collections/planning_area/items/{quote(hostile, safe=':')}?lang=zh"

    item = read(client, wanted)

    assert wanted in items.links()
    assert hostile in item.text
    assert violations(items) + violations(item) == []


def test_parameters_of_the_reader_come_back_as_text(client: TestClient) -> None:
    page = read(client, f"/collections/building/items?q={quote(BREAKOUT)}&limit=5")

    assert violations(page) == []
    assert BREAKOUT in page.text
    assert BREAKOUT in [one.get("value") for one in page.all("input")]


def test_a_web_address_in_an_attribute_becomes_a_link_and_a_script_address_does_not(
    client: TestClient,
) -> None:
    hrefs = {href for n in range(36, 41) for href in read(client, f"/collections/building/items/building.{n}").links()}

    assert "https://city.example/doc?a=1&b=2" in hrefs
    assert not [href for href in hrefs if "alert" in href or "//x" in href]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=40) | st.sampled_from(HOSTILE),
    data=st.data(),
)
def test_any_value_anywhere_in_a_feature_is_shown_as_it_is_and_runs_nothing(
    app: Starlette, value: str, data: st.DataObject
) -> None:
    layer = app.state.service.town.catalogue["building"]
    name = data.draw(st.sampled_from(["name", "address", "structure", "usage"]))
    feature = {
        "type": "Feature",
        "id": value or "x",
        "geometry": {"type": "Point", "coordinates": [118.3, 35.1]},
        "properties": {name: value},
        "links": [{"href": value, "rel": "related", "title": value}],
    }
    call = call_of(app, "/collections/building/items/x?lang=zh")

    item = Page(pages.item_page(call, layer, feature))
    items = Page(pages.items_page(call, layer, {"features": [feature], "links": []}))

    assert violations(item) + violations(items) == []
    assert value in item.text
    assert value in items.text


@pytest.mark.parametrize(
    "url",
    ["https://a.example/x", "http://a.example", "/collections", "?f=json", "#top", "items/1", "../x?y=a:b"],
)
def test_web_and_relative_addresses_may_be_links(url: str) -> None:
    assert address.safe_href(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "http:evil",
        "file:///etc/passwd",
        "",
        "http://[",
        None,
    ],
)
def test_every_other_address_is_not_a_link(url: str | None) -> None:
    assert address.safe_href(url if url is not None else "blob:x") is None


@given(st.text(max_size=30) | st.from_regex(r"[a-z/\\:. \t\n]{0,20}", fullmatch=True))
def test_what_may_be_a_link_never_leaves_http_nor_this_host_without_saying_so(url: str) -> None:
    href = address.safe_href(url)

    if href is not None:
        target = urlsplit(urljoin("https://town.example/a/b", href))
        assert target.scheme in {"http", "https"}
        assert target.netloc == "town.example" or href.lower().startswith(("http://", "https://"))


def test_the_language_link_keeps_the_query(client: TestClient) -> None:
    page = read(client, "/collections/building/items?lang=zh&filter=storeys%20%3E%203&limit=20")

    (switch,) = [one["href"] for one in page.all("a") if one.get("hreflang") == "en"]
    english = read(client, urljoin("http://testserver/collections/building/items", switch))

    assert english.all("html")[0]["lang"] == "en"
    assert "storeys > 3" in [one.get("value") for one in english.all("input")]


def test_an_item_shows_titles_units_and_meanings_of_codes(client: TestClient) -> None:
    zh = read(client, "/collections/building/items/building.1?lang=zh").text
    en = read(client, "/collections/building/items/building.1?lang=en").text

    assert re.search(r"高度\s*3 m", zh)
    assert re.search(r"结构\s*钢筋混凝土结构\s*砼", zh)
    assert re.search(r"Height\s*3 m", en)
    assert "reinforced concrete" in en.lower()


def test_an_element_shows_its_property_sets_in_depth(client: TestClient) -> None:
    page = read(client, "/collections/bim_element/items/M.0abc?lang=en")

    assert "Pset_WallCommon" in [text.strip() for text in page.text.split("\n")]
    assert re.search(r"FireRating\s*2h", page.text)
    assert re.search(r"IsExternal\s*yes", page.text)
    assert re.search(r"upper\s*2.5", page.text)
    assert SCRIPT in page.text
    assert violations(page) == []


def test_sorting_by_a_heading_twice_turns_the_order_around(client: TestClient) -> None:
    def sorted_by(page: Page) -> str:
        return next(href for href in page.links() if re.fullmatch(r"\?limit=40&sortby=-?storeys", href))

    here = "http://testserver/collections/building/items"
    up = read(client, urljoin(here, sorted_by(read(client, f"{here}?limit=40"))))
    down = read(client, urljoin(here, sorted_by(up)))

    assert [one.get("aria-sort") for one in up.all("th") if "aria-sort" in one] == ["ascending"]
    assert [one.get("aria-sort") for one in down.all("th") if "aria-sort" in one] == ["descending"]
    assert rows(up)[0] == "building.1"
    assert rows(down)[0] == "building.30"


def rows(page: Page) -> list[str]:
    return [one["data-row"] for one in page.all("tr") if "data-row" in one]


def test_every_filter_offered_as_an_example_finds_features(client: TestClient) -> None:
    for collection in ("building", "planning_area", "bim_element", "pipe_line"):
        here = f"http://testserver/collections/{collection}/items"
        offered = [href for href in read(client, here).links() if "filter=" in href]

        assert offered
        assert all(rows(read(client, urljoin(here, href))) for href in offered)


def test_following_next_shows_every_feature_once(client: TestClient) -> None:
    here, seen = "http://testserver/collections/building/items?limit=15&sortby=-storeys", []
    while here:
        page = read(client, here)
        seen += rows(page)
        here = next((urljoin(here, one["href"]) for one in page.all("a") if one.get("rel") == "next"), "")

        assert not [href for href in page.links() if "cursor=" in href and "sortby=storeys" in href]

    assert len(seen) == 40
    assert set(seen) == {f"building.{n}" for n in range(1, 41)}


def test_the_second_page_downloads_itself_and_leads_back_to_the_first(client: TestClient) -> None:
    here = "http://testserver/collections/building/items?limit=15&lang=zh"
    following = next(one["href"] for one in read(client, here).all("a") if one.get("rel") == "next")
    page = read(client, urljoin(here, following))

    download, switch, first = (
        next(href for href in page.links() if re.search(wanted, href))
        for wanted in (r"cursor=.*f=json$", r"lang=en.*cursor=|cursor=.*lang=en", r"^\?limit=15&lang=zh$")
    )

    loaded = client.get(urljoin(here, download)).json()["features"]
    assert [one["id"] for one in loaded] == rows(page) == rows(read(client, urljoin(here, switch)))
    assert rows(read(client, urljoin(here, first))) == rows(read(client, here))


def test_a_page_without_features_says_so_and_offers_to_drop_the_condition(client: TestClient) -> None:
    page = read(client, "/collections/building/items?lang=zh&filter=storeys%20%3E%20900")

    assert "没有符合条件的要素" in page.text
    assert "?lang=zh" in page.links()


def corners(page: Page) -> dict[str, Any]:
    """Return longitude, latitude of the first ring of each feature on the map, read back from the picture."""
    (canvas,) = [one for one in page.all("div") if "data-map" in one]
    west, north, sx, sy = (float(canvas[f"data-{name}"]) for name in ("west", "north", "sx", "sy"))
    found, current = {}, None
    for tag, attributes in page.elements:
        if tag == "a":
            current = attributes.get("data-feature")
        elif tag == "path" and current is not None:
            numbers = np.array(re.findall(r"-?[\d.]+", attributes["d"].split("Z")[0]), dtype=float).reshape(-1, 2)
            found[current] = numbers / [sx, -sy] + [west, north]
            current = None
    return found


def shapes(page: Page) -> list[str]:
    """Return the paths of the features on the map; those of the frame are not among them."""
    inside, found = False, []
    for tag, attributes in page.elements:
        inside = (inside or attributes.get("class") == "content") and attributes.get("class") != "labels"
        found += [attributes["d"]] if inside and tag == "path" else []
    return found


def test_shapes_on_the_map_lie_where_the_features_are(client: TestClient) -> None:
    features = client.get("/collections/building/items?limit=40&f=json").json()["features"]

    drawn = corners(read(client, "/collections/building/items?limit=40"))

    assert set(drawn) == {one["id"] for one in features}
    for one in features:
        box = shapely.box(*shapely.bounds(shapely.from_geojson(orjson.dumps(one["geometry"]).decode())))
        assert shapely.Polygon(drawn[one["id"]]).symmetric_difference(box).area < 0.1 * box.area


def test_the_map_is_the_same_whatever_system_the_coordinates_are_asked_in(client: TestClient) -> None:
    plain = corners(read(client, "/collections/building/items"))

    for code in (4548, 4490, 3857):
        other = corners(read(client, f"/collections/building/items?crs=http://www.opengis.net/def/crs/EPSG/0/{code}"))

        assert set(other) == set(plain)
        assert all(np.abs(other[name] - plain[name]).max() < 2e-6 for name in plain)


def test_shapes_have_the_colours_of_the_catalogue_and_the_legend_names_them(client: TestClient) -> None:
    page = read(client, "/collections/pipe_line/items?lang=zh")

    assert {"#00ffff", "#4c3926", "#ff00ff"} <= {one.get("stroke") for one in page.all("g")}
    assert all(word in page.text for word in ("给水", "排水", "燃气"))


def test_a_map_is_drawn_for_the_sketch_of_the_town_and_for_neighbours(app: Starlette, client: TestClient) -> None:
    features = client.get("/collections/building/items?limit=5&f=json").json()
    collections = client.get("/collections?f=json").json()["collections"]
    layer = app.state.service.town.catalogue["building"]

    landing = Page(
        pages.landing_page(call_of(app), {"collections": collections}, {"building": features, "pipe_line": features})
    )
    item = Page(pages.item_page(call_of(app), layer, features["features"][0], nearby=features))

    assert len(shapes(landing)) == 2 * len(features["features"])
    assert set(corners(item)) == {one["id"] for one in features["features"]}
    assert violations(landing) + violations(item) == []


def test_points_lines_holes_and_missing_geometries_are_drawn_or_left_out(app: Starlette) -> None:
    holed = shapely.box(118.3, 35.1, 118.31, 35.11).difference(shapely.box(118.303, 35.103, 118.305, 35.105))
    geometries = [
        shapely.Point(118.3, 35.1),
        shapely.MultiLineString([[(118.3, 35.1), (118.31, 35.1)], [(118.3, 35.11), (118.31, 35.11)]]),
        holed,
        None,
    ]
    features = [
        {
            "type": "Feature",
            "id": f"f{n}",
            "geometry": orjson.loads(shapely.to_geojson(one)) if one else None,
            "properties": None,
        }
        for n, one in enumerate(geometries)
    ]
    layer = app.state.service.town.catalogue["building"]

    page = Page(pages.items_page(call_of(app), layer, {"features": features, "links": []}))

    drawn = shapes(page)
    assert [one.count("M") for one in drawn] == [1, 2, 2]
    assert drawn[0].endswith("h0")
    assert drawn[2].count("Z") == 2
    assert rows(page) == ["f0", "f1", "f2", "f3"]


def test_behind_a_proxy_links_stay_below_its_path_and_copied_addresses_are_whole(app: Starlette) -> None:
    town = app.state.service.town
    proxied = TestClient(
        make_app(Settings(town=town.path, url="https://city.example/twin")), headers={"Accept": "text/html"}
    )

    page = read(proxied, "/collections/building?lang=zh")

    assert all(one["href"].startswith("/twin/static/") for one in page.all("link"))
    assert "/twin/collections/building/items?lang=zh" in page.links()
    assert "https://city.example/twin/collections/building/items" in page.text


def test_addresses_to_copy_are_those_that_answer(client: TestClient) -> None:
    page = read(client, "/?lang=en")

    address = re.search(r"curl '([^']+)'", page.text)

    assert address is not None
    assert client.get(address[1], headers={"Accept": "*/*"}).json()["features"]
    assert "http://testserver/" in page.text and 'geopandas.read_file("OAPIF:http://testserver' in page.text


def test_closed_or_empty_layers_are_listed_without_cards_and_full_ones_with_counts(
    client: TestClient,
) -> None:
    page = read(client, "/?lang=zh")

    assert re.search(r"建筑物\s*1:1000.*?40\s*要素", page.text, re.DOTALL)
    assert "/collections/camera?lang=zh" in page.links()
    assert re.search(r"另有 \d+ 个尚无数据的图层", page.text)


def test_the_documentation_lists_every_operation_of_the_openapi_document(client: TestClient) -> None:
    document = client.get("/api?f=json").json()

    page = read(client, "/api")

    assert all(path in page.text for path in document["paths"])
    tries = [one["href"] for one in page.all("a") if one.get("class") == "try"]
    assert {path for path in document["paths"] if "{" not in path} == set(tries)


def test_a_problem_is_told_with_its_detail_and_a_way_on(app: Starlette) -> None:
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": f"没有 {SCRIPT}",
        "code": "NotFound",
        "instance": f"/x{BREAKOUT}",
    }

    page = Page(pages.problem_page(call_of(app, "/x?lang=zh"), problem))

    assert violations(page) == []
    assert "没有找到" in page.text
    assert problem["detail"] in page.text
    assert "/?lang=zh" in page.links()


def test_search_hits_lead_to_their_features(app: Starlette) -> None:
    hit = {
        "type": "Feature",
        "id": "a/b",
        "geometry": None,
        "properties": {"collection": "building", "layer": "建筑物", "title": SCRIPT},
    }

    page = Page(pages.search_page(call_of(app, f"/search?lang=zh&q={quote(BREAKOUT)}"), {"features": [hit]}))

    assert violations(page) == []
    assert "/collections/building/items/a%2Fb?lang=zh" in page.links()
    assert SCRIPT in page.text


def test_both_languages_have_the_same_words_with_the_same_gaps() -> None:
    module = render._environment().get_template("words.html").module
    zh, en = vars(module)["zh"], vars(module)["en"]

    assert set(zh) == set(en)
    for name, words in zh.items():
        if isinstance(words, str):
            assert re.findall(r"\{\w+\}", words) == re.findall(r"\{\w+\}", en[name]), name
        else:
            assert set(words) == set(en[name]), name


def test_static_files_name_no_other_host_and_are_served(client: TestClient) -> None:
    folder = Path(pages.__file__).parent.parent / "static"
    files = sorted(folder.iterdir())

    assert [one.name for one in files if one.is_file()] == ["copy.js", "icon.svg", "map.js", "page.css"]
    for one in files:
        hosts = set(re.findall(r"https?://[^\s\"')]+|@import|url\(", one.read_text("utf-8")))
        assert hosts <= {"http://www.w3.org/2000/svg"}
        assert client.get(f"/static/{one.name}").status_code == 200
