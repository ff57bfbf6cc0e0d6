"""A store that is damaged in whatever way is told in our words: which file, what is wrong, what to do; never a traceback."""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from tampered_stores import CATALOGUE, CRS, fill

from twin_model.audit import verify, verify_chain
from twin_model.changeset import Changeset
from twin_model.errors import TwinError
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.opening import create_store, open_store
from twin_model.temporal import Interval, now
from twin_model.versioning import commit
from twin_model.view import View

TABLES = ("vgpkg_twin_meta", "vgpkg_twin_layer", "vgpkg_twin_changeset", "vgpkg_twin_change", "vgpkg_twin_part", "vgpkg_twin_alias", "vgpkg_twin_link",
          "vgpkg_twin_blob", "vgpkg_twin_writer", "gpkg_contents", "gpkg_geometry_columns", "gpkg_spatial_ref_sys", "building", "vgpkg_history_building", "rtree_building_geom",
          "rtree_twin_touched", "finding")  # fmt: skip
COLUMNS = (("building", "storeys"), ("building", "valid_to"), ("vgpkg_history_building", "version_to"), ("vgpkg_twin_layer", "features"), ("vgpkg_twin_changeset", "rule"))  # fmt: skip
PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    store = create_store("store.gpkg", CATALOGUE, CRS, folder=folder)
    fill(store)
    store.close()
    with closing(sqlite3.connect(folder / "store.gpkg")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
    return folder / "store.gpkg"


def damages(content: bytes) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield what does a damage to a file, with its name."""
    size, chance = len(content), random.Random(7)
    for length in (0, 1, 15, 16, 99, 100, 511, 1024, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, size // 4, size // 2, 3 * size // 4, size - PAGE, size - 1):  # fmt: skip
        yield f"cut to {length}", partial(_write, content=content[:length])
    for page in (0, 1, 2, 3, *chance.sample(range(4, size // PAGE), 14)):
        yield f"page {page} zeroed", partial(_write, content=_with(content, page * PAGE, bytes(PAGE)))
    for page in chance.sample(range(1, size // PAGE), 6):
        yield f"page {page} of noise", partial(_write, content=_with(content, page * PAGE, chance.randbytes(PAGE)))
    for at, text in ((0, b"NOTSQL"), (16, b"\x00\x00"), (16, b"\x02\x00"), (18, b"\x09\x09"), (20, b"\xff"), (56, b"\x00\x00\x00\x03"), (68, b"\0\0\0\0"), (100, b"\x00")):  # fmt: skip
        yield f"head at {at} {text.hex()}", partial(_write, content=_with(content, at, text))
    for table in TABLES:
        yield f"without {table}", partial(_run, statement=f"DROP TABLE {table}")
    for table, column in COLUMNS:
        yield (
            f"{table} without {column}",
            partial(_run, statement=f"ALTER TABLE {table} RENAME COLUMN {column} TO other"),
        )
    yield "a file of changes of noise", lambda path: _beside(path, "-wal", chance.randbytes(9_000))
    yield "a folder of changes", lambda path: path.with_name("store.gpkg-wal").mkdir()
    yield "texts of another encoding", partial(_run, statement="UPDATE building SET name = CAST(x'ffd8ff' AS TEXT)")
    yield "a folder", lambda path: (path.unlink(), path.mkdir())[1]
    yield "nothing", Path.unlink
    yield "a link to itself", lambda path: (path.unlink(), path.symlink_to(path))[1]
    yield "a picture", partial(_write, content=b"\x89PNG\r\n\x1a\n" + bytes(900))
    yield "another database", lambda path: (path.unlink(), _run(path, "CREATE TABLE other (a)"))[1]


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _with(content: bytes, at: int, other: bytes) -> bytes:
    return content[:at] + other + content[at + len(other) :]


def _beside(path: Path, suffix: str, content: bytes) -> None:
    path.with_name(path.name + suffix).write_bytes(content)


def _run(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO vgpkg_twin_writer VALUES (1)") if "other (a)" not in statement else None
        connection.execute(statement)
        with suppress(sqlite3.Error):
            connection.execute("DELETE FROM vgpkg_twin_writer")


def everything(store: Store, folder: Path) -> Iterator[Callable[[], object]]:
    """Yield what is asked of a store, from reading a row to bringing a change."""
    always = View(Interval(None, None))
    yield store.version
    yield lambda: store.changesets(5)
    for layer in ("building", "pipe_line", "finding"):
        yield lambda layer=layer: store.features(FeatureQuery(layer))
        yield lambda layer=layer: store.features(FeatureQuery(layer, view=always, states=True))
        yield lambda layer=layer: store.features(FeatureQuery(layer, bbox=(617_000, 3_885_000, 619_000, 3_887_000)))
        yield lambda layer=layer: store.summary(layer)
        yield lambda layer=layer: store.changed_since(layer, (617_000, 3_885_000, 619_000, 3_887_000))
        yield lambda layer=layer: store.provenance(layer)
        yield lambda layer=layer: store.delivered_state(layer)
    yield lambda: verify_chain(store)
    yield lambda: verify(store)
    yield lambda: store.backup(folder / "copy")
    yield lambda: commit(store, Changeset("t", "r", now(), terminated={"building": ("building.1",)}))


def outcomes(path: Path) -> list[str]:
    """Return what becomes of each thing that is asked: "" or the rule of an error of ours; other errors are raised."""
    rules = []
    try:
        store = open_store(path.name, CATALOGUE, folder=path.parent)
    except TwinError as error:
        return [error.rule_id]
    try:
        for ask in everything(store, path.parent):
            try:
                ask()
                rules.append("")
            except TwinError as error:
                rules.append(error.rule_id)
    finally:
        store.close()
    return rules


def check_damages(whole: Path, folder: Path, part: slice) -> None:
    wrong = []
    for name, damage in [*damages(whole.read_bytes())][part]:
        place = folder / name.replace(" ", "_")
        place.mkdir()
        path = place / "store.gpkg"
        shutil.copy(whole, path)
        damage(path)
        try:
            rules = outcomes(path)
        except Exception as error:
            wrong.append((name, f"{type(error).__name__}: {error}"))
            continue
        if {"store.not_ours", "store.error"} & set(rules):
            wrong.append((name, str(rules)))
    assert wrong == [], "\n".join(map(str, wrong))


def test_damaged_stores_are_told_in_our_words(whole: Path, tmp_path: Path) -> None:
    check_damages(whole, tmp_path, slice(0, None, 9))


@pytest.mark.proof
def test_every_damaged_store_is_told_in_our_words(whole: Path, tmp_path: Path) -> None:
    check_damages(whole, tmp_path, slice(None))
