"""A delivered file reads no other file of the machine and calls no address; whoever delivers it is told why it is refused."""

import importlib.util
import json
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pyogrio
import pytest

from api_config.delivery import Delivery, Outcome, deliver
from ingest.draft import Draft, ReadOptions
from ingest.readers import READERS, read_source
from ingest.vector.file import VectorFile
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import CalledWrongly, SourceRefused
from twin_model.town import init_town, open_town


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hostile = _beside("hostile_sources")


class Listener:
    """A server on this machine that notes whoever connects."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.calls: list[bytes] = []
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                try:
                    self.calls.append(connection.recv(200))
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except OSError:
                    self.calls.append(b"")


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A listener that GDAL could reach: no proxy stands before it."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    listening = Listener()
    yield listening
    listening.socket.close()


def _texts(outcome: Outcome) -> str:
    error = outcome.error
    words = "" if error is None else error.text("en") + error.text("zh") + repr(error.values)
    return (
        words + repr([(one.text("en"), one.text("zh"), one.raw) for one in outcome.findings]) + json.dumps(outcome.ids)
    )


def test_a_folder_of_hostile_files_reads_no_secret_calls_nobody_and_the_ordinary_ones_come_in(
    tmp_path: Path, listener: Listener
) -> None:
    """Some seventy files go through a whole delivery, so this takes its seconds."""
    secrets = hostile.write_secrets(tmp_path / "elsewhere")
    folder = tmp_path / "delivery"
    folder.mkdir()
    refused = hostile.write_refused(folder, listener.address, secrets)
    readable = hostile.write_readable(folder, listener.address, secrets)
    hostile.buildings().to_file(folder / "building.gpkg")
    init_town(tmp_path / "town", name="镇", crs=hostile.CRS).store.close()

    with open_town(tmp_path / "town") as town:
        options = ReadOptions(kind="building", crs=hostile.CRS)
        outcomes = {one.source: one for one in deliver(town, [folder], Delivery(options))}
        names = set(town.features("building")["name"].dropna())

    told = {name: one.error.rule_id for name, one in outcomes.items() if one.error is not None}
    assert {name: told.get(name) for name in refused} == refused
    for name in refused:
        error = outcomes[name].error
        assert error is not None and name in error.text("en") and name in error.text("zh")
        assert error.text("en") != error.text("zh")
    assert {name: told.get(name) for name in [*readable, "building.gpkg"]} == dict.fromkeys(
        [*readable, "building.gpkg"]
    )
    assert listener.calls == []
    assert hostile.SECRET not in names and hostile.SECRET not in "".join(map(_texts, outcomes.values()))
    secret = hostile.SECRET.encode()
    assert [path for path in (tmp_path / "town").rglob("*") if path.is_file() and secret in path.read_bytes()] == []


def test_gdal_itself_would_read_the_secret_and_call_the_address(tmp_path: Path, listener: Listener) -> None:
    """What the other tests show is worth something only while GDAL does what they keep it from."""
    secrets = hostile.write_secrets(tmp_path / "elsewhere")
    folder = tmp_path / "delivery"
    folder.mkdir()
    hostile.write_refused(folder, listener.address, secrets)

    _, _, _, columns = pyogrio.raw.read(folder / "vrt_in_text.geojson", layer="building")
    pyogrio.list_layers(folder / "crs_link.geojson")

    assert hostile.SECRET in columns[0]
    assert listener.calls


def test_names_that_pyogrio_takes_for_archives_and_parameters_are_the_files_own(tmp_path: Path) -> None:
    secrets = hostile.write_secrets(tmp_path / "elsewhere")
    inside = tmp_path / f"delivery!{secrets['layer'].parent}"
    inside.mkdir(parents=True)
    for name in ("building.geojson", "a;b.geojson", "a!b.geojson", "a?b#c%41.geojson", "规划!.shp"):
        hostile.buildings().to_file(tmp_path / "plain.gpkg", engine="pyogrio")
        plain = hostile.buildings()
        if name.endswith(".shp"):
            plain.to_file(tmp_path / "plain.shp", encoding="utf-8")
            for part in tmp_path.glob("plain.*"):
                part.rename(inside / f"规划!{part.suffix}")
        else:
            (inside / name).write_text(plain.to_json(to_wgs84=True), "utf-8")

    for name in ("building.geojson", "a;b.geojson", "a!b.geojson", "a?b#c%41.geojson", "规划!.shp"):
        with Draft(Source(name, "0" * 64), read_catalogue(), storage_crs=hostile.CRS) as draft:
            read_source(inside / name, draft, ReadOptions(kind="building"))
            frames = [frame for _, frame in draft.frames()]

        assert [set(frame["name"]) for frame in frames] == [{"甲", "乙"}], name


def test_the_name_of_a_layer_is_no_address(tmp_path: Path, listener: Listener) -> None:
    path = tmp_path / "surfaces.gpkg"
    name = f"building!WFS:{listener.address}/?"
    hostile.buildings().to_file(path, layer=name, engine="pyogrio")
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER IF EXISTS gpkg_geometry_columns_update")
        db.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = 'TIN'")
    db.close()

    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs=hostile.CRS) as draft:
        read_source(path, draft, ReadOptions(kind="building"))

        assert draft.counts.read == 2
    assert listener.calls == []


def test_an_address_is_no_source(listener: Listener) -> None:
    for name in (
        f"/vsicurl/{listener.address}/a.geojson",
        f"{listener.address}/a.geojson",
        f"WFS:{listener.address}",
    ):
        with pytest.raises(SourceRefused) as refusal:
            VectorFile(Path(name), name)

        assert refusal.value.rule_id == "source.not_found"
        for reader in READERS:
            assert not reader.recognises(Path(name))
    assert listener.calls == []


def test_reading_leaves_the_network_of_a_notebook_as_it_was(tmp_path: Path) -> None:
    pyogrio.set_gdal_config_options({"GDAL_HTTP_PROXY": "http://127.0.0.1:3128"})
    path = tmp_path / "building.geojson"
    hostile.buildings().to_file(path)

    VectorFile(path, path.name).names()
    kept = pyogrio.get_gdal_config_option("GDAL_HTTP_PROXY")
    pyogrio.set_gdal_config_options({"GDAL_HTTP_PROXY": None})
    VectorFile(path, path.name).names()

    assert kept == "http://127.0.0.1:3128"
    assert pyogrio.get_gdal_config_option("GDAL_HTTP_PROXY") is None


def test_a_change_waiting_beside_a_geopackage_is_judged_too(tmp_path: Path) -> None:
    path = tmp_path / "building.gpkg"
    hostile.buildings().to_file(path)
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("CREATE VIEW far AS SELECT ogr_geocode('x') AS g")

        with pytest.raises(SourceRefused) as refusal:
            VectorFile(path, path.name)
    db.close()

    assert refusal.value.rule_id == "vector.table_elsewhere"


def test_ordinary_tables_views_and_texts_that_only_look_so_are_read(tmp_path: Path) -> None:
    path = tmp_path / "building.gpkg"
    hostile.buildings().to_file(path)
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("CREATE VIEW tall AS SELECT fid, upper(name) AS name, count(*) FROM building")
        db.execute("CREATE TABLE ogr_notes (name VARCHAR(20), edit INTEGER)")
    db.close()
    text = tmp_path / "text.geojson"
    hostile.buildings().assign(name=["crs: http://x", '"crs"']).to_file(text)

    for one in (path, text):
        with Draft(Source(one.name, "0" * 64), read_catalogue(), storage_crs=hostile.CRS) as draft:
            read_source(one, draft, ReadOptions(kind="building"))

            assert draft.counts.features["building"] == 2


def test_a_path_that_is_not_there_is_called_wrongly(tmp_path: Path, listener: Listener) -> None:
    init_town(tmp_path / "town", name="镇", crs=hostile.CRS).store.close()

    with open_town(tmp_path / "town") as town, pytest.raises(CalledWrongly):
        deliver(town, [Path(f"/vsicurl/{listener.address}/a.geojson")], Delivery())

    assert listener.calls == []


def test_what_an_ifc_model_refers_to_is_not_opened_and_its_ending_does_not_choose_another_reader(
    tmp_path: Path, listener: Listener, realdata: Path
) -> None:
    secrets = hostile.write_secrets(tmp_path / "elsewhere")
    model = (realdata / "ifc" / "rules" / "GRF" / "grf004" / "pass-grf004-valid_epsg_code.ifc").read_text("utf-8")
    before, end, after = model.rpartition("ENDSEC;")
    references = (
        f"#900001=IFCDOCUMENTREFERENCE('{secrets['table']}','x','n',$,$);\n"
        f"#900002=IFCLIBRARYREFERENCE('file://{secrets['table']}','x','n',$,$,$);\n"
        f"#900003=IFCIMAGETEXTURE(.T.,.T.,$,$,$,'{listener.address}/texture.png');\n"
        f"#900004=IFCEXTERNALLYDEFINEDSURFACESTYLE('{listener.address}/style','x','n');\n"
    )
    counts = []
    for name, text in (
        ("model.ifc", model),
        ("references.ifc", before + references + end + after),
        ("model.sqlite", model),
        ("model.ifczip", model),
    ):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        with Draft(Source(name, "0" * 64), read_catalogue(), storage_crs=hostile.CRS) as draft:
            read_source(path, draft, ReadOptions(kind="ifc", crs=hostile.CRS))
            counts.append(dict(draft.counts.features))
            assert hostile.SECRET not in repr([(one.text("en"), one.raw) for one in draft.findings])

    assert counts == [counts[0]] * 4
    assert listener.calls == []


def test_the_command_line_runs_gdal_without_the_drivers_no_source_needs() -> None:
    """GDAL asks for their names once, so this takes a process of its own."""
    script = "import api_config.cli as cli; cli._leave_out_drivers(); import pyogrio; print(*pyogrio.list_drivers(), sep='|')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    drivers = set(done.stdout.strip().split("|"))
    assert {"WFS", "GDALG", "OAPIF", "ESRIJSON", "LIBKML", "HTTP"}.isdisjoint(drivers)
    assert {"ESRI Shapefile", "GPKG", "SQLite", "GeoJSON", "FlatGeobuf", "GML", "MapInfo File"} <= drivers
    assert done.stderr == ""
