"""A real browser and a visit to the viewer over the sample town, for every test of this folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import FLAGS
from playwright.sync_api import Browser, expect, sync_playwright
from viewer_visit import CHROMIUM, Visit

BUILT = Path(__file__).resolve().parents[2] / "viewer" / "dist" / "index.html"
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).is_file() and os.environ.get("CI") != "true":
        pytest.skip(f"{CHROMIUM} is missing: the viewer is NOT tested here")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def opened(browser: Browser, served_town: str) -> Iterator[Visit]:
    """One visit for the module: loading the town takes most of the time."""
    assert BUILT.is_file(), f"{BUILT} is missing. Build it: npm ci && npm run build, in viewer/"
    visit = Visit(browser, served_town)
    visit.open()
    visit.opening_troubles = list(visit.troubles)
    yield visit
    visit.page.close()


@pytest.fixture
def visit(opened: Visit) -> Iterator[Visit]:
    """The visit, which must end without a single trouble."""
    opened.troubles.clear()
    yield opened
    assert opened.troubles == []
