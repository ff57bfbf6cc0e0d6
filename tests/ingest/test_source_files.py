"""Which files a source is made of: hash, archive and re-reading agree on them, and on nothing else that lies about."""

import shutil
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import geopandas as gpd
import openpyxl
import pyogrio
import pytest
import shapely

from api_config.delivery import Delivery, deliver, inspect
from ingest.draft import Draft, ReadOptions
from ingest.readers import files_of, find_sources, identify, read_source
from twin_model.catalogue import read_catalogue
from twin_model.sources import files_of_source
from twin_model.town import Town, init_town

CRS = "EPSG:4548"
BYHAND = Path(__file__).resolve().parents[2] / "data_samples" / "byhand"
AS_BUILDING = ReadOptions(kind="building", crs=CRS)


def houses(path: Path, names: list[str], **options: str) -> Path:
    boxes = [shapely.box(618_000 + 20 * n, 3_886_000, 618_012 + 20 * n, 3_886_010) for n in range(len(names))]
    gpd.GeoDataFrame({"name": names}, geometry=boxes, crs=CRS).to_file(path, engine="pyogrio", **options)
    return path


def table(folder: Path, names: list[str], suffix: str = ".tab") -> Path:
    folder.mkdir(exist_ok=True)
    return houses(folder / f"building{suffix}", names, driver="MapInfo File")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with init_town(tmp_path / "town", name="镇", crs=CRS) as town:
        yield town


def neighbours(folder: Path) -> dict[str, tuple[Path, list[str]]]:
    """Write sources of several files; return their paths and the names of their companions."""
    shapefile = houses(folder / "道路 [1].shp", ["甲"])
    tab = table(folder, ["甲"])
    mif = houses(folder / "road.mif", ["甲"], driver="MapInfo File")
    gml = houses(folder / "town.gml", ["甲"], driver="GML")
    (folder / "types.xsd").write_text('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>')
    schema = gml.with_suffix(".xsd")
    schema.write_text(schema.read_text().replace("<xs:import", '<xs:include schemaLocation="types.xsd"/><xs:import', 1))
    database = houses(folder / "plan.gpkg", ["甲"])
    old = folder / "OLD.TAB"
    for name in ("OLD.TAB", "old.DAT", "Old.Map", "old.id"):
        (folder / name).write_text("!table")
    dbase = folder / "sheet.tab"
    for name in ("sheet.tab", "sheet.dbf", "sheet.map"):
        (folder / name).write_text("!table")
    return {
        "shapefile": (shapefile, [f"道路 [1]{suffix}" for suffix in (".cpg", ".dbf", ".prj", ".shx")]),
        "table": (tab, ["building.dat", "building.id", "building.map"]),
        "table in capitals": (old, ["Old.Map", "old.DAT", "old.id"]),
        "table over dBASE": (dbase, ["sheet.dbf", "sheet.map"]),
        "exchange file": (mif, ["road.mid"]),
        "GML": (gml, ["town.xsd", "types.xsd"]),
        "database": (database, []),
    }


def test_a_source_is_the_files_that_it_is_read_from_and_a_change_of_any_is_another_source(
    tmp_path: Path,
) -> None:
    for kind, (path, names) in neighbours(tmp_path).items():
        for stray in (".gfs", ".qgz", ".bak.dbf", "-shm"):
            (tmp_path / f"{path.stem}{stray}").write_text("left by a program")
        path.with_name(f"{path.name}-shm").write_text("an index")

        assert [part.name for part in files_of(path)] == [path.name, *names], kind
        for name in names:
            before = identify(path).sha256
            part = tmp_path / name
            part.write_bytes(part.read_bytes() + b" ")
            assert identify(path).sha256 != before, (kind, name)


def test_what_waits_beside_a_database_belongs_to_it(tmp_path: Path) -> None:
    path = houses(tmp_path / "plan.gpkg", ["甲"])
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    before = identify(path).sha256

    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("CREATE TABLE more (a)")
    names, changed = [part.name for part in files_of(path)], identify(path).sha256
    writer.close()

    assert names == ["plan.gpkg", "plan.gpkg-wal"]
    assert changed != before


def test_a_table_whose_data_changed_is_delivered_again_and_kept_whole(town: Town, tmp_path: Path) -> None:
    first, second = table(tmp_path / "1", ["甲"]), table(tmp_path / "2", ["甲", "乙"])
    assert first.read_bytes() == second.read_bytes(), "the header says nothing of the rows"

    for path in (first, second, second):
        outcome = deliver(town, [path], Delivery(AS_BUILDING))[0]
        assert outcome.error is None

    assert outcome.already == 2
    assert town.features("building")["name"].tolist() == ["甲", "乙"]
    for path, rows in ((first, 1), (second, 2)):
        source = identify(path)
        kept = files_of_source(town.path / "sources", source.sha256)
        assert [part.name for part in kept] == sorted(part.name for part in files_of(path))
        copy = next(part for part in kept if part.name == path.name)
        assert identify(copy).sha256 == source.sha256
        with Draft(source, read_catalogue(), storage_crs=CRS) as draft:
            read_source(copy, draft, AS_BUILDING)
            assert draft.counts.stored == rows


class Overwriting:
    """Overwrites a file once its reading begins, as an office program does that saves meanwhile."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path, self._content = path, content

    def source(self, name: str, number: int, total: int) -> None: ...

    def read(self, records: int) -> None: ...

    def stage(self, name: str) -> None:
        if name == "read":
            self._path.write_bytes(self._content)

    def passed_over(self, folder: str, names: Mapping[str, list[str]]) -> None: ...


def test_a_version_is_read_from_the_bytes_that_are_kept_though_the_file_is_saved_again_meanwhile(
    town: Town, tmp_path: Path
) -> None:
    path, later = (
        houses(tmp_path / "building.geojson", ["甲"]),
        houses(tmp_path / "later.geojson", ["乙", "丙"]),
    )
    source = identify(path)

    outcome = deliver(town, [path], Delivery(AS_BUILDING), Overwriting(path, later.read_bytes()))[0]

    assert outcome.error is None
    assert town.features("building")["name"].tolist() == ["甲"]
    assert identify(files_of_source(town.path / "sources", source.sha256)[0]).sha256 == source.sha256


def test_notes_on_a_gml_are_neither_believed_nor_left_beside_it(town: Town, tmp_path: Path) -> None:
    path = houses(tmp_path / "town.gml", ["甲"], driver="GML")
    path.with_suffix(".xsd").unlink()
    pyogrio.read_info(path)
    assert path.with_suffix(".gfs").is_file(), "GDAL's notes: one field, name"
    later = gpd.read_file(path).assign(storeys=5)[["name", "storeys", "geometry"]]
    path.unlink()
    later.to_file(path, driver="GML")
    path.with_suffix(".xsd").unlink()
    alone = Path(shutil.copy(path, tmp_path / "alone.gml"))
    before = sorted(tmp_path.iterdir())

    outcome = deliver(town, [path], Delivery(AS_BUILDING))[0]
    with Draft(identify(alone), read_catalogue(), storage_crs=CRS) as draft:
        read_source(alone, draft, AS_BUILDING)

    assert outcome.error is None
    assert town.features("building")["storeys"].tolist() == [5]
    assert sorted(tmp_path.iterdir()) == before


def of_every_kind(folder: Path) -> list[Path]:
    """Write a source of every kind into a folder, with what libraries leave beside some of them."""
    for suffix in (".shp", ".gpkg", ".geojson", ".fgb"):
        houses(folder / f"houses{suffix}", ["甲"])
    houses(folder / "lite.sqlite", ["甲"], driver="SQLite")
    houses(folder / "plan.gml", ["甲"], driver="GML")
    for suffix in (".tab", ".mif"):
        houses(folder / f"mapinfo{suffix}", ["甲"], driver="MapInfo File")
    (folder / "houses.shp.xml").write_text("<metadata/>")
    (folder / "houses.qix").write_bytes(b"SQT" + bytes(29))
    (folder / "houses.gpkg.aux.xml").write_text("<PAMDataset/>")
    (folder / "WSPOINT.csv").write_text("点号,X,Y,地面高程\n1,3886000.0,618000.0,10.0\n", "utf-8")
    workbook = openpyxl.Workbook()
    workbook.active.title = "WSPoint"
    for row in (("点号", "X", "Y", "地面高程"), ("1", 3886000.0, 618000.0, 10.0)):
        workbook.active.append(row)
    workbook.save(folder / "survey.xlsx")
    (folder / "net.inp").write_text(
        "[JUNCTIONS]\nA 1\nB 1\n[PIPES]\nP A B 10 100 100 0 Open\n[OPTIONS]\nUnits LPS\n"
        "[COORDINATES]\nA 618000 3886000\nB 618010 3886000\n"
    )
    shutil.copy(BYHAND / "split_structure_and_storeys.dxf", folder / "plan.dxf")
    (folder / "wall.ifc").write_text(
        "ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('IFC4'));\nENDSEC;\nDATA;\nENDSEC;\nEND-ISO-10303-21;\n"
    )
    with zipfile.ZipFile(folder / "packed.zip", "w") as archive:
        archive.write(folder / "houses.geojson", "packed.geojson")
    return find_sources(folder)


def test_no_reader_writes_beside_a_source_or_believes_what_lies_there(town: Town, tmp_path: Path) -> None:
    """A database in WAL mode is written by whoever reads it: a check moved the rows that waited into the office's file.

    It takes seconds because every reader's libraries are loaded for it.
    """
    folder = tmp_path / "in"
    folder.mkdir()
    sources = of_every_kind(folder)
    writer = sqlite3.connect(folder / "houses.gpkg", isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("CREATE TABLE more (a)")
    shutil.copytree(folder, tmp_path / "killed")  # as a program leaves it that was ended while it wrote
    writer.close()
    folder = tmp_path / "killed"
    (folder / "houses.gpkg-shm").unlink()
    folder.chmod(0o555)
    before = contents(folder)

    outcomes = inspect(None, [folder], AS_BUILDING) + deliver(town, [folder], Delivery(AS_BUILDING))
    outcomes += deliver(town, [folder / "houses.gpkg"], Delivery(AS_BUILDING, dry_run=True))

    assert contents(folder) == before
    folder.chmod(0o755)
    read = {outcome.source for outcome in outcomes if outcome.error is None}
    assert {path.name for path in sources} - read <= {"packed.zip", "wall.ifc"}, "an empty model is refused"
    assert "houses.gpkg-wal" in before and len(outcomes) == 2 * len(sources) + 1


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return bytes and time of change of every file in a folder."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}
