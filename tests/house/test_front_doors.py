"""Every folder has a front door, every module says what lives there, and coming in costs nothing."""

import ast
import builtins
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import source_trees

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("twin_model", "ingest", "tiles", "api_config")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
)
DOORS = [name for name in MODULES if (ROOT / name.replace(".", "/") / "__init__.py").is_file()]


def file_of(module: str) -> Path:
    folder = ROOT / module.replace(".", "/")
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def tree_of(module: str) -> ast.Module:
    return source_trees.tree_of(file_of(module))


def order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order ruff keeps `__all__` in."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def example_of(door: str) -> list[str]:
    told = ast.get_docstring(tree_of(door), clean=True) or ""
    return [line for line in told.splitlines() if line.startswith("    ")]


def test_a_module_says_what_lives_in_it() -> None:
    first_lines = {module: (ast.get_docstring(tree_of(module)) or "\n").splitlines()[0] for module in MODULES}

    assert {module: line for module, line in first_lines.items() if len(line) < 20} == {}


def test_what_a_module_offers_is_there_and_sorted() -> None:
    """It imports every module of the house, which takes seconds."""
    unsorted, absent = {}, {}
    for module in MODULES:
        room = importlib.import_module(module)
        offered = list(getattr(room, "__all__", []))
        below = {one.name for one in pkgutil.iter_modules(getattr(room, "__path__", []))}
        if offered != sorted(offered, key=order):
            unsorted[module] = offered
        if missing := [name for name in offered if not hasattr(room, name) and name not in below]:
            absent[module] = missing

    assert unsorted == {}
    assert absent == {}


def test_a_front_door_names_what_is_elsewhere_and_shows_an_example() -> None:
    silent, lengths, closed = [], {}, []
    for door in DOORS:
        told = ast.get_docstring(tree_of(door), clean=True) or ""
        if not re.search(r"[Nn]ot here|stands? in|is `?[\w.]+`?'s part", told):
            silent.append(door)
        if not 1 <= len(example_of(door)) <= 6:
            lengths[door] = example_of(door)
        assignments = [node for node in tree_of(door).body if isinstance(node, ast.Assign | ast.AnnAssign)]
        if not any("__all__" in ast.dump(node) for node in assignments):
            closed.append(door)

    assert silent == [], "front doors that do not name what is elsewhere"
    assert lengths == {}, "an example has one to six lines"
    assert closed == [], "front doors without __all__"


def test_what_an_example_calls_exists_in_the_house() -> None:
    defined = {
        node.name
        for module in MODULES
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    unknown = {}
    for door in DOORS:
        example = re.sub(r"([\"']).*?\1", "", "\n".join(example_of(door)))
        called = set(re.findall(r"(?<![\w.])([A-Za-z_]+)\(", example)) - {"Path", *dir(builtins), *dir(np)}
        if called - defined:
            unknown[door] = called - defined

    assert unknown == {}


def test_the_files_and_modules_that_texts_name_exist() -> None:
    """In backticks: `ingest/draft.py`, `store/base.py`, `twin_model.view`; a module that moved takes its mentions along."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    tops = "|".join((*FOLDERS, "tests", "data_samples"))
    path, dotted = re.compile(r"`([\w/]+\.py)`"), re.compile(rf"`((?:{tops})(?:\.\w+)+)`")
    ends = {"/".join(name.split("/")[start:]) for name in files for start in range(name.count("/") + 1)}
    to_be_written = {"tests/ingest/test_xyz.py"}
    unknown = []
    for name in files:
        if name.endswith((".py", ".md")) and name != "CHANGELOG.md":
            text = (ROOT / name).read_text("utf-8")
            unknown += [(name, named) for named in path.findall(text) if named not in ends | to_be_written]
            unknown += [(name, named) for named in dotted.findall(text) if not exists(named)]

    assert unknown == []


def exists(dotted: str) -> bool:
    """Return whether a dotted name is a module, a package, or a name that stands in one."""
    module, rest = dotted, ""
    while not file_of(module).is_file():
        module, _, rest = module.rpartition(".")
        if not module:
            return False
    return not rest or bool(re.search(rf"\b{rest}\b", file_of(module).read_text("utf-8")))


WATCHED = """
import sys
seen = []
def watch(event, arguments):
    if event in ("sqlite3.connect", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.mkdir", "os.remove"):
        seen.append((event, str(arguments)[:200]))
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append((event, str(arguments)[:200]))
sys.addaudithook(watch)
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
print(seen)
"""


def test_importing_every_module_opens_no_store_no_socket_and_writes_no_file(tmp_path: Path) -> None:
    command = [sys.executable, "-B", "-c", WATCHED, *MODULES]

    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]", told.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_model_comes_in_without_the_floors_above_and_their_libraries() -> None:
    asked = "import sys, twin_model; print([n for n in ('pygeoapi', 'ezdxf', 'ifcopenshell', 'starlette', 'ingest', 'tiles', 'api_config') if n in sys.modules])"

    told = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"


def test_lengths_of_modules_and_functions_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    lengths = {module: len(file_of(module).read_text("utf-8").splitlines()) for module in MODULES}
    functions = {
        f"{module}.{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for module in MODULES
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.FunctionDef)
    }

    with capsys.disabled():
        for title, told in (("modules", lengths), ("functions", functions)):
            longest = sorted(told.items(), key=lambda one: -one[1])[:3]
            print(f"\n  longest {title}: " + ", ".join(f"{name} {count}" for name, count in longest), end="")

    assert len(lengths) == len(MODULES)
    assert all(count > 0 for count in lengths.values())
