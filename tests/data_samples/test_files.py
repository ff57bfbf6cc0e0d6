"""The files, read again with plain ezdxf, pyogrio, openpyxl and ifcopenshell, hold what the plan says."""

import csv
import json
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.geom
import ifcopenshell.util.geolocation
import ifcopenshell.util.placement
import ifcopenshell.validate
import numpy as np
import openpyxl
import pyogrio
import pytest
from ezdxf.document import Drawing
from ezdxf.entities.dxfentity import DXFEntity
from ezdxf.filemanagement import readfile
from ezdxf.lldxf.const import DXFError
from rich.console import Console
from shapely import MultiPoint, Point, Polygon, box

from data_samples.make_samples import HERE, SOURCES, main, make
from data_samples.plan.station_parts import station_parts
from data_samples.plan.town import Town
from data_samples.writers.delivery import STAMP, deliver
from data_samples.writers.ifc_station import build_model
from data_samples.writers.planning import write_planning

Truth = dict[str, Any]
CODED = ["JS", "YS", "WS", "DL"]


def code_of(entity: DXFEntity) -> str:
    """The first 1000 string of SOUTH's XDATA, in either spelling."""
    for application in ("SOUTH", "south"):
        if entity.has_xdata(application):
            return next(str(t.value) for t in entity.get_xdata(application) if t.code == 1000)
    return ""


@pytest.fixture(scope="module")
def drawings(samples: Path, truth: Truth) -> dict[str, Drawing]:
    """Every sheet, read by ezdxf."""
    return {sheet["file"]: readfile(samples / sheet["file"]) for sheet in truth["topo"]["sheets"]}


def rings(drawing: Drawing) -> list[Polygon]:
    """Coded building rings of a sheet, courtyards included."""
    found: Any = drawing.modelspace().query('LWPOLYLINE[layer=="JMD"]')
    coded = [e for e in found if code_of(e).startswith("141")]
    assert all(e.closed for e in coded)
    return [Polygon([(x, y) for x, y, *_ in e.get_points()]) for e in coded]


def test_drawings_are_gbk_with_their_scale_and_every_code_belongs_to_south(
    drawings: dict[str, Drawing], truth: Truth
) -> None:
    for sheet in truth["topo"]["sheets"]:
        drawing = drawings[sheet["file"]]
        codes = [code_of(e) for e in drawing.modelspace()]

        assert drawing.header["$DWGCODEPAGE"] == "ANSI_936"
        assert drawing.header["$USERR1"] == sheet["scale"]
        assert any(codes) and not all(codes)


def test_drawings_hold_the_buildings_contours_and_spot_heights_of_the_plan(
    drawings: dict[str, Drawing], truth: Truth
) -> None:
    for sheet in truth["topo"]["sheets"]:
        space = drawings[sheet["file"]].modelspace()
        contours = [e for e in space if code_of(e) in ("201101", "201102")]
        spots: list[Any] = [e for e in space.query("INSERT") if code_of(e) == "202101"]

        assert len(rings(drawings[sheet["file"]])) == sheet["buildings"] + sheet["courtyards"]
        assert len(contours) == sheet["contours"]
        assert sorted({e.dxf.elevation for e in contours}) == sheet["contour_heights"]
        assert len(spots) == sheet["spot_heights"]
        assert all(float(e.attribs[0].dxf.text) == round(e.dxf.insert.z, 2) for e in spots)


def test_structure_texts_lie_in_exactly_as_many_rings_as_the_plan_says(
    drawings: dict[str, Drawing], truth: Truth
) -> None:
    with_text = 0
    for drawing in drawings.values():
        outer = rings(drawing)
        words = [
            Point(e.dxf.insert.x, e.dxf.insert.y)
            for e in drawing.modelspace().query('TEXT[layer=="JMD"]')
            if e.dxf.text != "天井"
        ]
        innermost = {min((r.area, i) for i, r in enumerate(outer) if r.contains(w))[1] for w in words}
        with_text += len(innermost)

    assert with_text == truth["topo"]["buildings"]["with_text"]


def test_the_known_tower_is_drawn_with_its_text(drawings: dict[str, Drawing], truth: Truth) -> None:
    probe = truth["probes"]["tower"]
    place = Point(probe["east"], probe["north"])
    drawing = drawings["topo/1000/3885.5-618.5.dxf"]
    tower = min((r for r in rings(drawing) if r.contains(place)), key=lambda r: r.area)

    texts = [
        e.dxf.text for e in drawing.modelspace().query('TEXT[layer=="JMD"]') if tower.contains(Point(e.dxf.insert.vec2))
    ]

    assert probe["text"] in texts
    assert probe["text"] == f"砼{probe['storeys']}-{probe['basements']}"


def test_everything_coded_lies_inside_its_neatline(drawings: dict[str, Drawing], truth: Truth) -> None:
    for sheet in truth["topo"]["sheets"]:
        frame = box(*sheet["neatline"]).buffer(0.002)
        lines: list[Any] = list(drawings[sheet["file"]].modelspace().query("LWPOLYLINE"))
        for entity in lines:
            if code_of(entity):
                places = np.array([(x, y) for x, y, *_ in entity.get_points()])
                low, high = places.min(axis=0), places.max(axis=0)
                assert frame.contains(box(*low, *high) if (high > low).all() else Point(low)), code_of(entity)


def test_lamps_and_marks_on_the_drawings_are_those_of_the_plan(drawings: dict[str, Drawing], truth: Truth) -> None:
    counts = Counter(code_of(e) for d in drawings.values() for e in d.modelspace().query("INSERT"))

    assert counts["155210"] == truth["topo"]["street_lamps"] == truth["shapefiles"]["路灯"]
    assert {code: counts[code] for code in truth["topo"]["surface_marks"]} == truth["topo"]["surface_marks"]


def test_the_station_is_not_drawn_as_a_building(drawings: dict[str, Drawing], truth: Truth) -> None:
    hall = Polygon(truth["ifc"]["footprint"])

    assert not any(ring.intersects(hall) for d in drawings.values() for ring in rings(d))


def test_shapefiles_are_gbk_without_code_page_and_their_field_names_fit_ten_bytes(samples: Path, truth: Truth) -> None:
    for name, count in truth["shapefiles"].items():
        path = samples / "topo" / "shp" / f"{name}.shp"
        frame = pyogrio.read_dataframe(path, encoding="GBK")

        assert len(frame) == count
        assert frame.crs.to_epsg() == 4548
        assert frame.geometry.is_valid.all()
        assert not path.with_suffix(".cpg").exists()
        assert all(len(column.encode("gbk")) <= 10 for column in frame.columns if column != "geometry")


def test_the_plan_package_has_four_layers_with_parcels_that_do_not_overlap(samples: Path, truth: Truth) -> None:
    path = samples / "planning" / "new_town_plan.gpkg"
    layers = {name: pyogrio.read_dataframe(path, layer=name) for name, _ in pyogrio.list_layers(path)}
    parcels = layers["land_use"]

    assert {name: len(frame) for name, frame in layers.items()} == {
        name: truth["planning"][name] for name in ("planning_area", "land_use", "control_line", "project")
    }
    assert dict(Counter(parcels["用地代码"])) == truth["planning"]["land_use_by_code"]
    assert abs(parcels.area.sum() - parcels.union_all().area) < 1.0
    assert 90 < truth["planning"]["surveyed_share_percent"] < 100


def survey_rows(samples: Path, service: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Point and line rows of a service as text, whatever its format."""
    folder = samples / "survey"
    if service == "JS":
        book = openpyxl.load_workbook(folder / "JS给水管线.xlsx", read_only=True)
        tables = [list(book[name].iter_rows(values_only=True)) for name in ("JSPoint", "JSLine")]
        book.close()
        points, lines = ([dict(zip(map(str, t[0]), map(str, row), strict=True)) for row in t[1:]] for t in tables)
        return points, lines
    names = {
        "YS": ("YSPOINT", "YSLINE", "gbk"),
        "WS": ("WSPoint", "WSLine", "utf-8"),
        "DL": ("DLPOINT", "DLLINE", "gbk"),
    }
    *files, encoding = names[service]
    points, lines = (
        list(csv.DictReader((folder / f"{f}.csv").read_text(encoding=encoding).splitlines())) for f in files
    )
    return points, lines


@pytest.mark.parametrize("service", CODED)
def test_survey_tables_hold_every_point_and_line_with_x_as_north(samples: Path, truth: Truth, service: str) -> None:
    points, lines = survey_rows(samples, service)
    columns = list(points[0])
    x, y = (next(c for c in columns if c.upper().startswith(letter)) for letter in "XY")

    assert len(points) == truth["survey"][service]["points"]
    assert len(lines) == truth["survey"][service]["lines"]
    assert all(3_885_000 < float(p[x]) < 3_887_000 and 617_000 < float(p[y]) < 620_000 for p in points)


@pytest.mark.parametrize(
    ("service", "number", "ground", "start", "depth", "height"),
    [
        ("JS", "物探点号", "地面高程(m)", "起点点号", "起点埋深(m)", "起点管顶高程(m)"),
        ("YS", "物探点号", "地面高程", "起点点号", "起点埋深", "起点管底高程"),
        ("WS", "Exp_No", "High", "S_Point", "S_Deep", "S_High"),
    ],
)
def test_ground_is_depth_plus_pipe_height_in_the_tables(
    samples: Path, service: str, number: str, ground: str, start: str, depth: str, height: str
) -> None:
    points, lines = survey_rows(samples, service)
    heights = {p[number]: float(p[ground]) for p in points}

    assert all(abs(heights[k[start]] - float(k[depth]) - float(k[height])) < 0.0015 for k in lines)


def test_the_known_pipe_stands_in_its_table(samples: Path, truth: Truth) -> None:
    probe = truth["probes"]["pipe"]
    _, lines = survey_rows(samples, probe["service"])

    (line,) = [k for k in lines if (k["S_Point"], k["E_Point"]) == (probe["start"], probe["end"])]

    assert (float(line["S_Deep"]), float(line["E_Deep"])) == (probe["start_depth"], probe["end_depth"])
    assert line["PSize"] == probe["size"]


@pytest.fixture(scope="module")
def model(samples: Path) -> Any:
    """The station, opened by ifcopenshell."""
    return ifcopenshell.open(samples / "ifc" / "hsr_station.ifc")


def test_the_station_has_the_products_of_the_plan_and_is_valid(model: Any, truth: Truth) -> None:
    checker: Any = ifcopenshell.validate
    log = checker.json_logger()
    checker.validate(model, log)
    counts = {name: len(model.by_type(name)) for name in truth["ifc"]["products_by_class"]}

    assert log.statements == []
    assert counts == truth["ifc"]["products_by_class"]
    assert 300 <= sum(counts.values()) <= 800
    assert len(model.by_type("IfcBuildingStorey")) == truth["ifc"]["storeys"]


def test_the_model_does_not_depend_on_where_objects_lie_in_memory(town: Town) -> None:
    texts = set()
    ballast = []
    for size in (1, 33_333, 77_777):
        ballast.append([object() for _ in range(size)])
        built: Any = build_model(town.station, station_parts())
        ballast.append([built])
        texts.add(built.to_string())

    assert len(texts) == 1


def test_the_known_element_has_the_global_id_of_the_plan(model: Any, truth: Truth) -> None:
    probe = truth["probes"]["ifc_element"]
    element = model.by_guid(probe["global_id"])

    assert (element.is_a(), element.Name) == (probe["class"], probe["name"])


def test_the_hall_stands_on_the_plan_s_footprint_and_on_the_ground(model: Any, truth: Truth, town: Town) -> None:
    hall = Polygon(truth["ifc"]["footprint"])
    corners = []
    for column in model.by_type("IfcColumn"):
        if column.Name.startswith("KZ-1F"):
            matrix = ifcopenshell.util.placement.get_local_placement(column.ObjectPlacement)
            corners.append(ifcopenshell.util.geolocation.auto_xyz2enh(model, *matrix[:3, 3]))
    places = np.array(corners)

    assert all(hall.buffer(0.01).contains(Point(p)) for p in places[:, :2])
    assert hall.difference(_hull(places).buffer(1.0)).area < 5
    assert np.allclose(places[:, 2], town.station.ground)
    assert abs(town.station.ground - truth["ifc"]["map_conversion"]["orthogonal_height"]) < 1e-9


def _hull(places: np.ndarray) -> Polygon:
    hull = MultiPoint(places[:, :2]).convex_hull
    assert isinstance(hull, Polygon)
    return hull


def test_every_product_but_the_roof_s_whole_has_a_shape(model: Any) -> None:
    geometry: Any = ifcopenshell.geom
    iterator = geometry.iterator(geometry.settings(), model, 1)
    shaped = set()
    if iterator.initialize():
        shaped.add(iterator.get().guid)
        while iterator.next():
            shaped.add(iterator.get().guid)
    without = [
        e.is_a()
        for e in model.by_type("IfcProduct")
        if e.GlobalId not in shaped and not e.is_a("IfcSpatialStructureElement")
    ]

    assert set(without) <= {"IfcRoof", "IfcOpeningElement"}


def test_equal_parts_share_one_geometry(model: Any) -> None:
    assert len(model.by_type("IfcMappedItem")) > 10 * len(model.by_type("IfcRepresentationMap"))


def test_doors_fill_openings_that_cut_walls(model: Any) -> None:
    for door in model.by_type("IfcDoor"):
        opening = door.FillsVoids[0].RelatingOpeningElement
        assert opening.VoidsElements[0].RelatingBuildingElement.is_a("IfcWall")


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_another_process_makes_the_same_bytes(samples: Path, town: Town, tmp_path: Path) -> None:
    assert make(tmp_path, SOURCES, Console(), lambda _: town) == len(SOURCES)

    first, second = tree(samples), tree(tmp_path)

    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []


def test_the_planning_bytes_do_not_depend_on_the_memory_that_is_free(town: Town, tmp_path: Path) -> None:
    contents = set()
    for allowed in (None, "1"):
        pyogrio.set_gdal_config_options({"OGR_GPKG_MAX_RAM_USAGE_RTREE": allowed})
        try:
            write_planning(town, tmp_path / f"allowed_{allowed}")
        finally:
            pyogrio.set_gdal_config_options({"OGR_GPKG_MAX_RAM_USAGE_RTREE": None})
        contents.add((tmp_path / f"allowed_{allowed}" / "new_town_plan.gpkg").read_bytes())

    assert len(contents) == 1


def test_a_current_source_is_left_alone_and_a_damaged_one_made_again(samples: Path, town: Town, tmp_path: Path) -> None:
    shutil.copytree(samples / "survey", tmp_path / "survey")
    shutil.copy(samples / "town_plan.json", tmp_path)
    path = tmp_path / "survey" / "YSLINE.csv"
    content = path.read_bytes()

    assert make(tmp_path, ["survey"], Console(), lambda _: town) == 0
    path.write_bytes(content[:100])
    assert make(tmp_path, ["survey"], Console(), lambda _: town) == 1

    assert path.read_bytes() == content


def test_an_interrupted_delivery_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "survey"
    deliver(folder, "first", lambda working: (working / "a.csv").write_text("whole"))

    def interrupted(working: Path) -> None:
        (working / "a.csv").write_text("hal")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(folder, "second", interrupted)

    assert (folder / "a.csv").read_text() == "whole"
    assert [p.name for p in tmp_path.iterdir()] == ["survey"]


def test_a_file_no_longer_made_is_removed_and_a_stranger_s_file_stays(tmp_path: Path) -> None:
    folder = tmp_path / "topo"
    deliver(folder, "first", lambda working: (working / "old.dxf").write_text("old"))
    (folder / "mine.txt").write_text("kept")

    deliver(folder, "second", lambda working: (working / "new.dxf").write_text("new"))

    assert sorted(p.name for p in folder.iterdir()) == [STAMP, "mine.txt", "new.dxf"]


def test_an_unknown_source_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["--only", "topo,weather"])

    assert refusal.value.code == 2
    assert "no source named weather" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["broken", "byhand", "control"])
def test_committed_samples_are_those_the_command_makes(samples: Path, folder: str) -> None:
    made = {p.relative_to(samples): p for p in (samples / folder).rglob("*") if p.is_file() and p.name != STAMP}

    assert {name for name, path in made.items() if (HERE / name).read_bytes() != path.read_bytes()} == set()


def test_broken_samples_are_small_and_broken(samples: Path) -> None:
    folder = samples / "broken"
    sizes = [p.stat().st_size for p in folder.rglob("*") if p.is_file()]

    assert max(sizes) < 50_000
    with zipfile.ZipFile(folder / "bomb.zip") as archive:
        assert sum(e.file_size for e in archive.infolist()) > 200_000_000
    with pytest.raises(json.JSONDecodeError):
        json.loads((folder / "cut_in_the_middle.geojson").read_text(encoding="utf-8"))
    with pytest.raises(OSError, match="not a DXF file"):
        readfile(folder / "text_pretending_to_be.dxf")
    with pytest.raises(DXFError):
        readfile(folder / "truncated.dxf")
    with pytest.raises(pyogrio.errors.DataSourceError):
        pyogrio.list_layers(folder / "empty.gpkg")


def test_drawings_made_by_hand_are_read_by_a_drawing_library(samples: Path) -> None:
    for path in (samples / "byhand").glob("*.dxf"):
        drawing = readfile(path)
        assert any(code_of(e) for e in drawing.modelspace()), path.name
        assert drawing.encoding == "gbk"
