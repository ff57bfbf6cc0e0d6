"""Axes of alignments that stand on others: children of one horizontal, curves that keep away from a basis; CRSs as WKT."""

from pathlib import Path

import numpy as np
import pyproj
import pytest
from ifc_lines import LINES, read, write

from ingest.ifc.alignment import alignment_line, offset_line
from ingest.ifc.file import opened_ifc

CHILD = """\
#101=IFCALIGNMENT('0000000000000000000101',$,'child',$,$,#8,$,$);
#102=IFCRELAGGREGATES('0000000000000000000102',$,$,$,#60,(#101));
#103=IFCALIGNMENTVERTICAL('0000000000000000000103',$,$,$,$,#8,$);
#104=IFCALIGNMENTSEGMENT('0000000000000000000104',$,$,$,$,#8,$,#105);
#105=IFCALIGNMENTVERTICALSEGMENT($,$,0.,50.,10.,0.1,0.1,$,.CONSTANTGRADIENT.);
#106=IFCRELNESTS('0000000000000000000106',$,$,$,#101,(#103));
#107=IFCRELNESTS('0000000000000000000107',$,$,$,#103,(#104));
#111=IFCALIGNMENT('0000000000000000000111',$,'offset',$,$,#8,#112,$);
#112=IFCPRODUCTDEFINITIONSHAPE($,$,(#113));
#113=IFCSHAPEREPRESENTATION(#5,'Axis','Curve3D',(#114));
#114=IFCOFFSETCURVEBYDISTANCES(#115,(#116,#117),$);
#115=IFCPOLYLINE((#118,#119,#120));
#116=IFCPOINTBYDISTANCEEXPRESSION(IFCLENGTHMEASURE(0.),2.,1.,$,#115);
#117=IFCPOINTBYDISTANCEEXPRESSION(IFCLENGTHMEASURE(20.),4.,1.,$,#115);
#118=IFCCARTESIANPOINT((0.,0.,5.));
#119=IFCCARTESIANPOINT((10.,0.,5.));
#120=IFCCARTESIANPOINT((20.,0.,5.));
""".splitlines()
METRES = [line.replace("#3,#90", "#22,#90") for line in LINES]


def lines_of(path: Path) -> dict[str, np.ndarray]:
    with opened_ifc(path, path.name) as file:
        return {one.Name: alignment_line(file.model, one) for one in file.model.by_type("IfcAlignment")}


def test_a_child_has_the_horizontal_of_its_parent_and_heights_of_its_own(tmp_path: Path) -> None:
    lines = lines_of(write(tmp_path / "child.ifc", [*METRES, *CHILD]))

    assert lines["child"][-1] == pytest.approx([50.0, 0.0, 15.0])
    assert lines["child"][:, :2] == pytest.approx(lines["A"][:, :2])


def test_an_offset_curve_keeps_to_the_left_by_distances_that_change_evenly(tmp_path: Path) -> None:
    line = lines_of(write(tmp_path / "offset.ifc", [*METRES, *CHILD]))["offset"]

    assert line == pytest.approx(np.array([[0.0, 2.0, 6.0], [10.0, 3.0, 6.0], [20.0, 4.0, 6.0]]))
    north = offset_line(np.array([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0]]), np.array([[0.0, 1.0, 0.0]]))
    assert north == pytest.approx(np.array([[-1.0, 0.0, 0.0], [-1.0, 9.0, 0.0]])), "left of north is west"


def test_a_crs_given_as_well_known_text_places_the_model(tmp_path: Path) -> None:
    text = pyproj.CRS("EPSG:4548").to_wkt("WKT1_GDAL").replace("\n", " ")
    named = [line.replace("'EPSG:4548'", "'Town grid'") for line in LINES]
    by_name = [line.replace("'EPSG:4548'", f"'{text}'") for line in LINES]

    attached = read(write(tmp_path / "wkt.ifc", [*named, f"#130=IFCWELLKNOWNTEXT('{text}',#70);"]))
    unknown = read(write(tmp_path / "grid.ifc", named))
    written = read(write(tmp_path / "name.ifc", by_name))

    assert "ifc.crs_unknown" not in attached[1] + written[1]
    assert "ifc.crs_unknown" in unknown[1]


def test_a_geographic_crs_is_said_with_the_command_that_places_the_model(tmp_path: Path) -> None:
    lines = [
        "#69=IFCRIGIDOPERATION(#5,#70,IFCPLANEANGLEMEASURE(35.1),IFCPLANEANGLEMEASURE(117.2),60.);"
        if line.startswith("#69=")
        else "#70=IFCGEOGRAPHICCRS('EPSG:4490',$,$,$,$,$);"
        if line.startswith("#70=")
        else line
        for line in LINES
    ]

    messages, rules, _ = read(write(tmp_path / "angles.ifc", lines))

    assert "ifc.geographic_place" in rules
    assert any("twin place MODEL --at LON,LAT,H --crs EPSG:4326" in text for text in messages)
