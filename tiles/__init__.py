"""Sends everything out that leaves the house: vector tiles, 3D Tiles, exchange encodings, pictures of layers.

Not here: reading sources (`ingest`), addresses and caching over HTTP (`api_config`).

    layer = encode_layer("building", geometries, bounds, ids=fids, properties={"storeys": storeys})
    tile = encode_tile([layer.data])
"""
