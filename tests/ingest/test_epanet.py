"""EPANET networks against WNTR's own reading of the same files, and networks with something wrong in them."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from ingest.coordinates import AS_THEY_ARE, Coordinates, coordinates_of
from ingest.draft import Draft, ReadOptions
from ingest.epanet import read_epanet, recognises_epanet
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import SourceRefused

NETWORKS = ["Net1", "Net3", "ky4", "ZJ", "L-TOWN", "Balerma"]
SMALL = """[JUNCTIONS]
 J1  10  0 ;inlet
 J2  20  0
[RESERVOIRS]
 R1  50
[PIPES]
 P1  R1 J1 100 12 100 0 Open ;main
 P2  J1 J2 100 12 100 0 CV
[OPTIONS]
 UNITS GPM
[COORDINATES]
 R1 617000 3885000
 J1 617100 3885000
 J2 617200 3885000
[VERTICES]
 P2 617150 3885000
[END]
"""


ANYWHERE = Coordinates(anywhere=True)


def read(
    path: Path, coordinates: Coordinates = AS_THEY_ARE, **options: Any
) -> tuple[dict[str, gpd.GeoDataFrame], Draft]:
    source = Source(path.name, "0" * 64)
    with Draft(source, read_catalogue(), storage_crs="EPSG:4548", coordinates=coordinates) as draft:
        read_epanet(path, draft, ReadOptions(**{"crs": "EPSG:4548"} | options))
        frames: dict[str, list[gpd.GeoDataFrame]] = {}
        for layer, frame in draft.frames():
            frames.setdefault(layer, []).append(frame)
    return {layer: gpd.GeoDataFrame(pd.concat(parts)) for layer, parts in frames.items()}, draft


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "network.inp"
    path.write_text(text, encoding)
    return path


@pytest.fixture(scope="module")
def wntr() -> Any:
    """WNTR, the reference; it needs six, which its wheel does not name."""
    try:
        import wntr as reference
    except ImportError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"wntr cannot be imported, and CI=true: {error}")
        pytest.skip(f"wntr cannot be imported ({error}): the comparison with it is NOT made here")
    return reference


def height_of(node: Any) -> float:
    """Return a node's elevation as WNTR knows it; of a reservoir its head."""
    return float(node.base_head if node.node_type == "Reservoir" else node.elevation)


@pytest.mark.filterwarnings("ignore:Changing the headloss formula")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_real_network_reads_as_wntr_reads_it(realdata: Path, wntr: Any, name: str) -> None:
    path = realdata / "pipeline" / "epanet" / f"{name}.inp"
    expected = wntr.network.WaterNetworkModel(str(path))

    frames, draft = read(path, ANYWHERE)  # their coordinates are those of a drawing, not of a place

    nodes = frames["pipe_point"].set_index("survey_no")
    links = frames["pipe_line"].set_index("segment_key")
    for kind in ("junction", "reservoir", "tank"):
        assert set(nodes.index[nodes["kind"] == kind]) == set(getattr(expected, f"{kind}_name_list"))
    for kind in ("pipe", "pump", "valve"):
        assert set(links.index[links["kind"] == kind]) == set(getattr(expected, f"{kind}_name_list"))
    heights = np.array([height_of(expected.get_node(name)) for name in nodes.index])
    np.testing.assert_allclose(nodes["ground_elevation"].astype(float), heights, rtol=1e-6)
    places = [expected.get_node(n).coordinates for n in nodes.index]
    np.testing.assert_allclose(np.column_stack((nodes.geometry.x, nodes.geometry.y)), places, rtol=1e-9)
    ends = [(expected.get_link(n).start_node_name, expected.get_link(n).end_node_name) for n in links.index]
    assert list(zip(links["start_no"], links["end_no"], strict=True)) == ends
    pipes, sized = links[links["kind"] == "pipe"], links[links["kind"] != "pump"]
    np.testing.assert_allclose(
        pipes["length"].astype(float), [expected.get_link(n).length for n in pipes.index], rtol=1e-6
    )
    np.testing.assert_allclose(
        sized["width_mm"].astype(float) / 1000,
        [expected.get_link(n).diameter for n in sized.index],
        rtol=1e-6,
    )
    bends = [len(expected.get_link(n).vertices) for n in pipes.index]
    assert [len(line.coords) - 2 for line in pipes.geometry] == bends
    assert draft.counts.read == draft.counts.stored == len(nodes) + len(links)


def test_ky4_has_the_nodes_and_heights_of_its_published_geojson(realdata: Path) -> None:
    folder = realdata / "pipeline"
    expected = gpd.read_file(folder / "geojson" / "ky4_junctions.geojson").set_index("name")

    frames, _ = read(folder / "epanet" / "ky4.inp")

    nodes = frames["pipe_point"].set_index("survey_no")
    junctions = nodes[nodes["kind"] == "junction"].loc[expected.index]
    assert len(junctions) == len(expected) == (nodes["kind"] == "junction").sum()
    np.testing.assert_allclose(
        junctions["ground_elevation"].astype(float), expected["elevation"].astype(float), rtol=1e-6
    )


def test_every_swmm_model_is_recognised_and_refused_by_name(realdata: Path) -> None:
    paths = sorted((realdata / "pipeline" / "swmm").glob("*.inp"))
    assert paths

    for path in paths:
        assert recognises_epanet(path)
        with pytest.raises(
            SourceRefused, match=r"is a SWMM drainage model \(it has a section \[[A-Z]+\]\), not an EPANET"
        ):
            read(path)


def test_gallons_mean_feet_and_inches(tmp_path: Path) -> None:
    frames, _ = read(written(tmp_path, SMALL))

    point = frames["pipe_point"].set_index("survey_no").loc["J1"]
    line = frames["pipe_line"].set_index("segment_key").loc["P2"]
    assert point["ground_elevation"] == pytest.approx(3.048)
    assert (line["width_mm"], line["length"], line["section"]) == (
        pytest.approx(304.8),
        pytest.approx(30.48),
        "304.8",
    )
    assert (line["start_axis"], line["start_crown"], line["start_invert"]) == pytest.approx((3.048, 3.2004, 2.8956))


def test_litres_mean_metres_and_millimetres(tmp_path: Path) -> None:
    frames, _ = read(written(tmp_path, SMALL.replace("GPM", "LPS")))

    line = frames["pipe_line"].set_index("segment_key").loc["P2"]
    assert (line["width_mm"], line["length"]) == (12.0, 100.0)


def test_heights_run_evenly_along_the_bends_of_a_link(tmp_path: Path) -> None:
    frames, _ = read(written(tmp_path, SMALL.replace("GPM", "LPS")))

    line = frames["pipe_line"].set_index("segment_key").loc["P2"]
    assert [c[2] for c in line.geometry.coords] == pytest.approx([10.0, 15.0, 20.0])
    assert line["height_source"] == "model"


def test_states_and_comments_are_kept_as_a_note(tmp_path: Path) -> None:
    text = SMALL.replace("[OPTIONS]", "[STATUS]\n P1 Closed\n[OPTIONS]").replace(";main", ";干管")

    frames, _ = read(written(tmp_path, text, "gbk"))

    notes = frames["pipe_line"].set_index("segment_key")["note"]
    assert (notes["P1"], notes["P2"]) == ("Closed; 干管", "CV")


@pytest.mark.parametrize(
    "named", [{"encoding": "big5"}, {"mapping": SimpleNamespace(options={"encoding": "Big5"}, crs=None)}]
)
def test_an_encoding_is_named_by_the_caller_or_by_the_mapping(tmp_path: Path, named: dict[str, Any]) -> None:
    path = written(tmp_path, SMALL.replace(";main", ";縣府路"), "big5")

    frames, _ = read(path, **named)

    assert "縣府路" in frames["pipe_line"].set_index("segment_key").filter(like="P1", axis=0)["note"].item()


def test_ids_carry_the_network_so_that_two_networks_do_not_collide(tmp_path: Path) -> None:
    frames, _ = read(written(tmp_path, SMALL))

    assert sorted(frames["pipe_point"]["id"]) == ["network.JS.J1", "network.JS.J2", "network.JS.R1"]


@pytest.mark.parametrize(
    ("unit", "contradicts"), [("Feet", True), ("DEGREES", True), ("Meters", False), ("None", False)]
)
def test_a_map_unit_that_is_not_that_of_the_crs_is_said(tmp_path: Path, unit: str, contradicts: bool) -> None:
    backdrop = f"[BACKDROP]\n DIMENSIONS 0 0 1 1\n UNITS {unit}\n FILE C:\\a,b.jpg\n[END]"

    _, draft = read(written(tmp_path, SMALL.replace("[END]", backdrop)))

    assert ("epanet.map_unit" in {finding.rule for finding in draft.findings}) == contradicts


def test_a_network_in_feet_is_read_in_metres_where_a_mapping_says_so(tmp_path: Path) -> None:
    in_feet = SMALL.replace("617", "2024").replace("3885000", "12746062.992126")
    path = written(tmp_path, in_feet.replace("[END]", "[BACKDROP]\n UNITS Feet\n[END]"))

    frames, draft = read(path, coordinates_of(SimpleNamespace(options={"coordinates": {"unit": "ft"}})))

    assert frames["pipe_point"].geometry.y.round(3).unique().tolist() == [3_885_000.0]
    assert "epanet.map_unit" not in {finding.rule for finding in draft.findings}


def test_a_file_without_units_is_read_as_epanet_would_and_says_so(tmp_path: Path) -> None:
    _, draft = read(written(tmp_path, SMALL.replace(" UNITS GPM\n", "")))

    assert "epanet.units_assumed" in {finding.rule for finding in draft.findings}


def test_a_link_to_an_unknown_node_is_set_aside_with_the_nearest_id(tmp_path: Path) -> None:
    frames, draft = read(written(tmp_path, SMALL.replace("P2  J1 J2", "P2  J1 J22")))

    (finding,) = [one for one in draft.findings if one.rule == "epanet.node_unknown"]
    assert "Link P2 at line 8 refers to node J22" in finding.text("en")
    assert "J2" in finding.values["nearest"]
    assert finding.raw is not None
    assert list(frames["pipe_line"]["segment_key"]) == ["P1"]
    assert (draft.counts.read, draft.counts.stored, draft.counts.quarantined) == (5, 4, 1)


def test_a_node_without_a_place_is_set_aside_and_its_links_too(tmp_path: Path) -> None:
    _, draft = read(written(tmp_path, SMALL.replace(" J2 617200 3885000\n", " J2 nan 3885000\n")))

    assert [one.rule for one in draft.findings if one.severity == "error"] == [
        "epanet.no_place",
        "epanet.node_unknown",
    ]
    assert (draft.counts.read, draft.counts.quarantined) == (5, 2)


def test_a_repeated_id_keeps_the_first(tmp_path: Path) -> None:
    frames, draft = read(written(tmp_path, SMALL.replace("[RESERVOIRS]", " J1 99 0\n[RESERVOIRS]")))

    assert "epanet.id_repeated" in {finding.rule for finding in draft.findings}
    assert frames["pipe_point"].set_index("survey_no").loc["J1", "ground_elevation"] == pytest.approx(3.048)


def test_unreadable_numbers_are_reported_and_never_made_up(tmp_path: Path) -> None:
    frames, draft = read(
        written(tmp_path, SMALL.replace("J2  20", "J2  high").replace("100 12 100 0 CV", "100 0 100 0 CV"))
    )

    assert {"epanet.no_elevation", "epanet.no_diameter"} <= {finding.rule for finding in draft.findings}
    assert not frames["pipe_point"].set_index("survey_no").loc["J2"].geometry.has_z
    line = frames["pipe_line"].set_index("segment_key").loc["P2"]
    assert not line.geometry.has_z
    assert pd.isna(line["width_mm"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"network\.inp is empty"),
        ("*HEADING\n a finite element model\n", r"is no EPANET network\. Found: \*HEADING"),
        ("[TITLE]\n[JUNCTIONS]\n[PIPES]\n", "has no nodes"),
        (SMALL.split("[COORDINATES]")[0], r"has 3 nodes but no \[COORDINATES\]"),
        (SMALL.replace("GPM", "BARRELS"), "flow unit 'BARRELS'"),
    ],
)
def test_what_is_no_network_is_refused_with_the_cause(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceRefused, match=message):
        read(written(tmp_path, text))


def test_a_network_without_crs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused) as refusal:
        read(written(tmp_path, SMALL), crs=None)

    assert refusal.value.rule_id == "source.no_crs"


def test_other_files_are_not_taken_for_networks(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("物探点号,X,Y\n", "gbk")

    assert not recognises_epanet(tmp_path / "points.csv")
    assert not recognises_epanet(tmp_path)


def test_decimal_commas_are_read_as_decimal_points_and_told_once(tmp_path: Path) -> None:
    pointed = SMALL.replace("100 12", "100.25 12.5").replace("617100 3885000", "617100.50 3885000.25")
    expected, _ = read(written(tmp_path, pointed))

    read_layers, draft = read(written(tmp_path, pointed.replace(".", ",")))

    for layer, frame in read_layers.items():
        assert frame.drop(columns="geometry").equals(expected[layer].drop(columns="geometry"))
        assert frame.geometry.geom_equals(expected[layer].geometry).all()
    assert [(one.rule, one.place, one.values["count"]) for one in draft.findings if "comma" in one.rule] == [
        ("epanet.decimal_comma", "line 7", 3)
    ]


def test_a_length_or_a_bend_that_is_no_number_is_told(tmp_path: Path) -> None:
    text = SMALL.replace("P1  R1 J1 100", "P1  R1 J1 1.0.0").replace("P2 617150", "P2 61715O")

    layers, draft = read(written(tmp_path, text))

    assert layers["pipe_line"]["length"].isna().tolist() == [True, False]
    told = [(one.place, one.values["value"]) for one in draft.findings if one.rule == "epanet.number_unreadable"]
    assert told == [("line 16", "61715O"), ("line 7", "1.0.0")]


def test_what_a_model_says_and_no_field_takes_stays_in_attributes(tmp_path: Path) -> None:
    text = SMALL.replace("[OPTIONS]", "[TAGS]\n NODE J1 north zone\n LINK P2 west\n[OPTIONS]").replace(
        "J2  20  0", "J2 20"
    )

    frames, _ = read(written(tmp_path, text))

    said = {
        name: [json.loads(each) if isinstance(each, str) else None for each in frame["attributes"]]
        for name, frame in frames.items()
    }
    assert said["pipe_point"] == [{"demand": 0.0, "tag": "north zone"}, None, None]
    assert said["pipe_line"] == [
        {"minor_loss": 0.0, "roughness": 100.0},
        {"minor_loss": 0.0, "roughness": 100.0, "tag": "west"},
    ]
