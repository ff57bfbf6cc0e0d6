"""Coordinates that are not where their CRS puts them: the cause is named, and the remedy that is named works."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from ingest.coordinates import coordinates_of
from ingest.draft import Draft, ReadOptions
from ingest.mapping import read_mapping
from ingest.readers import reader_of
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.crs import transform_xy
from twin_model.errors import CatalogueError, SourceRefused

CRS = "EPSG:4548"
EAST, NORTH = 618_100.0, 3_885_400.0
CATALOGUE = read_catalogue()
CAUSES = {
    "zone prefix": ([39_618_100, 3_885_400], "geometry.zone_prefix", "EPSG:4527", ""),
    "zone prefix of a neighbour": ([38_893_000, 3_890_000], "geometry.zone_prefix", "EPSG:4526", ""),
    "swapped axes": ([3_885_400, 618_100], "geometry.axes_swapped", CRS, 'axes = "north_east"'),
    "swapped axes with a zone prefix": (
        [3_885_400, 39_618_100],
        "geometry.axes_swapped",
        "EPSG:4527",
        'axes = "north_east"',
    ),
    "millimetres": ([618_100_000, 3_885_400_000], "geometry.wrong_unit", CRS, 'unit = "mm"'),
    "centimetres": ([61_810_000, 388_540_000], "geometry.wrong_unit", CRS, 'unit = "cm"'),
    "kilometres": ([618.1, 3885.4], "geometry.wrong_unit", CRS, 'unit = "km"'),
    "degrees": ([118.2955, 35.0935], "geometry.degrees", "EPSG:4490", ""),
    "degrees, latitude first": (
        [35.0935, 118.2955],
        "geometry.axes_swapped",
        "EPSG:4490",
        'axes = "north_east"',
    ),
    "nowhere": ([1e300, 1e300], "geometry.outside_crs", CRS, None),
}
"""What two points say, what is found, the CRS they fit, and what a mapping must say; None where nothing helps."""


def written(path: Path, *places: Any) -> Path:
    """Write points as GeoJSON that says it is in EPSG:4548."""
    frame = gpd.GeoDataFrame({"name": ["a"] * len(places)}, geometry=shapely.points(places), crs=CRS)
    frame.to_file(path, driver="GPKG", engine="pyogrio", layer="street_lamp")
    return path


def draft_of(path: Path, crs: str | None, options: str | None = None) -> tuple[dict[str, Any], list[Any], Any]:
    """Return counts, findings and places of what a file gives, read with a CRS and a mapping's coordinates."""
    mapping = None
    if options:
        office = path.with_suffix(".toml")
        office.write_text(f"[options.coordinates]\n{options}\n", "utf-8")
        mapping = read_mapping(office)
    asked = ReadOptions(crs=crs, mapping=mapping)
    with Draft(Source(path.name, "0" * 64), CATALOGUE, storage_crs=CRS, coordinates=coordinates_of(mapping)) as draft:
        reader_of(path, asked).read(path, draft, asked)
        draft.to_changeset(author="test", reason="test")
        frames = [frame for _, frame in draft.frames()]
    return draft.counts.to_dict(), draft.findings, frames[0].geometry if frames else None


def test_every_cause_is_named_with_the_crs_that_fits_and_its_remedy_stores_the_rows(tmp_path: Path) -> None:
    for number, (name, (place, rule, likely, remedy)) in enumerate(CAUSES.items()):
        path = written(tmp_path / f"{number}.gpkg", place, [place[0] + 0.0001, place[1]])

        with pytest.raises(SourceRefused) as refusal:
            draft_of(path, None)

        assert (refusal.value.rule_id, refusal.value.values["likely"]) == (rule, likely), name
        assert (refusal.value.values["count"], refusal.value.values["total"]) == (2, 2), name
        if remedy is None:
            continue
        assert remedy.split(" = ")[0] in str(refusal.value), name
        counts, findings, places = draft_of(path, likely, remedy)
        assert counts["stored"] == 2, (name, findings)
        assert abs(places.x[0] - EAST) < 1500 and abs(places.y[0] - NORTH) < 12_000, (name, places)


def test_rows_that_are_wrong_among_good_ones_are_set_aside_with_one_finding_a_cause(tmp_path: Path) -> None:
    good = [[EAST + n, NORTH] for n in range(5)]
    path = written(tmp_path / "lamps.gpkg", *good, [39_618_100, NORTH], [39_618_101, NORTH], [NORTH, EAST])

    counts, findings, _ = draft_of(path, None)

    assert (counts["stored"], counts["quarantined"]) == (5, 3)
    placed = [(one.rule, one.values["count"], len(one.raw["records"])) for one in findings if one.raw]
    assert placed == [("geometry.zone_prefix", 2, 2), ("geometry.axes_swapped", 1, 1)]


def test_a_place_elsewhere_in_the_world_is_stored_with_one_warning_and_kept_where_a_person_says_so(
    tmp_path: Path,
) -> None:
    x, y = (float(one[0]) for one in transform_xy(np.array([110.0]), np.array([30.0]), "OGC:CRS84", CRS))
    elsewhere = written(tmp_path / "elsewhere.gpkg", [x, y], [x + 5, y])
    local = written(tmp_path / "local.gpkg", [18_100, 85_400])
    kilometres = written(tmp_path / "kilometres.gpkg", [618.1, 3885.4])

    for path, options in ((elsewhere, None), (local, None), (kilometres, "anywhere = true")):
        counts, findings, _ = draft_of(path, None, options)

        assert counts["quarantined"] == 0
        assert [one.rule for one in findings if one.rule.startswith("geometry")] == ["geometry.outside_area"]


def test_what_a_local_grid_lacks_is_given_as_its_offset(tmp_path: Path) -> None:
    path = written(tmp_path / "local.gpkg", [18_100, 85_400])

    _, findings, _ = draft_of(path, None)
    counts, again, places = draft_of(path, None, "offset = [600000, 3800000]")

    assert any("offset = [east, north]" in one.text("en") for one in findings)
    assert (counts["stored"], [one for one in again if one.rule.startswith("geometry")]) == (1, [])
    assert (places.x[0], places.y[0]) == (EAST, NORTH)


def test_an_epanet_network_in_millimetres_is_refused_and_read_in_its_unit(tmp_path: Path) -> None:
    path = tmp_path / "net.inp"
    path.write_text(
        "[JUNCTIONS]\n1 10\n2 11\n[PIPES]\np 1 2 100 200 100\n[OPTIONS]\nUNITS LPS\n"
        "[COORDINATES]\n1 500000000 3400000000\n2 500100000 3400000000\n[END]\n"
    )

    with pytest.raises(SourceRefused, match='are in mm, such as .* set unit = "mm"'):
        draft_of(path, CRS)
    assert draft_of(path, CRS, 'unit = "mm"')[0]["quarantined"] == 0


def test_a_mapping_that_says_what_means_nothing_is_refused() -> None:
    class Office:
        name = "office"
        options = {"coordinates": {"unit": "foot"}}  # noqa: RUF012

    with pytest.raises(CatalogueError, match="foot"):
        coordinates_of(Office())
