"""A closed layer is closed behind every door, and pipelines are not published by accident."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import shapely

from api_config.serving import ensure_publishable
from twin_model.errors import CalledWrongly
from twin_model.town import open_town

TWIN = Path(sys.executable).with_name("twin")


def closing(town: Path, folder: Path, *layers: str, **more: str) -> Path:
    """Return a copy of a town in which these layers are closed."""
    copy = shutil.copytree(town, folder / "town", ignore=shutil.ignore_patterns("sources", "cache"))
    settings = (copy / "town.toml").read_text("utf-8").replace("closed = []", f"closed = {json.dumps(layers)}")
    for name, value in more.items():
        settings = settings.replace(f"{name} = false", f"{name} = {value}")
    (copy / "town.toml").write_text(settings, "utf-8")
    return copy


@pytest.fixture(scope="module")
def closed_town(demo_town: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return closing(demo_town, tmp_path_factory.mktemp("closed"), "pipe_line", "bim_element")


@pytest.fixture
def shut(closed_town: Path, inside_of: Any) -> Any:
    return inside_of(closed_town)


def test_a_closed_layer_is_in_no_list(shut: Any) -> None:
    collections = [one["id"] for one in shut.get("/collections").json()["collections"]]
    paths = json.dumps(list(shut.get("/api").json()["paths"]))
    config = [one["id"] for one in shut.get("/viewer/config.json").json()["layers"]]
    tags = [one["name"] for one in shut.get("/api").json()["tags"]]

    for names in (collections, config, tags):
        assert "building" in names
        assert not {"pipe_line", "bim_element"} & set(names)
    assert "/collections/building/items" in paths
    assert "pipe_line" not in paths
    assert "bim_element" not in paths


@pytest.mark.parametrize(
    "rest",
    ["", "/items", "/items?limit=1", "/items/DL.DL0001~DL0002", "/queryables", "/sortables", "/schema", "/tiles", "/tiles/WebMercatorQuad", "/tiles/WebMercatorQuad/0/0/0",
     "/tiles/CGCS2000Quad/15/9990/54000", "/3dtiles/tileset.json", "/3dtiles/0/0/0/tileset.json", "/3dtiles/content/0/0/0/none.glb", "/items?f=html", "?f=html"],
)  # fmt: skip
def test_a_closed_layer_is_as_absent_as_one_that_never_was(shut: Any, rest: str) -> None:
    closed, never = (
        shut.get(f"/collections/{name}{rest}", headers={"Accept-Language": "en"}) for name in ("pipe_line", "pipe_lime")
    )

    assert closed.status_code == never.status_code == 404
    if "html" not in rest:
        assert closed.json()["rule"] == never.json()["rule"]
        assert closed.text.replace("pipe_line", "X") == never.text.replace("pipe_lime", "X")


def test_search_finds_nothing_of_a_closed_layer(shut: Any, inside: Any) -> None:
    query = {"q": "DL0001", "limit": "100"}
    found = {one["properties"]["collection"] for one in inside.get("/search", params=query).json()["features"]}
    left = {one["properties"]["collection"] for one in shut.get("/search", params=query).json()["features"]}

    assert "pipe_line" in found
    assert left == found - {"pipe_line"}


def test_findings_about_a_closed_layer_are_closed_too(shut: Any, inside: Any) -> None:
    """Those that name no layer are closed with them: what they tell may be about the closed one."""
    found = inside.get("/collections/finding/items?limit=1000").json()["features"]
    about = {one["id"] for one in found if one["properties"]["layer"] == "bim_element"}
    others = {one["id"] for one in found if one["properties"]["layer"] not in {None, "bim_element", "pipe_line"}}

    document = shut.get("/collections/finding/items?limit=1000").json()
    count = shut.get("/collections/finding").json()["x-features"]
    config = next(one for one in shut.get("/viewer/config.json").json()["layers"] if one["id"] == "finding")

    assert about
    assert {one["id"] for one in document["features"]} == others
    assert document["numberReturned"] == count == config["features"]
    assert shut.get(f"/collections/finding/items/{sorted(about)[0]}").status_code == 404
    assert shut.get("/collections/finding/items?filter=layer%20%3D%20%27bim_element%27").json()["features"] == []


def test_the_ground_is_closed_with_the_heights_it_is_made_of(demo_town: Path, tmp_path: Path, inside_of: Any) -> None:
    shut = inside_of(closing(demo_town, tmp_path, "contour"))

    assert shut.get("/terrain/layer.json").status_code == 404
    assert shut.get("/terrain/0/1/0.terrain").status_code == 404
    assert shut.get("/viewer/config.json").json()["terrain"] is None


def test_a_slip_of_the_pen_in_closed_does_not_open_the_layer(demo_town: Path, tmp_path: Path, inside_of: Any) -> None:
    with pytest.raises(CalledWrongly, match="pipe_lines"):
        inside_of(closing(demo_town, tmp_path, "pipe_lines"))


def twin_serve(town: Path, host: str) -> "subprocess.Popen[str]":
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(TWIN), "--town", str(town), "serve", "--host", host, "--port", str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def piped(scratch: Any, bring: Any) -> Any:
    """A town with one pipe."""
    bring(
        scratch,
        "pipe_line",
        [shapely.LineString([(617_000, 3_886_000, 60), (617_050, 3_886_000, 59)])],
        segment_key=["A~B"],
    )
    return scratch


@pytest.mark.parametrize("reach", [{"host": "0.0.0.0"}, {"url": "https://city.example/twin"}])
def test_pipelines_that_come_after_the_start_are_not_published_beyond_this_machine(
    piped: Any, inside_of: Any, reach: dict[str, str]
) -> None:
    outside, local = inside_of(piped.path, **reach), inside_of(piped.path)

    for path in (
        "/collections/pipe_line",
        "/collections/pipe_line/items",
        "/collections/pipe_line/3dtiles/tileset.json",
    ):
        assert (outside.get(path).status_code, local.get(path).status_code) == (404, 200), path
    assert "pipe_line" not in outside.get("/viewer/config.json").text
    write_setting(piped.path, "publish_underground = true")
    assert outside.get("/collections/pipe_line").status_code == 200


def test_a_layer_that_is_closed_while_the_service_runs_is_closed_at_once(piped: Any, inside_of: Any) -> None:
    ask = inside_of(piped.path)
    assert ask.get("/collections/pipe_line").status_code == 200

    write_setting(piped.path, 'closed = ["pipe_line"]')

    assert ask.get("/collections/pipe_line").status_code == 404


def write_setting(town: Path, line: str) -> None:
    """Put a line into `town.toml` in the place of the one of that name."""
    name, lines = line.split(" ")[0], (town / "town.toml").read_text("utf-8").splitlines()
    (town / "town.toml").write_text("\n".join(line if one.startswith(name) else one for one in lines), "utf-8")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_serve_refuses_to_publish_pipelines_beyond_this_machine(piped: Any, host: str) -> None:
    process = twin_serve(piped.path, host)

    told, _ = process.communicate(timeout=30)

    assert process.returncode == 2
    assert "pipe_line" in told
    assert "publish_underground" in told


@pytest.mark.parametrize("line", ["publish_underground = true", 'closed = ["pipe_line"]'])
def test_serve_publishes_where_the_town_says_so_or_the_layers_are_closed(piped: Any, line: str) -> None:
    write_setting(piped.path, line)

    with open_town(piped.path) as town:
        ensure_publishable(town, "0.0.0.0")
        answer = town.settings

    assert answer.publish_underground or answer.closed == ("pipe_line",)
