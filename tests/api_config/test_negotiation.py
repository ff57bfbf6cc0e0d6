"""A client gets what it likes best of what there is, as RFC 9110 says it; without a liking, the default."""

from typing import Any

import pytest

from api_config.web.negotiation import preferred_coding, preferred_format

ITEMS = {"json": "application/geo+json", "geojson": "application/geo+json", "html": "text/html"}
LIKINGS = {
    "": "json", "*/*": "json", "image/png": "json", "text/html": "html", "application/json": "json", "application/geo+json": "json",
    "application/json;q=0.9,text/html;q=0.5": "json", "text/html;q=0.5, application/json;q=0.9": "json", "application/json;q=0.5,text/html;q=0.9": "html",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "html", "text/*": "html", "text/*;q=0.3, application/*": "json",
    "text/html, */*": "html", "*/*, text/html;q=0.1": "json", "text/html;q=0, */*": "json", "application/*;q=0, */*": "html", "application/geo+json;q=0, */*;q=0.1": "html",
    "application/json;q=0, text/html;q=0.001": "html", "TEXT/HTML": "html", " text/html ; q=1 , application/json ; q=0.9": "html", "text/html;level=1": "html",
    "text/html;q=abc, application/json;q=0.1": "json", "text/html;q=nan, application/json;q=0.1": "json", ",,;": "json", "text/html, application/json": "json",
    "text/html;q=2, application/json;q=1": "json", "text/html;q=-1": "json",
}  # fmt: skip


@pytest.mark.parametrize("header", LIKINGS)
def test_the_most_precise_range_gives_the_quality_and_the_best_quality_wins(header: str) -> None:
    assert preferred_format(ITEMS, header, "json").replace("geojson", "json") == LIKINGS[header]


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None), ("identity", None), ("gzip", "gzip"), ("gzip, br", "br"), ("gzip, br;q=0.5", "gzip"), ("*", "br"), ("*;q=0.1, gzip;q=0", "br"),
        ("br;q=0, *", "zstd"), ("identity;q=1, gzip;q=0.5", None), ("br;q=0, gzip;q=0.0", None), ("GZIP", "gzip"), ("deflate", None),
    ],
)  # fmt: skip
def test_the_coding_liked_best_is_used(header: str, coding: str | None) -> None:
    assert preferred_coding(("br", "zstd", "gzip"), header) == coding


@pytest.mark.parametrize(
    ("path", "json_type"),
    [
        ("/", "application/json"), ("/api", "application/vnd.oai.openapi+json;version=3.0"), ("/conformance", "application/json"), ("/collections", "application/json"),
        ("/collections/building", "application/json"), ("/collections/building/items?limit=1", "application/geo+json"),
        ("/collections/building/schema", "application/schema+json"), ("/collections/absent", "application/problem+json"), ("/absent", "application/problem+json"),
    ],
)  # fmt: skip
def test_every_address_with_a_page_weighs_what_the_client_likes(inside: Any, path: str, json_type: str) -> None:
    as_json = inside.get(path, headers={"Accept": "application/json;q=0.9,text/html;q=0.5"})
    as_page = inside.get(path, headers={"Accept": "application/json;q=0.5,text/html;q=0.9"})

    assert as_json.headers["content-type"] == json_type
    assert as_page.headers["content-type"].startswith("text/html")
