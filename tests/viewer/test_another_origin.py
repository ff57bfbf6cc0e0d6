"""Pages of another origin in a real browser: what the browser lets them ask the service and read of its answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chromium import FLAGS
from playwright.sync_api import Page, sync_playwright
from viewer_visit import CHROMIUM

ASK = """async ([address, headers]) => {
  try {
    const answer = await fetch(address, { headers });
    const seen = ["etag", "link", "content-crs"].filter((name) => answer.headers.get(name));
    return { status: answer.status, seen, etag: answer.headers.get("etag"), features: (await answer.text()).length > 2 };
  } catch (error) { return { refused: `${error}` }; }
}"""
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer key"}


class Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of a page that is not the service's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def page(elsewhere: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(elsewhere)
        yield page
        browser.close()


def test_a_page_of_a_named_origin_asks_with_headers_and_holds_what_it_got(
    page: Page, elsewhere: str, demo_town: Path, serving: Callable[..., AbstractContextManager[str]]
) -> None:
    with serving(demo_town, environment={"TWIN_ORIGINS": f"https://city.example,{elsewhere}"}) as address:
        items = f"{address}/collections/building/items?limit=2&crs=EPSG:4548"
        first = page.evaluate(ASK, [items, HEADERS])
        again = page.evaluate(ASK, [items, HEADERS | {"If-None-Match": first["etag"], "Cache-Control": "no-cache"}])

    assert first | {"etag": ""} == {
        "status": 200,
        "seen": ["etag", "link", "content-crs"],
        "etag": "",
        "features": True,
    }
    assert again["status"] == 304


def test_a_page_of_another_origin_reads_nothing_where_origins_are_named(
    page: Page, demo_town: Path, serving: Callable[..., AbstractContextManager[str]], served_town: str
) -> None:
    with serving(demo_town, environment={"TWIN_ORIGINS": "https://city.example"}) as address:
        named = [page.evaluate(ASK, [f"{address}/collections", headers]) for headers in ({}, HEADERS)]
    open_to_all = page.evaluate(ASK, [f"{served_town}/collections", HEADERS])

    assert [set(answer) for answer in named] == [{"refused"}] * 2
    assert open_to_all["status"] == 200
