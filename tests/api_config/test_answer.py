"""Media types, validators, compression, headers: what caches, browsers and clients rely on."""

import gzip
import shutil
import sqlite3
import threading
from typing import Any

import brotli
import httpx
import pytest
import zstandard

from twin_model.store.geopackage.store import GeoPackageStore

ITEMS = "/collections/building/items?limit=200"
TILESET = "/collections/bim_element/3dtiles/tileset.json"
VARIED = {"Accept", "Accept-Encoding", "Accept-Language"}
MEDIA_TYPES = {
    "/": "application/json", "/conformance": "application/json", "/api": "application/vnd.oai.openapi+json;version=3.0", "/collections": "application/json",
    "/collections/building/schema": "application/schema+json", ITEMS: "application/geo+json", "/collections/building/items/building.1": "application/geo+json",
    "/search?q=1": "application/geo+json", TILESET: "application/json", "/collections/nothing": "application/problem+json", f"{ITEMS}&x=1": "application/problem+json",
    "/terrain/layer.json": "application/json", "/terrain/0/1/0.terrain": "application/vnd.quantized-mesh",
}  # fmt: skip


@pytest.mark.parametrize(("address", "media_type"), MEDIA_TYPES.items())
def test_each_answer_has_its_media_type_and_varies_with_what_it_depends_on(
    client: httpx.Client, address: str, media_type: str
) -> None:
    answer = client.get(address)

    assert answer.headers["content-type"] == media_type
    assert {"Accept", "Accept-Language"} <= {one.strip() for one in answer.headers["vary"].split(",")}
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in answer.headers


def test_json_is_chosen_by_f_and_by_accept_and_wins_without_a_word(client: httpx.Client) -> None:
    address = "/collections/building/items?limit=1"

    for accept in (
        "*/*",
        "application/json",
        "application/geo+json",
        "application/geo+json;q=0.9, text/html;q=0.8",
        "image/png",
    ):
        assert client.get(address, headers={"Accept": accept}).headers["content-type"] == "application/geo+json", accept
    assert (
        client.get(address, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        .headers["content-type"]
        .startswith("text/html")
    )
    assert (
        client.get(f"{address}&f=json", headers={"Accept": "text/html"}).headers["content-type"]
        == "application/geo+json"
    )


@pytest.mark.parametrize("address", [ITEMS, "/collections", "/collections/building/items/building.1", TILESET, "/", "/api", "/terrain/0/1/0.terrain", "/tileMatrixSets",
                                     "/collections/building/schema", "/viewer/config.json"])  # fmt: skip
def test_who_holds_the_answer_is_told_so(client: httpx.Client, address: str) -> None:
    first = client.get(address)

    for held in (
        first.headers["etag"],
        f'"other", {first.headers["etag"]}',
        first.headers["etag"].removeprefix("W/"),
        "*",
    ):
        again = client.get(address, headers={"If-None-Match": held})
        assert (again.status_code, again.content) == (304, b""), held
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["vary"] == first.headers["vary"]
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_different_answers_have_different_validators(client: httpx.Client) -> None:
    addresses = [ITEMS, f"{ITEMS}&crs=EPSG:3857", f"{ITEMS}&sortby=name", f"{ITEMS}&datetime=2024-06-01", f"{ITEMS}&recorded=1", "/collections/building/items?limit=201",
                 "/collections/building/items/building.1", "/collections/building/items/building.2", "/collections/structure/items?limit=200"]  # fmt: skip

    tags = [client.get(address).headers["etag"] for address in addresses]
    tags.append(client.get(ITEMS, headers={"Accept": "text/html"}).headers["etag"])

    assert len(set(tags)) == len(tags)


def test_a_client_that_holds_the_answer_costs_no_read_of_features(
    demo_town: Any, inside_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every statement is watched: neither the layer's table nor its index is touched for a 304."""
    town = inside_of(demo_town)
    tag = town.get(ITEMS).headers["etag"]
    statements: list[str] = []
    connection_of = GeoPackageStore._connection

    def watched(store: GeoPackageStore) -> sqlite3.Connection:
        connection = connection_of(store)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(GeoPackageStore, "_connection", watched)

    held = town.get(ITEMS, headers={"If-None-Match": tag}).status_code
    asked_of_held = [one for one in statements if '"building"' in one or "rtree" in one]
    head = town("HEAD", ITEMS).status_code
    asked_of_head = [one for one in statements if '"building"' in one or "rtree" in one]
    full = town.get(ITEMS).status_code

    assert (held, asked_of_held, head, asked_of_head, full) == (304, [], 200, [], 200)
    assert any('"building"' in one for one in statements)


CODINGS = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    "address", ["/api", "/collections", "/collections/building/items?limit=200&crs=EPSG:4548", TILESET]
)
def test_answers_are_compressed_as_the_client_likes(client: httpx.Client, coding: str, address: str) -> None:
    with client.stream("GET", address, headers={"Accept-Encoding": coding}) as answer:
        body = b"".join(answer.iter_raw())
        plain = client.get(address, headers={"Accept-Encoding": "identity"})

    assert answer.headers["content-encoding"] == coding
    assert "Accept-Encoding" in answer.headers["vary"]
    assert len(body) < len(plain.content)
    unpacked = CODINGS[coding](body)
    assert unpacked.split(b'"features"')[-1] == plain.content.split(b'"features"')[-1]


def test_a_coding_that_is_refused_or_not_worth_it_is_not_used(client: httpx.Client) -> None:
    for accepted in ("identity", "br;q=0, gzip;q=0.0, zstd;q=0.000", ""):
        assert "content-encoding" not in client.get("/api", headers={"Accept-Encoding": accepted}).headers, accepted
    first = client.get("/collections/building/items?limit=1").json()["features"][0]["id"]
    small = client.get(f"/collections/building/items/{first}", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in small.headers and len(small.content) < 1_400
    assert client.get("/api", headers={"Accept-Encoding": "br;q=0, gzip"}).headers["content-encoding"] == "gzip"


def test_many_readers_at_once_get_whole_answers(served_town: str) -> None:
    addresses = [
        "/collections/pipe_line/items?limit=1000",
        "/collections/building/items?limit=500&filter=storeys%20%3E%201",
        "/collections",
        "/collections/building/tiles/WebMercatorQuad/14/6483/13576",
    ]
    expected = {address: httpx.get(served_town + address).status_code for address in addresses}
    seen: list[tuple[str, int]] = []

    def read(turn: int) -> None:
        with httpx.Client(base_url=served_town, timeout=60) as one:
            for address in addresses[turn % 4 :] + addresses[: turn % 4]:
                seen.append((address, one.get(address).status_code))

    threads = [threading.Thread(target=read, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 32
    assert all(expected[address] == status for address, status in seen)


def test_two_workers_name_the_same_answer_alike(demo_town: Any, serving: Any, tmp_path: Any) -> None:
    """Processes hash texts with different seeds: a validator must not depend on them, also where layers are closed."""
    town = shutil.copytree(demo_town, tmp_path / "town", ignore=shutil.ignore_patterns("sources", "cache"))
    settings = (
        (town / "town.toml").read_text("utf-8").replace("closed = []", 'closed = ["pipe_point", "manhole", "rail"]')
    )
    (town / "town.toml").write_text(settings, "utf-8")
    address, tags = "/collections/building/items?limit=2", []

    for seed in ("1", "2"):
        with serving(town, environment={"PYTHONHASHSEED": seed, "TWIN_HOSTS": "town.example"}) as served:
            host = {"Host": "town.example"}
            tags.append(
                [
                    httpx.get(served + one, headers=host).headers["etag"]
                    for one in (address, "/collections", "/collections/building/tiles/WebMercatorQuad/0/0/0")
                ]
            )

    assert tags[0] == tags[1]
