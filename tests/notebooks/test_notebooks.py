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
import numpy as np
import pandas as pd
import pytest
import shapely
from chromium import DECK_LOADED, OFFLINE_FLAGS
from nbclient import NotebookClient
from playwright.sync_api import sync_playwright
from shapely import STRtree

from twin_model import Town, open_town

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
FIRST_TOWN, HISTORY, MONDAY = (NOTEBOOKS / f"{name}.ipynb" for name in ("01_first_town", "02_history", "03_a_monday"))
DRAWN = """() => Object.fromEntries(deckInstance.layerManager.getLayers().filter(layer => !layer.parent)
  .map(layer => [layer.id, layer.props.data.length]))"""
OTHER_HOST = re.compile(r"(?:https?|wss?)://(?!127\.0\.0\.1\b|www\.w3\.org/)[a-z0-9]", re.IGNORECASE)
"""Addresses of other hosts; 127.0.0.1 is the service of the notebook, www.w3.org names XML namespaces."""

ANSWERS = """
import json
print(json.dumps({
    "floor_area": float(table["建筑面积 floor area, 10⁴ m²"].sum()),
    "by_parcel": parcels["floor_area_estimate"].to_dict(), "over": sorted(over.index),
    "outside": int(outside), "unknown": int(unknown), "towers": sorted(towers.index),
    "over_http": len(over_http), "same_ids": bool(same_ids), "same_storeys": bool(same_storeys),
    "metres_apart": float(metres_apart), "segments": int(pipe_table["管线段 segments"].sum()),
    "kilometres": float(pipe_table["总长 length, km"].sum()),
    "least_cover": float(pipe_table["最浅 least cover, m"].min()),
    "lang": lang, "service_stopped": not service.is_running,
}))
"""

REMEMBERED = """
import json
print(json.dumps({
    "changes": changes["change"].value_counts().to_dict(), "renamed": list(changes.loc[changes["fields"].str.join("") == "name", "after"])[0]["name"],
    "refused": refused, "served": len(served), "grid": len(grid), "states": len(states),
    "updated": touched.updated, "unchanged": touched.unchanged, "before": before, "restored": len(buildings),
    "lang": lang, "folder_gone": not folder.exists(), "service_stopped": not service.is_running,
}))
"""

MONDAYS = """
import json
print(json.dumps({
    "layers": len(layers), "filled": fields.loc["storeys", "filled_percent"], "structures": structures.to_dict(),
    "towers": sorted(towers.index), "words": sorted(set(towers["structure"])),
    "changes": changes["change"].value_counts().to_dict(), "new_storeys": float(changes["storeys"].sum()),
    "over": over["used"].to_dict(), "kilometres": float(lengths["length_km"].sum()), "materials": len(lengths),
    "mains": sorted(mains.index), "pairs": len(pairs),
    "cover_apart": float((water["cover"] - surveyed).abs().max()), "water": int(water["ground"].notna().sum()),
    "ratings": walls["Pset_WallCommon.FireRating"].value_counts().to_dict(), "two_hours": sorted(two_hours.index),
    "tried": tried.updated, "edited": edited.updated, "undone": undone.touched["building"].updated,
    "heights": states["height"].tolist(), "restored": restored.to_dict(),
    "saved": saved.inserted, "over_http": over_http["share"].to_dict(), "dropped": dropped.ended, "before": len(before),
    "lang": lang, "folder_gone": not folder.exists(), "service_stopped": not service.is_running,
}))
"""
ASKED = {FIRST_TOWN: ANSWERS, HISTORY: REMEMBERED, MONDAY: MONDAYS}


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
def first_town(first_run: Any) -> dict[str, Any]:
    return answers(first_run)


@pytest.fixture(scope="module")
def monday(runs: Callable[[Path], Any]) -> dict[str, Any]:
    return answers(runs(MONDAY))


@pytest.fixture(scope="module")
def town(demo_town: Path) -> Iterator[Town]:
    with open_town(demo_town) as town:
        yield town


@pytest.fixture(scope="module")
def floor_areas(town: Town) -> "pd.Series[float]":
    """The floor area of each parcel, counted storey by storey: the ground that any building covers at that storey."""
    buildings, parcels = town.features("building", where="storeys > 0"), town.features("land_use")
    tree, storeys = STRtree(buildings.geometry.to_numpy()), buildings["storeys"].to_numpy(dtype=float)
    areas = {}
    for name, parcel in parcels.geometry.items():
        near = tree.query(parcel, predicate="intersects")
        levels = np.unique(storeys[near])
        covered = [
            shapely.union_all(buildings.geometry.to_numpy()[near[storeys[near] >= level]]).intersection(parcel).area
            for level in levels
        ]
        areas[name] = float(np.dot(covered, np.diff(levels, prepend=0)))
    return pd.Series(areas)


def frames(notebook: Any) -> list[str]:
    """Return the maps that a notebook shows, as the HTML of their frames."""
    shown = [output.get("data", {}).get("text/html", "") for output in outputs(notebook)]
    return [text for text in shown if "<iframe" in text]


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


def test_its_floor_areas_are_those_of_each_parcel_counted_storey_by_storey(
    first_town: dict[str, Any], town: Town, floor_areas: "pd.Series[float]"
) -> None:
    buildings, parcels = town.features("building"), town.features("land_use")

    allowed = parcels["floor_area_ratio"] * parcels.area
    buildable = parcels["land_use"].isin(list("RABMWU")) & (allowed > 0)
    assert first_town["outside"] == 0
    assert first_town["unknown"] == buildings["storeys"].isna().sum() > 0
    assert first_town["by_parcel"] == pytest.approx(floor_areas.to_dict(), rel=1e-6, abs=0.1)
    assert first_town["floor_area"] == pytest.approx(floor_areas.sum() / 1e4, abs=0.5)
    assert first_town["over"] == sorted(parcels.index[buildable & (floor_areas > allowed)])
    assert len(first_town["over"]) > 5


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


def test_the_service_of_a_notebook_is_stopped(first_town: dict[str, Any]) -> None:
    assert first_town["service_stopped"]


@pytest.mark.parametrize(("path", "plots"), [(FIRST_TOWN, 2), (HISTORY, 2)], ids=lambda one: getattr(one, "stem", one))
def test_its_plots_are_in_chinese_where_a_chinese_font_is_installed(
    path: Path, plots: int, runs: Callable[[Path], Any]
) -> None:
    run = runs(path)
    pictures = [one for one in outputs(run) if "image/png" in one.get("data", {})]

    assert answers(run)["lang"] == "zh", "install fonts-noto-cjk"
    assert len(pictures) == plots


def test_the_notebook_of_the_past_tells_what_a_second_delivery_changed(runs: Callable[[Path], Any]) -> None:
    said = answers(runs(HISTORY))

    assert said["changes"] == {"updated": 2, "ended": 1, "inserted": 1}
    assert said["renamed"] == "站前大厦"
    assert said["refused"] == 1, "a third of a layer that says it is the whole is stopped"
    assert said["before"] < said["restored"], "and undone where somebody has confirmed it"
    assert said["served"] == said["grid"] == said["updated"] + said["unchanged"]
    assert said["states"] in (1, 2) and said["updated"] > 0
    assert said["service_stopped"] and said["folder_gone"], "it leaves nothing behind"


def test_its_3d_picture_is_drawn_without_any_network(first_run: Any, chromium: str) -> None:
    frame = frames(first_run)[-1]
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
    layers = {name.rsplit("-", 1)[0] for name in drawn}
    assert layers == {"land_use", "road_area", "building", "pipe_line", "bim_element"}
    assert min(drawn.values()) > 0


def test_a_monday_has_ten_tasks_of_less_than_ten_lines_each() -> None:
    cells = json.loads(MONDAY.read_text("utf-8"))["cells"]
    tasks = ["".join(cell["source"]) for cell in cells if "task" in cell["metadata"].get("tags", [])]
    titles = [cell for cell in cells if cell["source"] and re.match(r"## \d+ ", cell["source"][0])]

    lengths = [
        sum(bool(line.strip()) and not line.strip().startswith("#") for line in task.splitlines()) for task in tasks
    ]
    assert len(tasks) == len(titles) == 10
    assert max(lengths) < 10, lengths


def test_on_a_monday_one_sees_what_the_town_holds(
    monday: dict[str, Any], town: Town, runs: Callable[[Path], Any]
) -> None:
    buildings = town.features("building")

    assert monday["layers"] == len(town.layers()) > 25
    assert monday["filled"] == pytest.approx(100 * buildings["storeys"].notna().mean(), abs=0.1)
    assert monday["structures"]["砼"] == "钢筋混凝土结构"
    assert monday["lang"] == "zh" and len(frames(runs(MONDAY))) == 2


def test_on_a_monday_towers_and_mains_are_as_near_as_shapely_says(monday: dict[str, Any], town: Town) -> None:
    buildings, pipes = town.features("building"), town.features("pipe_line", where="class = 'JS'")
    station = shapely.force_2d(town.features("bim_model").union_all())
    tall = buildings[buildings["storeys"].fillna(0) > 20]

    near = (buildings["storeys"].fillna(0) > 10) & (buildings.distance(station) <= 300)
    pairs = STRtree(pipes.force_2d().to_numpy()).query(tall.geometry.to_numpy(), predicate="dwithin", distance=50)
    assert monday["towers"] == sorted(buildings.index[near]) and len(monday["towers"]) > 10
    assert "钢筋混凝土结构" in monday["words"]
    assert monday["mains"] == sorted(pipes.index[np.unique(pairs[1])]) and len(monday["mains"]) > 50
    assert monday["pairs"] == pairs.shape[1]


def test_on_a_monday_measures_are_those_of_the_town(
    monday: dict[str, Any], town: Town, floor_areas: "pd.Series[float]"
) -> None:
    before, after = (town.features("building", at=day) for day in ("2023-12-31", "2024-12-31"))
    parcels, pipes = town.features("land_use"), town.features("pipe_line")

    fresh = after.loc[after.index.difference(before.index), "storeys"]
    used = floor_areas / parcels.area / parcels["floor_area_ratio"].where(parcels["floor_area_ratio"] > 0)
    assert monday["changes"] == {"inserted": len(after) - len(before)} and len(fresh) > 200
    assert monday["new_storeys"] == fresh.sum()
    assert monday["over"] == pytest.approx(used[used > 1].to_dict(), rel=1e-6)
    assert monday["kilometres"] == pytest.approx(pipes["length"].sum() / 1000, abs=0.001)
    assert monday["materials"] == len(pipes[["class", "material"]].drop_duplicates())
    assert monday["water"] == (pipes["class"] == "JS").sum()
    assert monday["cover_apart"] < 0.1, "the ground of the map against the depth of the survey"


def test_on_a_monday_walls_have_the_ratings_of_their_model(monday: dict[str, Any], town: Town) -> None:
    elements = town.features("bim_element", fields=["ifc_class", "properties"])

    sets = elements["properties"].dropna().map(json.loads)
    rating = sets.map(lambda each: each.get("Pset_WallCommon", {}).get("FireRating")).dropna()
    assert monday["ratings"] == rating[elements.loc[rating.index, "ifc_class"] == "IfcWall"].value_counts().to_dict()
    assert monday["two_hours"] == sorted(rating.index[rating == "2.0h"]) and monday["ratings"]["2.0h"] > 5


def test_on_a_monday_what_is_written_is_undone_and_the_sample_stays(monday: dict[str, Any], town: Town) -> None:
    heights = town.features("building", ids=list(monday["restored"]))["height"]

    assert (monday["tried"], monday["edited"], monday["undone"]) == (3, 3, 3)
    assert monday["heights"][1] == 88.4 != monday["heights"][0]
    assert monday["restored"] == heights.to_dict() and len(heights) == 3
    assert monday["saved"] == monday["dropped"] == monday["before"] == len(monday["over"])
    assert monday["over_http"] == pytest.approx(monday["over"])
    assert monday["service_stopped"] and monday["folder_gone"]
    assert "notebook" not in set(town.history()["author"])
