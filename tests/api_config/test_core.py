"""What clients read first: landing page, conformance, OpenAPI, collections, schemas, and who answers which route."""

import importlib.metadata
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import jsonschema
import pygeoapi
import pytest
import shapely
from starlette.routing import Mount, Route

OPENAPI_SCHEMA = Path(pygeoapi.__file__).parent / "schemas" / "openapi" / "openapi-3.0.x.json"
BRIDGED = {"/", "/api", "/collections", "/collections/{collection}"}
"""Routes whose words come from pygeoapi through the bridge; all others are ours alone."""

FIRST_WORDS = [
    "/", "/conformance", "/api", "/collections", "/collections/building", "/collections/building/queryables",
    "/collections/building/sortables", "/collections/building/schema", "/tileMatrixSets", "/tileMatrixSets/CGCS2000Quad",
    "/collections/building/tiles", "/collections/building/tiles/WebMercatorQuad", "/collections/building/3dtiles/tileset.json",
    "/terrain/layer.json", "/viewer/config.json", "/collections/building/items?limit=2", "/search?q=高铁",
]  # fmt: skip


def addresses(value: Any) -> Iterator[str]:
    """Yield every absolute address in a document."""
    yield from re.findall(r"https?://[^\s\"'<>\\)]+", json.dumps(value, ensure_ascii=False))


def links(document: dict[str, Any], rel: str) -> list[str]:
    return [link["href"] for link in document["links"] if link["rel"] == rel]


@pytest.fixture(scope="module")
def api(client: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/api").json()
    return document


def test_landing_page_links_lead_to_answers(client: httpx.Client) -> None:
    page = client.get("/").json()

    relations = {link["rel"] for link in page["links"]}
    assert {"self", "service-desc", "service-doc", "conformance", "data"} <= relations
    for link in page["links"]:
        if not link["href"].endswith("/viewer/"):  # the viewer is there once it is built
            answer = client.get(link["href"], headers={"Accept": link["type"]})
            assert answer.status_code == 200, link
            assert answer.headers["content-type"].split(";")[0] == link["type"].split(";")[0], link


def test_landing_page_speaks_the_language_asked_for(client: httpx.Client) -> None:
    chinese = client.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.1"})
    english = client.get("/", headers={"Accept-Language": "en;q=0.8, zh;q=0.2"})
    by_parameter = client.get("/?lang=zh", headers={"Accept-Language": "en"})

    assert links(chinese.json(), "data") == links(english.json(), "data")
    assert chinese.json()["links"][0]["title"] == by_parameter.json()["links"][0]["title"] == "本文档"
    assert english.json()["links"][0]["title"] == "This document"
    assert "Accept-Language" in english.headers["vary"]


def test_openapi_document_is_valid_openapi_3(api: dict[str, Any]) -> None:
    schema = json.loads(OPENAPI_SCHEMA.read_text("utf-8"))

    faults = [
        f"{'/'.join(map(str, one.path))}: {one.message[:200]}"
        for one in jsonschema.Draft4Validator(schema).iter_errors(api)
    ]

    assert faults == []


def test_openapi_references_all_resolve(api: dict[str, Any]) -> None:
    found = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(api)))

    assert found
    for reference in found:
        target: Any = api
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target.get("name", reference.rsplit("/", 1)[1]) == reference.rsplit("/", 1)[1]


def test_openapi_operations_have_names_of_their_own_and_declare_their_path_parameters(
    api: dict[str, Any],
) -> None:
    operations = [(path, one) for path, methods in api["paths"].items() for one in methods.values()]
    names = [one["operationId"] for _, one in operations]

    assert len(names) == len(set(names))
    for path, one in operations:
        declared = {p["name"] for p in one["parameters"] if p.get("in") == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), path


def test_every_route_that_answers_is_in_openapi_and_every_path_there_is_routed(inside: Any) -> None:
    document = inside.get("/api").json()
    layers = [one.id for one in inside.app.state.service.town.catalogue]
    documented = {
        re.sub(r"{\w+}", "{}", re.sub(f"^/collections/({'|'.join(layers)})(?=/|$)", "/collections/{}", path))
        for path in document["paths"]
    }

    routed = {
        re.sub(r"{\w+(:\w+)?}", "{}", route.path)
        for route in inside.app.routes
        if isinstance(route, Route) and route.path != "/viewer"  # leads to the viewer's page
    }

    assert routed == documented


def test_every_documented_path_answers_and_not_with_405(client: httpx.Client, api: dict[str, Any]) -> None:
    values = {"tileMatrixSetId": "WebMercatorQuad", "tileMatrix": "0", "tileRow": "0", "tileCol": "0", "featureId": "none", "level": "0", "x": "0",
              "y": "0", "z": "0", "name": "none"}  # fmt: skip
    chosen = [
        path
        for path in api["paths"]
        if not path.startswith("/collections/") or path.split("/")[2] in {"building", "map_sheet", "finding"}
    ]

    for path in chosen:
        query = {"/search": "?q=a", "/crs/transform": "?lon=118.3&lat=35.1"}.get(path, "")
        answer = client.get(re.sub(r"{(\w+)}", lambda found: values[found[1]], path) + query)
        expected = {200} if "{" not in path or path.startswith("/tileMatrixSets") else {200, 204, 404}
        assert answer.status_code in expected, (path, answer.text[:300])


ASKED = {"/search": "q=a", "/crs/transform": "lon=118.3&lat=35.1"}
FILLED = {"tileMatrixSetId": "WebMercatorQuad", "featureId": "building.1", "level": "0", "x": "0", "y": "0", "z": "0", "tileMatrix": "15", "tileRow": "12968",
          "tileCol": "27152", "name": "none"}  # fmt: skip


def test_what_openapi_says_of_an_answer_is_what_is_answered(inside: Any, api: dict[str, Any]) -> None:
    """Each form that `f` may ask for, on every path without a layer and those of buildings: media type, and JSON by its schema."""
    schemas = json.loads(
        json.dumps(api["components"]).replace('"nullable": true', '"type": ["object", "string", "null"]')
    )
    checked = set()
    for path, methods in api["paths"].items():
        if path.startswith("/collections/") and path.split("/")[2] != "building":
            continue
        operation = methods["get"]
        contents = operation["responses"]["200"]["content"]
        (forms,) = [p["schema"]["enum"] for p in operation["parameters"] if p.get("name") == "f"] or [[None]]
        assert all(contents), path
        for form in forms:
            query = "&".join(filter(None, (ASKED.get(path, ""), form and f"f={form}")))
            address = re.sub(r"{(\w+)}", lambda named: FILLED[named[1]], path) + (f"?{query}" if query else "")
            answer = inside.get(address)
            if "3dtiles/" in path and answer.status_code == 404:
                continue
            assert answer.status_code == 200, (address, answer.text[:200])
            (media_type,) = [
                each for each in contents if each.split(";")[0] == answer.headers["content-type"].split(";")[0]
            ]
            schema = contents[media_type]["schema"]
            if "json" in media_type:
                jsonschema.validate(answer.json(), {"components": schemas, **schema})
                checked.add(schema["$ref"].rsplit("/", 1)[1])
            else:
                assert schema["type"] == "string", address
    assert checked | {"link", "geometry", "problem"} == set(api["components"]["schemas"])


def test_openapi_says_our_own_version_and_what_may_be_chosen(inside: Any, api: dict[str, Any]) -> None:
    offered = inside.get("/collections").json()["crs"]
    parameters = api["components"]["parameters"]
    drawn = api["paths"]["/tiles/{tileMatrixSetId}"]["get"]["parameters"]
    (collections,) = [
        parameter["schema"]["items"]["enum"] for parameter in drawn if parameter.get("name") == "collections"
    ]

    assert api["info"]["version"] == importlib.metadata.version("hsr-town-twin")
    assert [parameters[name]["schema"]["enum"] for name in ("crs", "bbox-crs", "filter-crs")] == [offered] * 3
    assert (
        {"building", "pipe_line"}
        <= set(collections)
        <= {each["id"] for each in inside.get("/collections").json()["collections"]}
    )
    assert all(
        (parameters[name]["style"], parameters[name]["explode"]) == ("form", False)
        for name in ("bbox", "limit", "datetime")
    )
    problem = inside.get("/collections/building/items?limit=0")
    assert problem.status_code == 400
    jsonschema.validate(problem.json(), {"components": api["components"], "$ref": "#/components/schemas/problem"})


def test_who_answers_each_route_is_known(inside: Any) -> None:
    """pygeoapi's words come through four routes; every other route is a function of ours, and nothing else is mounted."""
    bridged, mounted = set(), set()
    for route in inside.app.routes:
        if isinstance(route, Mount):
            mounted.add(route.path)
            continue
        assert route.endpoint.__module__.startswith("api_config.routes."), route.path
        if "_bridge" in inspect.unwrap(route.endpoint).__code__.co_names and route.path != "/conformance":
            bridged.add(route.path)

    assert bridged == BRIDGED
    assert mounted <= {"/static", "/viewer"}


def test_collections_list_each_layer_with_extent_crs_and_storage_crs(client: httpx.Client) -> None:
    document = client.get("/collections").json()

    ids = [collection["id"] for collection in document["collections"]]
    assert {"building", "pipe_line", "bim_element", "spot_height"} <= set(ids)
    for collection in document["collections"]:
        assert collection["storageCrs"] == "http://www.opengis.net/def/crs/EPSG/0/4548"
        assert collection["storageCrs"] in collection["crs"]
        assert collection["crs"][0] == "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
        (west, south, east, north) = collection["extent"]["spatial"]["bbox"][0]
        assert 118 < west <= east < 119
        assert 35 < south <= north < 36
    datums = {collection["id"]: collection.get("x-height-datum") for collection in document["collections"]}
    assert (datums["pipe_point"], datums["building"]) == ("1985国家高程基准", None)


def test_the_extent_of_a_collection_says_when_its_features_begin_and_end(
    scratch: Any, bring: Any, end: Any, square: Any, inside_of: Any
) -> None:
    """/req/core/fc-md-extent of OGC 17-069r4; an end that is open is null, a layer that never held anything has none."""
    bring(scratch, "building", [square(0, 0), square(50, 0)], since="2020-01-01T00:00:00.000Z")
    bring(scratch, "street_lamp", [shapely.Point(617_000, 3_886_000)], since="2021-01-01T00:00:00.000Z")
    end(scratch, "building", "building.1", since="2022-01-01T00:00:00.000Z")
    end(scratch, "street_lamp", "street_lamp.1", since="2023-01-01T00:00:00.000Z")
    listed = inside_of(scratch.path).get("/collections").json()["collections"]

    extents = {each["id"]: each["extent"].get("temporal") for each in listed}

    assert extents["building"] == {"interval": [["2020-01-01T00:00:00.000Z", None]]}
    assert extents["street_lamp"] == {"interval": [["2021-01-01T00:00:00.000Z", "2023-01-01T00:00:00.000Z"]]}
    assert extents["manhole"] is None


def test_collection_says_the_same_alone_as_in_the_list(client: httpx.Client) -> None:
    listed = {one["id"]: one for one in client.get("/collections").json()["collections"]}

    for name in ("building", "pipe_line", "finding", "manhole"):
        assert client.get(f"/collections/{name}").json() == listed[name]


def test_every_link_of_a_collection_answers_with_the_media_type_it_promises(client: httpx.Client) -> None:
    for link in client.get("/collections/building").json()["links"]:
        answer = client.get(link["href"], headers={"Accept": link["type"]})

        assert answer.status_code == 200, link
        if "3dtiles" not in link["type"]:
            assert answer.headers["content-type"].split(";")[0] == link["type"].split(";")[0], link


@pytest.mark.parametrize("name", ["queryables", "sortables", "schema"])
def test_schemas_are_valid_json_schemas_that_name_real_properties(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/collections/building/{name}")
    document = answer.json()

    assert answer.headers["content-type"] == "application/schema+json"
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$id"] == str(answer.url)
    assert document["properties"]["storeys"]["type"] == "integer"
    assert document["properties"]["height"]["x-ogc-unit"] == "m"


def test_schemas_of_every_layer_keep_the_rules_of_part_5(inside: Any) -> None:
    """OGC 23-058r1, /req/schemas/*, /req/core-roles-features/*, /req/returnables-and-receivables/*, /req/queryables/*."""
    for collection in inside.get("/collections").json()["collections"]:
        here = f"/collections/{collection['id']}"
        relations = {link["rel"].rsplit("/", 1)[-1]: link["href"] for link in collection["links"]}
        schemas = {name: inside.get(f"{here}/{name}").json() for name in ("schema", "queryables", "sortables")}

        for name, schema in schemas.items():
            assert relations[name] == schema["$id"] == f"http://town.example{here}/{name}"
            assert (schema["$schema"], schema["type"]) == ("https://json-schema.org/draft/2020-12/schema", "object")
            jsonschema.Draft202012Validator.check_schema(schema)
            for label, described in schema["properties"].items():
                is_place = described.get("format", "").startswith("geometry-")
                assert is_place != ("type" in described), (collection["id"], name, label)
        roles = [described.get("x-ogc-role") for described in schemas["schema"]["properties"].values()]
        expected = {"id": 1, "primary-interval-start": 1, "primary-interval-end": 1}
        expected |= {"primary-geometry": 1} if "geometry" in schemas["schema"]["properties"] else {}
        assert {role: roles.count(role) for role in roles if role} == expected, collection["id"]
        assert schemas["queryables"]["additionalProperties"] is False


def test_every_queryable_is_a_parameter_in_openapi_with_its_type(api: dict[str, Any], client: httpx.Client) -> None:
    """OGC 19-079r2, /req/queryables-query-parameters/parameters."""
    for layer in ("building", "pipe_line", "bim_element"):
        declared = {
            parameter["name"]: parameter["schema"]["type"]
            for parameter in api["paths"][f"/collections/{layer}/items"]["get"]["parameters"]
            if "name" in parameter
        }

        for name, described in client.get(f"/collections/{layer}/queryables").json()["properties"].items():
            if name != "geometry":
                assert declared[name] == described["type"], (layer, name)


def test_every_queryable_can_be_filtered_and_every_sortable_sorted(client: httpx.Client) -> None:
    for layer in ("building", "bim_element", "finding", "pipe_line"):
        names = [n for n in client.get(f"/collections/{layer}/queryables").json()["properties"] if n != "geometry"]
        sortables = list(client.get(f"/collections/{layer}/sortables").json()["properties"])

        for name in names:
            answer = client.get(f"/collections/{layer}/items", params={"filter": f'"{name}" IS NULL', "limit": "1"})
            assert answer.status_code == 200, answer.text
        for name in sortables:
            answer = client.get(f"/collections/{layer}/items", params={"sortby": f"-{name}", "limit": "1"})
            assert answer.status_code == 200, answer.text


def test_features_are_valid_against_the_schema_of_their_collection(client: httpx.Client) -> None:
    for layer in ("building", "pipe_line", "bim_element", "finding"):
        schema = client.get(f"/collections/{layer}/schema").json()
        known = schema["properties"]

        for feature in client.get(f"/collections/{layer}/items?limit=50").json()["features"]:
            given = {name: value for name, value in feature["properties"].items() if value is not None}
            assert set(feature["properties"]) <= set(known)
            jsonschema.validate(given, {"type": "object", "properties": {name: known[name] for name in given}})


def every_address(ask: Any) -> Iterator[tuple[str, set[str], str]]:
    """Yield path, methods and an address of every route; files of pages and viewer too."""
    glb = next(address for address in solids(ask, "/collections/building/3dtiles/tileset.json") if ".glb" in address)
    special = {
        "/collections/{collection}/3dtiles/content/{level}/{x}/{y}/{name}.glb": glb,
        "/collections/{collection}/3dtiles/{level}/{x}/{y}/tileset.json": glb.replace("/content/", "/").rpartition("/")[0] + "/tileset.json",
        "/static": "/static/page.css",
        "/viewer": "/viewer/",
    }  # fmt: skip
    values = {
        "collection": "building",
        "tms": "WebMercatorQuad",
        "id": "building.1",
        "z": "0",
        "x": "1",
        "y": "0",
        "col": "0",
        "row": "0",
    }
    for route in ask.app.routes:
        filled = special.get(route.path) or re.sub(r"{(\w+)(:\w+)?}", lambda named: values[named[1]], route.path)
        methods = route.methods if isinstance(route, Route) else {"GET", "HEAD"}
        yield route.path, methods, f"{filled}?{ASKED[route.path]}" if route.path in ASKED else filled


def solids(ask: Any, address: str) -> Iterator[str]:
    """Yield the addresses of the contents below a tileset."""
    nodes = [ask.get(address).json()["root"]]
    for node in nodes:
        nodes += node.get("children", [])
        if "content" in node:
            target = urljoin(address, node["content"]["uri"])
            yield from [target] if ".glb" in target else solids(ask, target)


def test_head_answers_as_get_does_without_a_body_on_every_route(inside: Any) -> None:
    for path, methods, address in every_address(inside):
        if "GET" not in methods:
            continue
        got, head = inside.get(address), inside("HEAD", address)

        assert got.status_code == head.status_code, (path, address)
        assert got.status_code in {200, 204, 307} or "{level}" in path, (path, address, got.text[:200])
        assert head.content == b"", address
        assert head.headers.get("content-length") in {None, got.headers.get("content-length")}, address
        unlike = {
            name: (value, head.headers.get(name))
            for name, value in got.headers.items()
            if name not in {"content-length", "content-encoding", "date", "link"} and head.headers.get(name) != value
        }
        assert unlike == {}, (path, address)


def test_a_method_that_a_route_does_not_take_is_405_and_names_those_that_it_takes(inside: Any) -> None:
    for path, methods, address in every_address(inside):
        allowed = {*methods, "OPTIONS"}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - methods:
            refused = inside(method, address)
            assert refused.status_code == 405, (method, path)
            assert set(refused.headers["allow"].split(", ")) == allowed, (method, path)
            assert refused.headers["content-type"] == "application/problem+json", (method, path)
        asked = inside("OPTIONS", address)
        assert asked.status_code == 204, path
        assert set(asked.headers["allow"].split(", ")) == allowed, path


def test_no_answer_names_another_host(client: httpx.Client, served_town: str) -> None:
    """Identifiers of standards are names, not places to fetch from; everything else is here."""
    names = (
        "http://www.opengis.net/",
        "https://json-schema.org/",
        "https://geojson.org/",
        "https://tools.ietf.org/",
    )

    for address in FIRST_WORDS:
        answer = client.get(address)
        strange = {one for one in addresses(answer.json()) if not one.startswith((served_town, *names))}
        assert strange == set(), (address, strange)


def test_behind_a_proxy_every_address_is_the_one_clients_see(demo_town: Path, inside_of: Any) -> None:
    behind = inside_of(demo_town, url="https://town.example.cn/twin")

    for address in FIRST_WORDS:
        own = [one for one in addresses(behind.get(address).json()) if "town.example" in one]
        assert all(one.startswith("https://town.example.cn/twin") for one in own), address
    assert behind.get("/collections/").headers["location"] == "https://town.example.cn/twin/collections"


def test_a_slash_too_many_leads_to_the_address_without_it(client: httpx.Client) -> None:
    answer = client.get("/collections/building/?f=json", follow_redirects=True)

    assert answer.status_code == 200
    assert answer.json()["id"] == "building"


def test_search_finds_chinese_words_of_two_characters_in_several_collections(client: httpx.Client) -> None:
    found = client.get("/search", params={"q": "高铁", "limit": "50"}).json()

    assert found["numberReturned"] == len(found["features"]) > 0
    for hit in found["features"]:
        item = client.get(f"/collections/{hit['properties']['collection']}/items/{hit['id']}").json()
        assert "高铁" in json.dumps(item, ensure_ascii=False)
        assert hit["geometry"] is None or hit["geometry"]["type"] == "Point"


def test_search_says_what_kind_a_feature_is_and_where_so_that_two_alike_can_be_told_apart(client: httpx.Client) -> None:
    hits = client.get("/search", params={"q": "检修井", "limit": "20", "lang": "zh"}).json()["features"]

    facilities = [hit["properties"] for hit in hits if hit["properties"]["collection"] == "facility"]
    assert facilities
    assert all("检修井" in hit["kind"] for hit in facilities)
    assert all(re.fullmatch(r"X \d+ Y \d+", hit["place"]) for hit in facilities)
    assert len({hit["place"] for hit in facilities}) == len(facilities)


def test_search_places_a_lamp_by_its_street(client: httpx.Client) -> None:
    hits = client.get("/search", params={"q": "LD0004", "limit": "20"}).json()["features"]

    lamps = [hit for hit in hits if hit["properties"]["collection"] == "street_lamp"]
    assert lamps
    for lamp in lamps:
        item = client.get(f"/collections/street_lamp/items/{lamp['id']}").json()["properties"]
        assert (lamp["properties"]["title"], lamp["properties"]["place"]) == (item["pole_no"], item["road_name"])


def test_a_coordinate_comes_back_as_surveyors_write_it(client: httpx.Client) -> None:
    answer = client.get("/crs/transform?lon=118.3&lat=35.1&to=EPSG:4548").json()

    assert (answer["x_north"], answer["y_east"]) == pytest.approx((3886013.6, 618483.9), abs=1500)
    assert client.get("/crs/transform?lon=118.3&lat=35.1&to=%2Bproj=longlat").status_code == 400


def test_town_is_healthy_and_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").text == "ok"
    assert re.fullmatch(r"ready, version \d+", client.get("/readyz").text)
