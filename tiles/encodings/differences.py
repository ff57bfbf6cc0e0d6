"""What differs between two versions as a GeoJSON file: one feature a changed feature, with its change and both states."""

from pathlib import Path

import geopandas as gpd
import orjson

from tiles.encodings.geojson import encode_feature, geometry_fragments
from twin_model.crs import CRS84

__all__ = ["write_differences"]


def write_differences(differences: gpd.GeoDataFrame, path: Path) -> None:
    """Write the rows of `twin_model.history.difference` in longitude, latitude; the file appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = geometry_fragments(differences.geometry.to_numpy(), differences.crs, CRS84) if len(differences) else []
    features = [
        encode_feature(
            str(name),
            orjson.loads(orjson.dumps({key: row[key] for key in ("change", "fields", "before", "after")})),
            shape,
        )
        for (name, row), shape in zip(differences.iterrows(), shapes, strict=True)
    ]
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(b'{"type":"FeatureCollection","features":[' + b",\n".join(features) + b"]}\n")
    part.replace(path)
