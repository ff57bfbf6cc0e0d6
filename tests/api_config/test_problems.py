"""What is asked wrongly is refused with words in the client's language; nothing a client sends makes the service stumble."""

import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

Case = TypeVar("Case")
ITEMS = "/collections/building/items"
LONG = "x" * 20_000
BAD: list[tuple[str, dict[str, Any]]] = [
    (ITEMS, {"colour": "red"}), (ITEMS, {"BBOX": "1,2,3,4"}), (ITEMS, {"offset": "10"}), (ITEMS, {"limit": ["1", "2"]}),
    *[(ITEMS, {"bbox": one}) for one in ("", "1,2,3", "1,2,3,4,5", "a,b,c,d", "nan,nan,nan,nan", "inf,0,1,1", "1,2,3,1", "1,2,3,4;drop", "118,91,119,92", "-181,0,0,1",
                                         "1e400,0,1,1", ",,,", LONG, "1,2,3,4,", "1 2 3 4")],
    *[(ITEMS, {"bbox": "3,0,1,1", "bbox-crs": "http://www.opengis.net/def/crs/EPSG/0/3857"})],
    *[(ITEMS, {"datetime": one}) for one in ("", "yesterday", "2024-13-01", "2024-02-30", "../..", "2024-06-01/2024-05-01", "2024/2025/2026", "/", "0001-01-01",
                                            "9999-12-31T23:59:59-14:00", "NaN", LONG, "2024-06-01' OR 1=1")],
    *[(ITEMS, {"recorded": one}) for one in ("", "²", "-1", "99999999", "latest", "1e3", LONG, "0x10")],
    *[(ITEMS, {"limit": one}) for one in ("", "0", "-1", "1.5", "ten", "NaN", "+5", "٣", "1e3", "1;")],
    *[(ITEMS, {name: one}) for name in ("crs", "bbox-crs", "filter-crs") for one in ("", "EPSG:99999", "EPSG:2437", "4326", "+proj=longlat", "x" * 3000, "http://evil.example/crs",
                                                                                     "urn:ogc:def:crs:", "http://www.opengis.net/def/crs/EPSG/0/", "EPSG:4326;--", "file:///etc/passwd")],
    *[(ITEMS, {"sortby": one}) for one in ("", "nothing", "+", "-", ",", "storeys,", "storeys,storeys", "storeys DESC", "geometry", "storeys;drop table building", ",".join(["name"] * 3000))],
    ("/collections/bim_element/items", {"sortby": "mesh"}),
    *[(ITEMS, {"properties": one}) for one in ("", ",", "nothing", "name,", "name;drop", "*", LONG)],
    *[(ITEMS, {"q": one}) for one in ("", " ", LONG, " ".join("abcdefghijklmnopqrstuvwxyz"))],
    *[(ITEMS, {"filter-lang": one, "filter": "storeys=1"}) for one in ("", "ecql", "sql")],
    *[(ITEMS, {"filter": one}) for one in ("a IN (" * 31 + "!!" + ")" * 31, "storeys in(" * 60, "POLYGON" + "(" * 60, "S_INTERSECTS(geometry, polygon z\n" + "(" * 60 + "1 1" + ")" * 61,
                                          "GEOMETRYCOLLECTION(" * 60, "f(a IN (" * 20, "NOT " * 20 + "storeys = 1", "storeys = " + "-(" * 60, "BBOX(" * 60, LONG, "(a OR (b AND " * 20 + "c" + "))" * 20)],
    *[(ITEMS, {"filter": one, "filter-lang": "cql2-json"}) for one in ("[" * 10_000, '{"op":"not","args":[' * 700, '{"op":"not","args":[' * 30 + "true" + "]}" * 30)],
    *[(ITEMS, {"skipGeometry": one}) for one in ("", "1", "yes")],
    *[(ITEMS, {"f": one}) for one in ("", "xml", "../../etc/passwd", LONG)],
    *[(ITEMS, {"storeys": one}) for one in ("", "many", "nan", "inf", "1e999", "1 OR 1=1")],
    (ITEMS, {"built": "2020-13-01"}), (ITEMS, {"valid_from": "x"}), (ITEMS, {"lang": "klingon"}), (ITEMS, {"filter": ""}), (ITEMS, {"cursor": ""}),
    ("/collections", {"limit": "3"}), ("/conformance", {"x": ""}), ("/", {"f": "xml"}), ("/api", {"f": "yaml"}), ("/collections/building", {"crs": "x"}),
    ("/collections/building/queryables", {"f": "csv"}), (f"{ITEMS}/building.1", {"bbox": "1,2,3,4"}), (f"{ITEMS}/building.1", {"crs": "x"}),
    ("/search", {}), ("/search", {"q": ""}), ("/search", {"q": "a", "f": "xml"}), ("/search", {"q": "a", "limit": "0"}), ("/search", {"q": LONG}),
    ("/crs/transform", {}), ("/crs/transform", {"lon": "nan", "lat": "1"}), ("/crs/transform", {"lon": "1", "lat": "91"}), ("/crs/transform", {"lon": "1", "lat": "1", "to": LONG}),
    ("/collections/building/tiles/WebMercatorQuad/0/0/0", {"datetime": "x"}), ("/collections/building/tiles/WebMercatorQuad/0/0/0", {"f": "png"}),
    ("/collections/building/tiles", {"f": "xml"}), ("/tileMatrixSets", {"f": "xml"}), ("/collections/building/3dtiles/tileset.json", {"recorded": "x"}),
    ("/terrain/layer.json", {"x": "1"}), ("/terrain/0/1/0.terrain", {"x": "1"}), ("/viewer/config.json", {"x": "1"}),
]  # fmt: skip
ABSENT = [
    "/nowhere", "/collections/nothing", "/collections/nothing/items", "/collections/nothing/items/1", f"{ITEMS}/nothing", f"{ITEMS}/building.0", f"{ITEMS}/%00",
    f"{ITEMS}/%FF%FE", f"{ITEMS}/..%2f..%2fetc%2fpasswd", "/collections/%00/items", "/collections/building%27/items", "/collections/nothing/queryables", "/collections/nothing/tiles",
    "/collections/building/tiles/NoSuchQuad", "/collections/building/tiles/NoSuchQuad/0/0/0", "/collections/building/tiles/WebMercatorQuad/0/0/1", "/collections/building/tiles/WebMercatorQuad/99/0/0",
    "/collections/building/tiles/WebMercatorQuad/-1/0/0", "/collections/building/tiles/WebMercatorQuad/a/0/0", "/collections/building/tiles/WebMercatorQuad/" + "9" * 5000 + "/0/0",
    "/collections/building/tiles/WebMercatorQuad/%C2%B2/0/0", "/collections/building/tiles/CGCS2000Quad/0/0/2", "/collections/building/tiles/WorldCRS84Quad/0/1/0",
    "/tileMatrixSets/NoSuchQuad", "/collections/nothing/3dtiles/tileset.json", "/collections/road_area/3dtiles/tileset.json", "/collections/building/3dtiles/9/9/9/tileset.json",
    "/collections/building/3dtiles/content/0/0/0/none.glb", "/collections/building/3dtiles/content/0/0/" + "9" * 5000 + "/none.glb", "/terrain/99/0/0.terrain", "/terrain/0/9/0.terrain",
    "/terrain/a/b/c.terrain", "/static/..%2f..%2fapp.py", "/static/nothing.js",
]  # fmt: skip


def ensure_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem document and return it."""
    assert answer.status_code == status, (str(answer.request.url)[:200], answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["code"]
    assert problem["description"] == problem["detail"] != ""
    assert {"type", "title", "instance"} <= set(problem)
    assert "Accept-Language" in answer.headers["vary"]
    assert not re.search(r"Traceback|File \"|sqlite|SELECT |/work/|site-packages", answer.text)
    assert len(answer.content) < 4_000 + len(str(answer.request.url))
    return problem


def ensure_each(cases: Iterable[Case], check: Callable[[Case], None]) -> None:
    """Check every case and fail with all that are wrong, not with the first."""
    failures = []
    for case in cases:
        try:
            check(case)
        except AssertionError as failure:
            failures.append(f"{str(case)[:200]}: {failure}")
    assert failures == [], "\n".join(failures)


def test_what_is_asked_wrongly_is_refused_in_both_languages(inside: Any) -> None:
    """Some three hundred requests, which take seconds."""

    def check(case: tuple[str, dict[str, Any]]) -> None:
        path, query = case
        english = ensure_problem(inside.get(path, params=query, headers={"Accept-Language": "en"}), 400)
        chinese = ensure_problem(inside.get(path, params=query, headers={"Accept-Language": "zh-CN"}), 400)

        assert re.search(r"[\u4e00-\u9fff]", chinese["detail"])
        assert english["detail"] != chinese["detail"]
        assert english["code"] == chinese["code"] == "InvalidParameterValue"

    ensure_each(BAD, check)


def test_what_is_not_there_is_answered_with_404_in_both_languages(inside: Any) -> None:
    def check(address: str) -> None:
        english = ensure_problem(inside.get(address, headers={"Accept-Language": "en"}), 404)
        chinese = ensure_problem(inside.get(address, headers={"Accept-Language": "zh"}), 404)

        assert english["code"] == "NotFound"
        assert re.search(r"[\u4e00-\u9fff]", chinese["detail"])

    ensure_each(ABSENT, check)


def test_a_method_that_is_not_offered_is_refused_with_those_that_are(inside: Any) -> None:
    addresses = [
        "/",
        "/collections",
        ITEMS,
        f"{ITEMS}/building.1",
        "/collections/building/tiles/WebMercatorQuad/0/0/0",
        "/api",
        "/search",
    ]
    json_body = {"content": b"{}", "headers": {"Content-Type": "application/json; charset=utf-8"}}

    def check(case: tuple[str, str]) -> None:
        answer = inside(*case, **json_body)

        problem = ensure_problem(answer, 405)
        assert problem["code"] == "NotAllowed"
        assert {"GET", "HEAD"} <= set(answer.headers["allow"].replace(" ", "").split(","))

    ensure_each(itertools.product(["POST", "PUT", "PATCH", "DELETE"], addresses), check)


def test_the_nearest_name_is_offered(client: httpx.Client) -> None:
    wrong = {
        "/collections/buildings/items": "building",
        f"{ITEMS}?limits=3": "limit",
        f"{ITEMS}?sortby=storey": "storeys",
        f"{ITEMS}?properties=hight": "height",
        f"{ITEMS}?sortby=name,-attributes.STOREY": "/collections/building/sortables",
    }

    for address, nearest in wrong.items():
        assert nearest in client.get(address).json()["detail"], address


def test_lang_in_the_address_outweighs_the_header(client: httpx.Client) -> None:
    chinese = client.get(f"{ITEMS}?limit=0&lang=zh", headers={"Accept-Language": "en"}).json()
    english = client.get(f"{ITEMS}?limit=0&lang=en", headers={"Accept-Language": "zh"}).json()

    assert re.search(r"[\u4e00-\u9fff]", chinese["detail"])
    assert english["detail"].isascii()


def test_an_error_of_ours_tells_the_client_a_number_and_no_cause(demo_town: Any, inside_of: Any) -> None:
    """The store is taken away from under the service: the worst that can happen to it."""
    broken = inside_of(demo_town)
    broken.app.state.bridge = None

    answer = broken.get("/collections", headers={"Accept-Language": "en"})

    assert answer.status_code == 500
    assert re.search(r"logged as [0-9a-f]{12}", answer.json()["detail"])
    assert "NoneType" not in answer.text


NAMES = ["bbox", "bbox-crs", "crs", "datetime", "recorded", "filter", "filter-lang", "filter-crs", "q", "sortby", "properties", "skipGeometry", "limit", "cursor", "f", "lang",
         "storeys", "name", "built", "height", "valid_from", "id"]  # fmt: skip
PIECES = ["", "0", "1", "-1", "NaN", "inf", "1e308", "118.29,35.09,118.31,35.1", "35,118,36,119", "4490", "http://www.opengis.net/def/crs/EPSG/0/4490", "EPSG:4548", "2024-06-01", "..", "/",
          "2024-06-01/..", "storeys", "-name", "+id", "geometry", "true", "json", "html", "zh", "cql2-json", "storeys > 3", "name LIKE '%站'", "S_INTERSECTS(geometry,POINT(118.3 35.1))",
          "T_DURING(valid_from, INTERVAL('2020-01-01','..'))", '{"op":"=","args":[{"property":"storeys"},1]}', '{"op":"and","args":[]}', "'", '"', "--", ";", "\x00", "\ud7ff", "站", "%", "&", "9" * 30, "(", ")",
          "DATE('0001-01-01')", "TIMESTAMP('9999-12-31T23:59:59Z')", " "]  # fmt: skip
values = st.one_of(
    st.sampled_from(PIECES),
    st.lists(st.sampled_from(PIECES), max_size=4).map(",".join),
    st.lists(st.sampled_from(PIECES), max_size=4).map(" ".join),
    st.text(max_size=20),
    st.floats().map(str),
    st.integers().map(str),
)
PATHS = [ITEMS, "/collections/pipe_line/items", "/collections/bim_element/items", "/collections/finding/items", "/collections/manhole/items", f"{ITEMS}/building.1", "/search", "/crs/transform",
         "/collections", "/collections/building", "/", "/api", "/collections/building/tiles/CGCS2000Quad/14/5000/13500", "/collections/building/3dtiles/tileset.json"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from(PATHS),
    query=st.lists(
        st.tuples(st.one_of(st.sampled_from([*NAMES, "lon", "lat", "to"]), st.text(max_size=6)), values),
        max_size=4,
    ),
)
def test_no_query_string_makes_the_service_stumble(inside: Any, path: str, query: list[tuple[str, str]]) -> None:
    answer = inside.get(
        path,
        params=[*query, ("limit", "2")] if path.endswith("items") and "limit" not in dict(query) else query,
    )

    assert answer.status_code in {200, 204, 304, 400, 404}, (path, query, answer.text)
    assert "Traceback" not in answer.text


@settings(max_examples=100, deadline=None)
@given(
    path=st.lists(st.one_of(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/?#"), max_size=8), st.sampled_from(["collections", "building", "items", "tiles", "..", "3dtiles"])), max_size=7),
    headers=st.dictionaries(st.sampled_from(["Accept", "Accept-Language", "Accept-Encoding", "If-None-Match"]), st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=30), max_size=3),
)  # fmt: skip
def test_no_path_and_no_header_makes_the_service_stumble(inside: Any, path: list[str], headers: dict[str, str]) -> None:
    answer = inside.get(
        "http://town.example/" + "/".join(str(httpx.QueryParams({"": one}))[1:].replace("+", "%20") for one in path),
        headers=headers,
    )

    assert answer.status_code in {200, 204, 304, 307, 400, 404}, (path, answer.text)


def test_words_to_look_for_are_no_patterns_and_long_ones_are_refused(inside: Any) -> None:
    for path in ("/search", ITEMS):
        for words in ("%", "__", "%_" * 90, "[" * 200, "*?" * 100):
            answer = inside.get(path, params={"q": words})
            assert (answer.status_code, answer.json()["features"]) == (200, []), (path, words)
        for words in ("%" * 10_000, "_ " * 5_000, "\u0130" * 201):
            ensure_problem(inside.get(path, params={"q": words}), 400)
