"""Coordinates that are not where their CRS puts them: the cause is named, and the remedy that is named works."""

from pathlib import Path
from typing import Any

import ezdxf
import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from ingest.coordinates import coordinates_of
from ingest.draft import Draft, ReadOptions
from ingest.mapping import read_mapping
from ingest.place import TownPlace, causes_of, far_from_town, place_of
from ingest.readers import reader_of
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.crs import transform_xy
from twin_model.errors import CatalogueError, SourceRefused
from twin_model.town import init_town
from twin_model.versioning import commit

CRS = "EPSG:4548"
NEW_TOWN = TownPlace(CRS, is_real=True)
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
    "a local grid": ([18_100, 85_400], "geometry.local_grid", CRS, "offset = [600000, 3800000]"),
    "nowhere": ([1e300, 1e300], "geometry.outside_crs", CRS, None),
}
"""What two points say, what is found, the CRS they fit, and what a mapping must say; None where nothing helps."""


def written(path: Path, *places: Any) -> Path:
    """Write points as GeoJSON that says it is in EPSG:4548."""
    frame = gpd.GeoDataFrame({"name": ["a"] * len(places)}, geometry=shapely.points(places), crs=CRS)
    frame.to_file(path, driver="GPKG", engine="pyogrio", layer="street_lamp")
    return path


def draft_of(
    path: Path, crs: str | None, options: str | None = None, kind: str | None = None
) -> tuple[dict[str, Any], list[Any], Any]:
    """Return counts, findings and places of what a file gives, read with a CRS and a mapping's coordinates."""
    mapping = None
    if options:
        office = path.with_suffix(".toml")
        office.write_text(f"[options.coordinates]\n{options}\n", "utf-8")
        mapping = read_mapping(office)
    asked = ReadOptions(kind=kind, crs=crs, mapping=mapping)
    with Draft(
        Source(path.name, "0" * 64), CATALOGUE, storage_crs=CRS, coordinates=coordinates_of(mapping), town=NEW_TOWN
    ) as draft:
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


def test_a_place_elsewhere_in_the_world_is_stored_with_one_warning_that_says_where(tmp_path: Path) -> None:
    x, y = (float(one[0]) for one in transform_xy(np.array([110.0]), np.array([30.0]), "OGC:CRS84", CRS))
    elsewhere = written(tmp_path / "elsewhere.gpkg", [EAST, NORTH], [EAST + 1, NORTH], [x, y], [x + 5, y])

    counts, findings, _ = draft_of(elsewhere, None)

    (finding,) = [one for one in findings if one.rule.startswith("geometry")]
    assert (counts["quarantined"], finding.rule, finding.values["count"]) == (0, "geometry.outside_area", 2)
    assert finding.point == pytest.approx((x, y))
    assert "110° E to 110.0001° E" in finding.text("en") and "the first at fid 3" in finding.text("en")


def test_what_has_no_likely_place_is_stored_where_a_person_says_that_it_is_right(tmp_path: Path) -> None:
    for name, place in (("local", [18_100, 85_400]), ("kilometres", [618.1, 3885.4])):
        path = written(tmp_path / f"{name}.gpkg", place)

        counts, findings, _ = draft_of(path, None, "anywhere = true")

        assert counts["quarantined"] == 0
        assert [one.rule for one in findings if one.rule.startswith("geometry")] == ["geometry.outside_area"]


TOWN = TownPlace(CRS, (118.28, 35.05, 118.34, 35.12), is_real=True)
"""The town once it holds something: only what lies near it is where it should be."""


def test_what_the_town_holds_tells_a_neighbouring_zone_from_the_town_s_own() -> None:
    places = {
        EAST: None,
        EAST + 30_000.0: None,  # the town may grow
        EAST - 273_070.0: "EPSG:4549",  # as its neighbour counts, at the border of the town's zone
        EAST - 150_000.0: None,  # another place of the same zone, which nothing explains
    }

    causes = causes_of(np.array([*places]), np.full(len(places), NORTH), CRS, TOWN)

    assert [one and one.crs for one in causes] == [*places.values()]
    assert causes[2] is not None and causes[2].rule == "geometry.wrong_zone"
    assert causes_of(np.array([EAST - 263_000.0]), np.array([NORTH]), CRS, TownPlace(CRS)) == [None]
    assert far_from_town(np.array([*places]), np.full(4, NORTH), CRS, TOWN).tolist() == [False, False, True, True]


@given(st.floats(-4000, 4000), st.floats(-4000, 4000), st.sampled_from([NEW_TOWN, TOWN]))
def test_no_place_in_the_town_has_a_cause_and_each_way_of_misplacing_it_is_named(
    east: float, north: float, town: TownPlace
) -> None:
    x, y = np.array([EAST + east]), np.array([NORTH + north])
    mistakes: dict[str, tuple[Any, Any, str]] = {
        "geometry.zone_prefix": (x + 39e6, y, "EPSG:4527"),
        "geometry.axes_swapped": (y, x, CRS),
        "geometry.wrong_unit": (x * 1000, y * 1000, CRS),
        "geometry.degrees": (*transform_xy(x, y, CRS, "EPSG:4490"), "EPSG:4490"),
        "geometry.local_grid": (x - 600_000, y - 3_800_000, CRS),
    }

    assert causes_of(x, y, CRS, town) == [None]
    for rule, (wrong_x, wrong_y, likely) in mistakes.items():
        (cause,) = causes_of(wrong_x, wrong_y, CRS, town)
        assert cause is not None and (cause.rule, cause.crs) == (rule, likely)
    (lacking,) = causes_of(x, y, "EPSG:4527", town)
    assert lacking is not None and (lacking.rule, lacking.crs) == ("geometry.zone_prefix", CRS)
    (metres,) = causes_of(x + 39e6, y, "EPSG:4490", town)
    assert metres is not None and (metres.rule, metres.crs) == ("geometry.metres", "EPSG:4527")


def test_every_reader_asks_the_same_rule(tmp_path: Path) -> None:
    x, y = 39_618_100.0, 3_885_400.0
    written(tmp_path / "lamps.gpkg", [x, y], [x + 1, y])
    collection = gpd.read_file(tmp_path / "lamps.gpkg")
    collection.to_file(tmp_path / "street_lamp.shp", engine="pyogrio")
    collection.to_file(tmp_path / "street_lamp.gml", driver="GML", engine="pyogrio")
    (tmp_path / "net.inp").write_text(
        f"[JUNCTIONS]\n1 10\n2 11\n[PIPES]\np 1 2 100 200 100\n[COORDINATES]\n1 {x} {y}\n2 {x + 1} {y}\n[END]\n"
    )
    (tmp_path / "JSPOINT.csv").write_text(f"物探点号,X,Y,地面高程\nJ1,{y},{x},10\nJ2,{y},{x + 1},10\n", "utf-8")
    drawing = ezdxf.new()
    for n in range(2):
        drawing.modelspace().add_point((x + n, y))
    drawing.saveas(tmp_path / "lamps.dxf")

    for name in ("lamps.gpkg", "street_lamp.shp", "street_lamp.gml", "net.inp", "JSPOINT.csv", "lamps.dxf"):
        with pytest.raises(SourceRefused) as refusal:
            draft_of(tmp_path / name, CRS, kind="street_lamp" if name.endswith("dxf") else None)

        assert refusal.value.rule_id.split(".")[1] == "zone_prefix", name
        assert refusal.value.values["likely"] == "EPSG:4527", name
        assert "--crs EPSG:4527" in str(refusal.value) and "--crs EPSG:4527" in refusal.value.text("zh"), name


def test_a_survey_is_read_in_the_unit_a_mapping_says_and_refused_without(tmp_path: Path) -> None:
    path = tmp_path / "JSPOINT.csv"
    path.write_text("物探点号,X,Y,地面高程\nJ1,3885400000,618100000,10\nJ2,3885400000,618105000,10\n", "utf-8")

    with pytest.raises(SourceRefused, match='set unit = "mm"'):
        draft_of(path, CRS)
    counts, _, places = draft_of(path, CRS, 'unit = "mm"')

    assert (counts["quarantined"], places.x[0]) == (0, EAST)


def test_a_place_on_the_globe_that_the_town_s_system_cannot_hold_is_said_of_that_system(tmp_path: Path) -> None:
    path = tmp_path / "street_lamp.geojson"
    gpd.GeoDataFrame({}, geometry=[shapely.Point(31.46, 3.66)] * 2, crs=4326).to_file(path, engine="pyogrio")

    with pytest.raises(SourceRefused, match=f"cannot be brought to {CRS}, the CRS of the town") as refusal:
        draft_of(path, None)

    assert refusal.value.rule_id == "geometry.outside_storage"


def test_an_older_town_whose_layer_reaches_too_far_is_judged_by_its_other_layers(tmp_path: Path) -> None:
    with init_town(tmp_path / "town", name="t", crs=CRS) as town:
        assert place_of(town.store) == TownPlace(CRS, is_real=True)
        for layer, x in (("street_lamp", EAST), ("camera", EAST + 500), ("manhole", EAST - 200_000.0)):
            frame = gpd.GeoDataFrame({}, geometry=shapely.points([[x, NORTH, 1], [x + 9, NORTH, 1]]), crs=CRS)
            with Draft(Source("a", "0" * 64), town.catalogue, storage_crs=CRS) as draft:
                draft.add(layer, frame)
                commit(town.store, draft.to_changeset(author="test", reason="test"))

        box = place_of(town.store).box

    assert box is not None
    assert box == pytest.approx((118.2944, 35.0936, 118.3001, 35.0937), abs=0.01)


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
