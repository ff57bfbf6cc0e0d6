"""Sends everything out that leaves the house: vector tiles, 3D Tiles, exchange encodings, pictures of layers.

Not here: reading sources (`ingest`), addresses and caching over HTTP (`api_config`).

    grid = tile_matrix_set("WebMercatorQuad")               # tiles.grid
    layer = encode_layer("building", geometries, bounds, ids=fids, properties={"storeys": storeys})
    tile = encode_tile([layer.data])                        # tiles.mvt: bytes of one vector tile
    boxes = solids.boxes(frame)                             # tiles.solids: what the 3D tree is built from
    content = solids.encode(frame, node_frame)              # ... and a GLB of it
"""

__all__ = ["deck", "encodings", "grid", "mvt", "solids", "terrain", "tileset"]
