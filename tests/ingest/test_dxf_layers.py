"""Drawings without CASS codes, files that are broken, real files of many programs, and the sheets of the sample town."""

import json
import logging
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ezdxf.recover
import geopandas as gpd
import pandas as pd
import pytest
import shapely
from exhausting_sources import WRITERS
from ezdxf import filemanagement
from ezdxf.lldxf.const import DXFError

from ingest.draft import Draft, ReadOptions
from ingest.dxf.reader import read_dxf, recognises_dxf
from ingest.mapping import LayerMapping, Mapping
from ingest.readers import find_sources, read_source
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import CatalogueError, SourceRefused
from twin_model.finding import Finding
from twin_model.messages import messages

REAL = (
    "AV Berninaplatz Bergauer", "Graz_10km_3m", "Leica_Disto_S910", "R12_with_trash_beyond_EOF", "bin_dxf_r14",
    "block-color", "duplicate_handles", "dxf_unicode", "empty", "empty_handles", "extendeddata",
    "houses_of_parliament_georeferenced", "layout_broken_links", "nested-insert-layers", "recover01", "sample binary",
    "sample",
)  # fmt: skip
EMPTY = {"dxf_unicode", "empty", "layout_broken_links"}
EVERYTHING = Mapping(
    "everything",
    (
        LayerMapping(("*|TEXT", "*|MTEXT", "*|POINT", "*|INSERT*"), "annotation"),
        LayerMapping(("*|HATCH", "*|SOLID", "*|TRACE"), "vegetation_area"),
        LayerMapping(("*",), "structure"),
    ),
)
CADASTRE = Mapping(
    "cadastre",
    (
        LayerMapping(("100__*",), "structure", constants={"kind": "Markierung"}),
        LayerMapping(("*|MTEXT",), "annotation"),
        LayerMapping(("29__01211|LWPOLYLINE", "30__01234|LWPOLYLINE"), "building", fields={"code": ("layer",)}),
        LayerMapping(("29__01211|INSERT",), "building", constants={"usage": "block"}),
        LayerMapping(("4?__016*|INSERT|EYYYMANN",), "facility", fields={"kind": ("block",)}),
    ),
    crs="EPSG:2056",
)


@dataclass
class Read:
    layers: dict[str, gpd.GeoDataFrame]
    findings: list[Finding]
    counts: dict[str, Any]

    def __getitem__(self, layer: str) -> gpd.GeoDataFrame:
        return self.layers[layer]

    def found(self, rule: str) -> list[Finding]:
        return [one for one in self.findings if one.rule == rule]

    @property
    def accounted(self) -> int:
        return sum(int(self.counts[part]) for part in ("stored", "quarantined", "decoration"))


def read(path: Path, *, storage_crs: str = "EPSG:4548", **options: Any) -> Read:
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs=storage_crs) as draft:
        read_dxf(path, draft, ReadOptions(**options))
        frames: dict[str, list[gpd.GeoDataFrame]] = {}
        for layer, frame in draft.frames():
            frames.setdefault(layer, []).append(frame)
        layers = {layer: pd.concat(parts, ignore_index=True) for layer, parts in frames.items()}
        return Read(layers, list(draft.findings), draft.counts.to_dict())


@pytest.fixture(autouse=True)
def quiet_ezdxf() -> Iterator[None]:
    """Damaged files make ezdxf log; the reader says the same as findings."""
    logging.getLogger("ezdxf").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("ezdxf").setLevel(logging.NOTSET)


def mapped(**layers: str) -> Mapping:
    return Mapping("test", tuple(LayerMapping((name,), to) for name, to in layers.items()))


def bare_modelspace(path: Path) -> list[Any]:
    try:
        return list(filemanagement.readfile(path).modelspace())
    except (DXFError, ValueError):
        return list(ezdxf.recover.readfile(path)[0].modelspace())


@pytest.mark.parametrize("name", REAL)
def test_every_entity_of_a_real_drawing_is_accounted_for(realdata: Path, name: str) -> None:
    path = realdata / "topo" / "dxf" / f"{name}.dxf"
    entities = bare_modelspace(path)

    if name in EMPTY:
        with pytest.raises(SourceRefused, match="no entity in its modelspace"):
            read(path, crs="EPSG:4548", mapping=EVERYTHING)
        assert entities == []
        return
    found = read(path, crs="EPSG:4548", mapping=EVERYTHING)

    assert found.counts["read"] == found.accounted == len(entities)
    passed = sum(one.values["count"] for one in found.findings if "kinds" in one.values)
    assert passed == found.counts["decoration"]
    raw = [one.values["count"] if "records" in one.raw else 1 for one in found.findings if one.raw is not None]
    assert sum(raw) == found.counts["quarantined"]


def test_the_folder_of_real_drawings_holds_no_file_this_test_does_not_know(realdata: Path) -> None:
    assert {path.stem for path in (realdata / "topo" / "dxf").glob("*.dxf")} == set(REAL)


def test_a_cadastral_plan_yields_the_features_its_mapping_names(realdata: Path) -> None:
    path = realdata / "topo" / "dxf" / "AV Berninaplatz Bergauer.dxf"
    entities = bare_modelspace(path)
    kinds = Counter((one.dxf.layer, one.dxftype()) for one in entities)
    manholes = [one for one in entities if one.dxftype() == "INSERT" and one.dxf.name == "EYYYMANN"]

    found = read(path, mapping=CADASTRE, storage_crs="EPSG:2056")

    rings = kinds["29__01211", "LWPOLYLINE"] + kinds["30__01234", "LWPOLYLINE"]
    buildings = found["building"]
    assert (buildings.code.notna().sum(), rings) == (rings, 45)
    assert len(found["annotation"]) == sum(n for (_, kind), n in kinds.items() if kind == "MTEXT")
    assert len(found["facility"]) == sum(one.dxf.layer[:2] in ("40", "41", "42") for one in manholes) == 199
    assert set(found["facility"].kind) == {"EYYYMANN"}
    assert "Berninaplatz" in set(found["annotation"].text)
    assert shapely.box(2683000, 1250000, 2685000, 1252000).contains(shapely.union_all(buildings.geometry.to_numpy()))
    assert found.counts["read"] == found.accounted == len(entities)


def test_a_block_on_a_layer_of_areas_is_the_area_its_block_draws(realdata: Path) -> None:
    path = realdata / "topo" / "dxf" / "AV Berninaplatz Bergauer.dxf"

    found = read(path, mapping=CADASTRE, storage_crs="EPSG:2056")

    blocks = found["building"][found["building"].usage == "block"]
    assert len(blocks) > 0
    assert (blocks.area > 1.0).all()
    assert blocks.geometry.is_valid.all()


def test_layers_fields_constants_and_values_follow_the_mapping(tmp_path: Path) -> None:
    document = filemanagement.new()
    block = document.blocks.new("LAMP")
    block.add_attdef("POLE", (0, 0))
    space = document.modelspace()
    lamp = space.add_blockref("LAMP", (100, 200, 7), dxfattribs={"layer": "Lights"})
    lamp.add_attrib("POLE", "A-17", (100, 200))
    space.add_line((0, 0), (5, 5), dxfattribs={"layer": "Kerb"})
    space.add_arc((0, 0), 10, 0, 90, dxfattribs={"layer": "Kerb"})
    space.add_spline([(0, 0), (5, 9), (9, 0)], dxfattribs={"layer": "Kerb"})
    space.add_text("Main St", height=2, dxfattribs={"layer": "Kerb"})
    space.add_line((0, 0), (5, 5), dxfattribs={"layer": "Other"})
    document.saveas(tmp_path / "a.dxf")
    mapping = Mapping(
        "m",
        (
            LayerMapping(("lights",), "street_lamp", fields={"pole_no": ("pole",)}, constants={"road_name": "Main St"}),
            LayerMapping(("kerb",), "road_line", fields={"kind": ("type",)}, values={"kind": {"ARC": "bend"}}),
        ),
    )

    found = read(tmp_path / "a.dxf", crs="EPSG:4548", mapping=mapping)

    assert found["street_lamp"].pole_no.tolist() == ["A-17"]
    assert found["street_lamp"].road_name.tolist() == ["Main St"]
    assert found["road_line"].kind.tolist() == ["LINE", "bend", "SPLINE"]
    assert found["road_line"].length.iloc[1] == pytest.approx(15.708, abs=0.1)
    assert found.found("dxf.no_shape_for_layer")[0].values["kinds"] == ["Kerb TEXT (1)"]
    assert found.found("dxf.unmapped_layer")[0].values["kinds"] == ["Other (1)"]


def test_hatches_circles_and_closed_lines_become_areas_with_their_holes(tmp_path: Path) -> None:
    document = filemanagement.new()
    space = document.modelspace()
    hatch = space.add_hatch(dxfattribs={"layer": "Green"})
    hatch.paths.add_polyline_path([(0, 0), (30, 0), (30, 30), (0, 30)], is_closed=True, flags=1)
    hatch.paths.add_polyline_path([(10, 10), (20, 10), (20, 20), (10, 20)], is_closed=True, flags=16)
    space.add_circle((100, 100), 10, dxfattribs={"layer": "Green"})
    space.add_ellipse((200, 0), (20, 0), 0.5, dxfattribs={"layer": "Green"})
    space.add_line((0, 0), (5, 5), dxfattribs={"layer": "Green"})
    document.saveas(tmp_path / "a.dxf")

    found = read(tmp_path / "a.dxf", crs="EPSG:4548", mapping=mapped(Green="vegetation_area"))

    assert found["vegetation_area"].area.tolist() == pytest.approx([800, 314.159, 628.319], rel=0.01)
    assert [one.place[:6] for one in found.found("dxf.not_closed")] == ["handle"]


@pytest.mark.parametrize(("unit", "factor"), [(4, 0.001), (1, 0.0254), (2, 0.3048), (6, 1.0), (0, 1.0)])
def test_a_drawing_in_other_units_is_scaled_to_metres_and_says_so(tmp_path: Path, unit: int, factor: float) -> None:
    document = filemanagement.new(units=unit)
    document.modelspace().add_lwpolyline([(0, 0), (5000, 0)], dxfattribs={"layer": "Kerb"})
    document.saveas(tmp_path / "a.dxf")

    found = read(tmp_path / "a.dxf", crs="EPSG:4548", mapping=mapped(Kerb="road_line"))
    told = Mapping("m", mapped(Kerb="road_line").layers, options={"units": "m"})
    as_drawn = read(tmp_path / "a.dxf", crs="EPSG:4548", mapping=told)
    with pytest.raises(CatalogueError, match=r"options\.units = millimetre.*us-ft"):
        read(tmp_path / "a.dxf", crs="EPSG:4548", mapping=Mapping("m", told.layers, options={"units": "millimetre"}))

    assert found["road_line"].length.iloc[0] == pytest.approx(5000 * factor)
    assert len(found.found("dxf.units_scaled")) == (factor != 1.0)
    assert as_drawn["road_line"].length.iloc[0] == pytest.approx(5000)


def test_a_unit_of_the_header_that_brings_the_drawing_out_of_the_town_is_not_believed(tmp_path: Path) -> None:
    document = filemanagement.new(units=4)
    document.modelspace().add_arc((618_000, 3_885_000), 50, 0, 180, dxfattribs={"layer": "Kerb"})
    document.saveas(tmp_path / "a.dxf")
    asked = Mapping("m", mapped(Kerb="road_line").layers, options={"units": "mm"})

    found = read(tmp_path / "a.dxf", crs="EPSG:4548", mapping=mapped(Kerb="road_line"))
    as_asked = read(tmp_path / "a.dxf", crs="EPSG:4548", mapping=asked)

    (finding,) = found.found("dxf.units_not_believed")
    assert found["road_line"].length.iloc[0] == pytest.approx(
        50 * math.pi, abs=0.5
    )  # arcs by the unit that is believed
    assert found["road_line"].total_bounds[1] == pytest.approx(3_885_000, abs=1)
    assert "618000.0, 38850" in finding.text("en") and "618.0，3885.0" in finding.text("zh")
    assert as_asked.found("dxf.units_scaled") and as_asked.counts["stored"] == 0


def test_a_mirrored_object_system_is_turned_to_the_world(tmp_path: Path) -> None:
    document = filemanagement.new()
    ring = [(-10, 0), (-20, 0), (-20, 10)]
    document.modelspace().add_lwpolyline(ring, close=True, dxfattribs={"layer": "House", "extrusion": (0, 0, -1)})
    document.saveas(tmp_path / "a.dxf")

    found = read(tmp_path / "a.dxf", crs="EPSG:4548", mapping=mapped(House="building"))

    assert found["building"].total_bounds.tolist() == pytest.approx([10, 0, 20, 10])


def test_a_kind_named_by_the_caller_takes_every_layer(tmp_path: Path) -> None:
    document = filemanagement.new()
    document.modelspace().add_line((0, 0), (9, 9), dxfattribs={"layer": "Anything"})
    document.saveas(tmp_path / "a.dxf")

    assert len(read(tmp_path / "a.dxf", crs="EPSG:4548", kind="rail")["rail"]) == 1


def test_a_drawing_no_layer_of_which_is_mapped_is_refused_with_its_layers(tmp_path: Path) -> None:
    document = filemanagement.new()
    for layer in ("Kerb", "Kerb", "Houses"):
        document.modelspace().add_line((0, 0), (9, 9), dxfattribs={"layer": layer})
    document.saveas(tmp_path / "a.dxf")

    with pytest.raises(SourceRefused, match=r"Kerb \(2\), Houses \(1\)") as refused:
        read(tmp_path / "a.dxf", crs="EPSG:4548", mapping=Mapping("mine", (LayerMapping(("other",), "building"),)))

    assert 'from = "Kerb"' in str(refused.value)
    assert "structure" in refused.value.text("zh")


def test_a_drawing_of_which_nothing_is_said_becomes_layers_of_its_own(tmp_path: Path) -> None:
    document = filemanagement.new()
    space, block, sheet = document.modelspace(), document.blocks.new("TREE"), document.blocks.new("PLAN")
    block.add_circle((0, 0), 1)
    sheet.add_lwpolyline([(20, 0), (29, 0), (29, 9)], close=True, dxfattribs={"layer": "Houses"})
    space.add_blockref("TREE", (1, 1), dxfattribs={"layer": "Trees", "color": 3})
    space.add_blockref("PLAN", (0, 0), dxfattribs={"layer": "0"})
    space.add_text("A", dxfattribs={"layer": "Notes", "insert": (5, 5)})
    space.add_line((0, 0, 3), (9, 9, 4), dxfattribs={"layer": "Kerb"})
    document.saveas(tmp_path / "plan.dxf")

    found = read(tmp_path / "plan.dxf", crs="EPSG:4548", mapping=None)

    assert {name: len(frame) for name, frame in found.layers.items()} == {
        "plan_points": 2,
        "plan_lines": 1,
        "plan_areas": 1,
    }
    points = found.layers["plan_points"]
    assert points[["layer", "block", "color", "text"]].fillna("").values.tolist() == [
        ["Trees", "TREE", "3", ""],
        ["Notes", "", "7", "A"],
    ]
    assert found.layers["plan_lines"].geometry.has_z.all() and found.layers["plan_areas"]["layer"].tolist() == [
        "Houses"
    ]
    assert [one.rule for one in found.findings].count("vector.own_layer") == 3


def test_geodata_of_a_drawing_is_noted(realdata: Path) -> None:
    found = read(
        realdata / "topo" / "dxf" / "houses_of_parliament_georeferenced.dxf",
        crs="EPSG:27700",
        storage_crs="EPSG:27700",
        mapping=EVERYTHING,
    )

    assert found.found("dxf.geodata")[0].values == {"found": "EPSG:27700", "crs": "EPSG:27700"}


def test_a_drawing_without_crs_is_refused(tmp_path: Path) -> None:
    filemanagement.new().saveas(tmp_path / "a.dxf")

    with pytest.raises(SourceRefused) as refused:
        read(tmp_path / "a.dxf")

    assert refused.value.rule_id == "source.no_crs"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "dxf.not_dxf"),
        (b"Dear Sir, this is a letter about a drawing.\n", "dxf.not_dxf"),
        (b"AC1027\x00\x00\x00\x00\x00", "dxf.is_dwg"),
        (b"AutoCAD Binary DXF\r\n\x1a\x00\x00SECTION\x00\x02", "dxf.unreadable"),
        (b"  0\nSECTION\n  2\nENTITIES\n  0\nLINE\n  8\n0\n 10\n1.0\n 2", "dxf.truncated"),
        (b"  0\nSECTION\n  2\nENTITIES\n  0\nENDSEC\n  0\nEOF\n", "dxf.empty"),
    ],
)
def test_what_is_no_usable_drawing_is_refused_in_words(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "a.dxf"
    path.write_bytes(content)

    with pytest.raises(SourceRefused) as refused:
        read(path, crs="EPSG:4548", mapping=EVERYTHING)

    assert refused.value.rule_id == rule
    assert "a.dxf" in refused.value.text("en")
    assert "a.dxf" in refused.value.text("zh")


def test_a_dwg_is_refused_with_how_to_convert_it_unless_its_dxf_lies_beside_it(tmp_path: Path) -> None:
    for name in ("a.dwg", "b.dwg"):
        (tmp_path / name).write_bytes(b"AC1032\x00\x00\x00\x00")
    filemanagement.new().saveas(tmp_path / "b.dxf")

    sources = [path.name for path in find_sources(tmp_path)]
    with pytest.raises(SourceRefused) as refusal:
        read_source(
            tmp_path / "a.dwg",
            Draft(Source("a.dwg", "0" * 64), read_catalogue(), storage_crs="EPSG:4548"),
            ReadOptions(),
        )

    assert sources == ["a.dwg", "b.dxf"]
    assert refusal.value.rule_id == "dxf.is_dwg"
    assert "ODA File Converter" in refusal.value.text("zh")


def test_a_drawing_cut_anywhere_is_never_read_in_part(tmp_path: Path) -> None:
    document = filemanagement.new("R12")
    for i in range(20):
        document.modelspace().add_line((i, 0), (i, 9), dxfattribs={"layer": "Kerb"})
    document.saveas(tmp_path / "whole.dxf")
    content = (tmp_path / "whole.dxf").read_bytes()
    entities = content.index(b"ENTITIES")

    for end in range(entities + 40, content.index(b"ENDSEC", entities), 37):
        (tmp_path / "cut.dxf").write_bytes(content[:end])
        with pytest.raises(SourceRefused):
            read(tmp_path / "cut.dxf", crs="EPSG:4548", mapping=mapped(Kerb="road_line"))


def test_a_damaged_drawing_is_recovered_with_a_finding_for_each_repair_up_to_a_limit(realdata: Path) -> None:
    found = read(realdata / "topo" / "dxf" / "recover01.dxf", crs="EPSG:4548", mapping=EVERYTHING)

    assert found.found("dxf.recovered")[0].values["fixes"] == 68
    assert len(found.found("dxf.fixed")) == 50
    assert len(found["structure"]) + found.counts["quarantined"] == 1441


@pytest.mark.parametrize(
    ("start", "is_drawing"),
    [
        (b"  0\r\nSECTION\r\n", True),
        (b"999\nmade by hand\n0\nSECTION\n", True),
        (b"\xef\xbb\xbf0\nSECTION\n", True),
        (b"AutoCAD Binary DXF\r\n\x1a\x00", True),
        (b"0\nSECTIONS\n", False),
        (b"PK\x03\x04", False),
        (b"", False),
    ],
)
def test_a_drawing_is_recognised_by_its_first_bytes(tmp_path: Path, start: bytes, is_drawing: bool) -> None:
    path = tmp_path / "no_suffix"
    path.write_bytes(start)

    assert recognises_dxf(path) is is_drawing


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    def words(lang: str) -> dict[str, set[str]]:
        own = {rule: text for rule, text in messages(lang).items() if rule.startswith("dxf.")}
        return {rule: {part.split("}")[0].split("!")[0] for part in text.split("{")[1:]} for rule, text in own.items()}

    assert words("en") == words("zh")
    assert len(words("en")) > 30


@pytest.fixture(scope="module")
def sheets(samples: Path) -> list[tuple[dict[str, Any], Path, Read]]:
    """Every sheet of the sample town: what the plan says of it, its file, what was read."""
    plan = json.loads((samples / "town_plan.json").read_text("utf-8"))
    told = [(sheet, samples / sheet["file"]) for sheet in plan["topo"]["sheets"]]
    return [(sheet, path, read(path, crs="EPSG:4548")) for sheet, path in told]


@pytest.mark.parametrize("nth", range(12))
def test_a_sheet_of_the_sample_town_holds_what_the_plan_says(
    sheets: list[tuple[dict[str, Any], Path, Read]], nth: int
) -> None:
    sheet, _, found = sheets[nth]

    assert len(found["building"]) == sheet["buildings"]
    holes = sum(len(part.interiors) for part in shapely.get_parts(found["building"].geometry.to_numpy()))
    assert holes == sheet["courtyards"]
    assert (len(found["contour"]), len(found["spot_height"])) == (sheet["contours"], sheet["spot_heights"])
    assert sorted(set(found["contour"].elevation)) == sheet["contour_heights"]
    own = found["map_sheet"].iloc[0]
    assert (own["number"], own["scale"]) == (sheet["number"], sheet["scale"])
    assert shapely.from_wkt(own["neatline"]).bounds == tuple(sheet["neatline"])
    assert sheet["survey_date"].startswith(own["surveyed"])
    assert found.counts["quarantined"] == 0


def test_the_buildings_of_all_sample_sheets_carry_what_their_texts_say(
    samples: Path,
    sheets: list[tuple[dict[str, Any], Path, Read]],
) -> None:
    plan = json.loads((samples / "town_plan.json").read_text("utf-8"))["topo"]["buildings"]
    buildings = pd.concat([found["building"] for _, _, found in sheets], ignore_index=True)
    words = "|".join("砼混砖钢简棚建").encode("gbk")
    basements = sum(len(re.findall(rb"\n(?:%b)?\d{1,2}-\d\r?\n" % words, path.read_bytes())) for _, path, _ in sheets)

    structures = sum(len(re.findall(rb"\n(?:%b)\r?\n" % words, path.read_bytes())) for _, path, _ in sheets)
    bare = structures - plan["by_label"]["split"]

    known = buildings[buildings.storeys.notna()]
    assert len(known) == plan["with_text"]
    assert (known.storeys_source == "convention").sum() == bare > 100
    assert set(known.storeys[known.storeys_source == "convention"]) == {1}
    assert buildings.storeys_below.notna().sum() == basements > 100
    footprints = [shapely.union_all(found["building"].geometry.to_numpy()).area for _, _, found in sheets]
    assert sum(footprints) == pytest.approx(plan["footprint_area_m2"], rel=1e-4)


def test_a_hatch_of_endless_arcs_is_set_aside_and_the_drawing_is_read(tmp_path: Path) -> None:
    """The library would flatten them for ever; an arc of the drawing itself is brought within one turn."""
    WRITERS["sparse_hatch.dxf"](tmp_path / "hatch.dxf")
    source = Source("hatch.dxf", "0" * 64)

    with Draft(source, read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_source(tmp_path / "hatch.dxf", draft, ReadOptions(crs="EPSG:4548"))

        (broken,) = (each for each in draft.findings if each.rule == "dxf.broken_entity")
        assert "an arc of 1e+300 degrees" in broken.text("en")
        assert (draft.counts.stored, draft.counts.quarantined) == (1, 1)
