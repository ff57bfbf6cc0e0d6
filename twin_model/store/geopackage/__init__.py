"""The GeoPackage store: one SQLite file, many readers, one writer at a time. The only package that knows SQLite's tables.

Not here: what both stores share (`twin_model/store/`), and PostGIS (`twin_model/store/postgis/`).

    >>> from twin_model.store.geopackage.store import GeoPackageStore
    >>> store = GeoPackageStore.create(Path("empty.gpkg"), town.store.catalogue, "EPSG:4548")
    >>> store.version()
    0
"""

__all__ = ["migrations", "schema", "store", "write"]
