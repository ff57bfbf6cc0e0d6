"""Exchange encodings: a frame -> bytes of one format, or a file by its ending. One file a format.

Not here: vector and 3D tiles (`tiles`), reading such files (`ingest/vector/reader.py`).

    >>> from twin_model.store.base import FeatureQuery
    >>> frames = town.store.frames(FeatureQuery("building"))
    >>> write_frames(frames, town.catalogue["building"], Path("building.fgb"), crs="EPSG:4548")
    2
"""

from tiles.encodings.files import ENDINGS, write_frames
from tiles.encodings.geojson import encode_feature, encode_features, geometry_fragments

__all__ = ["ENDINGS", "encode_feature", "encode_features", "geometry_fragments", "write_frames"]
