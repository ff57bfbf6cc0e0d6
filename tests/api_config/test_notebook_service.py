"""A town's service for a notebook: it answers, and is gone when the notebook no longer needs it, however that ends.

Every test here waits for a real service to start, which takes about two seconds.
"""

import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pytest
from shapely import box

from api_config.notebook_service import NotebookService, serve
from twin_model.errors import CalledWrongly, ServiceFailed
from twin_model.town import TOWN_FILE, Town, init_town

SCRIPT = """
import sys
from twin_model import open_town
service = open_town(sys.argv[1]).serve()
print(service.url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town of one building in a folder whose name has a space and Chinese letters."""
    with init_town(tmp_path / "高铁 新城", name="高铁新城", crs="EPSG:4548") as town:
        outlines = gpd.GeoDataFrame(
            {"name": ["站房"]}, geometry=[box(618500, 3886000, 618540, 3886030)], crs=town.store.crs
        )
        town.edit("building", outlines, reason="one building")
        yield town


def is_answered(url: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))) == 0


def test_a_service_is_read_by_geopandas_and_gone_after_its_block(town: Town) -> None:
    with town.serve() as service:
        over_http = gpd.read_file(f"OAPIF:{service.url}", layer="building")
        shown, log = repr(service), service.log(200)
        with pytest.raises(CalledWrongly) as refused:
            town.serve(port=int(service.url.rsplit(":", 1)[1]))

    assert over_http["name"].tolist() == ["站房"]
    assert over_http.crs.to_epsg() == 4548
    assert service.url in shown and "running" in shown
    assert "cannot be used" in str(refused.value) and "leave port out" in str(refused.value)
    assert not is_answered(service.url)
    assert "stopped" in repr(service)
    assert '"GET ' not in log, "requests are written down where that is switched on"


def test_a_service_ends_when_its_block_fails_and_when_nobody_holds_it(town: Town) -> None:
    with pytest.raises(ZeroDivisionError), serve(town) as service:
        print(1 / 0)
    forgotten = serve(town)
    url = forgotten.url
    answered_before = is_answered(url)
    del forgotten
    gc.collect()

    assert not is_answered(service.url)
    assert answered_before
    assert not is_answered(url)


def test_a_service_that_does_not_start_says_why_in_its_own_words(town: Town) -> None:
    (town.path / TOWN_FILE).rename(town.path / "elsewhere.toml")

    with pytest.raises(ServiceFailed) as refused:
        serve(town)

    assert "exit code 2" in str(refused.value)
    assert f"{TOWN_FILE} is missing" in str(refused.value)
    assert "未能启动" in refused.value.text("zh")


@pytest.mark.parametrize("port", [0, 70_000, "8000", True])
def test_what_is_no_port_is_refused(town: Town, port: int) -> None:
    with pytest.raises(CalledWrongly, match="1 to 65535"):
        serve(town, port)


@pytest.mark.parametrize("ending", ["the script ends", "the script is killed"])
def test_a_service_ends_with_the_script_that_started_it(town: Town, ending: str) -> None:
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(town.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert script.stdin is not None and script.stdout is not None
    url = script.stdout.readline().strip()
    answered_before = is_answered(url)

    if ending == "the script is killed":
        os.kill(script.pid, signal.SIGKILL)
    script.stdin.close()
    script.wait(timeout=30)
    deadline = time.monotonic() + 20
    while is_answered(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    script.stdout.close()

    assert answered_before
    assert not is_answered(url)


def test_a_notebook_shows_a_running_service_as_links(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log holds a line for each request, for that was switched on."""
    monkeypatch.setenv("TWIN_ACCESS_LOG", "yes")
    with serve(town) as service:
        running, log = service._repr_html_(), service.log(200)

    assert f'<a href="{service.url}/viewer/"' in running
    assert '"GET /readyz HTTP/1.1" 200' in log
    assert isinstance(service, NotebookService)
    assert "stopped" in service._repr_html_() and "<service" not in service._repr_html_()
