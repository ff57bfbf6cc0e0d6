"""A delivery: files written beside their place and moved there whole, with a stamp of their recipe."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

STAMP = ".stamp.json"


def recipe_hash(root: Path) -> str:
    """Return the hash of everything the samples are made from: the code of the plan and of the writers."""
    digest = hashlib.sha256()
    for path in sorted([*root.glob("plan/*.py"), *root.glob("writers/*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_current(folder: Path, recipe: str) -> bool:
    """Say whether a folder holds exactly the files that a recipe made."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    files = stamp.get("files", {}) if isinstance(stamp, dict) else {}
    return bool(files) and stamp.get("recipe") == recipe and _digests(folder, files) == files


def deliver(folder: Path, recipe: str, write: Callable[[Path], object]) -> list[str]:
    """Let `write` fill a folder beside `folder`, then put its files in place; return their names.

    An interruption while writing leaves `folder` as it was. Files of an earlier delivery that are no longer
    made are removed; files that others put there stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    working = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(working)
        names = sorted(p.relative_to(working).as_posix() for p in working.rglob("*") if p.is_file())
        _remove_old(folder, set(names))
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (working / name).replace(folder / name)
        stamp = {"recipe": recipe, "files": _digests(folder, names)}
        part = folder / f"{STAMP}.part"
        part.write_text(json.dumps(stamp, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        part.replace(folder / STAMP)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return names


def _remove_old(folder: Path, wanted: set[str]) -> None:
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    (folder / STAMP).unlink()
    for name in set(stamp.get("files", {})) - wanted:
        (folder / name).unlink(missing_ok=True)


def _digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        path = folder / name
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return found
