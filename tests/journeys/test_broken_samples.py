"""Every broken sample through the real command: no traceback, the right exit, words that help, a store that stays whole."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from twin_command import run_twin

from twin_model.town import init_town

CRS = ("--crs", "EPSG:4548")
BUILDING = ("--as", "building")


@dataclass(frozen=True)
class Case:
    """A sample, how it is called, the exit, the rule of its refusal or those of its findings, and how many were stored."""

    sample: str
    options: tuple[str, ...]
    exit: int
    rules: str | frozenset[str]
    stored: int = 0

    def __str__(self) -> str:
        return " ".join((self.sample, *self.options))


def refused(sample: str, rule: str, *options: str) -> Case:
    return Case(sample, options, 1, rule)


def done(sample: str, stored: int, *rules: str, options: tuple[str, ...] = CRS, exit: int = 0) -> Case:
    return Case(sample, options, exit, frozenset(rules), stored)


TODAY = "time.assumed_today"
CASES = [
    refused("bomb.zip", "source.zip_bomb"),
    refused("building_without_prj.shp", "source.no_crs", *BUILDING),
    done("building_without_prj.shp", 3, TODAY, options=(*BUILDING, *CRS)),
    refused("contour_at_zero.dxf", "source.no_crs"),
    done("contour_at_zero.dxf", 1, "dxf.contour_at_zero", "dxf.no_sheet", TODAY),
    refused("cut_in_the_middle.geojson", "source.unreadable", *BUILDING),
    done("duplicated_ids.geojson", 4, "vector.own_layer", TODAY),
    done("duplicated_ids.geojson", 2, "identity.duplicate", TODAY, options=("--mapping", "MAPPING")),
    done("duplicated_ids.geojson", 2, "identity.duplicate", TODAY, options=("--mapping", "MAPPING", "--strict"), exit=1),
    refused("empty.gpkg", "source.empty"),
    refused("half.ifc", "ifc.truncated", *CRS),
    refused("lonlat_declared_as_4548.geojson", "geometry.degrees", *BUILDING),
    done("lonlat_declared_as_4548.geojson", 1, "vector.crs_overruled", TODAY, options=(*BUILDING, "--crs", "EPSG:4490")),
    done("missing_shx.shp", 3, "vector.part_missing", TODAY, options=BUILDING),
    done("mixed_geometry.geojson", 3, "geometry.missing", "geometry.wrong_type", TODAY, options=BUILDING),
    done("nan_coordinates.csv", 3, "geometry.missing", "vector.coordinates_unread", "vector.own_layer", TODAY),
    done("nan_coordinates.geojson", 1, "geometry.not_finite", TODAY, options=("--as", "spot_height")),
    done("self_intersecting_ring.geojson", 1, "geometry.repaired", TODAY, options=BUILDING),
    done("self_intersecting_ring.geojson", 1, "geometry.repaired", TODAY, options=(*BUILDING, "--strict")),
    done("survey_dangling_number", 6, "survey.number_unknown", TODAY),
    done("survey_depth_of_90m", 7, "survey.depth_impossible", TODAY),
    done("survey_duplicated_number", 7, "survey.point_number_repeated", TODAY),
    done("survey_nan_coordinates", 2, "survey.coordinates_missing", "survey.line_lost_point", TODAY),
    refused("survey_swapped_axes", "survey.axes_swapped", *CRS),
    refused("survey_zone_prefixed", "survey.zone_prefix", *CRS),
    refused("text_pretending_to_be.dxf", "dxf.not_dxf", *CRS),
    refused("truncated.dxf", "dxf.truncated", *CRS),
    refused("wrong_type.shp", "vector.not_recognised", *BUILDING),
    refused("zero_bytes.geojson", "vector.zero_bytes", *BUILDING),
]  # fmt: skip
_COMPANIONS = {".shx", ".dbf", ".prj", ".cpg", ".md"}


def twin(town: Path, *arguments: str, lang: str = "en") -> "subprocess.CompletedProcess[str]":
    done = run_twin("--town", town, *arguments, environment={"TWIN_LANG": lang})
    assert "Traceback" not in done.stdout + done.stderr
    return done


def state(town: Path) -> str:
    """Return a hash of every row of every table of a store."""
    digest = hashlib.sha256()
    with sqlite3.connect(town / "store.gpkg") as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
            digest.update(name.encode())
            for row in db.execute(f'SELECT * FROM "{name}"'):
                digest.update(repr(row).encode())
    db.close()
    return digest.hexdigest()


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Path:
    """A town that holds the green areas of the samples already; each test works on a copy."""
    folder = tmp_path_factory.mktemp("seeded") / "town"
    init_town(folder, name="小镇", crs="EPSG:4548").store.close()
    assert twin(folder, "ingest", str(samples / "topo" / "shp" / "绿地面.shp")).returncode == 0
    return folder


@pytest.fixture
def town(seeded: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "town"
    shutil.copytree(seeded, copy)
    return copy


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "points.toml"
    path.write_text('[[layer]]\nfrom = "*"\nto = "pipe_point"\nfields = { survey_no = "id" }\n', "utf-8")
    return path


def test_every_broken_sample_is_in_the_table(samples: Path) -> None:
    there = {
        one.name
        for one in (samples / "broken").iterdir()
        if one.suffix not in _COMPANIONS and not one.name.startswith(".")
    }

    assert there == {case.sample for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_broken_sample_ends_as_it_should(case: Case, town: Path, samples: Path, mapping: Path) -> None:
    before = state(town)
    options = [str(mapping) if one == "MAPPING" else one for one in case.options]

    answer = twin(town, "ingest", str(samples / "broken" / case.sample), *options, "--json")

    assert answer.returncode == case.exit, answer.stdout + answer.stderr
    (outcome,) = json.loads(answer.stdout)
    if isinstance(case.rules, str):
        assert outcome["rule"] == case.rules
        assert outcome["source"].split(".")[0] in outcome["error"] or "points" in outcome["error"]
        assert outcome["error"].count(". ") >= 2, outcome["error"]
        assert state(town) == before
    else:
        assert outcome["error"] is None
        assert {one["rule"] for one in outcome["findings"]} - {"attributes.kept"} == case.rules, "columns are no fault"
        counts = outcome["counts"]
        assert counts["stored"] == case.stored
        assert counts["read"] == counts["stored"] + counts["quarantined"] + counts["decoration"]
        assert all(one["text"].count(". ") >= 1 and one["text"].endswith(".") for one in outcome["findings"])


def test_a_folder_of_broken_files_brings_in_what_can_be_and_names_what_cannot(town: Path, samples: Path) -> None:
    answer = twin(town, "ingest", str(samples / "broken"), *BUILDING, *CRS, lang="zh")

    assert answer.returncode == 1
    assert "missing_shx.shp（矢量文件）" in answer.stdout or "building_without_prj.shp（矢量文件）" in answer.stdout
    for name in ("bomb.zip", "zero_bytes.geojson", "truncated.dxf", "half.ifc", "wrong_type.shp"):
        assert name in answer.stderr
    status = json.loads(twin(town, "status", "--json").stdout)
    assert status["layers"]["building"]["features"] >= 3
    assert status["findings"]["error"] > 0


def test_an_archive_with_a_path_that_leads_out_is_refused_and_one_beside_it_comes_in(
    town: Path, samples: Path, tmp_path: Path
) -> None:
    evil, good = tmp_path / "evil.zip", tmp_path / "good.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../../escaped.geojson", "{}")
    with zipfile.ZipFile(good, "w") as archive:
        for part in (samples / "topo" / "shp").glob("停车场.*"):
            archive.write(part, f"数据/{part.name}")

    answer = twin(town, "ingest", str(evil), str(good), "--json")

    assert answer.returncode == 1
    outcomes = {one["source"]: one for one in json.loads(answer.stdout)}
    assert outcomes["evil.zip"]["rule"] == "source.zip_path"
    assert outcomes["停车场.shp"]["counts"]["features"] == {"car_park": 38}
    assert not list(tmp_path.rglob("escaped.geojson"))


def test_a_wrong_call_exits_2_and_touches_nothing(town: Path, tmp_path: Path, samples: Path) -> None:
    before = state(town)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[layer]]\nfrom = "*"\nto = "building"\nfields = { colour = "c" }\n', "utf-8")
    sample = str(samples / "broken" / "missing_shx.shp")
    calls = {
        "There is no file": ("ingest", str(tmp_path / "nowhere.shp")),
        "neither a layer nor a kind": ("ingest", sample, "--as", "bilding"),
        "is not known": ("ingest", sample, "--crs", "EPSG:99999999"),
        "cannot be used: building: colour": ("ingest", sample, "--mapping", str(wrong)),
        "is not a date": ("ingest", sample, "--effective", "yesterday"),
    }
    for words, call in calls.items():
        answer = twin(town, *call)

        assert (answer.returncode, words in answer.stderr) == (2, True), answer.stderr
    assert state(town) == before
