"""A drafted mapping names what is nearest, fits the geometry, can be read as it is, and a check shows what it makes."""

import json
import tomllib
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely
from twin_command import run_twin

from ingest.draft import ReadOptions
from ingest.layer_likeness import proposals
from ingest.mapping_draft import mapping_draft
from ingest.outline import ColumnOutline, LayerOutline
from ingest.vector.outline import vector_outline
from twin_model.catalogue import read_catalogue
from twin_model.catalogue.layer_from_source import SourceColumn
from twin_model.town import init_town, open_town

CATALOGUE = read_catalogue()


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """Houses as an office names them: by initials, in part in Chinese, with two columns that are nobody's."""
    path = tmp_path / "FW_M.shp"
    columns = {
        "FWJG": ["砼", "混", "砖"],
        "地上层数": [3, 2, 1],
        "FWYT": ["住宅", "商业", None],
        "OWNER": ["甲", "乙", None],
        "BZ": [1, 2, 3],
    }
    shapes = [shapely.box(618000 + 20 * n, 3885000, 618010 + 20 * n, 3885010) for n in range(3)]
    gpd.GeoDataFrame(columns, geometry=shapes, crs=4548).to_file(path, encoding="gbk")
    return path


def outline(name: str, kind: str, *columns: ColumnOutline) -> LayerOutline:
    return LayerOutline(name, {kind: 1}, "EPSG:4548", columns)


def text_column(name: str, *values: str) -> ColumnOutline:
    return ColumnOutline(SourceColumn(name, "string"), values)


def test_the_outline_of_a_file_tells_geometry_columns_and_values(houses: Path) -> None:
    (layer,) = vector_outline(houses, ReadOptions())

    assert (layer.name, layer.rows) == ("FW_M", {"Polygon": 3}) and layer.crs
    assert {column.name: column.values for column in layer.columns}["FWYT"] == ("住宅", "商业")
    assert {column.name: column.column.type for column in layer.columns}["地上层数"] == "integer"


def test_layers_that_are_proposed_hold_the_kind_of_geometry_of_the_source() -> None:
    for kind, dimension in (("Point", 0), ("LineString", 1), ("Polygon", 2)):
        layers = [proposal.layer for proposal in proposals(outline("道路", kind), kind, CATALOGUE)]

        assert layers and {layer.dimension for layer in layers} == {dimension}
    assert proposals(outline("路灯", "Point"), "Point", CATALOGUE)[0].layer.id == "street_lamp"


def test_a_column_of_words_is_no_sure_field_of_numbers_and_each_field_takes_one_column() -> None:
    layer = outline(
        "房屋", "Polygon", text_column("层数", "三层"), text_column("结构", "砼"), text_column("FWJG", "混")
    )

    best = proposals(layer, "Polygon", CATALOGUE)[0]

    fields = {proposal.field.name: proposal for proposal in best.fields}
    assert best.layer.id == "building" and fields["structure"].column.name == "结构"
    assert "storeys" not in fields or fields["storeys"].score < 0.6
    assert len({proposal.column.name for proposal in best.fields}) == len(best.fields)


def test_the_draft_is_a_mapping_with_values_for_codes_and_says_what_stays() -> None:
    """Names with quotes and backslashes come back as they are."""
    layer = outline('控制线"\\', "LineString", text_column("类别", "城市绿线", "未知线"), text_column("说明"))

    text = mapping_draft("规划.gpkg", [layer], CATALOGUE, "zh")

    table = tomllib.loads(text)
    assert table["layer"][0]["from"] == ['控制线"\\'] and table["layer"][0]["to"] == "control_line"
    assert table["layer"][0]["fields"]["kind"] == "类别"
    assert "保留在 attributes：说明" in text and "twin mapping check 规划.gpkg" in text


def test_a_source_that_nothing_of_ours_is_near_to_is_left_as_a_comment_with_the_nearest() -> None:
    text = mapping_draft("zones.gpkg", [outline("qqq", "Polygon", text_column("www"))], CATALOGUE, "en")

    assert "layer" not in tomllib.loads(text)
    assert '# to = "' in text and "becomes a layer of the town's own" in text


def test_a_draft_is_checked_and_delivered_as_it_is_and_learned_for_the_next_file_of_its_form(
    houses: Path, tmp_path: Path
) -> None:
    town = tmp_path / "town"
    init_town(town, name="新城", crs="EPSG:4548").store.close()
    mapping, following = tmp_path / "houses.toml", tmp_path / "房屋2025.geojson"
    frame = gpd.read_file(houses, encoding="gbk")
    frame.geometry = frame.translate(500)
    frame.to_file(following)

    drafted = run_twin("--town", town, "mapping", "draft", houses, "-o", mapping)
    again = run_twin("--town", town, "mapping", "draft", houses, "-o", mapping)
    checked = run_twin("--town", town, "mapping", "check", houses, "--mapping", mapping)
    alone = run_twin("--town", town, "ingest", following, "--learn")
    learned = run_twin("--town", town, "ingest", houses, "--mapping", mapping, "--learn")
    followed = run_twin("--town", town, "ingest", following)

    assert drafted.returncode == 0 and mapping.exists(), drafted.stderr
    head = mapping.read_text("utf-8").partition("\n\n")[0]
    assert [line[2:] for line in head.splitlines() if line.startswith("# twin")] == [
        f"twin --town {town} mapping check {houses} --mapping {mapping}",
        f"twin --town {town} ingest {houses} --mapping {mapping}",
    ]
    kept = (town / "mappings" / "houses.toml").read_text("utf-8")
    assert "# twin" not in kept and kept.lstrip().startswith(("#", "[[layer]]")) and "[[form]]" in kept
    assert again.returncode == 2 and "is there already" in again.stderr
    assert checked.returncode == 0 and "砼, 混, 砖" in checked.stdout and "stay in attributes: " in checked.stdout
    assert alone.returncode == 2 and "mapping draft FILE" in alone.stderr
    assert "learned: mappings/houses.toml" in learned.stdout, learned.stderr
    assert "has learned for its form: houses.toml" in followed.stdout, followed.stderr
    with open_town(town) as opened:
        buildings = opened.features("building", fields=["structure", "usage", "attributes.OWNER"])
    assert len(buildings) == 6 and buildings["structure"].notna().all()
    assert set(buildings["attributes.OWNER"].dropna()) == {"甲", "乙"}


def test_a_check_names_columns_that_the_mapping_looks_for_in_vain_and_layers_it_leaves_out(
    houses: Path, tmp_path: Path
) -> None:
    mapping, other = tmp_path / "m.toml", tmp_path / "other.toml"
    mapping.write_text('[[layer]]\nfrom = "FW*"\nto = "building"\nfields = { structure = "JIEGOU" }\n', "utf-8")
    other.write_text('[[layer]]\nfrom = "DL*"\nto = "road_area"\n', "utf-8")

    checked = run_twin("mapping", "check", houses, "--mapping", mapping)
    refused = run_twin("mapping", "check", houses, "--mapping", other)

    assert checked.returncode == 1 and "none of JIEGOU" in checked.stdout
    assert refused.returncode == 1 and "FW_M" in refused.stdout + refused.stderr


def test_a_table_that_is_joined_and_a_layer_without_rows_need_no_entry(tmp_path: Path) -> None:
    path, mapping, beside = tmp_path / "multi.gpkg", tmp_path / "m.toml", tmp_path / "beside.toml"
    shapes = [shapely.box(618_500 + 20 * n, 3_886_000, 618_510 + 20 * n, 3_886_010) for n in range(2)]
    parcels = gpd.GeoDataFrame({"NO": ["1", "2"]}, geometry=shapes, crs="EPSG:4548")
    parcels.to_file(path, layer="parcels", engine="pyogrio")
    parcels.iloc[:0].to_file(path, layer="nothing", engine="pyogrio")
    owners = pd.DataFrame({"NO": ["1", "2"], "OWNER": ["甲", "乙"]})
    pyogrio.write_dataframe(owners, path, layer="owners")
    owners.to_csv(tmp_path / "owners.csv", index=False)
    entry = '[[layer]]\nfrom = "parcels"\nto = "land_use"\nfields = {{ name = "OWNER" }}\njoin = {{ table = "{}", on = "NO" }}\n'
    mapping.write_text(entry.format("owners"), "utf-8")
    beside.write_text(entry.format("owners.csv"), "utf-8")

    checked = run_twin("mapping", "check", path, "--mapping", mapping)
    with_file = run_twin("mapping", "check", path, "--mapping", beside, "--json")
    drafted = run_twin("mapping", "draft", path)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "甲, 乙" in checked.stdout and "none of OWNER" not in checked.stdout
    assert "owners: its columns are joined to parcels" in checked.stdout and "nothing: holds no rows" in checked.stdout
    assert [report["joined_to"] or report["target"] for report in json.loads(with_file.stdout)] == [
        "land_use",
        None,
        None,
    ]
    assert '"column": "OWNER"' in with_file.stdout
    assert "# nothing: holds no rows" in drafted.stdout
