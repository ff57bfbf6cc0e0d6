"""pygeoapi on both sides: an unmodified one serves the town through our provider, and its faults do not reach our users."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyproj
import pytest
import shapely
from pygeofilter.parsers.ecql import parse

from api_config.ogc.ecql import UnknownNode, cql2_json
from twin_model.filter.errors import FilterTooDeep

BIN = Path(sys.executable).parent
ITEMS = "/collections/building/items"


@pytest.fixture(scope="module")
def stock(demo_town: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an unmodified pygeoapi that was given nothing but `twin config pygeoapi > town.yml`."""
    folder = tmp_path_factory.mktemp("stock")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    made = subprocess.run(
        [BIN / "twin", "--town", str(demo_town), "config", "pygeoapi", "--url", address],
        capture_output=True,
        check=True,
    )
    (folder / "town.yml").write_bytes(made.stdout)
    environment = {
        **os.environ,
        "PYGEOAPI_CONFIG": str(folder / "town.yml"),
        "PYGEOAPI_OPENAPI": str(folder / "openapi.yml"),
    }
    subprocess.run(
        [
            BIN / "pygeoapi",
            "openapi",
            "generate",
            folder / "town.yml",
            "--output-file",
            folder / "openapi.yml",
        ],
        env=environment,
        check=True,
        capture_output=True,
    )
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "pygeoapi.starlette_app:APP",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
    )
    try:
        with httpx.Client(base_url=address, timeout=30) as client:
            deadline = time.monotonic() + 60
            while True:
                assert process.poll() is None, process.stdout.read() if process.stdout else ""
                assert time.monotonic() < deadline
                try:
                    client.get("/conformance")
                    break
                except httpx.TransportError:
                    continue
            yield client
    finally:
        process.terminate()
        process.wait(timeout=15)


def test_a_stock_pygeoapi_lists_every_layer_that_holds_features(stock: httpx.Client, inside: Any) -> None:
    ours = {one["id"] for one in inside.get("/collections").json()["collections"] if one["x-features"]}

    assert {one["id"] for one in stock.get("/collections?f=json").json()["collections"]} == ours


@pytest.mark.parametrize("layer", ["building", "pipe_line", "bim_element"])
def test_a_stock_pygeoapi_serves_the_same_features(stock: httpx.Client, inside: Any, layer: str) -> None:
    theirs = stock.get(f"/collections/{layer}/items?f=json&limit=50").json()
    ours = inside.get(f"/collections/{layer}/items?limit=50").json()

    assert theirs["numberMatched"] == ours["numberMatched"]
    for one, other in zip(theirs["features"], ours["features"], strict=True):
        assert {name: one[name] for name in ("id", "geometry", "properties")} == {
            name: other[name] for name in ("id", "geometry", "properties")
        }
        assert stock.get(f"/collections/{layer}/items/{one['id']}?f=json").json()["geometry"] == other["geometry"]


def test_a_stock_pygeoapi_answers_boxes_times_filters_and_pages_alike(stock: httpx.Client, inside: Any) -> None:
    area = "POLYGON((118.295 35.092, 118.305 35.092, 118.307 35.098, 118.295 35.092))"
    for theirs, ours in (
        ({"storeys": "6"}, {"storeys": "6"}),
        ({"datetime": "1990-01-01"}, {"datetime": "1990-01-01"}),
        ({"sortby": "-height"}, {"sortby": "-height"}),
        ({"bbox": "118.29,35.09,118.3,35.095"}, {"bbox": "118.29,35.09,118.3,35.095"}),
        (
            {"filter": "storeys > 10 AND NOT structure LIKE 'x%'"},
            {"filter": "storeys > 10 AND NOT structure LIKE 'x%'"},
        ),
        ({"filter": f"INTERSECTS(geometry, {area})"}, {"filter": f"S_INTERSECTS(geometry, {area})"}),
    ):
        first = [one["id"] for one in stock.get(ITEMS, params=theirs | {"f": "json", "limit": "40"}).json()["features"]]
        second = [
            one["id"]
            for one in stock.get(ITEMS, params=theirs | {"f": "json", "limit": "40", "offset": "40"}).json()["features"]
        ]
        expected = [one["id"] for one in inside.get(ITEMS, params=ours | {"limit": "80"}).json()["features"]]
        assert first + second == expected, theirs


def test_a_stock_pygeoapi_never_ignores_a_filter(stock: httpx.Client) -> None:
    """What the provider does not understand is an error there, not every feature with status 200."""
    for text in ("DWITHIN(geometry, POINT(118.3 35.1), 10, meters)", "nothing = 3", "storeys = 'many'"):
        assert stock.get(ITEMS, params={"f": "json", "filter": text}).status_code >= 400, text


def test_a_stock_pygeoapi_cannot_write(stock: httpx.Client) -> None:
    answer = stock.post(
        ITEMS,
        json={"type": "Feature", "geometry": None, "properties": {}},
        headers={"Content-Type": "application/geo+json"},
    )

    assert answer.status_code >= 400
    assert stock.get(f"{ITEMS}?f=json&limit=1").json()["numberMatched"] == 1647


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("storeys NOT IN (1, 2)", {"op": "not", "args": [{"op": "in", "args": [{"property": "storeys"}, [1, 2]]}]}),
        (
            "storeys NOT BETWEEN 1 AND 3",
            {"op": "not", "args": [{"op": "between", "args": [{"property": "storeys"}, 1, 3]}]},
        ),
        ("name NOT LIKE 'a%'", {"op": "not", "args": [{"op": "like", "args": [{"property": "name"}, "a%"]}]}),
        ("name IS NOT NULL", {"op": "not", "args": [{"op": "isNull", "args": [{"property": "name"}]}]}),
        (
            "BBOX(geometry, 1, 2, 3, 4)",
            {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": [1, 2, 3, 4]}]},
        ),
    ],
)
def test_ecql_keeps_its_meaning_as_cql2(text: str, node: dict[str, Any]) -> None:
    assert cql2_json(parse(text)) == node


def test_ecql_that_cql2_has_no_word_for_is_refused() -> None:
    with pytest.raises(UnknownNode):
        cql2_json(parse("DWITHIN(geometry, POINT(1 2), 10, meters)"))


def test_ecql_of_thousands_of_levels_is_refused_not_a_recursion_without_end() -> None:
    """pygeofilter reads each term of a chain a level deeper, without recursion."""
    for text in ("a = 1 AND " * 2_000 + "a = 1", "a = " + "1 + " * 2_000 + "1"):
        with pytest.raises(FilterTooDeep) as refusal:
            cql2_json(parse(text))

        assert "At most 64 levels" in str(refusal.value)


def test_a_stock_pygeoapi_refuses_hostile_filters_at_once(stock: httpx.Client) -> None:
    for text in (
        "a IN (" * 31 + "!!" + ")" * 31,
        "POLYGON" + "(" * 60,
        "(" * 2_000,
        "storeys = 1 AND " * 200 + "storeys = 1",
    ):
        assert stock.get(ITEMS, params={"f": "json", "filter": text}).status_code >= 400, text
    assert stock.get(ITEMS, params={"f": "json", "limit": "1"}).status_code == 200


# --- the faults of pygeoapi that must not reach our users, one each


def test_storage_coordinates_are_not_swapped_and_a_degree_box_finds_what_is_there(
    client: httpx.Client,
) -> None:
    first = client.get(f"{ITEMS}?limit=1").json()["features"][0]
    lon, lat = shapely.get_coordinates(shapely.geometry.shape(first["geometry"]))[0]

    near = client.get(f"{ITEMS}?bbox={lon - 1e-5},{lat - 1e-5},{lon + 1e-5},{lat + 1e-5}").json()

    assert (round(lon), round(lat)) == (118, 35)
    assert first["id"] in [one["id"] for one in near["features"]]


def test_a_filter_is_never_ignored(client: httpx.Client) -> None:
    assert client.get(ITEMS, params={"filter": "storeys > 1000"}).json()["features"] == []


def test_an_unknown_parameter_and_a_bad_time_are_400_and_an_empty_sortby_is_not_500(
    client: httpx.Client,
) -> None:
    assert [
        client.get(ITEMS, params=one).status_code
        for one in ({"nonsense": "1"}, {"datetime": "2024-99-99"}, {"sortby": ""})
    ] == [400, 400, 400]


def test_a_post_is_405_whatever_its_content_type(client: httpx.Client) -> None:
    for headers in (
        {},
        {"Content-Type": "application/geo+json; charset=utf-8"},
        {"Content-Type": "application/query-cql-json"},
    ):
        assert client.post(ITEMS, content=b"{}", headers=headers).status_code == 405


def test_items_are_geojson_by_name_and_the_last_full_page_has_no_next(client: httpx.Client) -> None:
    answer = client.get("/collections/bim_element/items?limit=595&skipGeometry=true")

    assert answer.headers["content-type"] == "application/geo+json"
    assert answer.json()["numberReturned"] == 595
    assert "next" not in [link["rel"] for link in answer.json()["links"]]


def test_filter_classes_are_declared_so_that_qgis_hands_filters_down(client: httpx.Client) -> None:
    declared = client.get("/conformance").json()["conformsTo"]

    for name in ("filter", "features-filter", "queryables"):
        assert f"http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/{name}" in declared


def test_another_coordinate_system_costs_no_transformer_a_request(inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """pygeoapi builds one each time, which takes about 240 ms."""
    built, build = [], pyproj.Transformer.__init__

    def counted(transformer: pyproj.Transformer, *arguments: Any) -> None:
        built.append(arguments)
        build(transformer, *arguments)

    monkeypatch.setattr(pyproj.Transformer, "__init__", counted)
    address = f"{ITEMS}?limit=1&crs=EPSG:3857&bbox-crs=EPSG:4490&bbox=35.09,118.29,35.1,118.3"
    inside.get(address)

    built.clear()
    for number in range(20):
        assert inside.get(f"{address}&q=building.{number % 9 + 1}").status_code == 200

    assert built == []


def test_an_item_page_carries_no_attribute_as_script(scratch: Any, bring: Any, square: Any, inside_of: Any) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    bring(scratch, "building", [square(0, 0)], name=[evil], address=[evil])
    town = inside_of(scratch.path)

    for address in ("/collections/building/items/building.1?f=html", "/collections/building/items?f=html"):
        page = town.get(address)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]


def test_pages_load_nothing_from_elsewhere(client: httpx.Client) -> None:
    for address in (
        "/?f=html",
        "/collections?f=html",
        "/collections/building?f=html",
        f"{ITEMS}?f=html&limit=3",
        "/api?f=html",
    ):
        text = client.get(address).text
        for tag in ("script", "link", "img", "iframe"):
            for piece in text.split(f"<{tag} ")[1:]:
                assert "//" not in piece.split(">")[0].replace(str(client.base_url), ""), (
                    address,
                    piece[:120],
                )


def test_neither_jobs_nor_stac_nor_other_doors_of_pygeoapi_stand_open(client: httpx.Client) -> None:
    for address in (
        "/jobs",
        "/stac",
        "/stac/../../etc/passwd",
        "/processes/hello-world/execution",
        "/admin/config",
        "/collections/building/coverage",
        "/collections/building/map",
    ):
        assert client.get(address).status_code == 404
    assert (
        client.post(
            "/processes/hello-world/execution", json={"subscriber": {"successUri": "http://127.0.0.1:1/"}}
        ).status_code
        == 404
    )


def test_words_come_in_chinese(client: httpx.Client) -> None:
    answer = client.get("/collections/building", headers={"Accept-Language": "zh-CN"}).json()

    assert answer["title"] == client.get("/collections/building/schema?lang=zh").json()["title"]
    assert any("\u4e00" <= one <= "\u9fff" for one in answer["title"])
