"""The proof of a town finds what anybody changed in its store, names it, and says what can be made anew."""

import re
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest
from tampered_stores import CATALOGUE, CRS, STATEMENTS, Tampering, fill, moved, other_value, tamperings_of

from twin_model.audit import rebuild, verify, verify_chain
from twin_model.errors import ChainBroken, TwinError
from twin_model.store.copying import tables_of
from twin_model.store.opening import create_store, open_store
from twin_model.store.postgis.copy import restore


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GeoPackage store with a row of every kind."""
    folder = tmp_path_factory.mktemp("filled")
    store = create_store("store.gpkg", CATALOGUE, CRS, folder=folder)
    fill(store)
    assert not verify(store).damages
    store.close()
    with closing(sqlite3.connect(folder / "store.gpkg")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return folder / "store.gpkg"


def geopackage_tamperings(path: Path) -> list[Tampering]:
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [name for name in tables if not name.endswith(("_node", "_rowid", "_parent"))]
        full = [name for name in tables if connection.execute(f'SELECT 1 FROM "{name}"').fetchone()]
        columns = {
            name: {row[1]: row[2] for row in connection.execute(f'PRAGMA table_info("{name}")')} for name in full
        }
    return tamperings_of(columns)


def tamper(path: Path, tampering: Tampering) -> None:
    """Change a row as somebody does who knows how the guards are passed."""
    table, column = tampering.table, tampering.column
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO vgpkg_twin_writer VALUES (1)")
        keys = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")') if row[5]] or ["rowid"]
        order = "" if column is None else f'ORDER BY "{column}" IS NULL'
        chosen = connection.execute(
            f'SELECT {column or 1}, {", ".join(keys)} FROM "{table}" {order} LIMIT 1'
        ).fetchone()
        where = " AND ".join(f'"{key}" = ?' for key in keys).replace('"rowid"', "rowid")
        if column is None:
            connection.execute(f'DELETE FROM "{table}" WHERE {where}', chosen[1:])
        else:
            value = moved(chosen[0]) if column == "geom" else other_value(chosen[0], tampering)
            connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {where}', (value, *chosen[1:]))
        connection.execute("DELETE FROM vgpkg_twin_writer")
        connection.execute("COMMIT")


def proof_of(folder: Path, location: str = "store.gpkg") -> str:
    """Return what the proof of a store says is wrong, "" where it finds nothing."""
    try:
        store = open_store(location, CATALOGUE, folder=folder)
        try:
            return "; ".join(f"{each.rule} {each.values}" for each in verify(store).damages)
        finally:
            store.close()
    except TwinError as error:
        return str(error)


GEOPACKAGE_STATEMENTS = (
    *STATEMENTS,
    ("DROP TRIGGER guard_building_update", "guard_building_update"),
    ("INSERT INTO vgpkg_twin_writer VALUES (7)", "guard.*writer"),
    ("CREATE TRIGGER other AFTER UPDATE ON building BEGIN DELETE FROM building; END", "trigger.*other"),
    ("DROP INDEX building_id", "building_id"),
    ("DROP TABLE layer_styles", "table_missing.*layer_styles"),
    ("UPDATE rtree_building_geom_node SET data = zeroblob(length(data))", "rtree.*building"),
    ("DELETE FROM rtree_pipe_point_geom_rowid", "rtree.*pipe_point"),
    ("UPDATE building SET geom = substr(geom, 1, 60)", "damaged.*building"),
    ("UPDATE rtree_history_building SET minx = minx - 9", "rtree.*history_building"),
)


def run_as_somebody(path: Path, statement: str) -> None:
    """Run a statement as somebody does who knows how the guards are passed."""
    names = {name: f"vgpkg_twin_{name}" for name in ("meta", "changeset", "blob")}
    names |= {"touched": "rtree_twin_touched", "building_history": "vgpkg_history_building"}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_function("of_no_crs", 1, lambda blob: blob[:4] + bytes(4) + blob[8:])
        connection.execute("INSERT INTO vgpkg_twin_writer VALUES (1)")
        connection.execute(statement.format(**names))
        connection.execute("DELETE FROM vgpkg_twin_writer WHERE pid = 1")


def check_tamperings(filled: Path, folder: Path, part: slice) -> None:
    """Check that the proof finds tamperings with a copy of a store, each alone, and names what was changed."""
    content, path, missed = filled.read_bytes(), folder / "store.gpkg", []
    rows = [(partial(tamper, tampering=each), each.named, each) for each in geopackage_tamperings(filled)]
    more = [(partial(run_as_somebody, statement=each), named, each) for each, named in GEOPACKAGE_STATEMENTS]
    for change, named, tampering in [*rows, *more][part]:
        path.write_bytes(content)
        change(path)
        proof = proof_of(folder)
        if not re.search(named, proof):
            missed.append((tampering, proof))
    assert missed == []


@pytest.mark.proof
def test_every_tampering_with_a_geopackage_is_found_and_named(filled: Path, tmp_path: Path) -> None:
    check_tamperings(filled, tmp_path, slice(None))


def test_tamperings_with_a_geopackage_are_found_and_named(filled: Path, tmp_path: Path) -> None:
    check_tamperings(filled, tmp_path, slice(0, None, 25))


REBUILT = (
    "DELETE FROM rtree_building_geom",
    "DELETE FROM {touched}",
    "UPDATE vgpkg_twin_layer SET features = 99, next_fid = 1, next_planned = NULL",
    "UPDATE building SET min_zoom = 3, geom = of_no_crs(geom)",
    "DROP TRIGGER guard_finding_delete",
    "DROP INDEX pipe_line_id",
    "UPDATE gpkg_contents SET max_x = 7, srs_id = 0 WHERE table_name = 'pipe_point'",
)


def test_what_hangs_on_the_rows_is_made_anew_and_the_rows_stay(filled: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.gpkg"
    path.write_bytes(filled.read_bytes())
    for statement in REBUILT:
        run_as_somebody(path, statement)
    store = open_store("store.gpkg", CATALOGUE, folder=tmp_path)
    named = {damage.rule for damage in verify(store).damages}

    still = rebuild(store).damages

    assert named == {f"audit.{rule}" for rule in ("rtree", "change_boxes", "counter", "zooms", "heads", "guard", "index_missing", "registry")}  # fmt: skip
    assert still == () and verify(store).damages == ()
    untouched = open_store(str(filled), CATALOGUE, folder=tmp_path)
    for table in tables_of(CATALOGUE):
        if table != "touched":
            assert sorted(map(repr, store.dump(table))) == sorted(map(repr, untouched.dump(table))), table
    store.close()
    untouched.close()


def test_the_chain_alone_is_proved_from_the_last_checkpoint_on(filled: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.gpkg"
    path.write_bytes(filled.read_bytes())
    store = open_store("store.gpkg", CATALOGUE, folder=tmp_path)
    newest = store.version()

    assert verify_chain(store).since == newest, "the whole proof has set one"
    run_as_somebody(path, "UPDATE vgpkg_twin_changeset SET author = 'x' WHERE number = 2")
    assert verify_chain(store).changesets == newest, "what lies before it is proved by the whole proof"
    with pytest.raises(ChainBroken):
        verify(store)
    run_as_somebody(path, f"UPDATE vgpkg_twin_changeset SET author = 'x' WHERE number = {newest}")
    with pytest.raises(ChainBroken, match=f"version {newest}"):
        verify_chain(store)
    run_as_somebody(path, f"DELETE FROM vgpkg_twin_changeset WHERE number = {newest}")
    with pytest.raises(ChainBroken, match=f"ends at {newest - 1}"):
        verify_chain(store)
    store.close()


def postgis_statements() -> list[tuple[str, str]]:
    names = {name: f"twin_{name}" for name in ("meta", "changeset", "blob", "touched")} | {"building_history": "twin_history_building"}  # fmt: skip
    more = [
        ("ALTER TABLE twin_history_building DISABLE TRIGGER twin_guard", "twin_history_building"),
        ("DROP TRIGGER twin_guard ON twin_meta", "twin_meta"),
        ("DROP INDEX twin_history_building_geom", "twin_history_building_geom"),
        ("UPDATE twin_layer SET features = 7 WHERE layer = 'building'", "features"),
        ("UPDATE twin_alias SET alias = alias || 'x'", "pipe_"),
        ("UPDATE twin_link SET kind = 'x'", "pipe_line"),
        ("UPDATE twin_change SET updated = 77 WHERE layer = 'building'", "building"),
        ("UPDATE twin_part SET scope = 'x'", "part_scope"),
        ("UPDATE finding SET severity = 'info'", "finding"),
        ("UPDATE twin_blob SET content = set_byte(content, 3, 3)", "blob_differs"),
    ]
    return [(text.format(**names), named) for text, named in (*STATEMENTS, *more)]


def check_postgis_tamperings(url: str, folder: Path, statements: list[tuple[str, str]]) -> None:
    """Check that the proof finds tamperings, each alone: what it changes is put back from a copy of the schema."""
    store = create_store(url, CATALOGUE, CRS, folder=folder)
    fill(store)
    assert not verify(store).damages
    store.close()
    address, _, schema = url.partition("&schema=")
    store.backup(folder / "whole.dump")
    missed = []
    for statement, named in statements:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"SET search_path = {schema}, public; SET twin.writer = 'yes'")
            connection.execute(statement)
        proof = proof_of(folder, url)
        if not re.search(named, proof):
            missed.append((statement, proof))
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"SET search_path = {schema}, public; DROP SCHEMA {schema} CASCADE")
        restore(url, folder / "whole.dump")
    assert missed == []


def test_tamperings_with_postgis_are_found_and_named(postgis_url: str, tmp_path: Path) -> None:
    """Deleting the past behind the guard, switching a guard off: the cost is that of a dump brought back for each."""
    chosen = [
        each for each in postgis_statements() if "DELETE FROM twin_history_building" in each[0] or "DISABLE" in each[0]
    ]
    check_postgis_tamperings(postgis_url, tmp_path, chosen)


@pytest.mark.proof
def test_every_tampering_with_postgis_is_found_and_named(postgis_url: str, tmp_path: Path) -> None:
    check_postgis_tamperings(postgis_url, tmp_path, postgis_statements())
