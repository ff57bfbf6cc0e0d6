"""Encodes everything that leaves the house: vector tiles, 3D Tiles, exchange encodings, pictures of layers.

Not here: reading sources (`ingest`), addresses and caching over HTTP (`api_config`).

    >>> from tiles.grid import tile_matrix_set
    >>> from tiles.mvt import encode_layer, encode_tile
    >>> buildings, bounds = town.features("building", crs="EPSG:3857"), tile_matrix_set("WebMercatorQuad").bounds(0, 0, 0)
    >>> layer = encode_layer("building", buildings.geometry.to_numpy(), bounds)
    >>> isinstance(encode_tile([layer.data]), bytes)
    True
"""

__all__ = ["deck", "encodings", "grid", "mvt", "solids", "terrain", "tileset"]
