"""Opens the viewer of an installed program in Chromium: `carried_in_browser.py TWIN TOWN CHROMIUM PICTURE`.

Run where nothing but loopback can be reached. Prints as JSON what went wrong and whether the scene was drawn.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chromium import FLAGS
from playwright.sync_api import sync_playwright

DRAWN = """() => { const canvas = document.querySelector('canvas'); if (!canvas || !window.twin || !twin.ready()) return false;
  return canvas.width > 0 && canvas.height > 0; }"""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the service did not become ready")


def look(address: str, chromium: str, picture: str) -> dict[str, object]:
    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 960, "height": 540}, locale="zh-CN")
        page.on("console", lambda told: troubles.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda sent: troubles.append(f"{sent.failure} {sent.url}"))
        page.on("response", lambda got: troubles.append(f"{got.status} {got.url}") if got.status >= 400 else None)
        page.goto(f"{address}/viewer/?test=1")
        page.wait_for_function(DRAWN, timeout=180_000)
        layers = page.evaluate("() => twin.config.layers.length")
        page.screenshot(path=picture)
        browser.close()
    return {"troubles": [trouble for trouble in troubles if "net::ERR_ABORTED" not in trouble], "layers": layers}


def main() -> None:
    twin, town, chromium, picture = sys.argv[1:]
    port = free_port()
    command = [twin, "--town", town, "serve", "--port", str(port)]
    service = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        print(json.dumps(look(f"http://127.0.0.1:{port}", chromium, picture)))
    finally:
        service.terminate()
        service.wait(30)


if __name__ == "__main__":
    main()
