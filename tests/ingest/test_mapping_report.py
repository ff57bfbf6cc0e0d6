"""What a mapping makes of a source is shown whole: columns with values before and after, what is left, what is missing."""

from pathlib import Path

import geopandas as gpd
import shapely

from ingest.draft import Draft, ReadOptions
from ingest.mapping import read_mapping
from ingest.mapping_report import mapping_report
from ingest.readers import identify, read_source
from ingest.vector.outline import vector_outline
from twin_model.catalogue import read_catalogue

CRS = "EPSG:4548"


def test_each_field_has_its_column_with_values_before_and_after(tmp_path: Path) -> None:
    source, table = tmp_path / "lamps.geojson", tmp_path / "m.toml"
    columns = {"GH": ["A1", "A2"], "GL": ["150", "400W"], "SCCJ": ["甲", None]}
    points = [shapely.Point(618000 + 20 * n, 3885000) for n in range(2)]
    gpd.GeoDataFrame(columns, geometry=points, crs=CRS).to_file(source)
    table.write_text(
        '[[layer]]\nfrom = "lamps"\nto = "street_lamp"\nconstants = { road_name = "站前路" }\n'
        'fields = { pole_no = "GH", power_w = "GL", height = ["GG", "杆高"] }\n',
        "utf-8",
    )
    mapping = read_mapping(table)

    with Draft(identify(source), read_catalogue(), storage_crs=CRS) as draft:
        read_source(source, draft, ReadOptions(mapping=mapping))
        (report,) = mapping_report(mapping, vector_outline(source, ReadOptions()), draft)

    fields = {each.field: each for each in report.fields}
    assert (report.source_layer, report.target, report.features) == ("lamps", "street_lamp", 2)
    assert fields["pole_no"].before == fields["pole_no"].after == ("A1", "A2")
    assert fields["power_w"].before == ("150", "400W") and fields["power_w"].after[0] == "150.0"
    assert fields["road_name"].column == "" and fields["road_name"].after == ("站前路",)
    assert [each.field for each in report.missing] == ["height"] and fields["height"].wanted == ("GG", "杆高")
    assert report.kept == (("SCCJ", ("甲",)),)
