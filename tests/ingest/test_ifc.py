"""Reading real models: what is stored is what a plain ifcopenshell read finds, and nothing is lost without a word."""

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import geopandas as gpd
import ifcopenshell
import ifcopenshell.geom
import ifcopenshell.util.element
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import Polygon

from ingest.draft import Draft, ReadOptions
from ingest.ifc.reader import read_ifc, recognises_ifc
from ingest.mapping import Mapping
from twin_model.building.mesh import Mesh, enclosed_volume, matrix_of, outward
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

DUPLEX, HOUSE = "Duplex_A_20110907.ifc", "SampleHouse4.ifc"
COMPLEX, BUILDING = "IFC4TessellationComplex.ifc", "building-architecture.ifc"
ALIGNMENT = "rules/ALB/alb004/pass-alb004-correct_alignment_behaviour_directly_aggregated.ifc"
IN_TOWN = Mapping(
    "town",
    (),
    options={"placement": {"east": 618_500.0, "north": 3_886_000.0, "height": 60.0, "rotation": 20.0}},
)


class Read:
    """What one read left in the draft."""

    def __init__(self, path: Path, options: ReadOptions | None = None, storage_crs: str = "EPSG:4548") -> None:
        with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs=storage_crs) as draft:
            read_ifc(path, draft, options or ReadOptions())
            frames: dict[str, list[gpd.GeoDataFrame]] = {}
            for layer, frame in draft.frames():
                frames.setdefault(layer, []).append(frame)
            self.frames = {layer: pd.concat(parts, ignore_index=True) for layer, parts in frames.items()}
            self.blobs = dict(draft.stored_blobs())
            self.findings: list[Finding] = draft.findings
            self.counts = draft.counts

    def rules(self) -> Counter[str]:
        return Counter(finding.rule for finding in self.findings if finding.rule.startswith("ifc."))


@pytest.fixture(scope="module")
def duplex(realdata: Path) -> Read:
    return Read(realdata / "ifc" / DUPLEX, ReadOptions(mapping=IN_TOWN))


def plain_counts(path: Path) -> dict[str, int]:
    """Return what a plain read of the file counts, by layer; openings and carriers without a body are decoration."""
    model = ifcopenshell.open(str(path))
    products = model.by_type("IfcProduct")
    spaces = [p for p in products if p.is_a("IfcSpace") or p.is_a("IfcSpatialZone")]
    elements = [p for p in products if p.is_a("IfcElement") and not p.is_a("IfcOpeningElement")]
    storeys = model.by_type("IfcBuildingStorey")
    bodies = [p for p in products if p.Representation and (p.is_a("IfcSite") or p.is_a("IfcBuilding"))]
    return {
        "bim_model": 1,
        "bim_space": len(spaces),
        "bim_element": len(elements) + len(bodies),
        "bim_storey": len(storeys),
        "products": len(products),
    }


@pytest.mark.parametrize("name", [DUPLEX, HOUSE, COMPLEX, BUILDING])
def test_every_product_is_stored_or_explained_as_decoration(realdata: Path, name: str) -> None:
    path = realdata / "ifc" / name
    expected = plain_counts(path)

    read = Read(path)

    assert {layer: n for layer, n in read.counts.features.items() if n} == {
        k: v for k, v in expected.items() if v and k != "products"
    }
    assert read.counts.read == expected["products"] + 1
    assert read.counts.read == read.counts.stored + read.counts.quarantined + read.counts.decoration
    assert read.counts.quarantined == 0


@pytest.mark.parametrize("name", [DUPLEX, BUILDING])
def test_no_shape_that_opencascade_finds_is_lost_and_none_changes_its_box(realdata: Path, name: str) -> None:
    path = realdata / "ifc" / name
    expected = boxes_of(path)

    read = Read(path)

    elements = read.frames["bim_element"].dropna(subset=["mesh"]).set_index("global_id")
    unplaced = read.frames["bim_model"]["placement"].iat[0] == "none"
    assert set(elements.index) == set(expected)
    assert "ifc.no_shape" not in read.rules()
    for global_id, row in elements.iterrows():
        vertices = Mesh.from_bytes(read.blobs[row["mesh"]]).placed(matrix_of(row["matrix"]))
        if unplaced:
            assert np.ptp(vertices, axis=0) == pytest.approx(expected[global_id][1] - expected[global_id][0], abs=0.01)
            assert vertices.min(axis=0) == pytest.approx(expected[global_id][0], abs=0.01)
        assert vertices[:, 2].min() == pytest.approx(row["bottom"], abs=1e-6)
        assert vertices[:, 2].max() == pytest.approx(row["top"], abs=1e-6)


def test_furniture_holds_the_volume_that_opencascade_cuts_out_whether_its_opening_reaches_it_or_not(
    realdata: Path, duplex: Read
) -> None:
    expected = {
        global_id: enclosed_volume(*mesh) for global_id, mesh in exact_meshes(realdata / "ifc" / DUPLEX).items()
    }
    elements = duplex.frames["bim_element"].dropna(subset=["mesh"]).set_index("global_id")
    pierced = elements[elements["name"].str.contains("Tall Cabinet-Single|Sink Hole", regex=True)]

    meshes = {global_id: Mesh.from_bytes(duplex.blobs[digest]) for global_id, digest in pierced["mesh"].items()}

    assert len(meshes) == 10
    for global_id, mesh in meshes.items():
        assert enclosed_volume(mesh.vertices, mesh.triangles) == pytest.approx(expected[global_id], rel=1e-3)


def test_no_closed_mesh_is_stored_inside_out(duplex: Read) -> None:
    meshes = [Mesh.from_bytes(blob) for blob in duplex.blobs.values()]

    turned = [mesh for mesh in meshes if outward(mesh.vertices, mesh.triangles) is not mesh.triangles]

    assert len(meshes) > 100
    assert not turned


def boxes_of(path: Path) -> dict[str, Any]:
    """Return the boxes of elements by GlobalId as opencascade makes them in world coordinates."""
    return {
        global_id: (vertices.min(axis=0), vertices.max(axis=0))
        for global_id, (vertices, _) in exact_meshes(path).items()
    }


def exact_meshes(path: Path) -> dict[str, tuple[Any, Any]]:
    """Return vertices in world coordinates and triangles of elements by GlobalId, as opencascade alone makes them."""
    model = ifcopenshell.open(str(path))
    settings = ifcopenshell.geom.settings()
    settings.set("use-world-coords", True)
    wanted = [p for p in model.by_type("IfcElement") if p.Representation and not p.is_a("IfcOpeningElement")]
    iterator = ifcopenshell.geom.iterator(settings, model, 1, include=wanted, geometry_library="opencascade")
    meshes, more = {}, iterator.initialize()
    while more:
        shape = iterator.get()
        vertices = np.frombuffer(shape.geometry.verts_buffer).reshape(-1, 3).copy()
        triangles = np.frombuffer(shape.geometry.faces_buffer, np.int32).reshape(-1, 3).copy()
        meshes[shape.guid] = vertices, triangles
        more = iterator.next()
    return meshes


def test_shared_geometry_stays_shared(duplex: Read) -> None:
    elements = duplex.frames["bim_element"].dropna(subset=["mesh"])

    assert len(elements) == 215
    assert elements["mesh"].nunique() < 0.75 * len(elements)
    assert set(elements["mesh"]) <= set(duplex.blobs)


def test_footprints_hold_their_meshes_and_storeys_hold_their_elements(duplex: Read) -> None:
    elements = duplex.frames["bim_element"].dropna(subset=["mesh"])
    storeys = duplex.frames["bim_storey"].set_index("global_id").geometry
    for _, row in elements.iterrows():
        vertices = Mesh.from_bytes(duplex.blobs[row["mesh"]]).placed(matrix_of(row["matrix"]))
        hull = shapely.convex_hull(shapely.multipoints(vertices[:, :2]))
        flat = shapely.force_2d(row.geometry)

        assert shapely.hausdorff_distance(shapely.convex_hull(flat), hull) < 0.01
        assert row["storey_id"] is None or storeys[row["storey_id"]].buffer(0.01).contains(flat)
    assert (
        duplex.frames["bim_model"]
        .geometry.iat[0]
        .buffer(0.01)
        .contains(shapely.union_all(elements.geometry.to_numpy()))
    )


def test_rooms_of_the_duplex_have_the_floor_area_that_is_drawn_in_the_file(realdata: Path, duplex: Read) -> None:
    drawn = {}
    for space in ifcopenshell.open(str(realdata / "ifc" / DUPLEX)).by_type("IfcSpace"):
        shapes = space.Representation.Representations
        items = next(one for one in shapes if one.RepresentationIdentifier == "Body").Items
        if not any(_lies_on_its_side(item) for item in items):
            drawn[space.GlobalId] = pytest.approx(sum(_floor_area(item) for item in items), abs=0.02)

    found = duplex.frames["bim_space"].set_index("global_id").geometry.area

    assert (len(found), len(drawn)) == (21, 19)
    assert found[list(drawn)].to_dict() == drawn


def _lies_on_its_side(item: Any) -> bool:
    if not item.is_a("IfcExtrudedAreaSolid") or item.Position.Axis is None:
        return False
    return abs(item.Position.Axis.DirectionRatios[2]) < 0.5


def _floor_area(item: Any) -> float:
    """Return the area of an extruded profile, or of the lowest level faces of a surface model."""
    if item.is_a("IfcExtrudedAreaSolid"):
        profile = item.SweptArea
        if profile.is_a("IfcRectangleProfileDef"):
            return float(profile.XDim * profile.YDim)
        return float(Polygon([point.Coordinates for point in profile.OuterCurve.Points]).area)
    faces = [face for face_set in item.FbsmFaces for face in face_set.CfsFaces]
    rings = [np.array([point.Coordinates for point in face.Bounds[0].Bound.Polygon]) for face in faces]
    lowest = min(ring[:, 2].min() for ring in rings)
    level = [ring for ring in rings if np.ptp(ring[:, 2]) < 1e-6 and ring[0, 2] < lowest + 1e-6]
    return float(sum(Polygon(ring[:, :2]).area for ring in level))


def test_storeys_are_numbered_from_the_ground_and_count_their_elements(duplex: Read) -> None:
    storeys = duplex.frames["bim_storey"].set_index("name")

    assert storeys["number"].to_dict() == {"T/FDN": -1, "Level 1": 1, "Level 2": 2, "Roof": 3}
    assert storeys["elevation"].to_dict() == pytest.approx(
        {"T/FDN": 58.75, "Level 1": 60.0, "Level 2": 63.1, "Roof": 66.0}
    )
    assert storeys["elements"].sum() == duplex.frames["bim_element"]["storey_id"].notna().sum()


def test_property_sets_are_those_of_a_plain_read_with_the_types_inherited(realdata: Path, duplex: Read) -> None:
    model = ifcopenshell.open(str(realdata / "ifc" / DUPLEX))
    elements = duplex.frames["bim_element"].set_index("global_id")
    for global_id in elements.index[::9]:
        expected = ifcopenshell.util.element.get_psets(model.by_guid(global_id))
        for values in expected.values():
            values.pop("id", None)

        text = elements["properties"][global_id]

        assert (json.loads(text) if text else {}) == json.loads(json.dumps(expected))


def test_an_element_answers_with_class_type_material_storey_and_colour(duplex: Read) -> None:
    wall = duplex.frames["bim_element"].set_index("tag").loc["138062"]

    assert wall["ifc_class"] == "IfcWallStandardCase"
    assert wall["object_type"] == "Basic Wall:Exterior - Brick on Block:130892"
    assert wall["material"].startswith("Masonry - Brick / Misc. Air Layers")
    assert (wall["storey"], wall["bottom"], wall["color"]) == ("Level 1", 60.0, "#808080")


def test_a_millimetre_model_with_a_millimetre_map_unit_stands_at_its_easting(realdata: Path) -> None:
    read = Read(realdata / "ifc" / BUILDING, storage_crs="EPSG:32760")

    minx, miny, maxx, maxy = read.frames["bim_element"].total_bounds
    assert 729_006 < minx < maxx < 729_016
    assert 9_063_959 < miny < maxy < 9_064_006
    model = read.frames["bim_model"].iloc[0]
    assert (model["placement"], model["georeference"], model["schema"]) == ("map_conversion", "50", "IFC4")
    assert read.frames["bim_element"]["bottom"].min() == pytest.approx(0.0, abs=1.1)
    assert not set(read.rules()) & {"ifc.map_unit", "ifc.scale_units"}


def test_wholes_without_a_shape_of_their_own_are_counted_and_named(realdata: Path) -> None:
    read = Read(realdata / "ifc" / BUILDING, storage_crs="EPSG:32760")

    (finding,) = [one for one in read.findings if one.rule == "ifc.without_representation"]
    assert finding.values["count"] == 4
    assert "IfcChimney 3dkFAzOGrAIuOzY_RdrdVv" in finding.text()
    assert read.frames["bim_model"]["without_shape"].iat[0] == 4
    assert read.frames["bim_element"]["mesh"].isna().sum() == 4


def test_a_shape_that_cannot_be_made_is_a_finding_and_the_element_is_kept(realdata: Path, tmp_path: Path) -> None:
    text = (realdata / "ifc" / BUILDING).read_text()
    path = tmp_path / "flat.ifc"
    path.write_text(
        text.replace("'Body','Tessellation'", "'Body','Nonsense'").replace(
            "IFCTRIANGULATEDFACESET(", "IFCCARTESIANPOINTLIST3D("
        )
    )
    model = ifcopenshell.open(str(realdata / "ifc" / BUILDING))
    wanted = {p.GlobalId for p in model.by_type("IfcElement") if p.Representation}

    read = Read(path, storage_crs="EPSG:32760")

    named = {one.place for one in read.findings if one.rule == "ifc.no_shape"}
    shaped = set(read.frames["bim_element"].dropna(subset=["mesh"])["global_id"])
    assert wanted <= named | shaped
    assert len(read.frames["bim_element"]) == 15


def test_an_alignment_becomes_a_line_with_the_heights_of_its_gradient(realdata: Path) -> None:
    read = Read(realdata / "ifc" / ALIGNMENT, ReadOptions(crs="EPSG:4548"))

    line = read.frames["bim_alignment"].geometry.iat[0]
    coordinates = shapely.get_coordinates(line, include_z=True)
    assert coordinates[0] == pytest.approx([452_270.188, 4_539_403.95, 5.0], abs=0.01)
    assert coordinates[-1, 2] == pytest.approx(2.0, abs=0.01)
    assert np.linalg.norm(np.diff(coordinates[:, :2], axis=0), axis=1).max() <= 2.01
    assert line.length == pytest.approx(1029.37, abs=0.01)
    starts = [
        one.StartPoint.Coordinates
        for one in ifcopenshell.open(str(realdata / "ifc" / ALIGNMENT)).by_type("IfcAlignmentHorizontalSegment")
    ]
    assert max(shapely.distance(shapely.force_2d(line), shapely.points(starts))) < 0.001
    assert coordinates[-1, :2] == pytest.approx(starts[-1], abs=0.001)
    assert read.frames["bim_model"]["placement"].iat[0] == "mapping"


def test_an_earlier_name_of_the_schema_is_read_as_the_final_one_and_said(realdata: Path, tmp_path: Path) -> None:
    text = (realdata / "ifc" / ALIGNMENT).read_text()
    for label in ("IFC4X3", "IFC4X3_ADD1"):
        path = tmp_path / f"{label}.ifc"
        path.write_text(text.replace("IFC4X3_ADD2", label, 1))

        read = Read(path, ReadOptions(crs="EPSG:4548"))

        (finding,) = [one for one in read.findings if one.rule == "ifc.relabelled"]
        assert label in finding.text("en")
        assert "IFC4X3_ADD2" in finding.text("zh")
        assert read.frames["bim_model"]["schema"].iat[0] == label
        assert len(read.frames["bim_alignment"]) == 1


def test_drafts_of_the_standard_are_refused_with_their_name_and_what_is_read(realdata: Path) -> None:
    paths = sorted((realdata / "ifc" / "infra").glob("*.ifc"))

    assert len(paths) == 15
    for path in paths:
        assert recognises_ifc(path)
        with pytest.raises(SourceRefused) as refused:
            Read(path)
        assert refused.value.rule_id == "ifc.schema"
        assert any(name in str(refused.value) for name in ("IFC4X3_RC2", "IFC4X3_RC3", "IFC4X1"))
        assert "IFC4X3_ADD2" in refused.value.text("zh")


def test_ifcxml_is_recognised_and_refused_with_what_to_do(realdata: Path) -> None:
    path = realdata / "ifc" / "4walls1floorSite.ifcxml"

    assert recognises_ifc(path)
    with pytest.raises(SourceRefused, match=r"ifcXML, which is not read.*\.ifczip"):
        Read(path)


def test_a_zip_is_read_as_the_model_in_it(realdata: Path, tmp_path: Path) -> None:
    plain = realdata / "ifc" / BUILDING
    path = tmp_path / "model.ifcZIP"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "folder/model.ifc")

    read, expected = Read(path, storage_crs="EPSG:32760"), Read(plain, storage_crs="EPSG:32760")

    assert recognises_ifc(path)
    assert read.counts.to_dict() == expected.counts.to_dict()
    assert read.frames["bim_element"]["content"].tolist() == expected.frames["bim_element"]["content"].tolist()


def test_real_zips_of_models_are_recognised(realdata: Path) -> None:
    assert [recognises_ifc(path) for path in sorted((realdata / "ifc" / "zip").iterdir())] == [True] * 3


def test_zips_that_are_empty_crowded_damaged_or_bombs_are_refused(tmp_path: Path) -> None:
    for name, members, words in (
        ("none.ifczip", {"readme.txt": b"x"}, "holds 0 .ifc files"),
        ("two.ifczip", {"a.ifc": b"x", "b.ifc": b"y"}, "a.ifc, b.ifc"),
        ("xml.ifczip", {"a.ifcxml": b"<x/>"}, "ifcXML"),
        ("bomb.ifczip", {"a.ifc": b"\0" * (64 << 20)}, "unpacks to more than"),
    ):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        with pytest.raises(SourceRefused, match=words):
            Read(path)

    damaged = tmp_path / "damaged.ifczip"
    damaged.write_bytes((tmp_path / "two.ifczip").read_bytes()[:60])
    with pytest.raises(SourceRefused, match="could not be unpacked"):
        Read(damaged)


def test_other_files_are_not_taken_for_ifc(tmp_path: Path) -> None:
    step = b"ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('AP214'));\nENDSEC;"
    for name, content in (
        ("a.ifc", b""),
        ("b.ifc", b"PK\x03\x04 no zip"),
        ("c.stp", step),
        ("d.xml", b"<gml/>"),
        ("e.csv", b"x,y\n1,2\n"),
    ):
        (tmp_path / name).write_bytes(content)

        assert not recognises_ifc(tmp_path / name)


def test_a_file_with_a_byte_order_mark_is_read_and_the_mark_noted(realdata: Path, tmp_path: Path) -> None:
    path = tmp_path / "bom.ifc"
    path.write_bytes(b"\xef\xbb\xbf" + (realdata / "ifc" / BUILDING).read_bytes())

    read = Read(path, storage_crs="EPSG:32760")

    assert recognises_ifc(path)
    assert read.rules()["ifc.byte_order_mark"] == 1
    assert read.counts.features["bim_element"] == 15


@pytest.mark.parametrize(("encoding", "named"), [("utf-8", None), ("gbk", None), ("big5", "big5"), ("ascii", None)])
def test_chinese_names_arrive_whole_however_they_are_written(
    realdata: Path, tmp_path: Path, encoding: str, named: str | None
) -> None:
    words = "一樓外牆"
    text = (realdata / "ifc" / BUILDING).read_text()
    written = f"\\X2\\{words.encode('utf-16-be').hex().upper()}\\X0\\" if encoding == "ascii" else words
    path = tmp_path / "names.ifc"
    path.write_bytes(text.replace("'kitchen'", f"'{written}'").encode(encoding))

    read = Read(path, ReadOptions(encoding=named), storage_crs="EPSG:32760")

    assert words in read.frames["bim_element"]["name"].tolist()
    assert read.rules()["ifc.raw_text"] == (0 if encoding == "ascii" else 1)
