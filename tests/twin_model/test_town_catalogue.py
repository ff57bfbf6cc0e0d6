"""A town's catalogue: a layer comes whole or not at all, and every open town follows what others add, in both stores."""

import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from town_hands import blocks, together
from twin_command import run_script

from twin_model import Town, audit, init_town, open_town
from twin_model.audit import verify
from twin_model.catalogue.layer_from_frame import read_table, write_table
from twin_model.changeset import Changeset
from twin_model.errors import CatalogueError, LayerNotFound
from twin_model.store.base import Store
from twin_model.town_catalogue import CatalogueWatch
from twin_model.versioning import commit

ROOT = Path(__file__).resolve().parents[2]
KILLED = Path(__file__).with_name("killed_commit.py")
CRS = "EPSG:4548"


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    """An empty town, kept in each kind of store."""
    with init_town(tmp_path / "town", name="测试", crs=CRS, store=location) as made:
        yield made


@pytest.fixture
def notebooks(town: Town) -> Iterator[tuple[Town, Town]]:
    """Two notebooks that have opened the same town."""
    town.save_result(blocks(), "first", reason="first")
    with open_town(town.path) as other:
        yield town, other


def stored_columns(town: Town) -> dict[str, set[str]]:
    """Return the columns that the tables of a town have, by layer, as a store that is opened anew sees them."""
    from twin_model.store.geopackage import schema as geopackage
    from twin_model.store.geopackage.store import GeoPackageStore
    from twin_model.store.postgis import schema as postgis
    from twin_model.store.postgis.store import PostgisStore

    if isinstance(town.store, GeoPackageStore):
        held = geopackage.columns_held(town.store._connection())
    else:
        assert isinstance(town.store, PostgisStore)
        with town.store._lent() as connection:
            held = postgis.columns_held(connection, town.store._address.schema)
    return {layer: set(columns) for layer, columns in held.items()}


@contextmanager
def closed_folder(folder: Path) -> Iterator[None]:
    """Let a folder be one in which nobody may write, root neither."""
    folder.rename(folder.with_name("open"))
    folder.symlink_to("/proc/self/fdinfo")
    yield
    folder.unlink()
    folder.with_name("open").rename(folder)


def test_a_layer_whose_file_cannot_be_written_is_refused_before_anything_is_done(town: Town) -> None:
    town.save_result(blocks(), "first", reason="1")
    tables = stored_columns(town)

    with closed_folder(town.path / "catalogue"), pytest.raises(CatalogueError) as refusal:
        town.save_result(blocks(), "second", reason="2")

    assert "second.toml" in str(refusal.value) and "nothing was changed" in str(refusal.value)
    assert "无法写入" in refusal.value.text("zh")
    assert stored_columns(town) == tables and town.store.version() == 1
    assert "second" not in town.catalogue and "second" not in town.store.catalogue
    assert town.save_result(blocks(), "second", reason="2").inserted == 3


def test_a_file_of_the_towns_own_is_never_overwritten_by_a_result(town: Town) -> None:
    own = town.path / "catalogue" / "own.toml"
    own.write_text('[building.fields]\nheritage = { type = "string" }\n', "utf-8")

    with pytest.raises(CatalogueError, match=r"own\.toml is a file of yours.*another name"):
        town.save_result(blocks(), "own", reason="1")

    assert "heritage" in own.read_text("utf-8")


@pytest.mark.parametrize("kind", ["new", "changed"])
def test_a_commit_that_fails_with_its_rows_written_leaves_neither_table_nor_column_nor_file(
    town: Town, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "changed":
        town.save_result(blocks(), "result", reason="first")
    tables, files, version = stored_columns(town), sorted((town.path / "catalogue").iterdir()), town.store.version()

    def cut(store: Store, changeset: Changeset, **named: Any) -> Any:
        return commit(store, replace(changeset, blobs=power_cut), **named)

    monkeypatch.setattr("twin_model.town_catalogue.commit", cut)
    with pytest.raises(RuntimeError, match="power cut"):
        town.save_result(blocks(far=[1.0, 2.0, 3.0]), "result", reason="容积率")
    monkeypatch.undo()

    assert stored_columns(town) == tables and town.store.version() == version
    assert sorted((town.path / "catalogue").iterdir()) == files
    with open_town(town.path) as opened:
        assert ("result" in opened.catalogue) == (kind == "changed")
        assert verify(opened.store).changesets == version
    town.save_result(blocks(far=[1.0, 2.0, 3.0]), "result", reason="容积率")
    assert town.features("result")["far"].tolist() == [1.0, 2.0, 3.0]


def power_cut() -> Iterator[tuple[str, bytes]]:
    """Fail where blobs are asked for: the rows are written then."""
    yield from ()
    raise RuntimeError("power cut")


def test_a_commit_killed_at_any_step_leaves_nothing_of_it_or_all(town: Town) -> None:
    """Twenty-five processes take some seconds."""
    done = run_script(KILLED, town.path)

    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(steps) == 10, done.stderr
    for step in steps:
        came = step["step"] in {"committed", "file placed"}
        before = {"new": None, "changed": ["attributes", "density"]}[step["kind"]]
        after = ["attributes", *(["density"] if step["kind"] == "changed" else []), "far"]
        assert (step["ended"], step["looking"]) == (-9, 0), done.stderr
        assert step["columns"] == (after if came else before), step
        assert step["rows"] == ([1.0, 2.0, 3.0] if came else None if step["kind"] == "new" else []), step
        assert step["changesets"] == step["version"] and step["proved"] == step["version"] + (not came), step
        assert (step["remnants"], step["again"], step["pending"]) == ([], [1.0, 2.0, 3.0], {}), step


def test_a_description_that_cannot_be_put_in_place_is_said_and_put_there_at_the_next_opening(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("twin_model.town_catalogue.write_table", full)
    with pytest.warns(UserWarning, match=r"is stored \(version 1\).*No space left.*puts it there"):
        town.save_result(blocks(), "result", reason="1")
    monkeypatch.undo()

    assert len(town.features("result")) == 3 and "result" in town.catalogue
    assert not (town.path / "catalogue" / "result.toml").exists()
    with open_town(town.path) as opened:
        assert len(opened.features("result")) == 3
        assert dict(opened.store.descriptions()) == {}


def test_two_who_add_different_columns_at_once_both_keep_them(town: Town) -> None:
    town.save_result(blocks(), "result", reason="first")
    other = open_town(town.path)

    raised = together(
        lambda: town.save_result(blocks(a=[1, 2, 3]), "result", reason="a"),
        lambda: other.save_result(blocks(b=[4, 5, 6]), "result", reason="b"),
    )

    table = read_table(town.path / "catalogue" / "result.toml", "result")
    assert raised == [] and list(table["fields"]) != []
    assert set(table["fields"]) == {"density", "a", "b"}
    assert set(town.catalogue["result"].field_names) == {"density", "a", "b"}
    assert verify(town.store).changesets == verify(other.store).changesets == 3


def test_two_who_make_one_layer_at_once_make_it_once(town: Town) -> None:
    other = open_town(town.path)

    raised = together(
        lambda: town.save_result(blocks(4), "result", reason="one"),
        lambda: other.save_result(blocks(4), "result", reason="other"),
    )

    assert raised == []
    assert len(town.features("result")) == len(other.features("result")) == 4
    assert verify(town.store).changesets == 1


def test_a_notebook_sees_the_layer_that_another_one_has_just_committed(notebooks: tuple[Town, Town]) -> None:
    one, other = notebooks

    one.save_result(blocks(5), "new_layer", reason="2")

    assert len(other.features("new_layer")) == 5
    assert "new_layer" in other.layers().index and "new_layer" in other.catalogue
    other.save_result(blocks(6), "new_layer", reason="3")
    assert len(one.features("new_layer")) == 6


def test_a_notebook_sees_added_columns_and_what_it_commits_then_is_proved(notebooks: tuple[Town, Town]) -> None:
    one, other = notebooks
    one.save_result(blocks(far=[1.0, 2.0, 3.0]), "first", reason="2")

    assert other.features("first")["far"].tolist() == [1.0, 2.0, 3.0]
    other.save_result(blocks(density=[0.5, 0.6, 0.7]), "first", reason="3")

    assert one.features("first", as_known=2)["far"].tolist() == [1.0, 2.0, 3.0]
    assert verify(one.store).changesets == verify(other.store).changesets == 3


def test_a_store_that_does_not_know_a_column_yet_keeps_what_it_holds(notebooks: tuple[Town, Town]) -> None:
    """Below the town, where nobody follows files: a delivery that was begun before the column came."""
    one, other = notebooks
    stale = other.store.catalogue
    one.save_result(blocks(far=[1.0, 2.0, 3.0]), "first", reason="2")
    assert other.store.catalogue is stale
    changed = one.features("first").iloc[:1]

    commit(other.store, Changeset("a", "end", "2024-01-01T00:00:00.000Z", terminated={"first": (changed.index[0],)}))

    assert verify(one.store).changesets == verify(other.store).changesets == 3


def test_the_proof_knows_columns_that_others_have_added_and_versions_made_meanwhile(
    notebooks: tuple[Town, Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = notebooks
    one.save_result(blocks(far=[1.0, 2.0, 3.0]), "first", reason="2")
    assert verify(other.store).changesets == 2

    read, late = audit.parts_by_layer, iter(["5", "6"])

    def overtaken(*asked: Any) -> Any:
        parts = read(*asked)
        for reason in late:
            one.save_result(blocks(far=[1.0, 2.0, float(reason)]), "first", reason=reason)
            break
        return parts

    monkeypatch.setattr(audit, "parts_by_layer", overtaken)
    assert verify(other.store).changesets == 4


def test_a_process_sees_the_layer_that_another_process_commits(town: Town) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    program = (
        "import sys; from town_hands import blocks; from twin_model import open_town\n"
        "town = open_town(sys.argv[1])\n"
        "for line in sys.stdin:\n"
        "    town.save_result(blocks(7), line.strip(), reason='r'); print(line.strip(), flush=True)\n"
    )
    command = [sys.executable, "-c", program, str(town.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdin is not None and other.stdout is not None
        for layer in ("a", "b", "c"):
            with pytest.raises(LayerNotFound):
                town.features(layer)
            other.stdin.write(f"{layer}\n")
            other.stdin.flush()
            assert other.stdout.readline().strip() == layer
            assert len(town.features(layer)) == 7
        other.stdin.close()


def write(folder: Path, name: str, text: str) -> None:
    (folder / "catalogue" / name).write_text(text, "utf-8")


def test_a_broken_table_that_appears_is_named_once_and_the_town_goes_on(notebooks: tuple[Town, Town]) -> None:
    one, other = notebooks
    write(one.path, "own.toml", "[building\n")

    with pytest.warns(UserWarning, match=r"own\.toml.*goes on with what it knew") as warned:
        assert len(other.features("first")) == 3
        assert len(other.features("first")) == 3
        assert other.layers().index.tolist() == ["first"]

    assert len(warned) == 1
    with pytest.warns(UserWarning, match=r"own\.toml"):
        one.save_result(blocks(), "second", reason="2")
    assert len(one.features("second")) == 3
    write(one.path, "own.toml", '[building.fields]\nheritage = { type = "string" }\n')
    assert len(other.features("second")) == 3
    assert "heritage" in other.features("building").columns


def test_a_result_whose_table_is_broken_meanwhile_stays_as_it_was_and_others_come(
    notebooks: tuple[Town, Town],
) -> None:
    one, other = notebooks
    file = one.path / "catalogue" / "first.toml"
    file.write_text(file.read_text("utf-8") + "面 积 = {\n", "utf-8")

    with pytest.warns(UserWarning, match=r"first\.toml.*goes on"):
        one.save_result(blocks(5), "second", reason="2")
    with pytest.warns(UserWarning, match=r"first\.toml"):
        assert len(other.features("first")) == 3

    assert len(other.features("second")) == 5 and list(other.left_out) == ["first"]
    other.save_result(blocks(far=[1.0, 2.0, 3.0]), "first", reason="made again")
    assert one.features("first")["far"].tolist() == [1.0, 2.0, 3.0]
    assert dict(one.left_out) == dict(other.left_out) == {}


def test_a_table_that_makes_a_field_another_type_is_not_taken_over(notebooks: tuple[Town, Town]) -> None:
    one, other = notebooks
    file = one.path / "catalogue" / "first.toml"
    table = read_table(file, "first")
    write_table(file, "first", table | {"fields": {"density": {"type": "integer", "zh": "密度", "en": "density"}}})

    with pytest.warns(UserWarning, match=r"first\.toml.*integer.*number"):
        assert other.features("first")["density"].round(6).tolist() == [0.1, 0.2, 0.3]


def test_a_layer_whose_table_is_taken_away_is_no_longer_there(notebooks: tuple[Town, Town]) -> None:
    one, other = notebooks

    (one.path / "catalogue" / "first.toml").unlink()

    for town in (one, other):
        with pytest.raises(LayerNotFound):
            town.features("first")
    assert other.save_result(blocks(), "first", reason="again").made is False, "its rows are still stored"
    assert len(one.features("first")) == 3


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda folder: (folder / "b.toml").write_text("", "utf-8"),
    "edited in place": lambda folder: (folder / "a.toml").write_text("[aa]", "utf-8"),
    "replaced": lambda folder: _replaced(folder / "a.toml", "[b]"),
    "removed": lambda folder: (folder / "a.toml").unlink(),
    "renamed": lambda folder: (folder / "a.toml").rename(folder / "c.toml"),
}


def _replaced(path: Path, text: str) -> None:
    part = path.with_name(".part")
    part.write_text(text, "utf-8")
    part.replace(path)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_file_is_noticed_though_the_clock_of_the_disk_stands_still(tmp_path: Path, change: str) -> None:
    (tmp_path / "a.toml").write_text("[a]", "utf-8")
    watch = CatalogueWatch(tmp_path)
    instants = {path: path.stat().st_mtime_ns for path in (tmp_path, tmp_path / "a.toml")}
    assert not watch.has_changed()

    CHANGES[change](tmp_path)

    for path in [tmp_path, *tmp_path.glob("*.toml")]:
        os.utime(path, ns=(0, instants.get(path, instants[tmp_path])))
    assert watch.has_changed()


def test_an_edit_in_place_is_noticed_within_a_second_in_a_quiet_folder(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[a]", "utf-8")
    watch = CatalogueWatch(tmp_path)
    watch._settled = watch._listed = 0.0  # the folder has been as it is for long
    assert not watch.has_changed()

    (tmp_path / "a.toml").write_text("[b]", "utf-8")
    os.utime(tmp_path / "a.toml", ns=(1, 1))

    assert not watch.has_changed(), "one look at the folder tells nothing of it"
    watch._listed -= 1.0
    assert watch.has_changed()


def test_a_town_that_nobody_changes_is_not_read_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.save_result(blocks(), "first", reason="1")
    town.features("first")
    monkeypatch.setattr("twin_model.town_catalogue.read_town_catalogue", _unexpected)

    town.save_result(blocks(density=[1.0, 2.0, 3.0]), "first", reason="2")

    assert town.features("first")["density"].tolist() == [1.0, 2.0, 3.0]


def _unexpected(*_: object) -> None:
    raise AssertionError("the catalogue was read again")


def test_threads_that_follow_at_once_read_the_files_once(
    notebooks: tuple[Town, Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = notebooks
    one.save_result(blocks(), "second", reason="2")
    from twin_model import town_catalogue

    reads: list[int] = []
    read = town_catalogue.read_town_catalogue

    def counted(*arguments: Any) -> Any:
        reads.append(threading.get_ident())
        return read(*arguments)

    monkeypatch.setattr(town_catalogue, "read_town_catalogue", counted)

    raised = together(*[lambda: other.features("second")] * 4)

    assert raised == [] and len(reads) == 1


def test_following_warns_of_nothing_where_nothing_is_wrong(notebooks: tuple[Town, Town]) -> None:
    one, other = notebooks
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(3):
            one.save_result(blocks(), f"layer_{number}", reason="r")
            assert len(other.features(f"layer_{number}")) == 3
