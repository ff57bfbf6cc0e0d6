"""The viewer on a plain connection: what the browser does not allow there, and a service that goes away and comes back."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from playwright.sync_api import Browser, Route, expect
from viewer_visit import Visit

from ingest.draft import Draft
from twin_model.changeset import Source
from twin_model.town import Town, init_town
from twin_model.versioning import commit

TWIN = Path(sys.executable).with_name("twin")
EAST, NORTH, GROUND = 617_000.0, 3_886_000.0, 60.0
CAMERA = "#camera=118.2863,35.0958,900,0,-80,0&layers=building,water_area&lang=zh"


def own_address() -> str:
    """Return the address of this machine that is not the loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def bring(town: Town, layer: str, shapes: list[Any], **columns: list[Any]) -> None:
    source = Source(f"{layer}.geojson", f"{town.store.version():064x}")
    with Draft(source, town.catalogue, storage_crs=town.store.crs, effective="2010-01-01T00:00:00.000Z") as draft:
        draft.add(layer, gpd.GeoDataFrame(columns, geometry=shapes, crs=town.store.crs))
        commit(town.store, draft.to_changeset(author="test", reason="test", reach="nothing"))


def square(east: float, north: float, side: float) -> shapely.MultiPolygon:
    west, south = EAST + east, NORTH + north
    return shapely.MultiPolygon([shapely.box(west, south, west + side, south + side)])


@pytest.fixture(scope="module")
def small_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town of three houses and a pond on level ground: little to draw."""
    folder = tmp_path_factory.mktemp("small") / "town"
    with init_town(folder, name="小镇", crs="EPSG:4548") as town:
        spots = [
            shapely.Point(EAST + x, NORTH + y, GROUND) for x in range(-400, 900, 100) for y in range(-400, 500, 100)
        ]
        bring(town, "spot_height", spots)
        houses = [square(east, 0, 60) for east in (0, 200, 400)]
        bring(town, "building", houses, name=["一", "二", "三"], height=[20.0] * 3, base_elevation=[GROUND] * 3)
        bring(town, "water_area", [square(0, 100, 150)], name=["池塘"])
    settings = folder / "town.toml"
    written = settings.read_text("utf-8").replace("publish_underground = false", "publish_underground = true")
    settings.write_text(written, "utf-8")
    return folder


@pytest.fixture(scope="module")
def plain_visit(browser: Browser, small_town: Path, serving: Any) -> Iterator[Visit]:
    """A visit by plain http under an address that is not the loopback: the page is none that a browser calls secure."""
    with serving(small_town, environment={"TWIN_HOST": "0.0.0.0"}) as loopback:
        visit = Visit(browser, loopback.replace("127.0.0.1", own_address()))
        visit.open(fragment=CAMERA)
        yield visit
        visit.page.close()


def pasted(visit: Visit) -> str:
    """Return what the clipboard holds, pasted by keys."""
    box = visit.page.locator("#search")
    box.click()
    visit.page.keyboard.press("Control+A")
    visit.page.keyboard.press("Control+V")
    text = box.input_value()
    box.fill("")
    visit.page.keyboard.press("Escape")
    return text


def test_link_and_id_are_copied_on_plain_http(plain_visit: Visit) -> None:
    visit = plain_visit
    assert visit.run("() => [isSecureContext, typeof navigator.clipboard]") == [False, "undefined"]

    visit.press("share")
    expect(visit.page.locator(".notice")).to_have_text("链接已复制")
    link = pasted(visit)
    visit.run("() => twin.showFeature('building', 'building.1')")
    expect(visit.page.locator(".attributes-body")).to_be_visible()
    visit.page.get_by_role("button", name="复制标识码").click()
    expect(visit.page.locator(".notice").get_by_text("已复制", exact=True)).to_be_visible()

    assert link.startswith(f"{visit.url}/viewer/?test=1#camera=") and "layers=water_area,building" in link
    assert pasted(visit) == "building.1"
    assert visit.troubles == []


def test_what_the_browser_does_not_let_a_page_copy_is_shown_selected(plain_visit: Visit) -> None:
    visit = plain_visit
    visit.run("() => { document.execCommand = () => false; }")

    visit.press("share")
    expect(visit.page.locator("dialog.copy")).to_be_visible()
    visit.page.keyboard.press("Control+C")
    visit.page.keyboard.press("Escape")

    expect(visit.page.locator("dialog.copy")).to_have_count(0)
    assert pasted(visit).startswith(f"{visit.url}/viewer/?test=1#camera=")
    assert visit.troubles == []


class Server:
    """A service of its own process that can be ended, begun again on the same port, and stopped in the midst of its work."""

    def __init__(self, town: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [str(TWIN), "--town", str(town), "serve", "--port", str(self.port)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the service did not start")

    def end(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(timeout=15)

    def pause(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def server(small_town: Path) -> Iterator[Server]:
    server = Server(small_town)
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def shaky_visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """A visit that goes on while its service goes away: failed requests are no troubles here."""
    visit = Visit(browser, server.url)
    visit.open(fragment=CAMERA.replace("building,water_area", "building"))
    yield visit
    visit.page.close()


LOST = "暂时连接不上服务器"
POND_TILE = {"z": 17, "row": 51873, "col": 108601}


def forget_kept_answers(visit: Visit) -> None:
    visit.page.context.new_cdp_session(visit.page).send("Network.clearBrowserCache")


def test_an_outage_is_told_once_and_what_was_missing_comes_without_a_reload(server: Server, shaky_visit: Visit) -> None:
    visit = shaky_visit
    visit.run("() => { window.sameUntilReload = true; }")
    visit.press("point")
    visit.page.mouse.click(330, 150)
    expect(visit.page.locator(".measured li")).to_have_count(1)
    visit.page.keyboard.press("Escape")
    drawn = visit.run("() => twin.drawingCount()")

    server.end()
    visit.run("() => twin.layers.show(['building', 'water_area', 'spot_height'])")
    visit.page.keyboard.press("ArrowUp")
    visit.page.keyboard.press("ArrowUp")
    visit.run("() => twin.showFeature('building', 'building.2')")
    cards = visit.page.locator(".notice")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text(LOST)
    assert "Failed to fetch" not in visit.page.locator("#interface").inner_text()
    visit.page.locator(".language").click()
    expect(cards).to_contain_text("The server cannot be reached")
    visit.page.locator(".language").click()
    cards.get_by_role("button", name="关闭").click()
    expect(cards).to_have_count(0)
    server.start()

    expect(visit.page.get_by_text("连接已恢复")).to_be_visible()
    visit.settle()
    expect(visit.page.locator(".attributes-id")).to_have_text("building.2")
    assert visit.run("() => [window.sameUntilReload, twin.drawingCount()]") == [True, drawn]
    expect(visit.page.locator(".measured li")).to_have_count(1)
    assert visit.run("([tile]) => twin.painted('water_area', tile)", POND_TILE) == ["water_area.1"]
    assert visit.run("() => twin.ready() && twin.viewer.scene.globe.tilesLoaded")


def test_a_layer_that_is_first_shown_during_an_outage_comes_when_it_is_over(server: Server, shaky_visit: Visit) -> None:
    visit = shaky_visit
    visit.open(fragment=CAMERA.replace("building,water_area", "water_area"))
    forget_kept_answers(visit)

    server.end()
    visit.run("() => twin.layers.show(['building', 'water_area'])")
    expect(visit.page.locator(".notice")).to_contain_text(LOST)
    server.start()
    visit.page.locator("#search").click()  # the user does something: no pause is waited for

    expect(visit.page.locator(".notice")).to_have_count(0)
    visit.settle()
    assert visit.run("() => twin.layers.get('building').tileset !== undefined && twin.ready()")


def test_a_service_that_hangs_is_an_outage_too(server: Server, shaky_visit: Visit) -> None:
    visit = shaky_visit

    server.pause()
    try:
        visit.run("() => twin.showFeature('building', 'building.3')")
        expect(visit.page.locator(".notice")).to_contain_text(LOST)
    finally:
        server.go_on()

    expect(visit.page.locator(".attributes-id")).to_have_text("building.3")
    expect(visit.page.locator(".problem, .calm")).to_have_count(0)


@pytest.mark.parametrize("broken", [("terrain", "search?"), ("3dtiles", "tiles/WebMercatorQuad")])
def test_a_part_that_the_service_cannot_give_takes_no_other_with_it(
    shaky_visit: Visit, broken: tuple[str, str]
) -> None:
    visit = shaky_visit
    addresses = re.compile("|".join(f"/{re.escape(part)}" for part in broken))

    def fail(route: Route) -> None:
        route.fulfill(status=500, content_type="application/problem+json", body='{"title": "x", "detail": "x"}')

    visit.page.route(addresses, fail)
    forget_kept_answers(visit)
    visit.page.goto("about:blank")
    visit.page.goto(f"{visit.url}/viewer/?test=1{CAMERA}")
    visit.page.locator("#search").fill("池塘")
    cards = visit.page.locator(".notice.problem")
    expect(cards).to_have_count(2)

    expect(visit.page.locator("h1")).to_have_text("小镇")
    if "3dtiles" not in broken:
        visit.settle()
    visit.page.unroute(addresses, fail)
    for _ in broken:
        cards.first.get_by_role("button", name="重试").click()
    expect(cards).to_have_count(0)
    visit.page.locator("#search").fill("池塘 ")
    expect(visit.page.locator(".results li").first).to_contain_text("池塘")
    visit.settle()
    assert visit.run("([tile]) => twin.painted('water_area', tile)", POND_TILE) == ["water_area.1"]
    assert visit.run("() => twin.layers.get('building').tileset !== undefined")
