"""The GeoPackage store: one SQLite file, many readers, one writer at a time. The only room that knows SQLite's tables.

Not here: what both stores share (`twin_model/store/`), and PostGIS (`twin_model/store/postgis/`).

    store = GeoPackageStore.create(Path("store.gpkg"), catalogue, "EPSG:4548")
    store.features(FeatureQuery("building", limit=10))
"""

__all__ = ["migrations", "schema", "store", "write"]
