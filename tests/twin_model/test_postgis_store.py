"""The PostGIS schema itself: guards, comments, indexes, backups, what others see of it. What every store does: `test_store.py`."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from store_contract import houses

from ingest.draft import Draft
from twin_model.backup import backup_town, restore_town
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Changeset, Source
from twin_model.crs import crs_code
from twin_model.errors import QueryRefused, StoreError, StoreTooNew, TwinError
from twin_model.filter import parse_filter
from twin_model.store.base import FeatureQuery, SortKey
from twin_model.store.copying import compare
from twin_model.store.opening import open_store
from twin_model.store.postgis import copy as postgis_copy
from twin_model.store.postgis import server as postgis_server
from twin_model.store.postgis import store as postgis
from twin_model.store.postgis.store import PostgisStore
from twin_model.store.postgis.undo import undone_on_error
from twin_model.temporal import parse_instant
from twin_model.town import init_town, open_town
from twin_model.versioning import commit

CRS = "EPSG:4548"
CATALOGUE = read_catalogue().of_kind("feature")


@pytest.fixture
def store(postgis_url: str) -> Iterator[PostgisStore]:
    kept = PostgisStore.create(postgis_url, CATALOGUE, CRS)
    yield kept
    kept.close()


def deliver(store: PostgisStore, count: int, **columns: Any) -> None:
    source = Source("test", f"test-{store.version()}")
    with Draft(source, CATALOGUE, storage_crs=CRS, effective=parse_instant("2024-01-01")[0]) as draft:
        draft.add("building", houses(count, **columns))
        commit(store, draft.to_changeset(author="tester", reason="test"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE building SET name = 'x'",
        "DELETE FROM building",
        "TRUNCATE building",
        "INSERT INTO building (fid, id, valid_from, version_from) VALUES (9, 'x', '2020', 1)",
        "DELETE FROM twin_history_building",
        "UPDATE twin_changeset SET author = 'x'",
    ],
)
def test_a_write_from_outside_is_refused_with_a_sentence_in_both_languages(
    store: PostgisStore, stranger: "psycopg.Connection[Any]", statement: str
) -> None:
    deliver(store, 3)

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"kept by the town.*本图层由城市库维护"):
        stranger.execute(statement)
    assert store.summary("building").features == 3


def test_tables_and_columns_carry_their_titles(store: PostgisStore, stranger: "psycopg.Connection[Any]") -> None:
    table = stranger.execute("SELECT obj_description('building'::regclass)").fetchone()
    text = "SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'building'::regclass AND attname = 'storeys'"

    column = stranger.execute(text).fetchone()

    assert table is not None and "建筑物" in table[0] and "uilding" in table[0]
    assert column == (
        "地上层数 / " + CATALOGUE["building"].fields[CATALOGUE["building"].field_names.index("storeys")].title("en"),
    )


def test_geometry_is_typed_and_the_index_is_asked(store: PostgisStore, stranger: "psycopg.Connection[Any]") -> None:
    deliver(store, 20_000)
    stranger.execute("ANALYZE building")
    typed = stranger.execute(
        "SELECT type, srid, coord_dimension FROM geometry_columns WHERE f_table_name = 'building' AND f_table_schema = current_schema"
    ).fetchone()

    plan = stranger.execute(
        "EXPLAIN SELECT fid FROM building WHERE geom && ST_MakeEnvelope(618000, 3886000, 618100, 3886001, 4548)"
    ).fetchall()

    assert typed == ("MULTIPOLYGON", 4548, 2)
    assert any("building_geom" in line for (line,) in plan)


def test_gdal_reads_the_layers_with_their_coordinate_system(
    store: PostgisStore, ogrinfo: str, postgis_server: Any
) -> None:
    formats = subprocess.run([ogrinfo, "--formats"], capture_output=True, text=True, check=True).stdout
    if "PostgreSQL" not in formats:
        pytest.skip("GDAL has no PostgreSQL driver: NOT tested here")
    deliver(store, 3)
    database, schema = urlsplit(store.url).path.lstrip("/"), store.url.partition("schema=")[2]

    source = f"PG:dbname={database} host={postgis_server.folder} user=twin active_schema={schema}"
    told = subprocess.run(
        [ogrinfo, "-ro", "-so", source, "building"], capture_output=True, text=True, check=True
    ).stdout

    assert "Feature Count: 3" in told and "Multi Polygon" in told
    assert "CGCS2000 / 3-degree Gauss-Kruger CM 117E" in told


def test_a_newer_town_no_town_and_a_second_town_are_refused(
    store: PostgisStore, stranger: "psycopg.Connection[Any]", postgis_url: str, postgis_server: Any
) -> None:
    with pytest.raises(StoreError, match=r"already holds a town \(version 0\)"):
        PostgisStore.create(postgis_url, CATALOGUE, CRS)
    with pytest.raises(StoreError, match=r"schema=nobody holds no town"):
        PostgisStore(postgis_server.url("nobody"), CATALOGUE)
    stranger.execute("UPDATE twin_meta SET value = '999' WHERE key = 'format'")
    with pytest.raises(StoreTooNew, match="this program supports up to format"):
        PostgisStore(postgis_url, CATALOGUE)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:geheim@127.0.0.1:1/town",
        "postgis://anna:geheim@127.0.0.1:1/town?schema=a",
        "postgresql://anna@127.0.0.1:1/town?password=geheim",
        "postgresql://anna:geheim@wort@127.0.0.1:1/town",
        "postgresql://anna:geheim@127.0.0.1:port/town",
        "postgresql://anna:geheim@127.0.0.1:1/town?nonsense=1",
        "postgresql://anna:geheim@127.0.0.1:1/town?schema=",
        "postgresql://anna:geheim@[::1/town",
        "postgresql://anna:geheim/wort@127.0.0.1:1/town",
        "postgresql://anna:geheim#wort@127.0.0.1:1/town",
        "postgresql://anna:geheim?wort@127.0.0.1:1/town",
        "mysql://anna:geheim@[::1/town?password=geheim",
    ],
)
def test_a_password_never_shows(url: str) -> None:
    with pytest.raises(TwinError) as refused:
        open_store(url, CATALOGUE, folder=Path("nowhere"))

    for lang in ("zh", "en"):
        text = refused.value.text(lang)
        assert "geheim" not in text and "wort" not in text and "sql://" in text
    assert "geheim" not in repr(postgis_server.ServerAddress.read("postgresql://anna:geheim@host/town"))


def test_the_password_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, store: PostgisStore, postgis_url: str
) -> None:
    monkeypatch.setenv("PGUSER", "twin")

    with_nobody = PostgisStore(postgis_url.replace("//twin@", "//"), CATALOGUE)

    assert with_nobody.version() == 0
    with_nobody.close()


def test_who_waits_too_long_for_another_writer_is_told_so(
    store: PostgisStore,
    stranger: "psycopg.Connection[Any]",
    monkeypatch: pytest.MonkeyPatch,
    postgis_url: str,
) -> None:
    monkeypatch.setattr(postgis_server, "BUSY_SECONDS", 1)
    schema = postgis_url.partition("&schema=")[2]

    with stranger.transaction():
        stranger.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"twin {schema}",))
        with pytest.raises(StoreError, match="did not finish within 1 s"):
            deliver(store, 1)
    deliver(store, 1)

    assert store.version() == 1


def test_a_reader_in_the_middle_of_a_layer_does_not_stop_a_bulk_load(store: PostgisStore) -> None:
    deliver(store, 30)
    reading = store.frames(FeatureQuery("building"), rows=10)
    first = next(reading)

    deliver(store, 6_000, usage=["住宅"] * 6_000)

    assert len(first) + sum(map(len, reading)) == 30, "the reader stays in the state it began with"
    assert store.summary("building").features == 6_000


def test_a_question_no_number_or_text_can_answer_is_refused_and_the_next_one_answered(
    store: PostgisStore,
) -> None:
    deliver(store, 3)

    with pytest.raises(QueryRefused, match="too large to compute with"):
        store.features(FeatureQuery("building", limit=2**70))
    with pytest.raises(QueryRefused, match="does not fit the type of its field"):
        store.features(FeatureQuery("building", sort=(SortKey("storeys"),), after=("x", 1)))
    assert store.count(FeatureQuery("building")) == 3


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, -2, 2**62], "bigint"),
        ([], "bigint"),
        ([1, None, 3], "bigint"),
        ([0.1, -1e300, 5e-324], "float8"),
        ([float("inf"), float("-inf")], "float8"),
        (["{", 'a"b', "", None, "甲, 乙"], "text"),
        ([True, False, None], "boolean"),
        ([b"\0\xff", None], "bytea"),
    ],
    ids=str,
)
def test_lists_reach_the_server_as_they_are(store: PostgisStore, values: list[Any], kind: str) -> None:
    assert store._all(f"SELECT %s::{kind}[]", values) == [(values,)]


def test_a_backup_comes_back_as_it_was(
    store: PostgisStore, stranger: "psycopg.Connection[Any]", postgis_url: str, tmp_path: Path
) -> None:
    deliver(store, 20)
    deliver(store, 20, usage=["住宅"] * 20)
    store.backup(tmp_path / "town.dump")
    deliver(store, 25, usage=["商业"] * 25)

    with pytest.raises(StoreError, match=r"already holds a town \(version 3\)"):
        postgis_copy.restore(postgis_url, tmp_path / "town.dump")
    postgis_copy.restore(postgis_url, tmp_path / "town.dump", replace=True)

    schema = postgis_url.partition("&schema=")[2]
    restored = PostgisStore(postgis_url, CATALOGUE)
    (kept,) = stranger.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", (f"{schema}\\_%",)).fetchall()
    before = PostgisStore(postgis_url.replace(f"schema={schema}", f"schema={kept[0]}"), CATALOGUE)
    assert (restored.version(), before.version()) == (2, 3)
    assert restored.features(FeatureQuery("building"))["usage"].tolist() == ["住宅"] * 20
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stranger.execute(f"DELETE FROM {schema}.building")
    deliver(restored, 22, usage=["住宅"] * 22)
    assert restored.version() == 3
    assert list(tmp_path.iterdir()) == [tmp_path / "town.dump"]
    for one in (restored, before):
        one.close()


def test_a_backup_without_its_program_and_one_of_another_schema_say_what_is_wrong(
    store: PostgisStore, postgis_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.backup(tmp_path / "town.dump")

    with pytest.raises(StoreError, match=r"names other\. Expected the same name"):
        postgis_copy.restore(postgis_server.url("other"), tmp_path / "town.dump")
    (tmp_path / "rubbish").write_bytes(b"PGDMP?")
    with pytest.raises(StoreError, match="pg_restore failed"):
        postgis_copy.restore(postgis_server.url("other"), tmp_path / "rubbish")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(postgis_copy, "_LIBRARIES", tmp_path)
    with pytest.raises(StoreError, match="pg_dump is not installed on this machine"):
        store.backup(tmp_path / "more.dump")


def test_a_power_cut_in_the_middle_of_a_delivery_leaves_what_was_there(
    running_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgis, "_POOL_SECONDS", 2)
    with running_server(durable=True) as server:
        store = PostgisStore.create(server.url(), CATALOGUE, CRS)
        deliver(store, 8)
        before = store.features(FeatureQuery("building"))
        half, gone = threading.Event(), threading.Event()

        def stalled() -> Iterator[tuple[str, bytes]]:
            yield "a" * 64, b"half"
            half.set()
            gone.wait(30)

        with Draft(Source("x", "x"), CATALOGUE, storage_crs=CRS) as draft:
            draft.add("building", houses(9, usage=["住宅"] * 9))
            changeset = Changeset(**{**draft.to_changeset(author="a", reason="r").__dict__, "blobs": stalled})
            told: list[BaseException] = []
            thread = threading.Thread(target=lambda: told.append(_failure(lambda: commit(store, changeset))))
            thread.start()
            assert half.wait(30)
            server.stop("immediate")
            gone.set()
            thread.join(30)
        with pytest.raises(StoreError, match="does not answer"):
            store.version()
        server.start()

        assert isinstance(told[0], StoreError)
        assert store.version() == 1, "the store finds the server again by itself"
        assert store.features(FeatureQuery("building")).equals(before)
        assert store.blobs(["a" * 64]) == {}
        deliver(store, 9, usage=["住宅"] * 9)
        assert store.version() == 2 and compare(store, store).rows["now:building"] == 9
        store.close()


def _failure(act: Any) -> BaseException:
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError("it did not fail")


def test_a_town_without_an_epsg_number_is_kept_too(postgis_url: str) -> None:
    own = "+proj=tmerc +lat_0=0 +lon_0=118.33 +k=1 +x_0=500000 +y_0=0 +ellps=GRS80 +units=m +no_defs"
    store = PostgisStore.create(postgis_url, CATALOGUE, crs_code(own))

    assert store.crs == crs_code(own) and store.summary("building").features == 0
    assert store.count(FeatureQuery("building", bbox=(0.0, 0.0, 1.0, 1.0))) == 0
    store.close()


def test_an_address_means_what_libpq_reads_in_it() -> None:
    address = postgis_server.ServerAddress.read(
        "postgis://anna:a%40b+c@[::1]:6543/stadt%20a?sslmode=require&schema=neu&options=-c%20a=b+c"
    )
    known = conninfo_to_dict(address.conninfo)

    assert (address.schema, address.secret) == ("neu", "a@b+c")
    assert address.shown == "postgresql://anna@[::1]:6543/stadt%20a?sslmode=require&options=-c%20a%3Db%2Bc&schema=neu"
    assert {key: known[key] for key in ("user", "password", "host", "port", "dbname", "sslmode", "options")} == {
        "user": "anna",
        "password": "a@b+c",
        "host": "::1",
        "port": "6543",
        "dbname": "stadt a",
        "sslmode": "require",
        "options": "-c a=b+c",
    }
    assert postgis_server.ServerAddress.read("postgresql://host/town").schema == "twin"


def test_a_schema_of_an_earlier_program_gains_the_functions_it_lacks(
    store: PostgisStore, stranger: "psycopg.Connection[Any]", postgis_url: str
) -> None:
    deliver(store, 3)
    for name in ("sum", "product", "quotient"):
        stranger.execute(f"DROP FUNCTION twin_{name}")  # type: ignore[call-overload]

    again = PostgisStore(postgis_url, CATALOGUE)

    assert again.count(FeatureQuery("building", where=parse_filter("storeys * storeys + 1e308 / storeys > 0"))) == 3
    again.close()


def test_an_account_that_may_only_read_reads_and_one_that_may_only_write_rows_writes(
    store: PostgisStore, stranger: "psycopg.Connection[Any]", postgis_url: str
) -> None:
    deliver(store, 3)
    schema = postgis_url.partition("&schema=")[2]
    for name, rights in (("reader", "SELECT"), ("surveyor", "SELECT, INSERT, UPDATE, DELETE")):
        stranger.execute(f"CREATE ROLE {schema}_{name} LOGIN")
        stranger.execute(f"GRANT USAGE ON SCHEMA {schema} TO {schema}_{name}")
        stranger.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {schema}_{name}")

    reader, surveyor = (
        PostgisStore(postgis_url.replace("//twin@", f"//{schema}_{name}@"), CATALOGUE)
        for name in ("reader", "surveyor")
    )

    assert len(reader.features(FeatureQuery("building"))) == 3
    with pytest.raises(StoreError, match="permission denied"):
        deliver(reader, 5)
    deliver(surveyor, 6_000)
    assert reader.summary("building").features == 6_000
    for one in (reader, surveyor):
        one.close()


def test_a_restore_that_fails_afterwards_leaves_the_schema_that_was_there(
    store: PostgisStore, postgis_url: str, tmp_path: Path
) -> None:
    deliver(store, 20)
    store.backup(tmp_path / "town.dump")
    deliver(store, 25, usage=["商业"] * 25)

    with pytest.raises(OSError, match="no room"), undone_on_error(postgis_url):
        postgis_copy.restore(postgis_url, tmp_path / "town.dump", replace=True)
        raise OSError("no room")
    with pytest.raises(StoreError, match="already holds a town"), undone_on_error(postgis_url):
        postgis_copy.restore(postgis_url, tmp_path / "town.dump")

    with closing(PostgisStore(postgis_url, CATALOGUE)) as before:
        assert before.version() == 2 and len(before.features(FeatureQuery("building"))) == 25


def test_a_town_on_a_server_comes_back_where_the_operator_says_alone(postgis_url: str, tmp_path: Path) -> None:
    with init_town(tmp_path / "town", name="新城", crs="EPSG:4548", store=postgis_url) as town:
        backup_town(town, tmp_path / "town.zip")

    with pytest.raises(StoreError, match="writes only to a server that you name"):
        restore_town(tmp_path / "town.zip", tmp_path / "town", replace=True)
    restore_town(tmp_path / "town.zip", tmp_path / "town", replace=True, server=postgis_url)

    with open_town(tmp_path / "town") as town:
        assert town.settings.store == postgis_url and town.store.version() == 0


def test_a_schema_that_an_account_may_not_use_gets_no_table_and_neither_has_the_next_of_its_path(
    postgis_url: str,
) -> None:
    address, _, schema = postgis_url.partition("&schema=")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}; CREATE ROLE {schema}_outsider LOGIN; GRANT CREATE ON SCHEMA public TO {schema}_outsider")  # type: ignore[call-overload]  # fmt: skip
        before = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        with pytest.raises(StoreError) as refusal:
            PostgisStore.create(postgis_url.replace("twin@", f"{schema}_outsider@"), CATALOGUE, "EPSG:4548")
        after = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        connection.execute(f"DROP OWNED BY {schema}_outsider; DROP ROLE {schema}_outsider")  # type: ignore[call-overload]

    assert refusal.value.rule_id == "store.forbidden" and "restore" not in refusal.value.text("en")
    assert before == after


def test_a_name_that_the_server_would_cut_is_refused() -> None:
    with pytest.raises(StoreError, match="66 bytes"):
        postgis_server.ServerAddress.read(f"postgresql://u@/d?schema={'城' * 22}")

    assert postgis_server.ServerAddress.read(f"postgresql://u@/d?schema={'城' * 21}").schema == "城" * 21
