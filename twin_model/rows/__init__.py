"""How rows lie in memory while they are compared and stored: columns, coordinates, WKB in one block, content hashes.

Not here: what a layer is (`twin_model/layer.py`) and how rows lie in a store (`twin_model/store/`).

    runs = read_runs(PackedWkb.of(wkb), 2, multi=True)                 # outlines as columns of numbers
    content_hashes(layer, geometry, {"name": names}, runs)             # 16 bytes a feature
"""

__all__ = ["columns", "content", "coordinate_runs", "geometry", "packed_wkb", "row_geometry"]
