"""Where a model stands: map conversions with their units and contradictions, checked on models authored here."""

import json
import math
from pathlib import Path
from typing import Any

import geopandas as gpd
import ifcopenshell
import ifcopenshell.guid
import numpy as np
import pyproj
import pytest
import shapely

from ingest.coordinates import AS_THEY_ARE, Coordinates
from ingest.draft import Draft, ReadOptions
from ingest.ifc.reader import read_ifc
from ingest.mapping import Mapping
from twin_model.building.mesh import Mesh, matrix_of
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.local_grid import Control, LocalGrid, fit_grid

EAST, NORTH, HEIGHT = 618_500.0, 3_886_000.0, 62.5
SIZE = (4.0, 2.0, 3.0)


def author(
    path: Path, *, schema: str = "IFC4", prefix: str | None = "MILLI", at: tuple[float, float, float] = (10.0, 5.0, 1.0),
    conversion: dict[str, Any] | None = None, crs: str = "EPSG:4548", map_unit: float | None = 1.0,
    latitude: tuple[int, ...] | None = None, longitude: tuple[int, ...] | None = None, units: bool = True, twice: bool = False,
) -> Path:  # fmt: skip
    """Write a model of one box, 4 x 2 x 3 m, its corner at `at` (metres), lengths in metres or millimetres."""
    f = ifcopenshell.file(schema=schema)
    per_metre = 1000.0 if prefix == "MILLI" and units else 1.0

    def point(*xyz: float) -> Any:
        return f.createIfcCartesianPoint([float(one) * per_metre for one in xyz])

    length = f.createIfcSIUnit(None, "LENGTHUNIT", prefix, "METRE")
    axes = f.createIfcAxis2Placement3D(point(0, 0, 0), None, None)
    context = f.createIfcGeometricRepresentationContext(None, "Model", 3, 1e-5, axes, None)
    named = f.createIfcUnitAssignment(
        [length] if units else [f.createIfcSIUnit(None, "AREAUNIT", None, "SQUARE_METRE")]
    )
    project = f.create_entity(
        "IfcProject",
        GlobalId=ifcopenshell.guid.new(),
        Name="box",
        RepresentationContexts=[context],
        UnitsInContext=named,
    )
    site = f.create_entity(
        "IfcSite", GlobalId=ifcopenshell.guid.new(), Name="site", RefLatitude=latitude, RefLongitude=longitude
    )
    storey = f.create_entity(
        "IfcBuildingStorey",
        GlobalId=ifcopenshell.guid.new(),
        Name="1F",
        Elevation=0.0,
        ObjectPlacement=f.createIfcLocalPlacement(None, axes),
    )
    profile = f.createIfcArbitraryClosedProfileDef("AREA", None, f.createIfcPolyline(
        [f.createIfcCartesianPoint([x * per_metre, y * per_metre]) for x, y in ((0, 0), (4, 0), (4, 2), (0, 2), (0, 0))]))  # fmt: skip
    solid = f.createIfcExtrudedAreaSolid(profile, axes, f.createIfcDirection([0.0, 0.0, 1.0]), SIZE[2] * per_metre)
    body = f.createIfcProductDefinitionShape(
        None, None, [f.createIfcShapeRepresentation(context, "Body", "SweptSolid", [solid])]
    )
    boxes = []
    for nth in range(2 if twice else 1):
        place = f.createIfcLocalPlacement(
            None, f.createIfcAxis2Placement3D(point(at[0] + 10 * nth, at[1], at[2]), None, None)
        )
        boxes.append(
            f.create_entity(
                "IfcBuildingElementProxy",
                GlobalId="0123456789012345678901" if twice else ifcopenshell.guid.new(),
                Name=f"box {nth}",
                ObjectPlacement=place,
                Representation=body,
            )
        )
    f.create_entity("IfcRelAggregates", GlobalId=ifcopenshell.guid.new(), RelatingObject=project, RelatedObjects=[site])
    f.create_entity("IfcRelAggregates", GlobalId=ifcopenshell.guid.new(), RelatingObject=site, RelatedObjects=[storey])
    f.create_entity(
        "IfcRelContainedInSpatialStructure",
        GlobalId=ifcopenshell.guid.new(),
        RelatedElements=boxes,
        RelatingStructure=storey,
    )
    if conversion is not None and schema == "IFC2X3":
        _property_sets(f, site, conversion, crs)
    elif conversion is not None:
        unit = {
            None: None,
            1.0: f.createIfcSIUnit(None, "LENGTHUNIT", None, "METRE"),
            0.001: f.createIfcSIUnit(None, "LENGTHUNIT", "MILLI", "METRE"),
        }[map_unit]
        target = f.create_entity("IfcProjectedCRS", Name=crs, MapUnit=unit)
        f.create_entity(conversion.pop("entity", "IfcMapConversion"), SourceCRS=context, TargetCRS=target, **conversion)
    f.write(str(path))
    return path


def _property_sets(f: Any, site: Any, conversion: dict[str, Any], crs: str) -> None:
    for name, values in (
        ("ePset_MapConversion", conversion),
        ("ePset_ProjectedCRS", {"Name": crs, "MapUnit": "METRE"}),
    ):
        singles = [
            f.createIfcPropertySingleValue(
                key, None, f.createIfcReal(v) if isinstance(v, float) else f.createIfcLabel(v), None
            )
            for key, v in values.items()
        ]
        definition = f.create_entity(
            "IfcPropertySet", GlobalId=ifcopenshell.guid.new(), Name=name, HasProperties=singles
        )
        f.create_entity(
            "IfcRelDefinesByProperties",
            GlobalId=ifcopenshell.guid.new(),
            RelatedObjects=[site],
            RelatingPropertyDefinition=definition,
        )


class Read:
    """What one read left in the draft: frames by layer, findings by rule, meshes by digest."""

    def __init__(
        self,
        path: Path,
        options: ReadOptions | None = None,
        storage_crs: str = "EPSG:4548",
        coordinates: Coordinates = AS_THEY_ARE,
    ) -> None:
        source = Source(path.name, "0" * 64)
        with Draft(source, read_catalogue(), storage_crs=storage_crs, coordinates=coordinates) as draft:
            read_ifc(path, draft, options or ReadOptions())
            self.frames: dict[str, gpd.GeoDataFrame] = {layer: frame for layer, frame in draft.frames() if len(frame)}
            self.blobs = dict(draft.stored_blobs())
            self.rules = {finding.rule for finding in draft.findings}
            self.texts = {finding.rule: (finding.text("en"), finding.text("zh")) for finding in draft.findings}
            self.counts = draft.counts

    @property
    def model(self) -> Any:
        return self.frames["bim_model"].iloc[0]

    def corners(self) -> np.ndarray:
        """Return the vertices of the first element in projected metres."""
        row = self.frames["bim_element"].iloc[0]
        return Mesh.from_bytes(self.blobs[row["mesh"]]).placed(matrix_of(row["matrix"]))


def box_by_hand(
    at: tuple[float, float, float] = (10.0, 5.0, 1.0), degrees: float = 30.0, scale: float = 1.0
) -> np.ndarray:
    """Return the corners of the box in the map: scaled, turned counter-clockwise, moved (the formula of IfcMapConversion)."""
    corners = []
    for dx in (0.0, SIZE[0]):
        for dy in (0.0, SIZE[1]):
            for dz in (0.0, SIZE[2]):
                x, y, z = (at[0] + dx) * scale, (at[1] + dy) * scale, (at[2] + dz) * scale
                cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
                corners.append((EAST + cos * x - sin * y, NORTH + sin * x + cos * y, HEIGHT + z))
    return np.array(corners)


def same_points(found: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    """Say whether each expected point is found, and nothing else."""
    distance = np.linalg.norm(found[:, None] - expected[None], axis=2)
    return bool(distance.min(axis=0).max() <= tolerance and distance.min(axis=1).max() <= tolerance)


def turned(degrees: float = 30.0, **more: Any) -> dict[str, Any]:
    angle = math.radians(degrees)
    return {
        "Eastings": EAST,
        "Northings": NORTH,
        "OrthogonalHeight": HEIGHT,
        "XAxisAbscissa": math.cos(angle),
        "XAxisOrdinate": math.sin(angle),
    } | more


def test_a_model_turned_by_30_degrees_lands_where_the_formula_says(tmp_path: Path) -> None:
    path = author(tmp_path / "turned.ifc", conversion=turned(Scale=0.001))

    read = Read(path)

    assert same_points(read.corners(), box_by_hand(), 1e-6)
    element = read.frames["bim_element"].iloc[0]
    expected = shapely.convex_hull(shapely.multipoints(box_by_hand()[:, :2]))
    assert shapely.hausdorff_distance(shapely.force_2d(element.geometry), expected) < 1e-6
    assert (element["bottom"], element["top"]) == pytest.approx((HEIGHT + 1.0, HEIGHT + 4.0))
    assert shapely.get_coordinates(element.geometry, include_z=True)[:, 2] == pytest.approx(HEIGHT + 1.0)
    assert read.model["placement"] == "map_conversion"
    assert read.model["georeference"] == "50"
    assert element["storey"] == "1F"


@pytest.mark.parametrize(
    ("prefix", "map_unit", "numbers", "scale", "rule"),
    [
        (None, 1.0, 1.0, None, None),
        (None, None, 1.0, 1.0, None),
        ("MILLI", 0.001, 1000.0, 1.0, None),
        ("MILLI", None, 1000.0, None, None),
        ("MILLI", 1.0, 1.0, None, "ifc.scale_units"),
        ("MILLI", 1.0, 1.0, 1.0, "ifc.scale_units"),
        ("MILLI", 1.0, 1000.0, 0.001, "ifc.map_unit"),
        ("MILLI", None, 1.0, None, "ifc.map_unit"),
        (None, 1.0, 1.0, 17.0, "ifc.scale_unlikely"),
    ],
)
def test_every_way_of_writing_units_lands_at_one_place_and_contradictions_are_said(
    tmp_path: Path,
    prefix: str | None,
    map_unit: float | None,
    numbers: float,
    scale: float | None,
    rule: str | None,
) -> None:
    conversion = turned(Scale=scale) | {
        "Eastings": EAST * numbers,
        "Northings": NORTH * numbers,
        "OrthogonalHeight": HEIGHT * numbers,
    }
    path = author(tmp_path / "units.ifc", prefix=prefix, map_unit=map_unit, conversion=conversion)

    read = Read(path)

    assert same_points(read.corners(), box_by_hand(), 1e-6)
    said = read.rules & {"ifc.scale_units", "ifc.map_unit", "ifc.scale_unlikely", "ifc.conversion_outside"}
    assert said == {rule} - {None}


def test_a_grid_scale_stretches_the_model_about_its_origin(tmp_path: Path) -> None:
    path = author(tmp_path / "scaled.ifc", prefix=None, conversion=turned(Scale=1.000173))

    read = Read(path)

    assert same_points(read.corners(), box_by_hand(scale=1.000173), 1e-6)


def test_property_sets_of_ifc2x3_place_a_model_like_a_map_conversion(tmp_path: Path) -> None:
    path = author(tmp_path / "old.ifc", schema="IFC2X3", prefix=None, conversion=turned(Scale=1.0))

    read = Read(path)

    assert same_points(read.corners(), box_by_hand(), 1e-6)
    assert read.model["schema"] == "IFC2X3"


def test_a_rigid_operation_of_ifc4x3_moves_without_turning(tmp_path: Path) -> None:
    path = author(tmp_path / "rigid.ifc", schema="IFC4X3_ADD2", prefix=None, conversion=turned())
    text = path.read_text().replace("IFCMAPCONVERSION(", "IFCRIGIDOPERATION(")
    lines = [_as_rigid(line) if "IFCRIGIDOPERATION" in line else line for line in text.splitlines()]
    path.write_text("\n".join(lines))

    read = Read(path)

    assert same_points(read.corners(), box_by_hand(degrees=0.0), 1e-6)


def _as_rigid(line: str) -> str:
    head = line.split("(", 1)[0]
    source, target = line.split("(", 1)[1].split(",")[:2]
    return f"{head}({source},{target},IFCLENGTHMEASURE({EAST}),IFCLENGTHMEASURE({NORTH}),{HEIGHT});"


def test_a_model_in_the_neighbouring_zone_is_brought_to_the_storage_crs_within_a_millimetre(
    tmp_path: Path,
) -> None:
    to_next = pyproj.Transformer.from_crs("EPSG:4548", "EPSG:4549", always_xy=True)
    east, north = to_next.transform(EAST, NORTH)
    conversion = turned() | {"Eastings": east, "Northings": north}
    path = author(
        tmp_path / "next_zone.ifc",
        prefix=None,
        crs="EPSG:4549",
        at=(300.0, 200.0, 1.0),
        conversion=conversion,
    )
    moved = box_by_hand((300.0, 200.0, 1.0)) - (EAST, NORTH, 0.0) + (east, north, 0.0)
    x, y = to_next.transform(moved[:, 0], moved[:, 1], direction="INVERSE")

    read = Read(path)

    assert same_points(read.corners(), np.column_stack((x, y, moved[:, 2])), 1e-3)


def test_a_mapping_places_a_model_that_says_nothing_of_its_place(tmp_path: Path) -> None:
    path = author(tmp_path / "lost.ifc")
    given = {"placement": {"east": EAST, "north": NORTH, "height": HEIGHT, "rotation": 30.0}}

    read = Read(path, ReadOptions(mapping=Mapping("town", (), options=given)))

    assert same_points(read.corners(), box_by_hand(), 1e-6)
    assert read.model["placement"] == "mapping"


def test_a_model_without_place_is_kept_in_its_own_metres_without_geometry(tmp_path: Path) -> None:
    read = Read(author(tmp_path / "lost.ifc"))

    assert read.model["placement"] == "none"
    assert all(frame.geometry.isna().all() for frame in read.frames.values())
    assert same_points(read.corners(), box_by_hand(degrees=0.0) - (EAST, NORTH, HEIGHT), 1e-9)
    assert "ifc.no_placement" not in read.texts, "it is told once, with size and command"
    assert "twin place" in read.texts["ifc.unplaced"][0] and "LoGeoRef" in read.texts["ifc.unplaced"][0]
    assert "twin place" in read.texts["ifc.unplaced"][1]


def test_coordinates_that_are_projected_already_are_taken_with_the_crs_the_caller_names(
    tmp_path: Path,
) -> None:
    path = author(tmp_path / "big.ifc", prefix=None, at=(EAST, NORTH, HEIGHT))

    read = Read(path, ReadOptions(crs="EPSG:4548"))

    expected = box_by_hand((0.0, 0.0, 0.0), degrees=0.0)
    assert same_points(read.corners(), expected, 1e-6)
    assert read.model["placement"] == "mapping"


def local_grid() -> LocalGrid:
    """Return a grid whose point (1000, 2000) lies at EAST, NORTH, turned by 90 degrees: its north is the town's west."""
    local = np.array([[1000.0, 2000.0, 0.0], [1100.0, 2000.0, 0.0], [1000.0, 2100.0, 0.0]])
    town = np.array([[EAST, NORTH, 0.0], [EAST, NORTH + 100, 0.0], [EAST - 100, NORTH, 0.0]])
    return fit_grid(Control(("A", "B", "C"), local, town), "similarity", "town", target_crs="EPSG:4548").grid


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"conversion": {"Eastings": 1000.0, "Northings": 2000.0, "OrthogonalHeight": HEIGHT}}, "map_conversion"),
        ({"conversion": {"Eastings": 1000.0, "Northings": 2000.0, "OrthogonalHeight": HEIGHT}, "crs": "local"}, "map_conversion"),
        ({"at": (1010.0, 2005.0, HEIGHT + 1.0)}, "mapping"),
    ],
)  # fmt: skip
def test_a_model_in_a_local_grid_stands_where_the_grid_leads(
    tmp_path: Path, changes: dict[str, Any], kind: str
) -> None:
    grid = local_grid()
    path = author(tmp_path / "local.ifc", **({"prefix": None, "map_unit": None} | changes))

    read = Read(
        path, ReadOptions(crs="EPSG:4548", grid=grid, crs_name="local:town"), coordinates=Coordinates(grid=grid)
    )

    assert read.model["placement"] == kind
    assert same_points(read.corners(), box_by_hand(degrees=90.0), 1e-3)
    footprint = read.frames["bim_element"].geometry.iloc[0]
    assert footprint.bounds == pytest.approx((EAST - 7.0, NORTH + 10.0, EAST - 5.0, NORTH + 14.0), abs=1e-3)
    if changes.get("crs") is None and kind == "map_conversion":
        assert "local:town" in read.texts["vector.crs_won"][0]


def test_a_drawing_s_own_metres_are_no_place_in_a_local_grid(tmp_path: Path) -> None:
    grid = local_grid()

    read = Read(
        author(tmp_path / "box.ifc", prefix=None),
        ReadOptions(crs="EPSG:4548", grid=grid, crs_name="local:town"),
        coordinates=Coordinates(grid=grid),
    )

    assert read.model["placement"] == "none" and "ifc.unplaced" in read.rules


def test_coordinates_that_a_mapping_says_are_swapped_place_the_model_once(tmp_path: Path) -> None:
    path = author(tmp_path / "swapped.ifc", prefix=None, at=(NORTH, EAST, HEIGHT))

    read = Read(path, ReadOptions(crs="EPSG:4548"), coordinates=Coordinates(swapped=True))

    east, north = read.frames["bim_element"].geometry.iloc[0].centroid.coords[0][:2]
    assert (east, north) == pytest.approx((EAST + SIZE[1] / 2, NORTH + SIZE[0] / 2), abs=1e-3)


def test_a_conversion_by_nothing_leaves_a_model_unplaced_and_says_so(tmp_path: Path) -> None:
    read = Read(author(tmp_path / "identity.ifc", conversion=turned(0.0) | {"Eastings": 0.0, "Northings": 0.0}))

    assert read.model["placement"] == "none"
    assert "(0, 0)" in read.texts["ifc.identity_conversion"][0]


def test_a_conversion_by_nothing_of_projected_coordinates_places_them_where_they_are(tmp_path: Path) -> None:
    conversion = turned(0.0) | {"Eastings": 0.0, "Northings": 0.0, "OrthogonalHeight": 0.0}

    read = Read(author(tmp_path / "tin.ifc", prefix=None, at=(EAST, NORTH, HEIGHT), conversion=conversion))

    assert read.model["placement"] == "map_conversion"
    assert same_points(read.corners(), box_by_hand((0.0, 0.0, 0.0), degrees=0.0), 1e-6)


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({"latitude": (51, 30, 0, 0), "longitude": (0, -7, -34, 0)}, "ifc.site_far", "51.5"),
        ({"latitude": (-35, -5, 0, 0), "longitude": (118, 18, 0, 0)}, "ifc.site_sign", "wrong sign"),
        ({"latitude": (35, -5, 0, 0), "longitude": (118, 18, 0, 0)}, "ifc.degree_signs", "differ in sign"),
        ({"at": (5000.0, 0.0, 0.0)}, "ifc.double_offset", "5002"),
        ({"units": False, "prefix": None}, "ifc.units_missing", "metres were assumed"),
        ({"crs": "Local grid 7"}, "ifc.crs_unknown", "Local grid 7"),
        ({"crs": "EPSG:2414"}, "ifc.crs_refused", "datum"),
    ],
)
def test_a_contradiction_about_the_place_is_a_finding_with_its_values(
    tmp_path: Path, changes: dict[str, Any], rule: str, words: str
) -> None:
    read = Read(author(tmp_path / "odd.ifc", **({"prefix": None, "conversion": turned()} | changes)))

    assert rule in read.rules
    assert words in read.texts[rule][0]
    assert read.texts[rule][1] != read.texts[rule][0]


def test_a_model_that_is_georeferenced_twice_is_stored_unplaced_until_a_person_says_which_reading_is_meant(
    tmp_path: Path,
) -> None:
    path = author(tmp_path / "twice.ifc", at=(EAST, NORTH, HEIGHT), conversion=turned(0.0), map_unit=1.0)
    own = ReadOptions(mapping=Mapping("m", (), options={"placement": {"east": 0, "north": 0}}))

    read, answered = Read(path), Read(path, own)

    placing = {rule for rule in read.rules if rule.startswith("ifc.")} - {"ifc.decoration"}
    assert (read.model["placement"], placing) == ("none", {"ifc.georeferenced_twice", "ifc.unplaced"})
    for words in read.texts["ifc.georeferenced_twice"]:
        assert all(str(number) in words for number in (EAST, NORTH, "placement = { east = 0, north = 0 }")), words
    assert answered.model["placement"] == "mapping"
    assert same_points(answered.corners(), box_by_hand((0.0, 0.0, 0.0), degrees=0.0), 1e-6)


def test_a_conversion_that_lies_outside_its_system_in_every_unit_leaves_the_model_unplaced(tmp_path: Path) -> None:
    conversion = turned() | {"Eastings": 27_100.0, "Northings": 84_200.0}

    read = Read(author(tmp_path / "local.ifc", prefix=None, conversion=conversion))

    assert (read.model["placement"], "ifc.conversion_outside" in read.rules) == ("none", True)


def test_a_conversion_with_the_number_of_its_zone_is_named_and_placed_where_crs_wins(tmp_path: Path) -> None:
    path = author(tmp_path / "zone.ifc", prefix=None, conversion=turned() | {"Eastings": EAST + 39e6})

    read, remedied = Read(path), Read(path, ReadOptions(crs="EPSG:4527", crs_wins=True))

    assert read.model["placement"] == "none"
    remedy = "twin ingest zone.ifc --crs EPSG:4527 --crs-wins"
    assert all(remedy in words for words in read.texts["ifc.conversion_elsewhere"])
    assert "ifc.unplaced" not in read.rules, "a second remedy would put it by hand where it does not belong"
    assert same_points(remedied.corners(), box_by_hand(), 1e-3)


def test_a_site_that_agrees_with_the_conversion_brings_no_finding(tmp_path: Path) -> None:
    longitude, latitude = pyproj.Transformer.from_crs("EPSG:4548", "EPSG:4490", always_xy=True).transform(EAST, NORTH)
    angles = {"latitude": _degrees(latitude), "longitude": _degrees(longitude)}

    read = Read(author(tmp_path / "agrees.ifc", prefix=None, conversion=turned(), **angles))

    assert {rule for rule in read.rules if rule.startswith("ifc.")} == {"ifc.decoration"}


def _degrees(angle: float) -> tuple[int, int, int, int]:
    minutes, seconds = divmod(angle * 3600, 60)
    return int(minutes // 60), int(minutes % 60), int(seconds), 0


def test_the_second_of_two_elements_with_one_global_id_is_set_aside(tmp_path: Path) -> None:
    read = Read(author(tmp_path / "twins.ifc", prefix=None, conversion=turned(), twice=True))

    assert read.frames["bim_element"]["name"].tolist() == ["box 0"]
    assert read.counts.quarantined == 1
    assert "identity.duplicate" in read.rules
    assert read.counts.read == read.counts.stored + read.counts.quarantined + read.counts.decoration


def test_two_elements_of_one_shape_share_one_blob_and_differ_in_their_matrix(tmp_path: Path) -> None:
    path = author(tmp_path / "shared.ifc", prefix=None, conversion=turned(), twice=True)
    path.write_text(path.read_text().replace("'0123456789012345678901'", "'0123456789012345678902'", 1))

    read = Read(path)

    elements = read.frames["bim_element"]
    assert len(read.blobs) == 1
    assert elements["mesh"].nunique() == 1
    first, second = (np.array(json.loads(text)) for text in elements["matrix"])
    assert (second - first)[12:15] == pytest.approx([10 * math.cos(math.pi / 6), 5.0, 0.0], abs=1e-6)
