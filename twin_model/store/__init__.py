"""The store keeps the town: one Protocol, the GeoPackage store behind it, and what both stores share.

Here: how rows are kept and found. What is found out about a delivery before it is written (identity, difference)
stands in `twin_model/versioning.py`; nothing above this room writes SQL.

    store = GeoPackageStore(Path("town/store.gpkg"), catalogue)
    store.features(FeatureQuery("building", limit=10))
"""

from twin_model.store.base import FeatureQuery, SortKey, Store, Summary
from twin_model.store.geopackage import GeoPackageStore

__all__ = ["FeatureQuery", "GeoPackageStore", "SortKey", "Store", "Summary"]
