"""A search by POST answers what items answers, with filters that no address could carry."""

import json
import math
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import pytest
import shapely

from twin_model.town import init_town

CRS, X, Y = "EPSG:4548", 618_000.0, 3_886_000.0
SEARCH = "/collections/street_lamp/search"
METRES = "http://www.opengis.net/def/crs/EPSG/0/4548"


@pytest.fixture(scope="module")
def lamps() -> gpd.GeoDataFrame:
    """Thirty lamps in a row, ten metres apart."""
    places = [shapely.Point(X + 10 * n, Y) for n in range(30)]
    return gpd.GeoDataFrame({"pole_no": [f"P{n:02}" for n in range(30)]}, geometry=places, crs=CRS)


@pytest.fixture
def service_at(tmp_path: Any, lamps: gpd.GeoDataFrame, inside_of: Any) -> Callable[[str], Any]:
    """Return a function: where the store is to be -> the service of a town with the lamps."""

    def served(location: str) -> Any:
        with init_town(tmp_path / "town", name="镇", crs=CRS, store=location) as town:
            town.edit("street_lamp", lamps, effective="2020-01-01", reason="survey")
        return inside_of(tmp_path / "town")

    return served


@pytest.fixture
def service(service_at: Callable[[str], Any]) -> Any:
    return service_at("store.gpkg")


def circle(vertices: int) -> list[list[float]]:
    """Return a ring of so many vertices around the first ten lamps, northing first as EPSG:4548 says."""
    turns = [2 * math.pi * n / vertices for n in range(vertices)]
    ring = [[Y + 60 * math.sin(turn), X + 45 + 52 * math.cos(turn)] for turn in turns]
    return [*ring, ring[0]]


def shortened(text: str, length: int) -> str:
    """Return the text of a polygon with its first vertices alone, closed; the other lamps lie outside of it all the same."""
    *kept, _ = text[:length].rsplit(", ", 1)
    first = text.split("((")[1].split(",")[0]
    return f"{kept[0]}, {first})))" if False else text


def polygon(ring: list[list[float]]) -> str:
    return f"S_INTERSECTS(geometry, POLYGON(({', '.join(f'{a!r} {b!r}' for a, b in ring)})))"


def poles(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text[:500]
    return [each["properties"]["pole_no"] for each in answer.json()["features"]]


def test_a_filter_of_many_vertices_is_answered_as_text_and_as_json(location: str, service_at: Any) -> None:
    service = service_at(location)
    ten = [f"P{n:02}" for n in range(10)]
    for vertices in (700, 3_000):
        ring = circle(vertices)
        shape = {"type": "Polygon", "coordinates": [ring]}
        tree = {"op": "s_intersects", "args": [{"property": "geometry"}, shape]}
        text = polygon(ring)

        for body in ({"filter": tree}, {"filter": text}, {"filter": json.dumps(tree), "filter-lang": "cql2-json"}):
            assert poles(service("POST", SEARCH, json=body | {"filter-crs": METRES})) == ten, vertices
    in_an_address = {"filter": polygon(circle(1_000)), "filter-crs": METRES}
    assert 30_000 < len(in_an_address["filter"]) < 60_000
    assert poles(service.get("/collections/street_lamp/items", params=in_an_address)) == ten


def test_pages_of_a_search_go_on_with_the_same_body_and_a_cursor(service: Any) -> None:
    body = {"filter": "pole_no > 'P05'", "sortby": ["-pole_no"], "limit": 10, "properties": ["pole_no"]}
    found: list[str] = []
    while body:
        answer = service("POST", f"{SEARCH}?lang=zh", json=body)
        found += poles(answer)
        following = [each for each in answer.json()["links"] if each["rel"] == "next"]
        assert all(
            (each["method"], each["merge"]) == ("POST", True) and "/search?lang=zh" in each["href"]
            for each in following
        )
        body = body | following[0]["body"] if following else {}

    assert found == [f"P{n:02}" for n in range(29, 5, -1)]


def test_plain_parameters_mean_what_they_mean_in_an_address(service: Any) -> None:
    for body in (
        {"bbox": [117, 30, 119, 40], "limit": 3},
        {"pole_no": "P07"},
        {"q": "P1", "skipGeometry": True},
        {"recorded": 1, "datetime": "2021-01-01"},
    ):
        params = {
            name: ",".join(map(str, value))
            if isinstance(value, list)
            else str(value).lower()
            if value is True
            else value
            for name, value in body.items()
        }

        posted, got = service("POST", SEARCH, json=body), service.get("/collections/street_lamp/items", params=params)

        assert poles(posted) == poles(got) != []
        assert posted.headers["content-type"] == got.headers["content-type"] == "application/geo+json"


def test_what_a_search_cannot_answer_is_refused_with_a_remedy(service: Any) -> None:
    many = {"op": "in", "args": [{"property": "pole_no"}, ["P"] * 5_000]}
    deep: Any = {"op": "=", "args": [{"property": "pole_no"}, "P"]}
    for _ in range(70):
        deep = {"op": "not", "args": [deep]}
    wide = {
        "op": "s_intersects",
        "args": [{"property": "geometry"}, {"type": "LineString", "coordinates": [[n, 2] for n in range(50_001)]}],
    }
    expected = [
        (json.dumps({"filter": many}), 400, "4000 terms|At most 4000"),
        (json.dumps({"filter": deep}), 400, "levels"),
        (json.dumps({"filter": wide}), 400, "vertices"),
        (json.dumps({"filtre": "1=1"}), 400, "filter"),
        (json.dumps({"filter": "x" * 1_050_000}), 413, "TWIN_SEARCH_KIB"),
        ("[]", 400, "JSON object"),
        ("{", 400, "JSON object"),
    ]

    for body, status, words in expected:
        answer = service(
            "POST", SEARCH, content=body, headers={"Content-Type": "application/json", "Accept-Language": "en"}
        )

        assert answer.status_code == status, answer.text[:300]
        assert any(each in answer.json()["detail"] for each in words.split("|")), answer.text[:300]
        assert len(answer.content) < 3_000
    assert service("POST", SEARCH, content="{}").status_code == 415
    assert service("POST", f"{SEARCH}?filter=1=1", json={}).status_code == 400
    assert service("POST", "/collections/nothing/search", json={}).status_code == 404
    assert service("PUT", SEARCH, json={}).status_code == 405


def test_a_search_is_described_and_may_be_sent_from_another_origin(service: Any) -> None:
    described = service.get("/api").json()["paths"]["/collections/street_lamp/search"]["post"]
    asked = service(
        "OPTIONS", SEARCH, headers={"Origin": "https://map.example", "Access-Control-Request-Method": "POST"}
    )
    got = service.get(f"{SEARCH}?limit=1")

    schema = described["requestBody"]["content"]["application/json"]["schema"]
    assert {"filter", "bbox", "sortby", "cursor"} <= set(schema["properties"]) and "lang" not in schema["properties"]
    assert {"200", "400", "413", "415"} <= set(described["responses"])
    assert "POST" in asked.headers["access-control-allow-methods"] and "POST" in asked.headers["allow"]
    assert "POST" not in service("OPTIONS", "/collections").headers["allow"]
    assert poles(got) == ["P00"]
