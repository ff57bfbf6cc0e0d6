"""What the house needs is declared, what is declared is needed, and every licence lets a town use it."""

import ast
import configparser
import importlib.metadata
import json
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import aarch64
import licences
import pytest
from source_trees import tree_of

ROOT = Path(__file__).resolve().parents[2]
OURS = {"twin_model", "ingest", "tiles", "api_config", "data_samples", "tests", "qgis"} | {
    helper.stem for folder in ("tests", "tests/benchmarks", "bundle") for helper in (ROOT / folder).glob("*.py")
}
"""Our packages and the helpers of tests and benchmarks; QGIS brings its own."""
CARRIED = ("twin_model", "ingest", "tiles", "api_config", "data_samples")
"""What an installed program has; it makes its own samples."""
CHOSEN_BY_UVICORN = {"uvloop", "httptools"}
CHOSEN_BY_JUPYTER = {"ipykernel", "nbclient"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(section: str, key: str) -> set[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    return {canonical(re.split(r"[<>=!;\[( ~]", line)[0]) for line in setup[section][key].splitlines() if line.strip()}


RUNTIME = declared("options", "install_requires")
NOTEBOOK = declared("options.extras_require", "notebook")
"""What only methods of a town for notebooks import, when they are called."""
DEVELOPMENT = declared("options.extras_require", "dev")


@cache
def packages() -> Mapping[str, list[str]]:
    """Distribution of each importable package."""
    return importlib.metadata.packages_distributions()


@cache
def imported(*folders: str) -> dict[str, str]:
    """Third-party packages by their distribution, and one file that imports each."""
    distributions = packages()
    found = {}
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(tree_of(path)):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
                for top in {name.split(".")[0] for name in names} - OURS - set(sys.stdlib_module_names):
                    for distribution in distributions.get(top, [top]):
                        found[canonical(distribution)] = path.relative_to(ROOT).as_posix()
    return found


def licence(name: str) -> licences.Package:
    metadata = importlib.metadata.metadata(name)
    statements = [metadata.get("License-Expression") or "", (metadata.get("License") or "")[:200]]
    statements += [
        classifier.split("::")[-1]
        for classifier in metadata.get_all("Classifier", [])
        if classifier.startswith("License")
    ]
    return licences.Package(name, metadata["Version"], " ".join(statements).strip())


def pins() -> dict[str, str]:
    """Name and version of each package in `constraints.txt`."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    return {canonical(name): version for name, version in (line.split("==") for line in lines)}


def test_every_library_the_house_imports_is_declared() -> None:
    missing = {name: path for name, path in imported(*CARRIED).items() if name not in RUNTIME | NOTEBOOK}

    assert missing == {}


def test_every_library_of_tests_is_declared() -> None:
    missing = {name: path for name, path in imported("tests").items() if name not in RUNTIME | DEVELOPMENT}

    assert missing == {}


def test_every_library_that_is_declared_is_imported() -> None:
    used = set(imported(*CARRIED))

    assert (RUNTIME | NOTEBOOK) - used - CHOSEN_BY_UVICORN - CHOSEN_BY_JUPYTER == set()
    assert NOTEBOOK <= DEVELOPMENT, "tests run all notebooks"


def test_everything_that_comes_in_with_the_house_is_pinned() -> None:
    assert set(aarch64.dependencies()) - set(pins()) == set()


def test_a_licence_is_permissive_or_keeps_to_its_own_files() -> None:
    """Of everything that is pinned and installed here, tools of the tests too."""
    installed = {canonical(package.metadata["Name"]) for package in importlib.metadata.distributions()}

    packages = [licence(name) for name in sorted({*aarch64.dependencies(), *(set(pins()) & installed)})]

    assert len(packages) > len(RUNTIME)
    assert [package for package in packages if not package.is_allowed] == []


def test_a_licence_of_what_builds_the_viewer_or_goes_into_it_is_permissive() -> None:
    lock = json.loads((ROOT / "viewer" / "package-lock.json").read_text("utf-8"))["packages"]
    building = [
        licences.Package(path, entry["version"], str(entry.get("license", "")))
        for path, entry in lock.items()
        if entry.get("dev")
    ]

    carried = licences.viewer_packages()

    assert {"@cesium/engine", "maplibre-gl"} <= {package.name for package in carried}
    assert [package for package in (*carried, *building) if not package.is_allowed] == []


@pytest.mark.parametrize(
    "words", ["", "GPL-3.0-only", "GNU General Public License v3", "AGPL-3.0", "BUSL-1.1", "Proprietary"]
)
def test_a_licence_that_is_none_or_spreads_is_refused(words: str) -> None:
    assert not licences.Package("package", "1", words).is_allowed


def test_the_notice_names_what_the_viewer_carries() -> None:
    """`python bundle/licences.py` writes it."""
    assert (ROOT / "NOTICE").read_text("utf-8") == licences.notice_text(licences.viewer_packages())


def test_the_page_on_installing_names_every_dependency_with_its_version_and_whether_aarch64_has_a_wheel() -> None:
    """`python bundle/aarch64.py` asks the package index anew and writes the table."""
    text = (ROOT / "docs" / "install.md").read_text("utf-8")
    part = text.partition(aarch64.BEGIN)[2].partition(aarch64.END)[0]
    rows = {cells[0]: (cells[1], cells[2]) for cells in re.findall(r"^\| ([\w.-]+) \| (\S+) \| (.+?) \|$", part, re.M)}

    assert {name: version for name, (version, _) in rows.items()} == aarch64.pinned_dependencies()
    assert {answer for _, answer in rows.values()} <= {"any machine", "**no**"} | {f"yes, glibc 2.{minor}" for minor in range(5, 40)}  # fmt: skip


def test_every_package_of_the_house_is_installed_with_it() -> None:
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for folder in ("twin_model", "ingest", "tiles", "api_config", "data_samples")
        for path in (ROOT / folder).rglob("__init__.py")
    }

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    assert packages == set(setup["options"]["packages"].split())


def test_every_package_tells_type_checkers_that_it_is_typed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    data = setup["options.package_data"]

    for package in ("twin_model", "ingest", "tiles", "api_config"):
        assert (ROOT / package / "py.typed").is_file() and "py.typed" in data[package]
