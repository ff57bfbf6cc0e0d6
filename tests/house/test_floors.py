"""Who may import whom: floors from the import graph, rooms of third-party libraries from every file's own lines."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import grimp
import networkx
from source_trees import tree_of

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {"twin_model": 0, "ingest": 1, "tiles": 1, "api_config": 2}
ROOMS: dict[str, tuple[str, ...]] = {
    "cql2": ("twin_model/filter/",),
    "ezdxf": ("ingest/dxf", "tiles/encodings/dxf"),
    "ifcopenshell": ("ingest/ifc", "tiles/encodings/ifc"),
    "matplotlib": ("twin_model/desk/plot_style.py",),
    "mapbox_earcut": ("tiles/extrude",),
    "pebble": ("twin_model/workers.py",),
    "openpyxl": ("ingest/tables", "tiles/encodings/xlsx"),
    "psycopg": ("twin_model/store/",),
    "pyarrow": (
        "ingest/vector/stream.py",
        "tiles/encodings/geoparquet.py",
        "tiles/encodings/table_spool.py",
        "twin_model/store/postgis/rows.py",
    ),
    "pydeck": ("tiles/deck",),
    "pygeoapi": ("api_config/ogc/",),
    "pyogrio": ("ingest/vector", "tiles/encodings/", "twin_model/store/"),
    "pyproj": ("twin_model/crs.py", "twin_model/messages/crs_names.py"),
    "pythoncdt": ("twin_model/relief/",),
    "rasterio": ("ingest/raster", "twin_model/relief/", "tiles/"),
    "starlette": ("api_config/",),
    "uvicorn": ("api_config/",),
    "click": ("api_config/",),
    "rich": ("api_config/",),
    "jinja2": ("api_config/",),
}
"""Beginnings of the paths that may import a library; libraries that are common speech are not listed."""


def sources() -> list[Path]:
    return [path for folder in FLOORS for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def imported(path: Path) -> set[str]:
    """The top-level names a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {one.name.split(".")[0] for one in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_no_floor_imports_one_above_it_and_neighbours_never_meet() -> None:
    graph = grimp.build_graph(*FLOORS)

    wrong = [
        (importer, one)
        for importer in graph.modules
        for one in graph.find_modules_directly_imported_by(importer)
        if (here := importer.split(".")[0]) != (there := one.split(".")[0]) and FLOORS[there] >= FLOORS[here]
    ]

    assert wrong == []


def test_no_imports_go_round_in_circles() -> None:
    graph = networkx.DiGraph()
    modules = grimp.build_graph(*FLOORS)
    for importer in modules.modules:
        for imported_module in modules.find_modules_directly_imported_by(importer):
            graph.add_edge(importer, imported_module)
            packages = _packages_that_part(importer, imported_module)
            graph.add_edge(*(f"package {name}" for name in packages))

    circles = [sorted(circle) for circle in networkx.strongly_connected_components(graph) if len(circle) > 1]

    assert circles == []


def _packages_that_part(importer: str, imported_module: str) -> tuple[str, str]:
    """Return the two names at the level at which the paths of two modules part."""
    ours, theirs = importer.split("."), imported_module.split(".")
    common = next(
        (n for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
        min(len(ours), len(theirs)) - 1,
    )
    return ".".join(ours[: common + 1]), ".".join(theirs[: common + 1])


def test_the_contracts_of_the_house_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    told = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stdout[-3000:]
    assert "0 broken" in told.stdout


def test_a_library_is_imported_in_its_own_room_only() -> None:
    strangers = [
        (library, path.relative_to(ROOT).as_posix())
        for path in sources()
        for library in sorted(imported(path) & set(ROOMS))
        if not path.relative_to(ROOT).as_posix().startswith(ROOMS[library])
    ]

    assert strangers == []


def test_no_library_has_its_room_for_nothing() -> None:
    used = {name for path in sources() for name in imported(path)}

    assert set(ROOMS) - used <= {"psycopg", "rasterio"}, "libraries of rooms that are still to be built"


def test_nothing_below_the_top_floor_reads_the_environment() -> None:
    """Only `open_town("~/town")` looks where a person's home is."""
    readers = []
    for path in sources():
        names = {node.attr for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)}
        if path == ROOT / "twin_model" / "town.py":
            names -= {"expanduser"}
        if names & {"environ", "getenv", "environb", "expanduser"} and not path.is_relative_to(ROOT / "api_config"):
            readers.append(path.relative_to(ROOT).as_posix())

    assert readers == []


def test_relative_imports_are_written_out() -> None:
    relative = [
        path.relative_to(ROOT).as_posix()
        for path in sources()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []


def test_nothing_that_is_read_from_a_file_can_run_as_code() -> None:
    """A town, its cache and its backups may come from anybody: they hold numbers, texts and tables."""
    libraries = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    calls = {"read_pickle", "to_pickle", "allow_pickle"}
    wrong = [f"{path.relative_to(ROOT)}: {name}" for path in sources() for name in imported(path) & libraries]
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = getattr(node, "attr", None) or getattr(node, "arg", None)
            allowed = isinstance(node, ast.keyword) and getattr(node.value, "value", None) is False
            if named in calls and not allowed:
                wrong.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', '?')}: {named}")

    assert wrong == []
