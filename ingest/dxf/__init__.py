"""Reads DXF drawings: CASS drawings by their codes, others by a mapping of layer names. The only room that knows ezdxf.

Not here: mappings (`ingest/mapping.py`) and what becomes of rows (`ingest/fitting.py`); DXF that leaves the house is
`tiles/encodings/dxf.py`.

    if recognises_dxf(path):
        read_dxf(path, draft, ReadOptions(crs="EPSG:4548"))
"""

__all__ = ["cass", "document", "drawing", "reader"]
