"""What a caller may not see is in no answer: a hidden field, a hidden row, a closed layer, on every route there is."""

import gzip
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import geopandas as gpd
import httpx
import mapbox_vector_tile
import orjson
import pytest
import shapely
import yaml
from pygeoapi.provider.base import ProviderItemNotFoundError
from starlette.routing import Mount

from api_config.ogc.providers import TownFeatureProvider
from api_config.ogc.stock import stock_configuration
from api_config.web.call import Call, Service
from tiles.solids import feature_colors
from twin_model.filter import parse_filter
from twin_model.town import open_town
from twin_model.view import Policy, withholding

EAST, NORTH = 617_000.0, 3_886_000.0
OWN = """
[zz_house]
title = { zh = "房子", en = "Houses" }
geometry = "MultiPolygon"
identity = "field:plate"
label = ["zz_owner", "name"]
searched = ["usage"]
style = { color = "#d8cbb8", by = "zz_owner", label = "zz_owner", colors = { "ZZ OWNER" = "#fa0b0c" } }
model = { kind = "extrude", height = "zz_tall", properties = ["plate", "zz_owner", "zz_tall"] }
[zz_house.fields]
plate = { zh = "门牌", en = "Plate" }
name = { zh = "名称", en = "Name" }
usage = { zh = "用途", en = "Use" }
zz_owner = { zh = "业主", en = "ZZ title" }
zz_tall = { type = "number", zh = "高", en = "ZZ height" }

[zz_vault]
title = { zh = "库", en = "Vaults" }
geometry = "Point"
identity = "field:plate"
label = ["name"]
[zz_vault.fields]
plate = { zh = "门牌", en = "Plate" }
name = { zh = "名称", en = "Name" }
"""
SCENE = """
[[scenes]]
id = "tour"
title = { zh = "看", en = "Look" }
text = { zh = "看", en = "Look" }
layers = ["zz_house", "zz_vault"]
transparency = { zz_vault = 0.5 }
"""
HIDDEN = {"zz_house": frozenset({"zz_owner", "zz_tall", "usage"})}
HOUSE = "/collections/zz_house"
SECRETS = re.compile(
    r"zz_owner|ZZ.?OWNER|zz_tall|ZZ (?:title|height)|ZZUSE|42\.125|SHUT1|zz_vault|Vaults|VAULT|#fa0b0c"
)
"""Names, titles and values of hidden fields, the hidden row, the closed layer."""
AS_STAFF = {"X-Role": "staff"}


def restricted(service: Service) -> Policy:
    return withholding(
        service.town.catalogue,
        closed=["zz_vault"],
        rows={"zz_house": parse_filter("plate <> 'SHUT1' AND zz_tall > 1")},
        hidden=HIDDEN,
    )


def by_role(call: Call) -> Policy:
    """Return the policy of staff, who see all, and of others: what keys and roles decide."""
    return call.service.policy if call.request.headers.get("x-role") == "staff" else restricted(call.service)


@pytest.fixture(scope="module")
def folder(empty_town: Path, tmp_path_factory: pytest.TempPathFactory, bring: Any) -> Path:
    """A town of two open houses, one that is kept back a kilometre away, a vault, findings about them, and a ground."""
    path = shutil.copytree(empty_town, tmp_path_factory.mktemp("policy") / "town")
    (path / "catalogue" / "own.toml").write_text(OWN, "utf-8")
    with (path / "town.toml").open("a", encoding="utf-8") as settings:
        settings.write(SCENE)
    with open_town(path) as town:
        boxes = [
            shapely.MultiPolygon([shapely.box(x, NORTH, x + 10, NORTH + 10)]) for x in (EAST, EAST + 20, EAST + 1_000)
        ]
        bring(
            town,
            "zz_house",
            boxes,
            plate=["A1", "B2", "SHUT1"],
            name=["Alpha", "Beta", "Gamma"],
            usage=["ZZUSE"] * 3,
            zz_owner=["ZZ OWNER"] * 3,
            zz_tall=[42.125] * 3,
        )
        bring(town, "zz_vault", [shapely.Point(EAST + 2_000, NORTH)], plate=["VAULT7"], name=["Alpha"])
        heights = [
            shapely.Point(EAST + x, NORTH + y, 60.0) for x, y in ((-50, -50), (100, -50), (-50, 100), (100, 100))
        ]
        bring(town, "spot_height", heights, elevation=[60.0] * 4)
        notes = {
            "finding_key": ["F1", "F2", "F3", "F4"],
            "rule": ["survey.example"] * 4,
            "severity": ["info"] * 4,
            "layer": ["zz_house", "zz_vault", "spot_height", None],
            "raw": ['{"zz_owner": "ZZ OWNER"}', '{"plate": "VAULT7"}', '{"a": 1}', '{"plate": "SHUT1"}'],
        }
        points = [shapely.Point(EAST, NORTH)] * 4
        town.edit("finding", gpd.GeoDataFrame(notes, geometry=points, crs=town.store.crs), reason="noticed")
    return path


@pytest.fixture
def shared(folder: Path, inside_of: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The town's service, asked by staff and by others in turn."""
    monkeypatch.setattr(Call, "policy", property(by_role))
    return inside_of(folder)


def routes_of(app: Any) -> set[str]:
    return {route.path for route in app.routes if not isinstance(route, Mount)}


def tile_addresses(ask: Any) -> list[str]:
    """Return the tiles of houses that have something, at a zoom that draws each of them, seen by staff."""
    limits = ask.get(f"{HOUSE}/tiles/WebMercatorQuad", headers=AS_STAFF).json()["tileMatrixSetLimits"]
    (limit,) = [each for each in limits if each["tileMatrix"] == "15"]
    rows = range(limit["minTileRow"], limit["maxTileRow"] + 1)
    cols = range(limit["minTileCol"], limit["maxTileCol"] + 1)
    return [f"{HOUSE}/tiles/WebMercatorQuad/15/{row}/{col}" for row in rows for col in cols]


def contents(ask: Any, *, solids: str = f"{HOUSE}/3dtiles", **options: Any) -> list[str]:
    """Return the addresses of the contents of a tileset, without those of its external parts."""

    def uris(node: dict[str, Any]) -> Iterator[str]:
        if "content" in node:
            yield node["content"]["uri"]
        for child in node.get("children", ()):
            yield from uris(child)

    document = ask.get(f"{solids}/tileset.json", **options).json()
    return [f"{solids}/{uri}" for uri in uris(document["root"]) if uri.endswith(".glb")]


def addresses(ask: Any) -> dict[str, list[str]]:
    """Return addresses of every route by its path; one that leads into the town leads to houses, pages too."""
    pages = ["?lang=en", "?f=html&lang=zh"]
    item = "/collections/{collection}/items/{id:segments}"
    tiles = "/collections/{collection}/tiles"
    solids = "/collections/{collection}/3dtiles"
    (noticed,) = [each["id"] for each in ask.get("/collections/finding/items").json()["features"]]
    (root,) = {address.split("/content/")[1].rpartition("/")[0] for address in contents(ask)}
    return {
        "/": [f"/{page}" for page in pages],
        "/conformance": ["/conformance"],
        "/api": [f"/api{page}" for page in pages],
        "/collections": [f"/collections{page}" for page in pages],
        "/collections/{collection}": [HOUSE + page for page in pages] + ["/collections/finding"],
        **{
            f"/collections/{{collection}}/{name}": [f"{HOUSE}/{name}{page}" for page in pages]
            for name in ("queryables", "sortables", "schema", "schemas/feature")
        },
        "/search": [f"/search?q=a{page.replace('?', '&')}" for page in pages],
        "/functions": ["/functions"],
        "/crs/transform": ["/crs/transform?lon=118.3&lat=35.1"],
        "/healthz": ["/healthz"],
        "/readyz": ["/readyz"],
        item + "/versions": [f"{HOUSE}/items/A1/versions"],
        "/collections/{collection}/items": [
            *(f"{HOUSE}/items{page}" for page in pages),
            f"{HOUSE}/items?limit=1",
            f"{HOUSE}/items?crs=http://www.opengis.net/def/crs/EPSG/0/4490",
            f"{HOUSE}/items?datetime=2024-01-01/..",
            f"{HOUSE}/items?recorded=1",
            f"{HOUSE}/items?sortby=-name&filter=plate%3D%27A1%27",
            f"{HOUSE}/items?q=a",
            "/collections/finding/items",
            "/collections/finding/items?f=html",
        ],
        "/collections/{collection}/search": [f"{HOUSE}/search?limit=1"],
        item: [f"{HOUSE}/items/A1{page}" for page in pages] + [f"/collections/finding/items/{noticed}?f=html"],
        tiles: [f"{HOUSE}/tiles"],
        tiles + "/{tms}": [f"{HOUSE}/tiles/WebMercatorQuad"],
        tiles + "/{tms}/{z}/{row}/{col}": tile_addresses(ask),
        "/tiles": ["/tiles"],
        "/tiles/{tms}": ["/tiles/WebMercatorQuad", "/tiles/WebMercatorQuad?collections=zz_house"],
        "/tiles/{tms}/{z}/{row}/{col}": [address.removeprefix(HOUSE) for address in tile_addresses(ask)],
        "/tileMatrixSets": ["/tileMatrixSets"],
        "/tileMatrixSets/{tms}": ["/tileMatrixSets/WebMercatorQuad"],
        solids + "/tileset.json": [f"{HOUSE}/3dtiles/tileset.json"],
        solids + "/{level}/{x}/{y}/tileset.json": [f"{HOUSE}/3dtiles/{root}/tileset.json"],
        solids + "/content/{level}/{x}/{y}/{name}.glb": contents(ask),
        "/terrain/layer.json": ["/terrain/layer.json"],
        "/terrain/{z}/{x}/{y}.terrain": ["/terrain/0/1/0.terrain"],
        "/viewer/config.json": ["/viewer/config.json"],
        "/viewer": ["/viewer"],
    }


def text_of(answer: httpx.Response) -> str:
    """Return all an answer says, as text: its headers, and its body decoded or byte by byte."""
    body = answer.content
    if answer.headers.get("content-type", "") == "application/vnd.mapbox-vector-tile":
        return f"{answer.headers} {mapbox_vector_tile.decode(body)}"
    if answer.headers.get("content-type", "").startswith("application/vnd.quantized-mesh") and body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    return f"{answer.headers} {body.decode('utf-8', 'replace')}"


def test_no_route_tells_what_the_caller_may_not_see(shared: Any) -> None:
    """A route that is new must be put into `addresses`, else this fails."""
    asked = addresses(shared)

    assert set(asked) == routes_of(shared.app)
    for address in (address for of_route in asked.values() for address in of_route):
        answer = shared.get(address)
        assert answer.status_code in {200, 204, 307}, (address, answer.text)
        leak = SECRETS.search(text_of(answer))
        assert leak is None, (address, leak)
        if HOUSE in address:
            assert not re.search(r'usage|"Use"|用途', text_of(answer)), address
    for body in ({}, {"q": "a"}, {"filter": {"op": "like", "args": [{"property": "name"}, "%"]}, "sortby": ["name"]}):
        answer = shared("POST", f"{HOUSE}/search", json=body)
        assert answer.status_code == 200 and SECRETS.search(text_of(answer)) is None, body
        assert SECRETS.search(text_of(shared("POST", f"{HOUSE}/search", json=body, headers=AS_STAFF))), body


def test_everybody_gets_the_own_answer_whoever_asked_before(shared: Any) -> None:
    """Staff see the secrets, before and after others asked; no answer of the one is held to be that of the other."""
    told = [
        f"{HOUSE}/items", f"{HOUSE}/items?f=html", f"{HOUSE}/items/A1", f"{HOUSE}/items/A1/versions", f"{HOUSE}/schema", f"{HOUSE}/schemas/feature",
        f"{HOUSE}/queryables", "/collections", "/api", "/viewer/config.json", "/search?q=ZZUSE", "/search?q=VAULT7",
        *tile_addresses(shared), *contents(shared, headers=AS_STAFF), f"{HOUSE}/sortables",
    ]  # fmt: skip
    for address in told:
        first = shared.get(address, headers=AS_STAFF)
        between = shared.get(address)
        again = shared.get(address, headers=AS_STAFF)
        held = shared.get(address, headers={"If-None-Match": first.headers["etag"]})

        assert first.status_code == again.status_code == 200, address
        assert SECRETS.search(text_of(first)), address
        assert first.content == again.content or b"timeStamp" in first.content, address
        assert not SECRETS.search(text_of(between)), address
        assert held.status_code == between.status_code, address


def test_a_hidden_field_is_refused_as_one_that_never_was(shared: Any) -> None:
    for asked in (
        "filter={}%20%3D%20%27x%27",
        "filter={}%20IS%20NULL&filter-lang=cql2-text",
        "sortby={}",
        "sortby=-{}",
        "{}=x",
        "properties=name,{}",
        "filter-lang=cql2-json&filter=" + quote('{"op":"isNull","args":[{"property":"{}"}]}').replace("%7B%7D", "{}"),
    ):
        for name in ("zz_owner", "zz_tall", "usage"):
            never = "zy" + name[2:]
            hidden, absent = (
                shared.get(f"{HOUSE}/items?{asked.replace('{}', each)}&lang=en") for each in (name, never)
            )
            staff = shared.get(f"{HOUSE}/items?{asked.replace('{}', name)}", headers=AS_STAFF)

            assert hidden.status_code == absent.status_code == 400, (asked, hidden.text)
            assert hidden.json()["rule"] == absent.json()["rule"]
            assert hidden.json()["detail"].replace(name, never) == absent.json()["detail"]
            assert staff.status_code == 200 or name == "zz_tall", staff.text
    for body in (
        {"filter": "{} = 'x'"},
        {"filter": {"op": "isNull", "args": [{"property": "{}"}]}},
        {"sortby": ["-{}"]},
        {"{}": "x"},
        {"properties": ["{}"]},
    ):
        hidden, absent = (
            shared("POST", f"{HOUSE}/search?lang=en", json=orjson.loads(orjson.dumps(body).replace(b"{}", each)))
            for each in (b"zz_owner", b"zy_owner")
        )
        assert hidden.status_code == absent.status_code == 400
        assert hidden.json()["detail"].replace("zz_owner", "zy_owner") == absent.json()["detail"]


def test_a_hidden_row_and_a_closed_layer_are_as_absent_as_what_never_was(shared: Any) -> None:
    for gone, never in (
        (f"{HOUSE}/items/SHUT1", f"{HOUSE}/items/NONE1"),
        (f"{HOUSE}/items/SHUT1/versions", f"{HOUSE}/items/NONE1/versions"),
        ("/collections/zz_vault", "/collections/zz_vase"),
        ("/collections/finding/items/F1", "/collections/finding/items/F9"),
        ("/collections/zz_vault/items", "/collections/zz_vase/items"),
    ):
        kept_back, absent = shared.get(gone), shared.get(never)

        assert kept_back.status_code == absent.status_code == 404
        assert kept_back.json()["rule"] == absent.json()["rule"]


def test_counts_and_extents_are_those_of_the_rows_that_are_seen(shared: Any) -> None:
    """The hidden house stands a kilometre east of the others, the closed vault two."""

    def boxes(headers: dict[str, str]) -> list[list[float]]:
        collection = shared.get(HOUSE, headers=headers).json()
        config = shared.get("/viewer/config.json", headers=headers).json()
        (layer,) = [each for each in config["layers"] if each["id"] == "zz_house"]
        bounds = shared.get(f"{HOUSE}/tiles", headers=headers).json()["tilesets"][0]["boundingBox"]
        assert collection["x-features"] == layer["features"]
        return [
            collection["extent"]["spatial"]["bbox"][0],
            layer["extent"],
            [*bounds["lowerLeft"], *bounds["upperRight"]],
            config["town"]["extent"],
        ]

    assert shared.get(HOUSE).json()["x-features"] == 2
    assert shared.get(HOUSE, headers=AS_STAFF).json()["x-features"] == 3
    for seen, whole in zip(boxes({}), boxes(AS_STAFF), strict=True):
        assert seen[2] < whole[2] - 0.005
        assert seen[:2] == pytest.approx(whole[:2], abs=1e-3)
    assert shared.get(f"{HOUSE}/items?limit=2").json()["numberReturned"] == 2


def test_a_hidden_height_still_shapes_its_house_and_is_not_written(shared: Any) -> None:
    """What one sees is as high as it is; the number, the owner and the colour by owner are not in the tile."""
    (region,), (whole,) = (
        [shared.get(f"{HOUSE}/3dtiles/tileset.json", headers=headers).json()["root"]["boundingVolume"]]
        for headers in ({}, AS_STAFF)
    )
    (glb,) = [shared.get(address) for address in contents(shared)]

    assert region["region"][4:] == pytest.approx(whole["region"][4:])
    assert b"plate" in glb.content
    assert not SECRETS.search(text_of(glb))


def test_a_hidden_colour_or_owner_colours_nothing(folder: Path) -> None:
    with open_town(folder) as town:
        layer, frame = town.catalogue["zz_house"], town.features("zz_house")

    assert feature_colors(layer, frame)[0].tolist() == [0xFA, 0x0B, 0x0C, 255]
    assert feature_colors(Policy(hidden=HIDDEN).visible(layer), frame)[0].tolist() == [0xD8, 0xCB, 0xB8, 255]


def test_an_element_whose_colour_and_class_are_hidden_keeps_its_shape_alone(
    inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elements of a building model are painted by a field, too; where they stand is theirs in any case."""
    tileset = "/collections/bim_element/3dtiles/tileset.json"
    box = inside.get(tileset).json()["root"]["boundingVolume"]
    open_names = contents(inside, solids="/collections/bim_element/3dtiles")
    hidden = {"bim_element": frozenset({"color", "ifc_class", "bottom", "matrix", "mesh"})}
    monkeypatch.setattr(Call, "policy", property(lambda _: Policy(hidden=hidden)))

    names = contents(inside, solids="/collections/bim_element/3dtiles")

    assert inside.get(tileset).json()["root"]["boundingVolume"] == box
    assert names and not set(names) & set(open_names)
    for glb in map(inside.get, (names[0], names[-1])):
        assert glb.status_code == 200
        assert b"global_id" in glb.content
        assert b"ifc_class" not in glb.content and b"IfcWall" not in glb.content


def test_a_stock_pygeoapi_is_given_what_everybody_may_see(folder: Path, tmp_path: Path) -> None:
    path = shutil.copytree(folder, tmp_path / "town")
    settings = (path / "town.toml").read_text("utf-8")
    (path / "town.toml").write_text(settings.replace("closed = []", 'closed = ["zz_vault"]'), "utf-8")
    definition = {"name": "town", "type": "feature", "data": {"town": str(path), "layer": "finding"}, "id_field": "id"}
    findings = TownFeatureProvider(definition)

    answer = findings.query(limit=10)

    about = [each["properties"]["layer"] for each in answer["features"]]
    assert sorted(about) == ["spot_height", "zz_house"] and answer["numberMatched"] == 2
    with open_town(path) as town:
        frame = town.features("finding")
    for name in frame.index[~frame["layer"].isin(["spot_height", "zz_house"])]:
        with pytest.raises(ProviderItemNotFoundError):
            findings.get(name)
    with open_town(path) as town:
        written = stock_configuration(town, "http://localhost:5000")
    assert "zz_house" in written and not re.search("zz_vault|Vaults|VAULT7", written)
    (path / "town.toml").write_text(settings.replace("closed = []", 'closed = ["zz_vault", "zz_house"]'), "utf-8")
    for layer in ("zz_vault", "zz_house"):
        with pytest.raises(ProviderItemNotFoundError):
            TownFeatureProvider(definition | {"data": {"town": str(path), "layer": layer}})


def test_a_stock_pygeoapi_with_pipelines_listens_to_this_machine_unless_they_are_published(
    scratch: Any, bring: Any
) -> None:
    line = shapely.LineString([(EAST, NORTH, 60), (EAST + 50, NORTH, 59)])
    hosts = []
    for published in (False, False, True):
        with open_town(scratch.path) as town:
            hosts.append(yaml.safe_load(stock_configuration(town, "http://localhost:5000"))["server"]["bind"]["host"])
        if len(hosts) == 1:
            bring(scratch, "pipe_line", [line], segment_key=["A~B"])
        elif not published:
            text = (scratch.path / "town.toml").read_text("utf-8")
            (scratch.path / "town.toml").write_text(
                text.replace("publish_underground = false", "publish_underground = true"), "utf-8"
            )

    assert hosts == ["0.0.0.0", "127.0.0.1", "0.0.0.0"]


@pytest.mark.parametrize("layer", ["spot_height", "contour", "map_sheet"])
def test_a_row_that_is_kept_back_of_the_grounds_sources_closes_the_ground(
    folder: Path, inside_of: Any, monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    policy = Policy(rows={layer: parse_filter("id <> 'x'")})
    monkeypatch.setattr(Call, "policy", property(lambda _: policy))
    ask = inside_of(folder)

    assert ask.get("/terrain/layer.json").status_code == 404
    assert ask.get("/terrain/0/1/0.terrain").status_code == 404
    assert ask.get("/viewer/config.json").json()["terrain"] is None
