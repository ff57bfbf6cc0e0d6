"""A table without geometry, of the same file or beside the mapping, joined to the features it speaks of."""

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from pyogrio import write_dataframe
from vector_readings import CRS, EAST, NORTH, VectorReading

from ingest.mapping import read_mapping
from twin_model.errors import CatalogueError, SourceRefused

ENTRY = '[[layer]]\nfrom = "parcels"\nto = "land_use"\nfields = {{ parcel_no = "NO", name = "业主" }}\njoin = {{ {join} }}\n'


def parcels(folder: Path) -> Path:
    shapes = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 10, NORTH + 10) for n in range(3)]
    path = folder / "parcels.gpkg"
    gpd.GeoDataFrame({"NO": [1, 2, 3]}, geometry=shapes, crs=CRS).to_file(path, layer="parcels", engine="pyogrio")
    owners = pd.DataFrame({"编号": [2, 1, 2], "业主": ["乙", "甲", "丙"]})
    write_dataframe(owners, path, layer="owners", driver="GPKG", append=True)
    return path


def mapping(folder: Path, join: str) -> Path:
    path = folder / "office.toml"
    path.write_text(ENTRY.format(join=join), "utf-8")
    return path


@pytest.mark.parametrize("table", ["owners", "owners.csv", "owners.xlsx"])
def test_columns_of_a_table_are_joined_and_what_has_no_partner_is_said(tmp_path: Path, table: str) -> None:
    path = parcels(tmp_path)
    owners = pd.DataFrame({"编号": ["2", "1", "2"], "业主": ["乙", "甲", "丙"]})
    owners.to_csv(tmp_path / "owners.csv", index=False, encoding="gbk")
    owners.to_excel(tmp_path / "owners.xlsx", index=False)

    reading = VectorReading(
        path, mapping=read_mapping(mapping(tmp_path, f'table = "{table}", on = "NO", key = "编号"'))
    )

    rows = reading.layers["land_use"].sort_values("parcel_no")
    assert rows["name"].astype(object).where(rows["name"].notna(), None).tolist() == ["甲", "乙", None]
    assert reading.finding("vector.join_unmatched").values["rows"] == 1
    assert reading.finding("vector.join_repeated").values["rows"] == 1
    assert ("vector.table_left_out" in reading.rules) == (table != "owners")
    assert "业主" in (tmp_path / "office.toml").read_text("utf-8") and "挂接" in reading.finding(
        "vector.join_unmatched"
    ).text("zh")


@pytest.mark.parametrize(
    ("join", "missing"), [('table = "owner", on = "NO"', "owner"), ('table = "owners", on = "NUM"', "NUM")]
)
def test_a_join_to_what_is_not_there_is_refused_with_what_is(tmp_path: Path, join: str, missing: str) -> None:
    path = parcels(tmp_path)

    with pytest.raises(SourceRefused) as refusal:
        VectorReading(path, mapping=read_mapping(mapping(tmp_path, join)))

    assert (refusal.value.rule_id, refusal.value.values["missing"]) == ("vector.join_impossible", missing)
    assert 'join = { table = "..."' in refusal.value.text("zh")


def test_a_mapping_knows_the_content_of_the_table_it_joins(tmp_path: Path) -> None:
    path = mapping(tmp_path, 'table = "owners.csv", on = "NO"')
    with pytest.raises(CatalogueError):
        read_mapping(path)
    (tmp_path / "owners.csv").write_text("NO,业主\n1,甲\n", "utf-8")
    before = read_mapping(path)

    (tmp_path / "owners.csv").write_text("NO,业主\n1,乙\n", "utf-8")

    assert read_mapping(path) != before
