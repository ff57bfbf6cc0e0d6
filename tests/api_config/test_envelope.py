"""Headers that every answer carries, errors of the program too, and what a browser of another origin is told before it asks."""

import re
from pathlib import Path
from typing import Any

import pytest

from twin_model.errors import StoreError
from twin_model.store.geopackage.store import GeoPackageStore

FIXED = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin", "access-control-allow-origin": "*"}
ASKING = {
    "origin": "https://city.example",
    "access-control-request-method": "GET",
    "access-control-request-headers": "if-none-match",
}


@pytest.mark.parametrize(
    "path",
    ["/", "/collections/building/items/building.1", "/collections/building/tiles/WebMercatorQuad/0/0/0", "/healthz"],
)
def test_a_browser_of_another_origin_may_send_headers_and_read_the_answer(inside: Any, path: str) -> None:
    preflight = inside("OPTIONS", path, headers=ASKING)

    assert preflight.status_code == 204 and preflight.content == b""
    assert "If-None-Match" in preflight.headers["access-control-allow-headers"]
    assert preflight.headers["allow"] == preflight.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert "ETag" in inside.get(path, headers=ASKING).headers["access-control-expose-headers"]


def test_where_there_is_nothing_nothing_is_allowed(inside: Any) -> None:
    assert inside("OPTIONS", "/nowhere").status_code == 404
    refused = inside("DELETE", "/collections")
    assert (refused.status_code, sorted(refused.headers["allow"].split(", "))) == (405, ["GET", "HEAD", "OPTIONS"])


def test_only_the_origins_that_are_named_may_read(demo_town: Path, inside_of: Any) -> None:
    ask = inside_of(demo_town, origins=("https://city.example",))

    ours = ask.get("/conformance", headers={"origin": "https://city.example"})
    other = ask.get("/conformance", headers={"origin": "https://other.example"})

    assert ours.headers["access-control-allow-origin"] == "https://city.example" and "Origin" in ours.headers["vary"]
    assert "access-control-allow-origin" not in other.headers and "Origin" in other.headers["vary"]


def test_an_error_of_the_program_tells_a_number_only_and_carries_every_header(
    demo_town: Path, inside_of: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: GeoPackageStore, *args: Any) -> Any:
        raise RuntimeError("/secret/path SELECT password")

    ask = inside_of(demo_town)
    monkeypatch.setattr(GeoPackageStore, "read_rows", broken)

    answer = ask.get("/collections/building/items", headers={"accept-language": "zh"})

    assert answer.status_code == 500 and "secret" not in answer.text and "password" not in answer.text
    assert {name: answer.headers[name] for name in FIXED} == FIXED and "default-src 'self'" in answer.headers[
        "content-security-policy"
    ]
    (mark,) = re.findall("[0-9a-f]{12}", answer.json()["detail"])
    assert f"error {mark} at /collections/building/items" in caplog.text and "/secret/path" in caplog.text


@pytest.mark.parametrize("rule", ["store.error", "store.no_server", "store.not_ours", "store.busy"])
def test_an_error_of_the_store_tells_a_number_only_too(
    demo_town: Path, inside_of: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, rule: str
) -> None:
    secret = {"path": "/srv/secret.gpkg", "url": "postgresql://secret", "cause": "secret words", "seconds": 5}

    def broken(self: GeoPackageStore, *args: Any) -> Any:
        raise StoreError(rule, **secret)

    ask = inside_of(demo_town)
    monkeypatch.setattr(GeoPackageStore, "read_rows", broken)

    answer = ask.get("/collections/building/items", headers={"accept-language": "zh"})

    (mark,) = re.findall("[0-9a-f]{12}", answer.json()["detail"])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2") and "secret" not in answer.text
    assert f"error {mark} at /collections/building/items" in caplog.text and "secret" in caplog.text
