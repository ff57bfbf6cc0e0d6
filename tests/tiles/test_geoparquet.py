"""GeoParquet of our own: its metadata, times with their zone, the marking; what geopandas reads of it stands in test_files."""

from pathlib import Path

import geopandas as gpd
import orjson
import pyarrow.parquet as pq
import shapely

from tiles.encodings.geoparquet import write_geoparquet
from tiles.encodings.table_spool import TableForm, TableSpool
from twin_model.catalogue import read_catalogue


def test_times_have_their_zone_and_the_file_its_marking(tmp_path: Path) -> None:
    columns = {"segment_key": ["1-2"], "valid_from": ["2024-01-04T16:00:00.000Z"]}
    line = shapely.LineString([(0, 0, 1), (1, 1, 2)])
    frame = gpd.GeoDataFrame(columns, geometry=[line], crs="EPSG:4548", index=["p"]).rename_axis("id")
    spool = TableSpool(tmp_path / "rows", TableForm(read_catalogue()["pipe_line"], "EPSG:4548", "Asia/Shanghai"))
    spool.fill([frame])

    write_geoparquet(spool, tmp_path / "out.parquet", facts={"密级": "内部"})

    metadata = pq.read_schema(tmp_path / "out.parquet").metadata
    geo = orjson.loads(metadata[b"geo"])
    read = gpd.read_parquet(tmp_path / "out.parquet")
    assert metadata["密级".encode()].decode() == "内部"
    assert geo["columns"]["geometry"]["geometry_types"] == ["LineString Z"]
    assert read["valid_from"][0].isoformat() == "2024-01-05T00:00:00+08:00"
    assert read.geometry[0].equals(line) and shapely.has_z(read.geometry[0])
