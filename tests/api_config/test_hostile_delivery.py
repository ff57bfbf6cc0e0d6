"""A hostile file of a delivery ends alone: it is named with its cause, the others come in, nothing reaches the terminal."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from click.testing import CliRunner, Result
from exhausting_sources import CRS, EAST, NORTH, WRITERS, buildings

from api_config.cli import make_cli
from api_config.delivery import Delivery, deliver
from ingest.draft import ReadOptions
from twin_model.town import init_town
from twin_model.visible_text import unseen


def run(town: Path, *arguments: str, lang: str = "en", **settings: str) -> Result:
    environment = {"TWIN_LANG": lang, "TWIN_TOWN": str(town), "COLUMNS": "300", "TWIN_JOBS": "0", **settings}
    return CliRunner().invoke(make_cli(lang), list(arguments), env=environment)


@pytest.fixture
def town(empty_town: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty_town, tmp_path / "town"))


def test_names_that_are_not_seen_and_what_is_no_file_are_refused_by_name_and_the_others_come_in(
    town: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "delivery"
    folder.mkdir()
    buildings().to_file(folder / "fine.gpkg", layer="building\x1b[31m", engine="pyogrio")
    for name in ("a\x1b]0;x\x07.gpkg", "b\n\x1b[2Jfine.gpkg", "c\u202egpj.gpkg", "d\udcff.gpkg"):
        shutil.copy(folder / "fine.gpkg", folder / name)
    os.mkfifo(folder / "pipe.csv")
    (folder / "loop.dxf").symlink_to(folder / "loop.dxf")
    (folder / "device.csv").symlink_to("/dev/zero")
    (folder / "round").symlink_to(folder)

    done = {lang: run(town, "ingest", str(folder), "--dry-run", lang=lang) for lang in ("en", "zh")}
    outcomes = json.loads(run(town, "ingest", str(folder), "--json").stdout)
    alone = run(town, "ingest", str(folder / "pipe.csv"))

    rules = {outcome["source"]: outcome["rule"] for outcome in outcomes}
    assert rules == {
        r"a\x1b]0;x\x07.gpkg": "source.name_unseen", r"b\n\x1b[2Jfine.gpkg": "source.name_unseen",
        r"c\u202egpj.gpkg": "source.name_unseen", r"d\xff.gpkg": "source.name_unseen",
        "pipe.csv": "source.not_plain", "loop.dxf": "source.not_plain", "device.csv": "source.not_plain", "fine.gpkg": None,
    }  # fmt: skip
    for lang, words in {"en": ("holds what is not seen", "a pipe", "a link that leads nowhere"),
                        "zh": ("含有不可见字符", "管道", "失效的链接")}.items():  # fmt: skip
        assert done[lang].exit_code == 1 and all(word in done[lang].output for word in words), done[lang].output
        assert unseen(done[lang].output.replace("\n", "").replace("\t", "")) == []
    assert alone.exit_code == 1 and "pipe.csv is no plain file: a pipe" in alone.output


def test_files_that_are_no_sources_are_looked_into_within_the_limits_too(town: Path, tmp_path: Path) -> None:
    """Each command makes children of its own, so this takes its seconds."""
    area, control = tmp_path / "area.geojson", tmp_path / "control.csv"
    frame = gpd.GeoDataFrame(geometry=[shapely.Point(EAST, NORTH).buffer(9, quad_segs=16)] * 8_000, crs=CRS)
    frame.to_file(area, engine="pyogrio")
    control.write_text("点号,源东,源北,目标东,目标北\n" + f"K1,1,2,{EAST},{NORTH}\n" * 100_000, "utf-8")
    limits = {"TWIN_JOBS": "1", "TWIN_READ_MEMORY_MIB": "1"}
    commands = {
        ("ingest", str(area), "--scope", str(area)): "area.geojson",
        ("mapping", "draft", str(area)): "area.geojson",
        ("georeference", "--control", str(control), "--name", "local"): "control.csv",
    }

    for words, name in commands.items():
        done = run(town, *words, **limits)
        assert done.exit_code == 1, (words, done.output)
        assert f"Reading {name} needed more than 1 MiB of memory" in done.output, (words, done.output)


def test_a_source_that_is_written_to_meanwhile_is_stored_as_it_is_kept_or_refused(tmp_path: Path) -> None:
    """What is hashed is what is read: a writer goes on all the while."""
    source, states = tmp_path / "building.geojson", []
    for count in (3, 400):
        buildings(count).to_file(source, engine="pyogrio")
        states.append(source.read_bytes())
    is_over = threading.Event()

    def write() -> None:
        with source.open("r+b") as file:
            for state in iter(lambda: states[write_count[0] % 2], None):
                write_count[0] += 1
                file.seek(0)
                for start in range(0, len(state), 4096):
                    file.write(state[start : start + 4096])
                    file.flush()
                file.truncate(len(state))
                if is_over.wait(0.001):
                    return

    write_count = [0]
    writer = threading.Thread(target=write)
    rules = []
    with init_town(tmp_path / "town", name="镇", crs=CRS) as town:
        writer.start()
        try:
            for _ in range(12):
                (outcome,) = deliver(
                    town, [source], Delivery(ReadOptions(kind="building", crs=CRS), again=True, accept_removals=True)
                )
                rules.append(outcome.error.rule_id if outcome.error else "")
                if outcome.error is None:
                    newest = max(town.store.changesets(), key=lambda record: record.number)
                    _ensure_kept(town.path, newest.sha256, outcome.counts["read"])
        finally:
            is_over.set()
            writer.join()

    assert not {rule for rule in rules if rule and rule.partition(".")[0] not in ("source", "vector")}
    assert write_count[0] > 12


def _ensure_kept(town: Path, digest: str, read: int) -> None:
    """Ensure that the archive holds what a version was read from, and that it says what was read."""
    content = (town / "sources" / digest / "building.geojson").read_bytes()
    assert sha256(content).hexdigest() == digest
    assert len(json.loads(content)["features"]) == read


@pytest.mark.proof
def test_files_that_would_take_the_machine_end_alone_in_bounded_time_and_memory(tmp_path: Path) -> None:
    """Some thirty files, made in a process of their own, each of which may take its whole time limit."""
    folder, limits = tmp_path / "delivery", ("--memory", "500", "--seconds", "20", "--jobs", "2")
    folder.mkdir()
    script = f"import pathlib, exhausting_sources as e\nfor n, write in e.WRITERS.items(): write(pathlib.Path({str(folder)!r}, n))"
    python_path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=os.environ | python_path, check=True)
    buildings().to_file(folder / "fine.gpkg", layer="building", engine="pyogrio")
    init_town(tmp_path / "town", name="镇", crs=CRS).store.close()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = os.environ | {"TWIN_LANG": "en", "TMPDIR": str(temporary), "TWIN_TOWN": str(tmp_path / "town")}
    command = [Path(sys.executable).with_name("twin"), "ingest", folder, "--crs", CRS, "--json", *limits]

    begun = time.monotonic()
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
    seconds, peak_mib = time.monotonic() - begun, usage.ru_maxrss / 1024
    outcomes = {outcome["source"]: outcome for outcome in json.loads((tmp_path / "out").read_text("utf-8"))}

    assert os.waitstatus_to_exitcode(status) == 1 and "Traceback" not in (tmp_path / "err").read_text("utf-8")
    assert seconds < 60 * len(WRITERS) and peak_mib < 600
    assert set(outcomes) == {*WRITERS, "fine.gpkg"}
    assert all(outcome["error"] is None or name in outcome["error"] for name, outcome in outcomes.items())
    assert outcomes["fine.gpkg"]["version"] is not None
    assert [path for path in temporary.iterdir() if not path.name.startswith("twin-error-")] == []
    assert list((tmp_path / "town" / "cache" / "drafts").iterdir()) == []
