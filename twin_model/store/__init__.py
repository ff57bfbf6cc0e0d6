"""The store keeps the town: one Protocol, a GeoPackage store and a PostGIS store behind it, and what both share.

Here: how rows are kept and found. What is found out about a delivery before it is written (identity, difference)
stands in `twin_model/versioning.py`; nothing above this package writes SQL.

    >>> store = open_store("store.gpkg", town.store.catalogue, folder=Path("town"))   # or postgresql://...
    >>> store.features(FeatureQuery("building", limit=1)).index.tolist()
    ['building.1']
"""

from twin_model.store.base import FeatureQuery, SortKey, Store, Summary
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.store.opening import create_store, open_store

__all__ = ["FeatureQuery", "GeoPackageStore", "SortKey", "Store", "Summary", "create_store", "open_store"]
