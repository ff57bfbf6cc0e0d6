"""Commits that are killed at each of their steps, by SIGKILL, and what is found afterwards.

    python killed_commit.py FOLDER

For a new layer and for a new column of one that is there, each step has a process that is killed there, and a second one
that opens the town, looks, makes the same commit again and proves the history. They are forked, for a process that has to
import everything takes a second. One line of JSON a step tells what was found.
"""

import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from town_hands import blocks

from twin_model import open_town, town_catalogue
from twin_model.audit import verify
from twin_model.catalogue import layer_from_frame
from twin_model.store.geopackage import store as geopackage
from twin_model.store.postgis import store as postgis

STEPS: tuple[tuple[str, tuple[tuple[Any, str], ...], bool], ...] = (
    ("file tried", ((layer_from_frame, "_write_part"),), True),
    ("table made", ((geopackage, "write_changeset"), (postgis, "write_changeset")), False),
    ("rows written", ((geopackage, "write_changeset"), (postgis, "write_changeset")), True),
    ("committed", ((town_catalogue, "_place"),), False),
    ("file placed", ((town_catalogue, "_place"),), True),
)
"""The last thing that is done, the functions at which it is so, and whether the kill comes after them or before."""


def kill_at(module: Any, name: str, *, after: bool) -> None:
    """Let a function of a module be the last that this process does."""
    function = getattr(module, name)

    def last(*args: Any, **named: Any) -> None:
        if after:
            function(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, last)


def begin(folder: Path, layer: str) -> None:
    """Make the layer that the killed commit adds a column to."""
    with open_town(folder) as town:
        town.save_result(blocks(), layer, reason="first")


def commit(folder: Path, layer: str) -> None:
    """Make the commit that is killed: three blocks with a column that the layer did not have."""
    with open_town(folder) as town:
        town.save_result(blocks(far=[1.0, 2.0, 3.0]), layer, reason="容积率")


def killed(folder: Path, layer: str, step: tuple[str, tuple[tuple[Any, str], ...], bool]) -> None:
    _, functions, after = step
    for module, name in functions:
        kill_at(module, name, after=after)
    commit(folder, layer)


def looked(folder: Path, layer: str) -> dict[str, Any]:
    """Return what is found of a commit that was killed, and after it is made again."""
    with open_town(folder) as town:
        version, changesets = town.store.version(), verify(town.store).changesets
        described = town.catalogue.layers.get(layer)
        stored = town.store.catalogue.layers.get(layer)
        columns = None if stored is None else sorted(stored.stored_names)
        rows = None if described is None else town.features(layer)["far"].tolist() if described.field_of("far") else []
        remnants = sorted(path.name for path in (folder / "catalogue").glob(".*"))
    commit(folder, layer)
    with warnings.catch_warnings(), open_town(folder) as town:
        warnings.simplefilter("error")
        again = town.features(layer)["far"].tolist()
        return {"version": version, "changesets": changesets, "columns": columns, "rows": rows, "remnants": remnants,
                "again": again, "proved": verify(town.store).changesets, "pending": dict(town.store.descriptions())}  # fmt: skip


def forked(work: Callable[..., Any], *arguments: Any) -> tuple[int, Any]:
    """Do work in a fork; return how that ended and what the work returned."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(work(*arguments)).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        return os.waitstatus_to_exitcode(status), json.loads(pipe.read() or b"null")


def main() -> None:
    folder = Path(sys.argv[1])
    for kind in ("new", "changed"):
        for number, step in enumerate(STEPS):
            layer = f"{kind}_{number}"
            if kind == "changed":
                forked(begin, folder, layer)
            ended, _ = forked(killed, folder, layer, step)
            looking, found = forked(looked, folder, layer)
            done = {"kind": kind, "step": step[0], "ended": ended, "looking": looking}
            print(json.dumps(done | (found or {})), flush=True)


if __name__ == "__main__":
    main()
