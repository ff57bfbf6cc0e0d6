"""What must not stand in the files of the house: meaningless names, promises, paths of one machine, hosts of others."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from source_trees import tree_of

ROOT = Path(__file__).resolve().parents[2]
BANNED = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "tools"}
PROMISES = re.compile(
    "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3 + r"\b", "raise NotImplemented" + "Error", "lorem" + " ipsum"))
)
MACHINE = re.compile(r"(?<![\w.:/}-])/(?:work|root|home|Users|mnt)/[\w.-]+")
HOSTS = re.compile(
    "|".join(
        ("js" + "delivr", "unp" + "kg", r"\bcd" + r"n[\w-]*\.[\w-]+\.\w+", "npm" + r"js\.", "pypi" + r"\.", "python" + "hosted", "google" + "apis", "gst" + r"atic\.")
    )
)  # fmt: skip


def tracked() -> list[Path]:
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in told.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@cache
def texts() -> list[tuple[str, str]]:
    """Name and text of every tracked file that is text."""
    found = []
    for path in tracked():
        raw = path.read_bytes()
        if b"\0" not in raw[:8000]:
            found.append((path.relative_to(ROOT).as_posix(), raw.decode("utf-8", errors="replace")))
    return found


def lines_with(pattern: re.Pattern[str], *, skip: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts()
        if not name.startswith(skip or ("\0",))
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line) and '"integrity"' not in line
    ]


def test_no_module_has_a_name_without_meaning() -> None:
    named = [path for path in tracked() if path.suffix in {".py", ".ts"} and path.stem.lower() in BANNED]

    assert named == []


def test_no_module_is_named_as_one_of_the_standard_library() -> None:
    tops = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in tracked() if path.suffix == ".py"}

    assert tops & set(sys.stdlib_module_names) == set()


def test_nothing_is_promised_for_later() -> None:
    assert lines_with(PROMISES, skip=("data_samples/",)) == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    assert lines_with(MACHINE) == []


def test_no_file_names_a_package_index_or_a_content_network() -> None:
    assert lines_with(HOSTS) == []


def test_no_function_is_left_empty() -> None:
    hollow = []
    for path in tracked():
        if path.suffix != ".py" or path.parts[len(ROOT.parts)] == "tests":
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and all(isinstance(one, ast.Pass) for one in node.body):
                hollow.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert hollow == []


def test_nothing_is_caught_and_forgotten_wholesale() -> None:
    bare = []
    for path in tracked():
        if path.suffix != ".py":
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                bare.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert bare == []


def test_no_output_folder_is_named_like_a_floor() -> None:
    folders = [path for name in ("tiles", "ingest") for path in (ROOT / "out").glob(f"**/{name}")]

    assert [path for path in folders if path.is_dir() and list(path.glob("*.py"))] == []
