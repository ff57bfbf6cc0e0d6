"""The routes of the service, one file a family of addresses: read the call, ask one function, answer.

Not here: what pygeoapi answers (`api_config/ogc`), how errors become a status (`api_config/web/problems.py`).

    /collections/building/items?limit=10        items
    /collections/building/search                posted_search
    /collections/building/tiles/...             tiles
    /tiles/...                                  town_tilesets
    /collections/building/3dtiles/...           tilesets
    /viewer/                                    viewer
"""

from api_config.routes import core, items, posted_search, tiles, tilesets, town_tilesets, versions, viewer

__all__ = ["FAMILIES"]

FAMILIES = (
    core.FAMILY,
    versions.FAMILY,
    items.FAMILY,
    posted_search.FAMILY,
    tiles.FAMILY,
    town_tilesets.FAMILY,
    tilesets.FAMILY,
    viewer.FAMILY,
)
"""In the order in which their routes are tried: the versions of a feature before features whose id may hold a slash."""
