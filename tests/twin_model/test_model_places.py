"""A model without place is put into the town, keeps its place when it is delivered again, and is taken out, on both stores."""

from pathlib import Path

import numpy as np
import pytest
import shapely

from ingest.draft import Draft, ReadOptions
from ingest.ifc.reader import read_ifc
from twin_model.building.mesh import matrix_of
from twin_model.building.placing import motion
from twin_model.changeset import Source, Version
from twin_model.errors import CalledWrongly, FeatureNotFound
from twin_model.store.base import FeatureQuery
from twin_model.town import Town, init_town
from twin_model.versioning import commit

MODEL = """ISO-10303-21;
HEADER;
FILE_DESCRIPTION((''),'2;1');
FILE_NAME('a','2024-01-01T00:00:00',(''),(''),'','','');
FILE_SCHEMA(('IFC4X3_ADD2'));
ENDSEC;
DATA;
#1=IFCPROJECT('0000000000000000000001',$,'Office',$,$,$,$,(#5),#2);
#2=IFCUNITASSIGNMENT((#3,#4));
#3=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);
#4=IFCSIUNIT(*,.PLANEANGLEUNIT.,$,.RADIAN.);
#5=IFCGEOMETRICREPRESENTATIONCONTEXT($,'Model',3,1.E-05,#6,$);
#6=IFCAXIS2PLACEMENT3D(#7,$,$);
#7=IFCCARTESIANPOINT((0.,0.,0.));
#8=IFCLOCALPLACEMENT($,#6);
#9=IFCBUILDINGSTOREY('0000000000000000000002',$,'S',$,$,#8,$,$,.ELEMENT.,3.);
#10=IFCRELAGGREGATES('0000000000000000000003',$,$,$,#1,(#9));
#11=IFCRECTANGLEPROFILEDEF(.AREA.,$,#20,20.,8.);
#20=IFCAXIS2PLACEMENT2D(#21,$);
#21=IFCCARTESIANPOINT((10.,4.));
#12=IFCDIRECTION((0.,0.,1.));
#13=IFCEXTRUDEDAREASOLID(#11,#6,#12,4.);
#14=IFCSHAPEREPRESENTATION(#5,'Body','SweptSolid',(#13));
#15=IFCPRODUCTDEFINITIONSHAPE($,$,(#14));
#16=IFCWALL('0000000000000000000004',$,'W',$,$,#8,#15,$,$);
#17=IFCRELCONTAINEDINSPATIALSTRUCTURE('0000000000000000000005',$,$,$,(#16),#9);
#22=IFCROOF('0000000000000000000009',$,'without shape',$,$,#8,$,$,$);
#23=IFCRELCONTAINEDINSPATIALSTRUCTURE('000000000000000000000A',$,$,$,(#22),#9);
#18=IFCSPACE('0000000000000000000006',$,'R',$,$,#8,#15,$,.ELEMENT.,.SPACE.,$);
#19=IFCRELAGGREGATES('0000000000000000000007',$,$,$,#9,(#18));
#30=IFCALIGNMENT('0000000000000000000008',$,'A',$,$,#8,#31,$);
#31=IFCPRODUCTDEFINITIONSHAPE($,$,(#32));
#32=IFCSHAPEREPRESENTATION(#5,'Axis','Curve3D',(#33));
#33=IFCPOLYLINE((#7,#34));
#34=IFCCARTESIANPOINT((10.,0.,1.));
ENDSEC;
END-ISO-10303-21;
"""
LAYERS = ("bim_model", "bim_storey", "bim_space", "bim_element", "bim_alignment")
PLACE = motion(618_500.0, 3_886_000.0, 60.0, 30.0)


def deliver(town: Town, content: str = MODEL) -> Version:
    path = town.path / "office.ifc"
    path.write_text(content)
    options = ReadOptions(placings=town.placings())
    with Draft(Source(path.name, f"{town.store.version():064x}"), town.catalogue, storage_crs="EPSG:4548") as draft:
        read_ifc(path, draft, options)
        return commit(town.store, draft.to_changeset(author="test", reason="test"))


@pytest.fixture
def town(location: str, tmp_path: Path) -> Town:
    town = init_town(tmp_path / "town", name="小镇", crs="EPSG:4548", store=location)
    deliver(town)
    return town


def state(town: Town) -> dict[str, list[tuple[object, ...]]]:
    """Return what the layers say of a model, geometry rounded to the millimetre."""
    frames = {layer: town.store.features(FeatureQuery(layer)).replace({np.nan: None}) for layer in LAYERS}
    return {
        layer: [(row.Index, row.geometry and np.round(np.array(row.geometry.bounds), 3).tolist(), *(getattr(row, name, None) for name in ("matrix", "bottom", "elevation", "placement")))
                for row in frame.itertuples()]
        for layer, frame in frames.items()
    }  # fmt: skip


def test_a_model_is_placed_with_all_it_holds_stays_placed_and_is_reverted_or_removed(town: Town) -> None:
    before = state(town)

    first = town.place_model("Office", at=(618_000.0, 3_886_000.0))
    town.revert(first.version or 0)
    assert state(town) == before

    town.place_model("Office", at=(618_500.0, 3_886_000.0, 60.0), rotate=30.0, reason="setting-out plan")
    after = state(town)

    assert all(row[1] is None for rows in before.values() for row in rows)
    assert [layer for layer, rows in after.items() for row in rows if row[1] is None] == ["bim_element"], (
        "the roof without shape"
    )
    corner = (PLACE @ [20.0, 8.0, 0.0, 1.0])[:2]
    element = next(row for row in after["bim_element"] if row[1] is not None)
    assert element[1][3] == pytest.approx(corner[1], abs=0.001)  # type: ignore[index]
    assert matrix_of(str(element[2])) == pytest.approx(PLACE)
    assert element[3] == 60.0 and after["bim_storey"][0][4] == pytest.approx(60.0)
    assert after["bim_model"][0][5] == "placed"

    again = deliver(town)
    assert not any(touched.changed for layer, touched in again.touched.items() if layer in LAYERS)
    renamed = deliver(town, MODEL.replace("'W'", "'Wall'"))
    assert [layer for layer, touched in renamed.touched.items() if layer in LAYERS and touched.changed] == [
        "bim_element"
    ]
    assert state(town) == after, "the place was kept"
    deliver(town)
    town.place_model("Office", remove=True)
    assert state(town) == before
    assert town.models()["placement"].tolist() == ["none"]
    town.store.close()


def test_a_dry_run_writes_nothing_and_points_footprint_and_longitude_give_the_same_place(tmp_path: Path) -> None:
    with init_town(tmp_path / "town", name="小镇", crs="EPSG:4548") as town:
        deliver(town)
        version = town.store.version()
        local = [(0.0, 0.0), (20.0, 0.0), (20.0, 8.0), (0.0, 8.0)]
        corners = [tuple((PLACE @ [x, y, 0.0, 1.0])[:2]) for x, y in local]
        by_points = town.place_model("Office", points=list(zip(local, corners, strict=True)), height=60.0, dry_run=True)
        by_outline = town.place_model(
            "Office", footprint=shapely.Polygon(corners), rotate=31.0, height=60.0, dry_run=True
        )
        lonlat = town.place_model("Office", at=(117.0, 35.0, 1.0), crs="EPSG:4326", rotate=10.0, dry_run=True)
        aside = town.place_model("Office", at=(118.0, 35.0, 1.0), crs="EPSG:4326", rotate=10.0, dry_run=True)

        assert by_points.matrix == pytest.approx(PLACE, abs=0.001)
        assert by_outline.matrix == pytest.approx(PLACE, abs=0.02)
        assert lonlat.rotation == pytest.approx(10.0, abs=1e-4), "on the central meridian true north is grid north"
        assert aside.rotation == pytest.approx(10.0 + np.degrees(np.radians(1.0) * np.sin(np.radians(35.0))), abs=0.01)
        assert town.store.version() == version


def test_what_cannot_be_placed_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with init_town(tmp_path / "town", name="小镇", crs="EPSG:4548") as town:
        deliver(town)

        with pytest.raises(FeatureNotFound, match=r"0000000000000000000001 \(Office\)"):
            town.place_model("Offices", at=(0.0, 0.0))
        with pytest.raises(CalledWrongly, match="exactly one way"):
            town.place_model("Office")
        with pytest.raises(FeatureNotFound, match="building"):
            town.place_model("Office", footprint="building.9")
        with pytest.raises(CalledWrongly, match="no place in the town's CRS"):
            town.place_model("Office", at=(float("nan"), 0.0))
