"""A table as GeoParquet 1.1: WKB, its CRS as PROJJSON, x, y order; a layer without geometry is a plain Parquet file."""

from collections.abc import Mapping
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from tiles.encodings.table_spool import GEOMETRY, TableSpool

__all__ = ["write_geoparquet"]


def write_geoparquet(spool: TableSpool, part: Path, *, facts: Mapping[str, str] | None = None) -> None:
    """Write the rows of a spool, one group of rows a batch; `facts` are metadata of the file. Times have their zone."""
    metadata = {name.encode(): text.encode() for name, text in (facts or {}).items()}
    if spool.has_geometry:
        metadata[b"geo"] = orjson.dumps(_geo(spool))
    schema = spool.schema("aware").with_metadata(metadata or None)
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for batch in spool.batches("aware"):
            writer.write_batch(batch)


def _geo(spool: TableSpool) -> dict[str, object]:
    """Return the metadata of the geometry column (GeoParquet 1.1, "Column metadata")."""
    kind = spool.form.layer.geometry
    named = f"{kind.removesuffix('Z')} Z" if kind.endswith("Z") else kind
    column = {"encoding": "WKB", "geometry_types": [named], "crs": spool.crs.to_json_dict()}
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
