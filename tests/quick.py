"""What a change touches, checked in under two minutes: ruff, mypy, import rules, and the tests nearest to the changed files.

python tests/quick.py            changed against HEAD, and the branch against main; `make quick` runs this
python tests/quick.py --base v1  against another state
python tests/quick.py --list     says what it would run and why, and runs nothing

It is the loop while one works. `make check` and `make test` still decide: a change can break what is far away.
"""

import argparse
import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from source_trees import tree_of

__all__ = ["Choice", "changed_files", "choose"]

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("twin_model", "ingest", "tiles", "api_config")
MOST = 6
"""So many test files are run for one changed file; the nearest first."""

SAMPLE_TOWN = "demo_town"
HOUSE = "tests/house"
BROWSER = "tests/viewer/test_viewer_in_chromium.py"
"""Takes minutes: a change of the viewer is checked by its types here, and by `pytest tests/viewer`."""
TABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("twin_model/catalogue/*.toml", ("tests/twin_model/test_catalogue.py", "tests/twin_model/test_changing_catalogue.py")),
    ("twin_model/messages/*.toml", ("tests/twin_model/test_messages.py", "tests/twin_model/test_message_values.py")),
    ("twin_model/store/*.py", ("tests/twin_model/test_store.py", "tests/twin_model/test_store_in_time.py")),
    ("ingest/mappings/*", ("tests/ingest/test_mapping.py", "tests/ingest/test_dxf_cass.py", "tests/ingest/test_survey.py", "tests/ingest/test_vector.py")),
    ("ingest/scope_file.py", ("tests/api_config/test_history_commands.py",)),
    ("tiles/encodings/differences.py", ("tests/api_config/test_history_commands.py",)),
    ("tiles/encodings/findings.py", ("tests/api_config/test_history_commands.py",)),
    ("api_config/commands/doctor.py", ("tests/api_config/test_doctor.py", "tests/api_config/test_environment.py")),
    ("api_config/commands/georeference.py", ("tests/api_config/test_georeference.py",)),
    ("api_config/templates/*", ("tests/api_config/test_pages.py",)),
    ("api_config/static/*", ("tests/api_config/test_pages.py",)),
    ("api_config/cli.py", ("tests/api_config/test_cli.py",)),
    ("api_config/commands/*.py", ("tests/api_config/test_cli.py",)),
    ("api_config/ogc/*.py", ("tests/api_config/test_pygeoapi.py", "tests/api_config/test_conformance.py")),
    ("docs/architecture.md", ("tests/journeys/test_recipes.py",)),
    ("docs/coordinates.md", ("tests/journeys/test_coordinates_page.py",)),
    ("docs/for-analysts.md", ("tests/journeys/test_for_analysts.py",)),
    ("docs/your-own-files.md", ("tests/journeys/test_your_own_files.py",)),
    ("notebooks/*", ("tests/notebooks/test_notebooks.py",)),
    ("bundle/*", ("tests/house/test_dependencies.py", "tests/house/test_installer.py")),
    ("data_samples/*.py", ("tests/data_samples/test_town.py", "tests/data_samples/test_pipes.py")),
)  # fmt: skip
"""Tests that no import leads to; `*` stands for folders too. They are run however long they take."""


@dataclass
class Choice:
    """The tests to run, each with the reasons; `left_out` names those that a full run adds, by changed file."""

    tests: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def add(self, test: str, reason: str) -> None:
        self.tests.setdefault(test, []).append(reason)


def git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if line]


def changed_files(base: str) -> list[str]:
    """Return the files that differ from HEAD, are new, or were changed since this branch left `base`."""
    fork = git("merge-base", base, "HEAD")
    since = git("diff", "--name-only", f"{fork[0]}..HEAD") if fork else []
    return sorted({*since, *git("diff", "--name-only", "HEAD"), *git("ls-files", "--others", "--exclude-standard")})


def imported_modules(tree: ast.Module) -> set[str]:
    """Return every dotted name a file may import: modules, and what is taken from them."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@cache
def imports_of_tests() -> Mapping[str, set[str]]:
    """Return each file of tests with the names it imports."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    return {
        path.relative_to(ROOT).as_posix(): imported_modules(tree_of(path))
        for path in files
        if "node_modules" not in path.parts
    }


@cache
def imports_of_house() -> Mapping[str, set[str]]:
    """Return each module of the packages with the names it imports."""
    return {
        module_of(path.relative_to(ROOT).as_posix()): imported_modules(tree_of(path))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def module_of(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def slow_tests() -> frozenset[str]:
    """Return the files that `tests/conftest.py` lists as the longest."""
    for node in tree_of(ROOT / "tests" / "conftest.py").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LONGEST_FIRST":
            return frozenset(f"tests/{name}" for name in ast.literal_eval(node.value))
    return frozenset()


def is_slow(test: str) -> bool:
    """Return whether a test file is among the longest, or asks for the sample town, which takes half a minute to make."""
    return test in slow_tests() or SAMPLE_TOWN in fixtures_of(test)


@cache
def fixtures_of(test: str) -> frozenset[str]:
    """Return the names of the fixtures a test file asks for, and of those that they ask for."""
    files = [ROOT / test, (ROOT / test).with_name("conftest.py"), ROOT / "tests" / "conftest.py"]
    functions = {
        node.name: {argument.arg for argument in node.args.args + node.args.kwonlyargs}
        for path in reversed(files)
        if path.is_file()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef)
    }
    own = {node.name for node in ast.walk(tree_of(files[0])) if isinstance(node, ast.FunctionDef)}
    names: set[str] = set()
    waiting = [name for name in own if name.startswith("test_")]
    while waiting:
        new = functions.get(waiting.pop(), set()) - names
        names |= new
        waiting += new
    return frozenset(names)


def choose(changed: Iterable[str]) -> Choice:
    """Return the tests nearest to the changed files, and the house rules, which concern every file."""
    choice = Choice()
    for file in changed:
        near = tests_of(file)
        always = {file, *by_table(file), *(set(named_alike(file)) - slow_tests())}
        chosen = [test for test in near if test in always or not is_slow(test)]
        chosen = (chosen or [test for test in near if test != BROWSER])[:MOST]
        for test in chosen:
            if not test.startswith(HOUSE):
                choice.add(test, f"{file}: {near[test]}")
        if rest := [test for test in near if test not in chosen]:
            choice.left_out[file] = rest
        choice.add(HOUSE, file)
    return choice


def tests_of(file: str) -> dict[str, str]:
    """Return the test files of one changed file, the nearest first, each with the reason."""
    path = Path(file)
    if file.startswith("tests/") and path.suffix == ".py":
        return tests_of_tests(path)
    if file.startswith("viewer/"):
        return {BROWSER: "the viewer in a browser"}
    near = dict.fromkeys(by_table(file), "by the table in tests/quick.py")
    if path.suffix == ".py" and path.parts[0] in PACKAGES:
        near |= {test: reason for test, reason in tests_of_module(file).items() if test not in near}
    return near


def by_table(file: str) -> tuple[str, ...]:
    return tuple(test for pattern, tests in TABLE if fnmatch(file, pattern) for test in tests)


def tests_of_tests(path: Path) -> dict[str, str]:
    """Return a changed test file itself; of a helper or a conftest, the tests that use it."""
    file = path.as_posix()
    if is_test(file):
        return {file: "itself"} if (ROOT / file).exists() else {}
    if path.name == "conftest.py":
        users = [test for test in imports_of_tests() if Path(test).parent == path.parent and is_test(test)]
        return dict.fromkeys(sorted(users, key=breadth), "uses its fixtures")
    users = [test for test, names in imports_of_tests().items() if is_test(test) and path.stem in names]
    return dict.fromkeys(sorted(users, key=breadth), "imports it")


def tests_of_module(file: str) -> dict[str, str]:
    """Return the tests that import a module, else those that import what imports it, and so on upwards."""
    alike, modules, seen = named_alike(file), {module_of(file)}, set[str]()
    reasons = dict.fromkeys(alike, "has its name")
    while modules and not (reasons.keys() - alike):
        for test, names in imports_of_tests().items():
            if is_test(test) and names & modules:
                reasons.setdefault(test, "imports it" if not seen else f"imports {min(names & modules)}, which uses it")
        seen |= modules
        modules = {module for module, names in imports_of_house().items() if names & modules} - seen
    nearest = sorted(reasons, key=lambda test: (test not in alike, is_elsewhere(test, file), breadth(test)))
    return {test: reasons[test] for test in nearest}


def named_alike(file: str) -> list[str]:
    package, stem = file.split("/")[0], Path(file).stem
    names = (f"tests/{package}/test_{stem}.py", f"tests/{package}/test_{Path(file).parent.name}_{stem}.py")
    return [name for name in names if (ROOT / name).exists()]


def is_test(file: str) -> bool:
    return Path(file).name.startswith("test_")


def is_elsewhere(test: str, file: str) -> bool:
    return test.split("/")[1] != file.split("/")[0]


def breadth(test: str) -> int:
    """Return how many modules of the house a test imports: one that imports few is about these."""
    return sum(name.split(".")[0] in PACKAGES for name in imports_of_tests().get(test, ()))


def show(choice: Choice) -> None:
    for test, reasons in choice.tests.items():
        if test == HOUSE:
            print(f"  {test}  <- rules of the house, for every change")
        else:
            print(f"  {test}  <- {'; '.join(reasons[:3])}{' ...' if len(reasons) > 3 else ''}")
    for file, tests in choice.left_out.items():
        print(f"  left to make test, for {file}: {len(tests)}, such as {', '.join(tests[:2])}")


def commands_for(changed: list[str], choice: Choice) -> list[tuple[str, list[str], Path]]:
    """Return name, command and folder of each check, the fastest first."""
    programs = Path(sys.executable).parent
    python = [file for file in changed if file.endswith(".py") and (ROOT / file).exists()]
    commands: list[tuple[str, list[str], Path]] = []
    if python:
        commands += [
            ("ruff", [str(programs / "ruff"), "check", *python], ROOT),
            ("format", [str(programs / "ruff"), "format", "--check", *python], ROOT),
            ("imports", [str(programs / "lint-imports")], ROOT),
            ("mypy", [str(programs / "mypy")], ROOT),
        ]
    if any(file.startswith("viewer/") for file in changed) and (ROOT / "viewer" / "node_modules").is_dir():
        commands.append(("viewer", ["npm", "run", "--silent", "check"], ROOT / "viewer"))
    workers = str(min(4, os.cpu_count() or 1))
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not proof",
        "-n",
        workers,
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
    ]
    commands.append(("tests", [*pytest, *(test for test in choice.tests if (ROOT / test).exists())], ROOT))
    return commands


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="main", help="the state a branch is compared with")
    parser.add_argument("--list", action="store_true", help="say what would run, and run nothing")
    given = parser.parse_args()
    changed = changed_files(given.base)
    if not changed:
        print(f"Nothing has changed against HEAD or {given.base}. To run everything: make test")
        return 0
    choice = choose(changed)
    print(f"{len(changed)} files changed against HEAD or {given.base}; chosen:")
    show(choice)
    if given.list:
        return 0
    failed = []
    for name, command, folder in commands_for(changed, choice):
        start = time.monotonic()
        print(f"--- {name}", flush=True)
        if subprocess.run(command, cwd=folder, check=False).returncode:
            failed.append(name)
        print(f"    {time.monotonic() - start:.0f} s", flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all of it passed; before you push: make check, make test")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
