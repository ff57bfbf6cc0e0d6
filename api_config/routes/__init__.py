"""The routes of the service, one file a family of addresses: read the call, ask one function, answer.

Not here: what pygeoapi answers (`api_config/ogc`), how errors become a status (`api_config/web/problems.py`).

    /collections/building/items?limit=10        items
    /collections/building/tiles/...             tiles
    /collections/building/3dtiles/...           tilesets
    /viewer/                                    viewer
"""

__all__ = ["core", "items", "tiles", "tilesets", "viewer"]
