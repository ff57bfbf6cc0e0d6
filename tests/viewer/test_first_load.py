"""What opening the viewer costs: bytes and requests at first and at a second opening, and of a day on the slider."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import mapbox_vector_tile
import pytest
from playwright.sync_api import Browser, CDPSession, expect
from viewer_visit import Visit

FIRST_LOAD_BYTES = 3_000_000
FEW_REQUESTS = 10


class Traffic:
    """What came over the network, as the browser counts it: what it had in its cache is none of it."""

    def __init__(self, session: CDPSession) -> None:
        self.paths: list[str] = []
        self.bytes = 0
        self._cached: set[str] = set()
        session.send("Network.enable")
        session.on("Network.responseReceived", self._respond)
        session.on("Network.loadingFinished", self._finish)

    def begin_anew(self) -> None:
        self.paths.clear()
        self.bytes = 0

    def _respond(self, event: dict[str, Any]) -> None:
        response = event["response"]
        is_asked = response["url"].startswith("http") and not response.get("fromDiskCache")
        if is_asked and not response.get("fromPrefetchCache") and event["type"] != "Preflight":
            self.paths.append(response["url"])

    def _finish(self, event: dict[str, Any]) -> None:
        self.bytes += event["encodedDataLength"]


@pytest.fixture(scope="module")
def loaded(browser: Browser, served_town: str) -> Iterator[tuple[Visit, Traffic]]:
    visit = Visit(browser, served_town)
    traffic = Traffic(visit.page.context.new_cdp_session(visit.page))
    visit.open()
    yield visit, traffic
    visit.page.close()


def test_first_load_is_small_and_a_second_one_asks_for_next_to_nothing(loaded: tuple[Visit, Traffic]) -> None:
    visit, traffic = loaded
    first, first_paths = traffic.bytes, list(traffic.paths)

    traffic.begin_anew()
    visit.page.reload()
    visit.settle()

    assert first <= FIRST_LOAD_BYTES, first
    assert len(first_paths) > 50  # the cache was empty, and all is counted
    places = [next(n for n, path in enumerate(first_paths) if part in path) for part in ("config.json", "/terrain/")]
    assert places == sorted(places)
    assert len(traffic.paths) <= FEW_REQUESTS, traffic.paths
    assert any("/viewer/config.json" in path for path in traffic.paths)
    assert visit.troubles == []


def test_ten_days_without_a_change_ask_for_nothing_anew(loaded: tuple[Visit, Traffic]) -> None:
    visit, traffic = loaded
    changes = [date.fromisoformat(day) for day in visit.run("() => twin.config.time.changes")]
    quiet = max(range(1, len(changes)), key=lambda n: changes[n] - changes[n - 1])
    first = changes[quiet - 1] + timedelta(days=2)
    assert changes[quiet] - first > timedelta(days=12)
    slider = visit.page.locator("#time")
    slider.fill(str((first - date(1970, 1, 1)).days))
    visit.settle()
    shown = visit.page.locator(".time-date").inner_text()

    traffic.begin_anew()
    slider.focus()
    for _ in range(10):
        visit.page.keyboard.press("ArrowRight")
    visit.settle()

    expect(visit.page.locator(".time-date")).not_to_have_text(shown)
    assert len(traffic.paths) <= FEW_REQUESTS, traffic.paths


def test_what_is_painted_for_a_day_is_what_the_service_has_of_that_day(loaded: tuple[Visit, Traffic]) -> None:
    visit, _ = loaded
    layers = [layer for layer in visit.run("() => twin.config.layers") if layer["mvt"] and layer["time"]]
    chosen = random.Random(17)
    today = (date.fromisoformat(visit.run("() => twin.config.time.today")) - date(1970, 1, 1)).days

    for layer in chosen.sample(layers, 8):
        change = chosen.choice(layer["time"]["changes"])
        for day in {change - 1, change, change + 1, chosen.randrange(15_500, today)} - {today}:
            text = (date(1970, 1, 1) + timedelta(days=min(day, today - 1))).isoformat()
            tile = visit.run(
                "([extent, z]) => twin.tileOf((extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2, z)",
                layer["extent"],
                min(layer["max_zoom"], 15),
            )
            visit.run("([day]) => { twin.time.day = day; }", text)
            painted = visit.run("([layer, tile]) => twin.painted(layer, tile)", layer["id"], tile)
            assert painted == ids_of_day(visit, layer["id"], tile, text), (layer["id"], text)


def ids_of_day(visit: Visit, layer: str, tile: dict[str, int], day: str) -> list[str]:
    """Return what the service has in a tile at the end of a day, asked without any version."""
    where = f"{tile['z']}/{tile['row']}/{tile['col']}?datetime={quote(day + 'T23:59:59.999')}"
    answer = visit.page.request.get(f"{visit.url}/collections/{layer}/tiles/WebMercatorQuad/{where}")
    features = mapbox_vector_tile.decode(answer.body())[layer]["features"] if answer.status == 200 else []
    return sorted(str(feature["properties"]["id"]) for feature in features)
