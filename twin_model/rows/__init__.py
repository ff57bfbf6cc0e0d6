"""How rows lie in memory while they are compared and stored: columns, coordinates, WKB in one block, content hashes.

Not here: what a layer is (`twin_model/layer.py`) and how rows lie in a store (`twin_model/store/`).

    >>> from twin_model.rows.content import content_hashes
    >>> lamps = shapely.points([[618000, 3886000], [618000, 3886000.0001]])            # closer than the tolerance
    >>> first, second = content_hashes(town.catalogue["street_lamp"], lamps, {"pole_no": np.array(["7", "7"], object)})
    >>> first == second
    True
"""

__all__ = ["columns", "content", "coordinate_runs", "geometry", "packed_wkb", "row_geometry"]
