"""The verbs of the past, run as a user runs them: history, show, diff, revert, audit, scope, backup, restore, copy."""

import csv
import json
import re
import shutil
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from twin_command import run_twin

from twin_model.changeset import Changeset, Source
from twin_model.finding import Finding
from twin_model.town import open_town
from twin_model.versioning import commit


def twin(town: Path, *words: str, code: int = 0, lang: str = "en") -> str:
    """Run `twin` and return what it printed to both channels."""
    done = run_twin("--town", town, *words, environment={"TWIN_LANG": lang}, folder=town.parent)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def houses(path: Path, count: int, **columns: Any) -> Path:
    x = 618_000 + 20.0 * np.arange(count)
    content = {"name": [f"{n}号楼" for n in range(count)]} | columns
    frame = gpd.GeoDataFrame(content, geometry=shapely.box(x, 3_886_000, x + 12, 3_886_010), crs="EPSG:4548")
    frame.to_file(path, engine="pyogrio", layer="building")
    return path


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a town and the file of its two deliveries: twenty houses, then one renamed and one gone."""
    folder = tmp_path_factory.mktemp("delivered")
    town, file = folder / "town", folder / "a.gpkg"
    twin(town, "init", "--name", "新城", "--crs", "EPSG:4548")
    houses(file, 20)
    twin(town, "ingest", str(file), "--as", "building", "--effective", "2020-01-01")
    file.unlink()
    houses(file, 19, name=["甲楼", *(f"{n}号楼" for n in range(1, 19))])
    twin(town, "ingest", str(file), "--as", "building", "--effective", "2024-01-01", "--reason", "修测")
    return folder


@pytest.fixture
def town(delivered: Path, tmp_path: Path) -> Path:
    """A town with two deliveries of one file; the file lies beside it."""
    shutil.copytree(delivered, tmp_path, dirs_exist_ok=True)
    return tmp_path / "town"


def test_the_history_is_told_and_each_changeset_shown(town: Path) -> None:
    told = json.loads(twin(town, "history", "building", "--json"))
    shown = twin(town, "show", "2")
    table = twin(town, "history", lang="zh")

    assert [one["number"] for one in told] == [2, 1]
    assert told[0]["changes"]["building"] | {"extent": None} == {
        "inserted": 0,
        "updated": 1,
        "terminated": 1,
        "unchanged": 18,
        "extent": None,
    }
    assert told[0]["previous"] == told[1]["hash"]
    assert "reason: 修测" in shown and "building: updated 1, ended 1, unchanged 18" in shown
    assert "修测" in table and "a.gpkg" in table
    assert "+20" in table and "~1 -1" in table and "2024-01-01" in table
    assert "…" not in table, "in a terminal of 80 columns nothing is cut off"
    assert "99" in twin(town, "show", "99", code=2)


def test_a_layer_is_exported_as_it_was_recorded_by_a_version_or_a_time(town: Path, tmp_path: Path) -> None:
    second = json.loads(twin(town, "history", "--json"))[0]["recorded"]
    out = tmp_path / "out.geojson"

    for when, names in (("1", 20), (second, 19), ("2020-01-01", 0)):
        twin(town, "export", "building", str(out), "--recorded", when)
        assert len(json.loads(out.read_text("utf-8"))["features"]) == names, when
    twin(town, "export", "building", str(out), "--datetime", "2020-01-01/2024-06-30")
    assert len(json.loads(out.read_text("utf-8"))["features"]) == 20, "one ended meanwhile"
    assert "no version 2024" in twin(town, "export", "building", str(out), "--recorded", "2024", code=2)
    twin(town, "export", "building", str(out), "--at", "2020-01-01/2024-06-30", "--as-known", second)
    assert len(json.loads(out.read_text("utf-8"))["features"]) == 20, "the words of notebooks are taken too"


def test_the_status_of_the_past_tells_the_findings_of_then(town: Path, tmp_path: Path) -> None:
    """Nothing was wrong in the first version; the third has a house of a storey that is none."""
    wrong = houses(tmp_path / "b.gpkg", 1, storeys=["many"])
    twin(town, "ingest", str(wrong), "--as", "building")

    now, then = (json.loads(twin(town, "status", "--json", *words)) for words in ((), ("--recorded", "1")))

    assert (now["version"], then["version"]) == (3, 1)
    assert sum(now["findings"].values()) > 0
    assert sum(then["findings"].values()) == 0
    assert then["layers"]["building"]["features"] == 20


def test_the_difference_is_listed_and_written_as_geojson(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "diff.geojson"

    text = twin(town, "diff", "1", "2", "--layer", "building", "--geojson", str(out))
    rows = json.loads(twin(town, "diff", "1", "2", "--layer", "building", "--json"))
    chinese = twin(town, "diff", "1", "2", "--layer", "building", lang="zh")

    assert "name: '0号楼' -> '甲楼'" in text and "updated 1, ended 1" in text
    assert "名称：“0号楼” → “甲楼”" in chinese and "建筑物 版本 1 → 2：变更 1、失效 1" in chinese
    assert {(one["id"], one["change"]) for one in rows} == {
        ("building.1", "updated"),
        ("building.20", "terminated"),
    }
    read = gpd.read_file(out)
    assert set(read["change"]) == {"updated", "terminated"} and read.crs.to_epsg() == 4326
    assert 118 < read.total_bounds[0] < 119


def test_a_version_is_undone_by_a_new_one_and_its_file_can_come_again(town: Path, tmp_path: Path) -> None:
    text = twin(town, "revert", "2", "--reason", "错图")

    assert "Version 3 undoes version 2" in text
    with open_town(town) as opened:
        assert len(opened.features("building")) == 20 and "甲楼" not in opened.features("building")["name"].tolist()
    again = twin(town, "ingest", str(tmp_path / "a.gpkg"), "--as", "building", "--effective", "2024-01-01")
    assert "version 4: 0 inserted, 1 updated, 1 ended" in again
    assert "later versions" in twin(town, "revert", "2", code=1)


def test_the_chain_is_proved_and_a_broken_link_named(town: Path) -> None:
    assert "The chain is whole: 2 changesets" in twin(town, "audit", "verify")
    assert "rows were not read" in twin(town, "audit", "verify", "--quick")
    with sqlite3.connect(town / "store.gpkg") as connection:
        connection.execute("UPDATE vgpkg_twin_layer SET features = 7 WHERE layer = 'building'")
    connection.close()
    assert "twin audit rebuild" in twin(town, "audit", "verify", code=1).replace(f"--town {town} ", "")
    assert "统计值'features'" in twin(town, "audit", "verify", code=1, lang="zh").replace("“", "'").replace("”", "'")
    assert "Made anew: 1" in twin(town, "audit", "rebuild")
    assert twin(town, "audit", "verify").startswith("The chain is whole")

    with sqlite3.connect(town / "store.gpkg") as connection:
        connection.execute("UPDATE vgpkg_twin_changeset SET reason = 'nothing to see' WHERE number = 1")
    connection.close()

    text = twin(town, "audit", "verify", code=1)
    assert "does not verify at version 1" in text and " restore FILE" in text


def test_sources_that_are_missing_or_differ_are_named_until_they_are_delivered_again(
    town: Path, tmp_path: Path
) -> None:
    audit = json.loads(twin(town, "audit", "verify", "--json"))
    assert audit["sources"] == {"whole": 2, "missing": {}, "differing": {}}
    digests = [record["sha256"] for record in json.loads(twin(town, "history", "--json"))]
    shutil.rmtree(town / "sources" / digests[1])
    with (town / "sources" / digests[0] / "a.gpkg").open("ab") as file:
        file.write(b" ")

    text = twin(town, "audit", "verify", code=1)
    chinese = twin(town, "audit", "verify", code=1, lang="zh")
    again = twin(town, "ingest", str(tmp_path / "a.gpkg"), "--as", "building", "--effective", "2024-01-01")
    mended = json.loads(twin(town, "audit", "verify", "--json", code=1))

    assert re.search(r"lacks .*: a\.gpkg: 1\. Expected", text)
    assert re.search(r"not what was delivered .*: a\.gpkg: 2\. Expected", text)
    assert "a.gpkg：1" in chinese and "a.gpkg：2" in chinese and "sources/" in chinese
    assert "already in version 2" in again
    assert mended["sources"] == {"whole": 1, "missing": {"a.gpkg": [1]}, "differing": {}}


def test_a_dry_run_prints_the_difference_and_stores_nothing(town: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    later = houses(tmp_path / "b" / "a.gpkg", 19, name=["乙楼"] * 19)

    text = twin(town, "ingest", str(later), "--as", "building", "--effective", "2025-01-01", "--dry-run")
    answer = json.loads(
        twin(town, "ingest", str(later), "--as", "building", "--effective", "2025-01-01", "--dry-run", "--json")
    )[0]

    assert "dry run, nothing stored: building updated 19" in text
    assert len(answer["ids"]["building"]["updated"]) == 19 and answer["ids"]["building"]["terminated"] == []
    assert json.loads(twin(town, "status", "--json"))["version"] == 2


def test_a_dry_run_counts_what_a_delivery_lacks_and_keeps_for_it_could_not_have_seen_it(
    town: Path, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    some = houses(tmp_path / "d" / "a.gpkg", 5, name=["甲楼", *(f"{n}号楼" for n in range(1, 5))])
    ingest = ("ingest", str(some), "--as", "building", "--effective", "2025-01-01", "--dry-run")

    text = twin(town, *ingest)
    (seen,) = json.loads(twin(town, *ingest, "--json"))
    (sheet,) = json.loads(twin(town, *ingest, "--json", "--scope", "sheet"))

    assert seen["planned"]["building"] == {
        "inserted": 0,
        "updated": 0,
        "terminated": 2,
        "unchanged": 5,
        "kept": 12,
    }
    assert sheet["planned"]["building"] == {
        "inserted": 0,
        "updated": 0,
        "terminated": 14,
        "unchanged": 5,
        "kept": 0,
    }
    assert "kept 12" in text and "--scope sheet ends those" in text
    assert "保留 12" in twin(town, *ingest, lang="zh")


def test_what_a_delivery_covers_is_said_with_scope_and_too_much_vanishing_asks_first(
    town: Path, tmp_path: Path
) -> None:
    (tmp_path / "c").mkdir()
    some = houses(tmp_path / "c" / "a.gpkg", 5, name=["甲楼", *(f"{n}号楼" for n in range(1, 5))])
    area = tmp_path / "surveyed.geojson"
    gpd.GeoDataFrame(geometry=[shapely.box(617_990, 3_885_990, 618_220, 3_886_020)], crs="EPSG:4548").to_crs(
        4326
    ).to_file(area)
    ingest = ("ingest", str(some), "--as", "building", "--effective", "2025-01-01")

    refused = twin(town, *ingest, "--scope", "layer", code=1)
    wrong = twin(town, *ingest, "--scope", "sheets", code=2)
    by_area = twin(town, *ingest, "--scope", str(area), "--accept-removals")

    assert "building" in refused and "14 / 19" in refused and "--accept-removals" in refused
    assert "'sheets'" in wrong and "seen, sheet, layer, FILE" in wrong
    assert "0 updated, 6 ended" in by_area
    with open_town(town) as opened:
        assert len(opened.features("building")) == 13


def test_a_backup_is_restored_whole_and_a_damaged_one_refused(town: Path, tmp_path: Path) -> None:
    kept, elsewhere = tmp_path / "out" / "town.zip", tmp_path / "restored"
    (town / "private" / "key").write_text("secret")
    (town / "town.toml").chmod(0o600)

    told = json.loads(twin(town, "backup", str(kept), "--json"))
    text = twin(elsewhere, "restore", str(kept))

    assert told["version"] == 2 and "version 2, its chain is whole" in text
    assert kept.stat().st_mode & 0o077 == 0, "it holds what private/ holds"
    assert (elsewhere / "private" / "key").read_text() == "secret"
    assert (elsewhere / "town.toml").stat().st_mode & 0o777 == 0o600, "it may hold a password"
    assert json.loads(twin(elsewhere, "history", "--json")) == json.loads(twin(town, "history", "--json"))
    assert sorted(one.name for one in (elsewhere / "sources").iterdir()) == sorted(
        one.name for one in (town / "sources").iterdir()
    )
    assert "--replace" in twin(elsewhere, "restore", str(kept), code=1)
    assert "allow it with --most-mib" in twin(elsewhere, "restore", str(kept), "--replace", "--most-files", "3", code=1)
    twin(elsewhere, "restore", str(kept), "--replace", "--most-mib", "9", "--most-files", "99")
    assert [one.name[:8] for one in (elsewhere / "backups").iterdir()] == ["replaced"]

    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(kept) as whole, zipfile.ZipFile(damaged, "w") as broken:
        for one in whole.infolist():
            content = whole.read(one)
            broken.writestr(
                one, content.replace(b"EPSG:4548", b"EPSG:4547") if one.filename == "town.toml" else content
            )
    text = twin(tmp_path / "other", "restore", str(damaged), code=1)
    assert "town.toml is not as it was written" in text
    assert not (tmp_path / "other").exists()


def test_a_town_is_copied_into_another_store_and_both_are_equal(town: Path, tmp_path: Path) -> None:
    told = json.loads(twin(town, "copy", "--to", str(tmp_path / "copy.gpkg"), "--json"))

    assert told["rows"]["changeset"] == 2 and told["rows"]["now:building"] == 19 and told["looks"] > 0
    again = twin(town, "copy", "--to", str(tmp_path / "copy.gpkg"), code=1)
    assert "already exists" in again


def test_findings_go_back_to_the_survey_office_as_a_table(town: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    bow = shapely.Polygon([(618_500, 3_886_000), (618_520, 3_886_020), (618_520, 3_886_000), (618_500, 3_886_020)])
    frame = gpd.GeoDataFrame({"name": ["歪"]}, geometry=[bow], crs="EPSG:4548")
    frame.to_file(tmp_path / "bad" / "bow.gpkg", engine="pyogrio")
    twin(town, "ingest", str(tmp_path / "bad" / "bow.gpkg"), "--as", "building")
    out = tmp_path / "findings.csv"

    twin(town, "findings", "--severity", "warning", "--csv", str(out), lang="zh")

    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(out.open(encoding="utf-8-sig")))
    assert rows[0]["严重程度"] == "警告" and rows[0]["成果文件"] == "bow.gpkg"
    assert rows[0]["X(北)"].startswith("38860") and rows[0]["Y(东)"].startswith("6185")
    assert rows[0]["图层"] == "建筑物" and rows[0]["规则"] == "图形检查（geometry.repaired）"
    assert rows[0]["位置"] == "第 1 号要素（FID）" and "自相交（618" in rows[0]["问题描述"]


def test_findings_with_and_without_a_raw_record_go_into_one_table(tmp_path: Path) -> None:
    """A finding of a stored feature keeps no raw record, one of a feature set aside does; town-wide ones have no layer."""
    town, source, corner = tmp_path / "town", tmp_path / "=bow.gpkg", np.array((618_500.0, 3_886_000.0))
    twin(town, "init", "--name", "新城", "--crs", "EPSG:4548")
    bow = shapely.Polygon(corner + np.array([(0, 0), (20, 20), (20, 0), (0, 20)]))
    shapes = [bow, shapely.LineString([corner, corner + 10])]
    frame = gpd.GeoDataFrame({"name": ["歪", "=1+1"]}, geometry=shapes, crs="EPSG:4548")
    frame.to_file(source, engine="pyogrio", layer="bow")
    twin(town, "ingest", str(source), "--as", "building")
    with open_town(town) as opened:
        findings = (
            Finding("source.empty", values={"source": "x.csv"}),
            Finding("source.empty", "error", place="=2", raw={"a": "=1"}),
        )
        changeset = Changeset(
            "test", "", "2024-01-01T00:00:00.000Z", source=Source("x.csv", "f" * 64), findings=findings
        )
        commit(opened.store, changeset)

    for lang, heading in (("zh", "原始记录"), ("en", "raw record")):
        out = tmp_path / f"{lang}.csv"
        twin(town, "findings", "--csv", str(out), lang=lang)
        rows = list(csv.DictReader(out.open(encoding="utf-8-sig")))

        assert len(rows) >= 4
        assert {bool(row[heading]) for row in rows} == {True, False}
        cells = [cell for row in rows for cell in row.values()]
        assert not any(cell.startswith("=") for cell in cells)
        assert not any(re.search(r"\b(nan|None|NaT|<NA>)\b", cell) for cell in cells)
        told = json.loads(twin(town, "findings", "--json", lang=lang))
        assert len(told) == len(rows) and {row["layer"] for row in told} == {"building", None}
        assert not re.search(r"\bnan\b", twin(town, "findings", lang=lang))
