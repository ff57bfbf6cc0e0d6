"""A process killed while a restore replaces a town leaves the one or the other whole; mount points are replaced too.

The kills are real: a forked process ends itself with SIGKILL when it is about to do its n-th rename or removal. That takes
seconds: a town is made and restored for each moment.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from twin_model.backup import backup_town, restore_town
from twin_model.errors import StoreError, TownNotFound
from twin_model.town import init_town, open_town

_EVENTS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a town whose key is "new"."""
    folder = tmp_path_factory.mktemp("original")
    with init_town(folder / "town", name="新城", crs="EPSG:4548") as town:
        (folder / "town" / "private" / "key").write_text("new")
        backup_town(town, folder / "town.zip")
    return folder / "town.zip"


@pytest.fixture(scope="module")
def present(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town whose key is "old", with a former backup; its store lies in a folder of its own."""
    folder = tmp_path_factory.mktemp("present") / "town"
    with init_town(folder, name="旧城", crs="EPSG:4548", store="data/store.gpkg"):
        pass
    (folder / "private" / "key").write_text("old")
    (folder / "backups" / "older.zip").write_text("a former backup")
    (folder / "cache" / "tile").write_text("of the old town")
    return folder


def restore_and_die(backup: Path, folder: Path, moment: int) -> bool:
    """Restore in a process that kills itself before its n-th change of names in the folder; say whether it came to it."""
    count = 0

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in _EVENTS and str(folder) in str(arguments):
            count += 1
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    return restored_apart(backup, folder, hear) == -signal.SIGKILL


def restored_apart(backup: Path, folder: Path, hook: Callable[[str, tuple[object, ...]], None]) -> int:
    """Restore in a forked process with an audit hook, which stays for a process's life; return how it ended: 0 done, 1
    refused and put back, 2 stopped halfway, negative by a signal."""
    process = os.fork()
    if process == 0:
        code = 3
        sys.addaudithook(hook)
        try:
            restore_town(backup, folder, replace=True)
            code = 0
        except StoreError as error:
            code = {"store.restore_failed": 1, "store.replacement_stopped": 2}.get(error.rule_id, 3)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def key_of(folder: Path) -> str:
    """Open a town, and so complete what was stopped; return its key, which tells the old one from the new one."""
    with open_town(folder) as town:
        key = (folder / "private" / "key").read_text()
        assert town.settings.name.zh == {"old": "旧城", "new": "新城"}[key]
        assert town.store.version() == 0
    return key


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.proof)])
def test_a_restore_killed_at_any_moment_leaves_the_old_town_or_the_new_one_whole(
    step: int, backup: Path, present: Path, tmp_path: Path
) -> None:
    folder, moment, killed, keys = tmp_path / "town", 2, True, []
    while killed:
        shutil.copytree(present, folder)
        killed = restore_and_die(backup, folder, moment)

        keys.append(key_of(folder))

        assert (folder / "backups" / "older.zip").read_text() == "a former backup", moment
        former = list((folder / "backups").glob("replaced-*"))
        assert [key_of(one) for one in former if (one / "town.toml").exists()] == ["old"] * (keys[-1] == "new")
        assert (folder / "cache" / "tile").exists() == (keys[-1] == "old")
        restore_town(backup, folder, replace=True)
        assert not [path.name for path in folder.iterdir() if path.name.startswith(".")], moment
        shutil.rmtree(folder)
        moment += step
    assert keys == sorted(keys, reverse=True) and set(keys) == {"old", "new"}


def test_a_first_restore_that_is_killed_leaves_no_town_or_the_whole_one(backup: Path, tmp_path: Path) -> None:
    outcomes = set()
    for moment in range(1, 20, 3):
        folder = tmp_path / f"{moment}"
        restore_and_die(backup, folder, moment)
        try:
            outcomes.add(key_of(folder))
        except TownNotFound:
            outcomes.add("none")
            restore_town(backup, folder)
            assert key_of(folder) == "new"
    assert outcomes == {"none", "new"}


@contextmanager
def mounted(*arguments: str, at: Path) -> Iterator[None]:
    """Mount something for the time of a test."""
    done = subprocess.run(["mount", *arguments, str(at)], capture_output=True, text=True, check=False)
    if done.returncode:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(f"mount does not work, and CI=true: {done.stderr}")
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are made as on Linux")
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_a_town_that_is_a_mount_point_is_replaced_also_when_killed(
    kind: str, backup: Path, present: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "town"
    folder.mkdir()
    (tmp_path / "disk").mkdir()
    arguments = ("-t", "tmpfs", "none") if kind == "tmpfs" else ("--bind", str(tmp_path / "disk"))
    with mounted(*arguments, at=folder):
        shutil.copytree(present, folder, dirs_exist_ok=True)
        killed = [restore_and_die(backup, folder, moment) for moment in (14, 17)]
        after_kills = key_of(folder)

        made = restore_town(backup, folder, replace=True)

        assert killed == [True, True] and after_kills in ("old", "new")
        assert key_of(folder) == "new" and Path(made.replaced).parent == folder / "backups"
        assert (folder / "backups" / "older.zip").read_text() == "a former backup"


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are made as on Linux")
def test_parts_of_a_town_that_are_mount_points_never_cost_a_town(backup: Path, present: Path, tmp_path: Path) -> None:
    """`cache/` and `backups/` may be; what cannot be moved away, such as `sources/`, is said and everything put back."""
    folder = tmp_path / "town"
    shutil.copytree(present, folder)
    with (
        mounted("-t", "tmpfs", "none", at=folder / "cache"),
        mounted("-t", "tmpfs", "none", at=folder / "backups"),
    ):
        (folder / "cache" / "tile").write_text("of the old town")
        with mounted("-t", "tmpfs", "none", at=folder / "sources"):
            with pytest.raises(StoreError, match="What lay there is as it was"):
                restore_town(backup, folder, replace=True)
            assert key_of(folder) == "old" and (folder / "cache").is_mount()

        made = restore_town(backup, folder, replace=True)

        assert key_of(folder) == "new" and key_of(Path(made.replaced)) == "old"
        assert not list((folder / "cache").iterdir())
        assert Path(made.replaced).parent == folder, "backups/ is another disk: nothing is copied there"


@pytest.mark.parametrize("times", [1, 2])
def test_an_error_in_the_midst_puts_everything_back_or_says_that_it_could_not(
    times: int, backup: Path, present: Path, tmp_path: Path
) -> None:
    """The disk refuses a rename into the town's place: the fresh town's last one, and then also that of the way back."""
    folder, refused = tmp_path / "town", 0
    shutil.copytree(present, folder)

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal refused
        if event == "os.rename" and str(arguments[1]) == str(folder / "town.toml") and refused < times:
            refused += 1
            raise PermissionError(13, "refused")

    ended = restored_apart(backup, folder, refuse)

    assert ended == times
    assert key_of(folder) == ("old" if times == 1 else "new"), "what is stopped halfway, the next command completes"
    assert (folder / "backups" / "older.zip").exists()
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
