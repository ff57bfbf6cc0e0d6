"""What every test may ask for: real files nobody here made, the sample town's sources, the town made of them, served."""

import fcntl
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from free_port import free_port
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
REALDATA = ROOT.parent / "shared" / "realdata"
IN_CI = os.environ.get("CI") == "true"
TWIN = Path(sys.executable).with_name("twin")


settings.register_profile("every run", deadline=None, derandomize=True, database=None)
settings.register_profile("proof", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """Draw the same examples in every run, however slow the machine; only the proof looks for new ones."""
    settings.load_profile("every run" if config.option.markexpr == "not proof" else "proof")
    # A command reads sources itself unless a test says otherwise: a server of children costs a second or two a run.
    os.environ.setdefault("TWIN_JOBS", "0")


LONGEST_FIRST = (
    "viewer/test_viewer_in_chromium.py",
    "twin_model/test_town_catalogue.py",
    "notebooks/test_notebooks.py",
    "twin_model/test_committing_frames.py",
    "twin_model/test_many_hands.py",
    "viewer/test_connection.py",
    "journeys/test_first_town.py",
    "data_samples/test_files.py",
    "viewer/test_light.py",
    "twin_model/test_own_layers.py",
    "twin_model/test_postgis_store.py",
    "viewer/test_selected.py",
    "twin_model/test_kills.py",
    "twin_model/test_frame_values.py",
    "viewer/test_pointing.py",
    "api_config/test_cli.py",
    "twin_model/test_changing_catalogue.py",
    "viewer/test_camera.py",
    "twin_model/test_two_writers.py",
    "viewer/test_finding.py",
    "api_config/test_held_answers.py",
    "viewer/test_labels.py",
    "viewer/test_first_load.py",
)
"""The files that take longest; a worker takes a whole file, so one that came last would be waited for. Those with a
browser stand apart: each draws with a core of its own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    ranks = {ROOT / "tests" / name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def missing(what: str) -> None:
    """Skip loudly where a component is missing; under CI nothing may be missing."""
    if IN_CI:
        pytest.fail(f"{what} is missing, and CI=true")
    pytest.skip(f"{what} is missing: this part is NOT tested here")


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real files beside the project (`../shared/realdata`)."""
    if not REALDATA.is_dir():
        missing(str(REALDATA))
    return REALDATA


@pytest.fixture(params=["geopackage", "postgis"])
def location(request: pytest.FixtureRequest) -> str:
    """Where a store is to be; a server is started only where one is asked for."""
    return "store.gpkg" if request.param == "geopackage" else str(request.getfixturevalue("postgis_url"))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real Chromium."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing("chromium")
    return str(found)


@pytest.fixture(scope="session")
def ogrinfo() -> str:
    """The path of GDAL's own `ogrinfo`, a client that is not ours."""
    found = shutil.which("ogrinfo")
    if found is None:
        missing("ogrinfo")
    return str(found)


def beside(name: str) -> ModuleType:
    """Return a module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def running_server() -> Any:
    """Return a context that runs a private PostgreSQL with PostGIS, for tests that kill it (`durable=True`)."""
    server = beside("postgis_server")
    if server.binaries() is None:
        missing("PostgreSQL with PostGIS")
    return server.running_server


@pytest.fixture(scope="session")
def postgis_server(running_server: Any) -> Iterator[Any]:
    """The private server of all other tests; it takes no care of power cuts."""
    with running_server() as running:
        yield running


_SCHEMAS = itertools.count()
_SCHEMAS_OF_A_DATABASE = 10
"""With 75 schemas in a database a town takes twice as long to make, and three times as long to open."""


@pytest.fixture
def postgis_url(postgis_server: Any) -> str:
    """The address of a schema that no other test uses; there is nothing in it yet."""
    number = next(_SCHEMAS)
    database = f"towns_{number // _SCHEMAS_OF_A_DATABASE}"
    if number % _SCHEMAS_OF_A_DATABASE == 0:
        postgis_server.add_database(database)
    return str(postgis_server.url(f"s{number}", database))


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Let one worker of a run in at a time: what one has made, the next one finds."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def samples() -> Path:
    """The sources of the sample town, written by the generator; a second session finds them unchanged."""
    folder = ROOT / "out" / "samples"
    generator = ROOT / "data_samples" / "make_samples.py"
    with alone(folder.with_name(".samples.lock")):
        subprocess.run([sys.executable, str(generator), "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="session")
def demo_town(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sample town, made as a newcomer makes it; tests read it and must not change it.

    It takes half a minute, so one worker makes it and each has a copy: a service writes its tiles into its own town.
    """
    own = tmp_path_factory.mktemp("demo") / "town"
    workers = "PYTEST_XDIST_WORKER" in os.environ
    first = tmp_path_factory.getbasetemp().parent / "demo" / "town" if workers else own
    with alone(first.parent / ".lock"):
        if not (first / "town.toml").is_file():
            command = [str(TWIN), "--town", str(first), "demo", "--no-serve", "--samples", str(samples)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                shutil.rmtree(first, ignore_errors=True)
            assert done.returncode == 0, done.stdout + done.stderr
        if first != own:
            shutil.copytree(first, own)
    return own


def serve(town: Path, *, workers: int = 1, environment: dict[str, str] | None = None) -> Iterator[str]:
    """Run `twin serve` on a free port and yield its address; the process is stopped afterwards."""
    port = free_port()
    command = [str(TWIN), "--town", str(town), "serve", "--port", str(port), "--workers", str(workers)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=15)


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[str]]:
    """Return a context that runs `twin serve` over a town and gives its address."""
    return contextmanager(serve)


def _wait_until_ready(address: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(process.stdout.read() if process.stdout else "")
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the service did not become ready within 60 s")


@pytest.fixture(scope="session")
def served_town(demo_town: Path) -> Iterator[str]:
    """The address of a real service over the sample town."""
    yield from serve(demo_town)
