"""Which CRS a source is read in: what it states, what the caller names, and who wins; nothing is guessed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ezdxf
import geopandas as gpd
import pytest
import shapely

from ingest.coordinates import coordinates_of
from ingest.draft import Draft, ReadOptions
from ingest.mapping import Mapping
from ingest.place import TownPlace
from ingest.readers import reader_of
from twin_model.box import Box
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import SourceRefused
from twin_model.finding import Finding
from twin_model.local_grid import LocalGrid

CATALOGUE = read_catalogue()
EAST, NORTH = 400_000.0, 3_885_900.0
"""A place of a town that is stored in EPSG:4549, for no message may name EPSG:4548 out of habit."""


def draft_of(path: Path, box: Box | None = None, **options: Any) -> tuple[list[Finding], dict[str, Any], Any]:
    """Return findings, details of the changeset and geometries of a file, in a town stored in EPSG:4549."""
    asked = ReadOptions(kind="street_lamp", **options)
    place = TownPlace("EPSG:4549", box, is_real=True)
    meant = coordinates_of(asked.mapping)
    with Draft(Source(path.name, "0" * 64), CATALOGUE, storage_crs=place.crs, town=place, coordinates=meant) as draft:
        reader_of(path, asked).read(path, draft, asked)
        changeset = draft.to_changeset(author="test", reason="test")
        return list(changeset.findings), dict(changeset.counts), next(draft.frames())[1].geometry


def lamps(path: Path, east: float = EAST, crs: str | None = "EPSG:4549") -> Path:
    gpd.GeoDataFrame(geometry=shapely.points([[east, NORTH], [east + 5, NORTH]]), crs=crs).to_file(
        path, engine="pyogrio"
    )
    return path


def drawing(path: Path, east: float) -> Path:
    document = ezdxf.new()
    document.modelspace().add_point((east, NORTH))
    document.saveas(path)
    return path


def network(path: Path, east: float) -> Path:
    path.write_text(f"[JUNCTIONS]\n1 10\n[PIPES]\n[COORDINATES]\n1 {east} {NORTH}\n[END]\n")
    return path


def survey(path: Path, east: float) -> Path:
    path.write_text(f"物探点号,X,Y,地面高程\nJ1,{NORTH},{east},10\n", "utf-8")
    return path


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda path, east: lamps(path, east, None), "a.shp"),
        (drawing, "a.dxf"),
        (network, "a.inp"),
        (survey, "JSPOINT.csv"),
    ],
)
def test_a_source_without_crs_is_refused_with_the_systems_that_its_numbers_fit(
    make: Callable[[Path, float], Path], name: str, tmp_path: Path
) -> None:
    for east, likely in ((EAST, "EPSG:4549"), (EAST + 40e6, "EPSG:4528")):
        path = make(tmp_path / f"{east:.0f}{name}", east)

        with pytest.raises(SourceRefused) as refusal:
            draft_of(path)

        assert refusal.value.rule_id == "source.no_crs"
        assert refusal.value.values["likely"][:1] == [likely]
        for text in (str(refusal.value), refusal.value.text("zh")):
            assert text.rstrip(".").endswith(f"twin ingest {path.name} --crs {likely}")
            assert "EPSG:4548" not in text and "margin" not in text and "注记" not in text
        if not name.startswith("JS"):
            assert len(draft_of(path, crs=likely)[2]) >= 1, "the remedy works"

    path = make(tmp_path / f"local{name}", 1.0)
    with pytest.raises(SourceRefused) as refusal:
        draft_of(path)
    assert refusal.value.rule_id == "source.no_crs_elsewhere"
    for text in (str(refusal.value), refusal.value.text("zh")):
        assert "--crs EPSG" not in text and "georeference --control" in text and "offset = [" in text


def test_a_source_without_crs_whose_numbers_fit_another_way_names_it_and_the_remedy_reads_it(tmp_path: Path) -> None:
    for factor, swapped, rule, option in (
        (1.0, True, "source.no_crs_swapped", {"axes": "north_east"}),
        (1000.0, False, "source.no_crs_unit", {"unit": "mm"}),
    ):
        east, north = EAST * factor, NORTH * factor
        at = [[north, east]] if swapped else [[east, north]]
        path = tmp_path / f"{rule}.shp"
        gpd.GeoDataFrame(geometry=shapely.points(at)).to_file(path, engine="pyogrio")
        remedy = Mapping("remedy", (), options={"coordinates": option})

        with pytest.raises(SourceRefused) as refusal:
            draft_of(path)

        assert (refusal.value.rule_id, refusal.value.values["likely"]) == (rule, "EPSG:4549")
        assert str(next(iter(option.values()))) in str(refusal.value)
        assert draft_of(path, crs="EPSG:4549", mapping=remedy)[2].x[0] == pytest.approx(EAST)


def test_a_source_without_crs_is_proposed_the_local_grid_in_which_its_numbers_lie(tmp_path: Path) -> None:
    grid = LocalGrid("north", "similarity", "EPSG:4549", "", (500.0, 800.0), (1.0, 0.0, EAST, NORTH))
    far = replace(grid, name="far", origin=(900_000.0, 800.0))
    place = TownPlace("EPSG:4549", is_real=True, grids=(far, grid))
    path = tmp_path / "local.shp"
    gpd.GeoDataFrame(geometry=shapely.points([[510.0, 790.0]])).to_file(path, engine="pyogrio")

    draft = Draft(Source(path.name, "0" * 64), CATALOGUE, storage_crs=place.crs, town=place)
    with draft, pytest.raises(SourceRefused) as refusal:
        reader_of(path, ReadOptions()).read(path, draft, ReadOptions(kind="street_lamp"))

    assert refusal.value.values["likely"] == ["local:north"]
    assert str(refusal.value).endswith("twin ingest local.shp --crs local:north")


def test_what_a_file_states_holds_against_crs_until_crs_wins(tmp_path: Path) -> None:
    path = lamps(tmp_path / "a.gpkg", EAST)

    kept, told, places = draft_of(path, crs="EPSG:4490")
    (finding,) = [one for one in kept if one.rule == "vector.crs_kept"]
    with pytest.raises(SourceRefused):
        draft_of(path, crs="EPSG:4490", crs_wins=True)

    assert (places.x[0], "crs_wins" in told) == (EAST, False)
    for text in (finding.text("en"), finding.text("zh")):
        assert "EPSG:4549" in text and "--crs EPSG:4490 --crs-wins" in text


def test_crs_wins_reads_in_the_system_named_and_is_noted_in_the_changeset(tmp_path: Path) -> None:
    path = lamps(tmp_path / "a.gpkg", 700_000.0, "EPSG:4548")

    stated, asked = draft_of(path), draft_of(path, crs="EPSG:32650", crs_wins=True)

    assert asked[1]["crs_wins"] == "EPSG:4548 -> EPSG:32650"
    assert asked[2].y[0] - stated[2].y[0] == pytest.approx(0.0004 * NORTH, rel=0.1), "UTM is smaller by 0.9996"
    assert [one.rule for one in asked[0] if one.rule.startswith("vector")] == ["vector.crs_won"]


def test_a_remedy_also_works_far_from_what_the_town_holds(tmp_path: Path) -> None:
    path, elsewhere = lamps(tmp_path / "a.gpkg", EAST + 40e6, "EPSG:4549"), (120.5, 33.0, 120.6, 33.1)

    with pytest.raises(SourceRefused, match="read the file with --crs EPSG:4528"):
        draft_of(path, elsewhere)
    findings, _, places = draft_of(path, elsewhere, crs="EPSG:4528")

    assert places.x[0] == pytest.approx(EAST)
    assert "geometry.far_from_town" in [one.rule for one in findings]


def test_a_crs_that_alone_brings_the_file_into_the_town_wins_without_being_asked(tmp_path: Path) -> None:
    path = lamps(tmp_path / "a.gpkg", EAST + 40e6, "EPSG:4549")

    findings, details, places = draft_of(path, crs="EPSG:4528")

    assert (places.x[0], details["crs_wins"]) == (pytest.approx(EAST), "EPSG:4549 -> EPSG:4528")
    assert "vector.crs_overruled" in [one.rule for one in findings]
