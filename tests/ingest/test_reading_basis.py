"""What decides what is read besides a file's bytes: mapping, code tables, options, reader, layers. A change of any is news."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from shapely.geometry import box

from api_config.delivery import Delivery, Outcome, deliver
from ingest.draft import Draft, ReadOptions
from ingest.mapping import LayerMapping, Mapping, read_mapping
from ingest.readers import READERS, identify, reader_of
from ingest.reading_basis import reading_basis
from twin_model.errors import SourceRefused
from twin_model.sources import verify_sources
from twin_model.town import Town, init_town, open_town
from twin_model.versioning import commit

CRS = "EPSG:4548"
SAMPLES = Path(__file__).resolve().parents[2] / "data_samples"
FIELDS = '[[layer]]\nfrom = "*"\nto = "building"\nfields = {{ name = "{}" }}\n'
CODES = "code,layer,kind\n{},building,一般房屋\n"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with init_town(tmp_path / "town", name="镇", crs=CRS) as town:
        yield town


def houses(path: Path, *names: str) -> Path:
    boxes = [box(618_000 + 20 * n, 3_886_000, 618_012 + 20 * n, 3_886_010) for n in range(len(names))]
    frame = gpd.GeoDataFrame({"a": names, "b": [name * 2 for name in names]}, geometry=boxes, crs=CRS)
    frame.to_file(path, driver="GeoJSON")
    return path


def mapping(folder: Path, text: str) -> Mapping:
    (folder / "office.toml").write_text(text, "utf-8")
    return read_mapping(folder / "office.toml")


def read(town: Town, path: Path, options: ReadOptions, **said: Any) -> Outcome:
    outcome = deliver(town, [path], Delivery(replace(options, crs=CRS), **said))[0]
    assert outcome.error is None, outcome.error
    return outcome


def names(town: Town) -> list[str]:
    return sorted(town.features("building")["name"].dropna())


def test_the_same_file_is_read_again_when_the_mapping_or_its_code_table_says_something_else(
    town: Town, tmp_path: Path
) -> None:
    path = houses(tmp_path / "plots.geojson", "甲")
    drawing = SAMPLES / "byhand" / "split_structure_and_storeys.dxf"
    table = tmp_path / "office.csv"

    first = read(town, path, ReadOptions(mapping=mapping(tmp_path, FIELDS.format("a"))))
    same = read(town, path, ReadOptions(mapping=mapping(tmp_path, FIELDS.format("a"))))
    other = read(town, path, ReadOptions(mapping=mapping(tmp_path, FIELDS.format("b"))))
    outcomes = []
    for code in ("141101", "141101", "999999"):
        table.write_text(CODES.format(code))
        outcomes.append(
            read(town, drawing, ReadOptions(mapping=mapping(tmp_path, '[options]\ncass_table = "office.csv"\n')))
        )

    assert (first.already, same.already, other.already) == (None, 1, None)
    assert names(town) == ["甲甲"]
    assert [one.already for one in outcomes] == [None, 3, None], "a table beside the mapping is found from anywhere"


def test_what_a_version_was_read_with_is_archived_and_verified(town: Town, tmp_path: Path) -> None:
    (tmp_path / "office.csv").write_text(CODES.format("141101"))
    options = ReadOptions(mapping=mapping(tmp_path, '[options]\ncass_table = "office.csv"\n'))
    archive = town.path / "sources"

    read(town, SAMPLES / "byhand" / "split_structure_and_storeys.dxf", options)
    whole = verify_sources(archive, town.store.changesets())
    table = next(archive.glob("*/office.csv"))
    table.write_text("code,layer,kind\n")
    shutil.rmtree(next(archive.glob("*/office.toml")).parent)
    damaged = verify_sources(archive, town.store.changesets())

    assert (whole.whole, whole.missing, whole.differing) == (3, {}, {})
    assert (damaged.missing, damaged.differing) == ({"office.toml": [1]}, {"office.csv": [1]})


def test_a_code_table_that_is_saved_again_during_the_reading_refuses_it(tmp_path: Path) -> None:
    table = tmp_path / "office.csv"
    table.write_text(CODES.format("141101"))
    basis = reading_basis(READERS[2], ReadOptions(mapping=Mapping("made", (), options={"cass_table": str(table)})))
    basis.ensure_unchanged("plan.dxf")

    table.write_text(CODES.format("141102"))

    with pytest.raises(SourceRefused, match=r"office\.csv .*plan\.dxf.* changed while .* deliver it again"):
        basis.ensure_unchanged("plan.dxf")


def test_every_option_that_is_not_the_usual_one_is_another_delivery_and_so_is_a_newer_reader() -> None:
    reader = READERS[-1]
    usual = reading_basis(reader, ReadOptions(), zone="Asia/Shanghai").digests
    made = Mapping("made", (LayerMapping(("*",), "building"),))
    others = [
        reading_basis(reader, ReadOptions(kind="building"), zone="Asia/Shanghai"),
        reading_basis(reader, ReadOptions(crs=CRS), zone="Asia/Shanghai"),
        reading_basis(reader, ReadOptions(encoding="gbk"), zone="Asia/Shanghai"),
        reading_basis(reader, ReadOptions(effective="2024-01-01T00:00:00.000Z"), zone="Asia/Shanghai"),
        reading_basis(reader, ReadOptions(storey_height=3.3), zone="Asia/Shanghai"),
        reading_basis(reader, ReadOptions(), zone="Europe/Berlin"),
        reading_basis(reader, ReadOptions(), zone="Asia/Shanghai", reach="layer"),
        reading_basis(reader, ReadOptions(mapping=made), zone="Asia/Shanghai"),
        reading_basis(reader, ReadOptions(mapping=replace(made, crs=CRS)), zone="Asia/Shanghai"),
        reading_basis(replace(reader, version=reader.version + 1), ReadOptions(), zone="Asia/Shanghai"),
        reading_basis(replace(reader, tables=("cass.csv",)), ReadOptions(), zone="Asia/Shanghai"),
    ]

    assert reading_basis(reader, ReadOptions(), zone="Asia/Shanghai", reach=None).digests == usual
    assert len({json.dumps(dict(each.digests), sort_keys=True) for each in others} - {json.dumps(usual)}) == len(others)


def lines(path: Path, names: list[str]) -> Path:
    rows = [f"{name},618{n}00.0,3886100.0,10.0" for n, name in enumerate(names)]
    path.write_text("\n".join(["点号,Y,X,地面高程", *rows]), "utf-8")
    return path


def test_two_tables_of_equal_bytes_and_different_class_are_two_deliveries_and_both_are_kept(
    town: Town, tmp_path: Path
) -> None:
    first, second = (lines(tmp_path / name / f"{name}POINT.csv", ["1", "2"]) for name in made(tmp_path, "JS", "YS"))
    assert first.read_bytes() == second.read_bytes()

    outcomes = [read(town, path, ReadOptions()) for path in (first, second, first, second)]

    assert [one.already for one in outcomes] == [None, None, 1, 2]
    assert sorted(town.features("pipe_point")["subclass"].fillna(town.features("pipe_point")["class"])) == [
        "JS",
        "JS",
        "YS",
        "YS",
    ]
    folder = town.path / "sources" / identify(first).sha256
    assert sorted(path.name for path in folder.iterdir()) == ["JSPOINT.csv", "YSPOINT.csv"]
    assert verify_sources(town.path / "sources", town.store.changesets()).whole == 2


def made(folder: Path, *names: str) -> tuple[str, ...]:
    for name in names:
        (folder / name).mkdir()
    return names


def test_a_change_of_a_layer_that_was_used_is_read_again_and_one_of_another_is_not(tmp_path: Path) -> None:
    path, other = houses(tmp_path / "plots.geojson", "甲"), tmp_path / "town" / "catalogue" / "own.toml"
    options = ReadOptions(kind="building")
    init_town(tmp_path / "town", name="镇", crs=CRS).store.close()
    changes = {
        "nothing": "",
        "looks of the layer": '[building]\ntitle = { zh = "房子", en = "Houses" }\nstyle = { color = "#000000" }\n',
        "another layer": '[road_area.fields]\nnick = { zh = "俗名", en = "Nickname" }\n',
        "a field more": '[building.fields]\nb = { zh = "乙", en = "B" }\n',
        "its codes": '[building.fields]\nb = { zh = "乙", en = "B", codes = { "甲甲" = "两甲" } }\n',
    }

    already = {}
    for change, text in changes.items():
        other.write_text(text, "utf-8")
        with open_town(tmp_path / "town") as town:
            read(town, path, options)
            already[change] = read(town, path, options).already
            if change == "a field more":
                assert town.features("building")["b"].tolist() == ["甲甲"]

    assert already["nothing"] == already["looks of the layer"] == already["another layer"] == 1
    assert already["a field more"] == 2


def test_again_reads_once_more_whatever_it_is_and_a_scope_is_another_delivery(town: Town, tmp_path: Path) -> None:
    path, options = houses(tmp_path / "plots.geojson", "甲"), ReadOptions(kind="building")
    first = read(town, path, options)

    again = read(town, path, options, again=True)
    scoped = read(town, path, options, reach="sheet")

    assert (first.already, again.already, scoped.already) == (None, None, None)
    assert again.version is not None and not again.version.made and again.counts["read"] == 1


def test_a_file_that_says_again_what_it_said_before_its_last_edition_is_read(town: Town, tmp_path: Path) -> None:
    options, outcomes = ReadOptions(mapping=mapping(tmp_path, FIELDS.format("a"))), []
    path = tmp_path / "plots.geojson"

    for content in (["甲"], ["乙"], ["甲"], ["甲"]):
        outcomes.append(read(town, houses(path, *content), options))

    assert [one.already for one in outcomes] == [None, None, None, 3]
    assert names(town) == ["甲"]


def test_a_source_of_which_no_identity_is_recorded_is_read_again_and_changes_nothing(
    town: Town, tmp_path: Path
) -> None:
    """As towns of before recorded it."""
    path, options = houses(tmp_path / "building.geojson", "甲"), ReadOptions(kind="building", crs=CRS)
    with Draft(identify(path), town.catalogue, storage_crs=CRS) as draft:
        reader_of(path, options).read(path, draft, options)
        changeset = draft.to_changeset(author="", reason="")
        assert changeset.source is not None
        commit(town.store, replace(changeset, source=replace(changeset.source, identity={})))

    outcome = read(town, path, options)

    assert outcome.already is None and outcome.version is not None and not outcome.version.made
