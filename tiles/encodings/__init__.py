"""Exchange encodings: a frame -> bytes of one format, or a file by its ending. One file a format.

Not here: vector and 3D tiles (`tiles`), reading such files (`ingest/vector/reader.py`).

    shapes = geometry_fragments(frame.geometry.to_numpy(), "EPSG:4548", "OGC:CRS84")
    page = encode_features(frame.index.tolist(), records, shapes)
    written = write_frames(store.frames(query), layer, Path("out/building.fgb"), crs="EPSG:4548")
"""

from tiles.encodings.files import ENDINGS, write_frames
from tiles.encodings.geojson import encode_feature, encode_features, geometry_fragments

__all__ = ["ENDINGS", "encode_feature", "encode_features", "geometry_fragments", "write_frames"]
