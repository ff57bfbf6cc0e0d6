"""The service under a prefix of a real proxy, by the very configuration that docs/operations.md gives, and in a real browser."""

import re
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx
import pytest
from chromium import FLAGS
from free_port import free_port
from playwright.sync_api import sync_playwright
from viewer_visit import CHROMIUM, Visit

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
ADDRESS = re.compile(r'(?:href|src)="([^"]+)"|"(?:href|url|uri)":"([^"]+)"')
SEEN = ("building", "pipe_point", "")
"""Collections whose pages are walked through, and the pages beside them; there are too many to walk through all."""
NEED_PARAMETERS = ("/search", "/crs/transform")
MOST = 150


def example(language: str, *changes: tuple[str, str]) -> str:
    """Return the example of the page, with what belongs to the test in the place of what belongs to the city."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for pattern, replacement in changes:
        text, number = re.subn(pattern, replacement, text)
        assert number, f"{pattern} is not in the example"
    return text


def proxied(command: list[str], port: int, path: str) -> Iterator[str]:
    """Run a proxy and yield the address of the town behind it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    address = f"http://127.0.0.1:{port}{path}"
    try:
        for _ in range(100):
            assert process.poll() is None, process.communicate()[0]
            try:
                if httpx.get(f"{address}/healthz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def behind_nginx(upstream: str, folder: Path, *changes: tuple[str, str]) -> Iterator[str]:
    port = free_port()
    server = example("nginx", (r"listen 443 ssl;", f"listen 127.0.0.1:{port};"), (r"ssl_certificate\S* \S+;", ""),
                     (r"http://127\.0\.0\.1:8000", upstream), *changes)  # fmt: skip
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    settings = folder / "nginx.conf"
    settings.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{server}}}\n"
    )
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert nginx is not None, "nginx is missing: apt-get install nginx-light"
    yield from proxied([nginx, "-c", str(settings), "-e", "stderr"], port, "/town")


@contextmanager
def behind_caddy(upstream: str, folder: Path) -> Iterator[str]:
    port = free_port()
    settings = folder / "Caddyfile"
    server = example("caddy", (r"city\.example\.org", f"http://127.0.0.1:{port}"),
                     (r"127\.0\.0\.1:8000", upstream.removeprefix("http://")))  # fmt: skip
    settings.write_text(f"{{\n    admin off\n}}\n{server}")
    yield from proxied(["caddy", "run", "--adapter", "caddyfile", "--config", str(settings)], port, "/town")


def walked(address: str) -> list[str]:
    """Ask every address that pages and documents name, a part of the collections, and return those that lead nowhere or out."""
    troubles: list[str] = []
    waiting, seen = deque([f"{address}/", f"{address}/?f=json", f"{address}/api?f=json"]), set[str]()
    with httpx.Client(timeout=60) as client:
        while waiting and len(seen) < MOST:
            here = waiting.popleft()
            if here in seen:
                continue
            seen.add(here)
            answer = client.get(here, headers={"accept": "text/html" if "f=json" not in here else "application/json"})
            if answer.status_code >= 400 and not here.endswith(NEED_PARAMETERS):
                troubles.append(f"{answer.status_code} {here}")
            if not re.search("html|json", answer.headers.get("content-type", "")):
                continue
            for groups in ADDRESS.findall(answer.text):
                leads = urldefrag(urljoin(here, (groups[0] or groups[1]).replace("&amp;", "&"))).url
                if urlsplit(leads).netloc != urlsplit(address).netloc or "{" in leads:
                    continue
                if not f"{leads}/".startswith(f"{address}/"):
                    troubles.append(f"{leads} is outside, on {here}")
                elif any(f"/collections/{name}" in leads for name in SEEN if name) or "/collections/" not in leads:
                    waiting.append(leads)
    assert len(seen) > 40
    return troubles


@pytest.fixture(scope="module")
def trusting_town(demo_town: Path, serving: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    with serving(demo_town, environment={"TWIN_PROXIES": "127.0.0.1"}) as address:
        yield address


def test_the_town_stands_under_a_prefix_of_nginx_to_its_last_link(trusting_town: str, tmp_path: Path) -> None:
    with behind_nginx(trusting_town, tmp_path) as address:
        assert walked(address) == []
        assert httpx.get(f"{address}/viewer").headers["location"] == f"{address}/viewer/"
        assert httpx.get(address).headers["location"].endswith("/town/")


def test_the_viewer_shows_the_town_under_a_prefix_that_nginx_takes_off(trusting_town: str, tmp_path: Path) -> None:
    takes_off = (re.escape(f"proxy_pass {trusting_town};"), f"proxy_pass {trusting_town}/;")
    with behind_nginx(trusting_town, tmp_path, takes_off) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        visit = Visit(browser, address)
        visit.open()
        page = visit.get("/collections/building/items?limit=1")
        drawn = visit.run("() => twin.layers.loaded")
        shown = visit.run("() => [twin.config.terrain, ...twin.config.layers.map((layer) => layer.tileset)]")
        browser.close()

    assert visit.troubles == []
    assert drawn and all(path.startswith("/town/") for path in shown if path) and any(shown)
    assert page["links"][0]["href"] == f"{address}/collections/building/items?limit=1"


def test_what_comes_through_a_proxy_from_elsewhere_sees_no_underground_layer(
    trusting_town: str, tmp_path: Path
) -> None:
    as_if_from_afar = (r"X-Forwarded-For \$remote_addr", "X-Forwarded-For 203.0.113.9")
    with behind_nginx(trusting_town, tmp_path, as_if_from_afar) as address:
        listed = {each["id"] for each in httpx.get(f"{address}/collections?f=json").json()["collections"]}
        forged = httpx.get(f"{address}/collections/pipe_line", headers={"forwarded": "for=127.0.0.1"})

    assert "building" in listed and "pipe_line" not in listed and forged.status_code == 404


@pytest.mark.proof
def test_the_town_stands_under_a_prefix_of_caddy(trusting_town: str, tmp_path: Path) -> None:
    with behind_caddy(trusting_town, tmp_path) as address:
        assert walked(address) == []
