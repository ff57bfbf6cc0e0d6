"""What killed processes leave in a town's folder is named and taken away; what is being written, and all else, stays."""

import os
import time
from pathlib import Path

from twin_model.leftovers import leftovers_of, sweep, sweep_backups

LEFT = (
    ".store.gpkg.17.part",
    ".town.toml.17",
    "backups/.backup-x1/store",
    "backups/.a.zip.part",
    "sources/.part-a1/b.csv",
)
STAYS = (
    "town.toml",
    "store.gpkg",
    "backups/a.zip",
    "backups/.mine",
    "sources/abc/b.csv",
    ".git/config",
    "catalogue/.part.toml",
)


def test_leftovers_are_those_of_killed_runs_that_are_old_and_no_others(tmp_path: Path) -> None:
    hour_ago = time.time() - 4_000
    for name in (*LEFT, *STAYS):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234")
        os.utime(path, (hour_ago, hour_ago))
    (tmp_path / "backups" / ".young.zip.part").write_bytes(b"1")

    names = {leftover.path.relative_to(tmp_path).as_posix() for leftover in leftovers_of(tmp_path)}
    freed = sweep(leftovers_of(tmp_path))

    assert names == {name.removesuffix("/store").removesuffix("/b.csv") for name in LEFT}
    assert freed == 4 * len(LEFT) and leftovers_of(tmp_path) == []
    assert all((tmp_path / name).exists() for name in (*STAYS, "backups/.young.zip.part"))


def test_a_restore_that_is_to_be_completed_is_no_leftover(tmp_path: Path) -> None:
    (tmp_path / ".restoring-17").mkdir()
    os.utime(tmp_path / ".restoring-17", (0, 0))
    (tmp_path / ".replacement.json").write_text("{}")

    assert leftovers_of(tmp_path) == []


def test_a_backup_takes_away_what_killed_ones_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / ".backup-x1").mkdir()
    (tmp_path / ".backup-x1" / "store").write_bytes(b"1234")
    for path in (tmp_path / ".backup-x1" / "store", tmp_path / ".backup-x1"):
        os.utime(path, (0, 0))

    assert sweep_backups(tmp_path) == 4 and [*tmp_path.iterdir()] == []
