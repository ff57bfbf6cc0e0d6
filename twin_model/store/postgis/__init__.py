"""The PostGIS store: one schema a town, many readers and writers one after the other. The only package that knows psycopg.

Not here: what both stores share (`twin_model/store/`), and GeoPackage (`twin_model/store/geopackage/`).

    store = PostgisStore.create("postgresql://user@host/database?schema=twin", catalogue, "EPSG:4548")
    store.features(FeatureQuery("building", limit=10))
"""

__all__ = ["migrations", "schema", "server", "store", "write"]
