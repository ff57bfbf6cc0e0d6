"""A visit to the viewer in a real browser, for tests: the page, what is asked of it, and everything that went wrong on it."""

import json
import os
import urllib.request
from typing import Any
from urllib.parse import quote, urlsplit

from playwright.sync_api import Browser, Page, ViewportSize

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
VIEWPORT: ViewportSize = {"width": 640, "height": 360}
"""Small, for every pixel is drawn by the processor."""
SETTLE = """([seconds]) => new Promise((resolve, reject) => {
  const end = performance.now() + 1000 * seconds;
  let calm = 0;
  const look = () => {
    if (window.twin) { twin.viewer.scene.requestRender(); twin.viewer.scene.render(); }
    calm = window.twin && twin.ready() ? calm + 1 : 0;
    if (calm >= 3) resolve(true);
    else if (performance.now() > end) reject(new Error('still waiting for '
      + (window.twin ? twin.waiting().join(', ') : 'the twin')));
    else setTimeout(look, 50);
  };
  look();
})"""


class Visit:
    """A page with the viewer open, and everything that went wrong on it."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url.rstrip("/")
        self.page: Page = browser.new_page(viewport=VIEWPORT, locale="zh-CN")
        self.page.set_default_timeout(60_000)
        self.troubles: list[str] = []
        self.opening_troubles: list[str] = []
        self.page.on("console", lambda told: self._note(told.type in {"error", "warning"}, told.text))
        self.page.on("pageerror", lambda error: self._note(True, str(error)))
        self.page.on("requestfailed", lambda sent: self._note(sent.failure != "net::ERR_ABORTED", sent.url))
        self.page.on("request", lambda sent: self._note(not self._own(sent.url), f"foreign {sent.url}"))
        self.page.on("response", lambda got: self._note(got.status >= 400, f"{got.status} {got.url}"))

    def _note(self, wrong: bool, text: str) -> None:
        # Reading pixels back for a pick makes SwiftShader's driver remark on it.
        if wrong and "GPU stall due to ReadPixels" not in text:
            self.troubles.append(text)

    def _own(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in {"data", "blob"} or parts.netloc == urlsplit(self.url).netloc

    def open(self, query: str = "test=1", fragment: str = "") -> None:
        """Load the viewer anew; a changed fragment alone would not load anything."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/viewer/?{query}{fragment}")
        self.settle()
        # In a window as narrow as this one the layer tree has folded by itself.
        self.page.evaluate("() => document.querySelector('.tree-fold[aria-expanded=false]')?.click()")

    def settle(self, seconds: float = 120) -> None:
        """Draw frames until everything visible has arrived."""
        self.page.evaluate(SETTLE, [seconds])

    def run(self, script: str, *values: Any) -> Any:
        return self.page.evaluate(script, list(values))

    def show(self, *layers: str, ground: float = 1.0) -> None:
        self.run(
            "([layers, ground]) => { twin.layers.show(layers); twin.underground.ground = ground; }",
            layers,
            ground,
        )

    def press(self, tool: str) -> None:
        """Press a button of the toolbar with the mouse."""
        place = self.page.locator(f"[data-tool={tool}]").bounding_box()
        assert place is not None, tool
        self.page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)

    def look_down_on(self, lon: float, lat: float, elevation: float, distance: float) -> None:
        """Look straight down from `distance` metres above a place of the town."""
        offset = self.run("() => twin.config.town.height_offset")
        camera = {"lon": lon, "lat": lat, "height": elevation + offset + distance}
        self.run("([camera]) => twin.flyTo(camera)", camera | {"heading": 0.0, "pitch": -89.5, "roll": 0.0})
        self.settle()

    def pick(self, lon: float, lat: float, elevation: float) -> dict[str, str] | None:
        """Return the identity drawn at a place of the town."""
        found: dict[str, str] | None = self.run(
            "([lon, lat, z]) => { const at = twin.windowPositionOf(lon, lat, z); return twin.pickAt(at.x, at.y); }",
            lon,
            lat,
            elevation,
        )
        return found

    def roof_of(self, building: dict[str, Any]) -> float:
        """Return the elevation of a roof; a building of unknown base stands on the ground of the town's centre."""
        ground = self.run("() => twin.config.town.center[2] - twin.config.town.height_offset")
        base, height = (building["properties"].get(key) for key in ("base_elevation", "height"))
        return float((ground if base is None else base) + height)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def item(self, identity: dict[str, str]) -> Any:
        place = f"/collections/{identity['collectionId']}/items/{quote(identity['featureId'], safe='')}"
        return self.get(place)
