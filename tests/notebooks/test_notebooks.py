"""Every notebook runs to its end on the sample town, says what the store says, and asks no other host."""

import html
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from chromium import DECK_LOADED, OFFLINE_FLAGS
from nbclient import NotebookClient
from playwright.sync_api import sync_playwright
from shapely import STRtree

from twin_model import open_town

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
FIRST_TOWN, HISTORY = NOTEBOOKS / "01_first_town.ipynb", NOTEBOOKS / "02_history.ipynb"
DRAWN = """() => Object.fromEntries(deckInstance.layerManager.getLayers().filter(layer => !layer.parent)
  .map(layer => [layer.id, layer.props.data.length]))"""
OTHER_HOST = re.compile(r"(?:https?|wss?)://(?!127\.0\.0\.1\b|www\.w3\.org/)[a-z0-9]", re.IGNORECASE)
"""Addresses of other hosts; 127.0.0.1 is the service of the notebook, www.w3.org names XML namespaces."""

ANSWERS = """
import json
print(json.dumps({
    "floor_area": float(table["建筑面积 floor area, 10⁴ m²"].sum()),
    "floor_area_exact": float(parcels["floor_area"].sum()),
    "residential_exact": float(parcels.loc[parcels["land_use"] == "R", "floor_area"].sum()),
    "outside": int(outside), "unknown": int(unknown), "towers": sorted(towers.index),
    "over_http": len(over_http), "same_ids": bool(same_ids), "same_storeys": bool(same_storeys),
    "metres_apart": float(metres_apart), "segments": int(pipe_table["管线段 segments"].sum()),
    "kilometres": float(pipe_table["总长 length, km"].sum()),
    "least_cover": float(pipe_table["最浅 least cover, m"].min()),
    "font": font, "own_service": started is not None,
    "service_stopped": started is None or started.poll() is not None,
}))
"""

REMEMBERED = """
import json
print(json.dumps({
    "changes": changes["change"].value_counts().to_dict(), "renamed": list(changes.loc[changes["fields"].str.join("") == "name", "after"])[0]["name"],
    "refused": refused, "served": served["numberReturned"], "grid": len(grid), "states": states["numberReturned"],
    "updated": touched.updated, "unchanged": touched.unchanged, "before": before, "restored": len(buildings),
    "font": font, "folder_gone": not folder.exists(), "service_stopped": service.poll() is not None,
}))
"""
ASKED = {FIRST_TOWN: ANSWERS, HISTORY: REMEMBERED}


def executed(path: Path, **variables: str) -> Any:
    """Return a notebook with its outputs, run in its own folder; one cell of answers is added."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    notebook.cells.append(nbformat.v4.new_code_cell(ASKED[path], id="answers"))  # type: ignore[no-untyped-call]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TWIN_")} | variables
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    return client.execute(env=environment)


def outputs(notebook: Any) -> Iterator[Any]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


@pytest.fixture(scope="module")
def runs(demo_town: Path) -> Callable[[Path], Any]:
    """Return a function that runs a notebook once, as a newcomer does: only the town's folder is given."""
    return cache(lambda path: executed(path, TWIN_TOWN=str(demo_town)))


@pytest.fixture(scope="module", params=sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def run(request: pytest.FixtureRequest, runs: Callable[[Path], Any]) -> Any:
    return runs(request.param)


@pytest.fixture(scope="module")
def first_run(runs: Callable[[Path], Any]) -> Any:
    return runs(FIRST_TOWN)


@pytest.fixture(scope="module")
def first_town(demo_town: Path, served_town: str) -> dict[str, Any]:
    """The answers of the first notebook when a service already runs."""
    return answers(executed(FIRST_TOWN, TWIN_TOWN=str(demo_town), TWIN_SERVICE=served_town))


def answers(notebook: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(notebook.cells[-1].outputs[0].text)
    return found


def test_a_notebook_runs_to_its_end_and_warns_of_nothing(run: Any) -> None:
    warned = [one.text for one in outputs(run) if one.output_type == "stream" and one.name == "stderr"]
    failed = [one.ename for one in outputs(run) if one.output_type == "error"]

    assert warned == []
    assert failed == []


def test_an_executed_notebook_holds_no_link_to_another_host(run: Any) -> None:
    saved = nbformat.writes(run)  # type: ignore[no-untyped-call]

    around = [saved[max(0, one.start() - 40) : one.end() + 60] for one in OTHER_HOST.finditer(saved)]
    assert around == []


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_speaks_both_languages(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]

    code = [cell for cell in cells if cell["cell_type"] == "code"]
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert all(re.search(r"[\u4e00-\u9fff]", text) and re.search(r"[a-z]{4}", text) for text in prose)
    assert not re.search(r"/(?:home|work|Users|tmp)/", path.read_text("utf-8"))


def test_its_floor_areas_sum_to_those_of_the_store(first_town: dict[str, Any], demo_town: Path) -> None:
    with open_town(demo_town) as town:
        buildings, homes = town.features("building"), town.features("land_use", where="land_use = 'R'")

    known = buildings[buildings["storeys"].notna()]
    areas = known.area.to_numpy() * known["storeys"].to_numpy(dtype=float)
    among_homes = STRtree(homes.geometry.to_numpy()).query(known.centroid.to_numpy(), predicate="within")[0]
    assert first_town["outside"] == 0
    assert first_town["unknown"] == buildings["storeys"].isna().sum() > 0
    assert first_town["floor_area_exact"] == pytest.approx(areas.sum())
    assert first_town["floor_area_exact"] == pytest.approx(buildings["floor_area_estimate"].sum(), abs=0.1 * len(known))
    assert first_town["residential_exact"] == pytest.approx(areas[among_homes].sum())
    assert first_town["floor_area"] == pytest.approx(areas.sum() / 1e4, abs=0.5)


def test_its_towers_are_those_within_the_box_with_more_than_ten_storeys(
    first_town: dict[str, Any], demo_town: Path
) -> None:
    with open_town(demo_town) as town:
        buildings = town.features("building", crs="OGC:CRS84")

    inside = buildings.index.isin(buildings.cx[118.295:118.308, 35.087:35.096].index)
    tall = buildings["storeys"].fillna(0) > 10
    assert first_town["towers"] == sorted(buildings.index[inside & tall])
    assert len(first_town["towers"]) > 10


def test_the_layer_over_http_is_the_layer_in_the_store(first_town: dict[str, Any], demo_town: Path) -> None:
    with open_town(demo_town) as town:
        count = len(town.features("building", fields=[]))

    assert first_town["over_http"] == count
    assert first_town["same_ids"]
    assert first_town["same_storeys"]
    assert first_town["metres_apart"] < 0.01


def test_its_pipes_are_as_long_and_as_deep_as_those_of_the_store(first_town: dict[str, Any], demo_town: Path) -> None:
    with open_town(demo_town) as town:
        pipes = town.features("pipe_line")

    reference = {
        end: pipes[f"{end}_crown"].where(pipes["depth_reference"] == "top", pipes[f"{end}_invert"])
        for end in ("start", "end")
    }
    cover = [pipes[f"{end}_depth"] + reference[end] - pipes[f"{end}_crown"] for end in ("start", "end")]
    assert first_town["segments"] == len(pipes)
    assert first_town["kilometres"] == pytest.approx(pipes["length"].sum() / 1000, abs=0.02)
    assert first_town["least_cover"] == pytest.approx(min(one.min() for one in cover), abs=0.005)


def test_a_service_that_is_given_is_used_and_its_own_is_stopped(first_run: Any, first_town: dict[str, Any]) -> None:
    alone = answers(first_run)

    assert not first_town["own_service"]
    assert alone["own_service"]
    assert alone["service_stopped"]
    assert alone["over_http"] == first_town["over_http"]


@pytest.mark.parametrize(("path", "plots"), [(FIRST_TOWN, 3), (HISTORY, 2)], ids=lambda one: getattr(one, "stem", one))
def test_its_plots_are_in_chinese_where_a_chinese_font_is_installed(
    path: Path, plots: int, runs: Callable[[Path], Any]
) -> None:
    run = runs(path)
    pictures = [one for one in outputs(run) if "image/png" in one.get("data", {})]

    assert answers(run)["font"] is not None, "install fonts-noto-cjk"
    assert len(pictures) == plots


def test_the_notebook_of_the_past_tells_what_a_second_delivery_changed(runs: Callable[[Path], Any]) -> None:
    said = answers(runs(HISTORY))

    assert said["changes"] == {"updated": 2, "terminated": 1, "inserted": 1}
    assert said["renamed"] == "站前大厦"
    assert said["refused"] == 1, "a third of a layer that says it is the whole is stopped"
    assert said["before"] < said["restored"], "and undone where somebody has confirmed it"
    assert said["served"] == said["grid"] == said["updated"] + said["unchanged"]
    assert said["states"] in (1, 2) and said["updated"] > 0
    assert said["service_stopped"] and said["folder_gone"], "it leaves nothing behind"


def test_its_3d_picture_is_drawn_without_any_network(first_run: Any, chromium: str) -> None:
    frame = next(
        one.data["text/html"] for one in outputs(first_run) if "<iframe" in one.get("data", {}).get("text/html", "")
    )
    page_source = html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1])  # type: ignore[index]
    asked: list[str] = []
    troubles: list[str] = []

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OFFLINE_FLAGS)
        page = browser.new_page(viewport={"width": 480, "height": 270})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda told: troubles.append(told.text) if told.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.route("**/*", lambda route: route.abort())
        page.set_content(page_source)
        page.wait_for_function(DECK_LOADED, timeout=90_000)
        drawn = page.evaluate(DRAWN)
        browser.close()

    assert asked == []
    assert troubles == []
    assert set(drawn) == {"land_use", "road_area", "water_area", "building", "pipe_line", "bim_element"}
    assert min(drawn.values()) > 0
