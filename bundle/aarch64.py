"""Which dependencies have a wheel for aarch64: `python bundle/aarch64.py` asks the package index and writes the table.

The table stands in `docs/install.md`, with the versions that were asked for; a test compares it with `constraints.txt`.
"""

import configparser
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterable

from wheelhouse import GLIBC, ROOT, canonical

PAGE = ROOT / "docs" / "install.md"
BEGIN, END = "<!-- aarch64: written by bundle/aarch64.py -->\n", "<!-- end of aarch64 -->\n"
_HEAD = "| package 依赖包 | version | wheel for aarch64 |\n|---|---|---|\n"


def dependencies() -> list[str]:
    """Return the names of what is installed with the program and its notebooks, by the metadata of what is installed here."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    lines = setup["options"]["install_requires"] + setup["options.extras_require"]["notebook"]
    waiting, names = [_name(line) for line in lines.splitlines() if line.strip()], set[str]()
    waiting.append("psycopg-binary")
    while waiting:
        name = waiting.pop()
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        if name not in names:
            names.add(name)
            waiting += [_name(need) for need in needs if "extra ==" not in need]
    return sorted(names)


def _name(requirement: str) -> str:
    return canonical(re.split(r"[<>=!;\[( ~]", requirement.strip())[0])


def pinned_dependencies() -> dict[str, str]:
    """Return name and version of each dependency as `constraints.txt` pins it."""
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").split())
    versions = {canonical(name): version for name, version in pins.items()}
    return {name: versions[name] for name in dependencies()}


def wheel_of(requirement: str) -> str:
    """Return the file name of the wheel that pip would take on aarch64, "" where there is none."""
    minors = range(GLIBC[1] + 8, 4, -1)
    names = [f"manylinux_{GLIBC[0]}_{minor}_aarch64" for minor in minors] + ["manylinux2014_aarch64"]
    platforms = [word for name in names for word in ("--platform", name)]
    words = ["install", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary=:all:", *platforms]
    words += ["--python-version", "3.11", "--implementation", "cp", "--target", "nowhere", "--quiet", "--report", "-"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words, requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return ""
    return str(json.loads(done.stdout)["install"][0]["download_info"]["url"]).rpartition("/")[2]


def answer(wheel: str) -> str:
    """Return what the table says of a wheel: for any machine, or from which C library on."""
    if not wheel:
        return "**no**"
    if wheel.endswith("-any.whl"):
        return "any machine"
    minors = [int(minor) for minor in re.findall(rf"manylinux_{GLIBC[0]}_(\d+)", wheel)] or [17]
    return f"yes, glibc {GLIBC[0]}.{min(minors)}"


def table(rows: Iterable[tuple[str, str, str]]) -> str:
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    rows = [(name, version, answer(wheel_of(f"{name}=={version}"))) for name, version in pinned_dependencies().items()]
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table(rows) + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
