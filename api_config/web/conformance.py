"""The conformance classes this service declares. Each is tied to a test (`tests/api_config/test_conformance.py`)."""

__all__ = ["CONFORMANCE"]

_FEATURES = "http://www.opengis.net/spec/ogcapi-features"
_CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
_TILES = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf"

CONFORMANCE: frozenset[str] = frozenset(
    {
        "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
        "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/json",
        "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/oas30",
        "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
        f"{_FEATURES}-1/1.0/conf/core",
        f"{_FEATURES}-1/1.0/conf/geojson",
        f"{_FEATURES}-1/1.0/conf/html",
        f"{_FEATURES}-1/1.0/conf/oas30",
        f"{_FEATURES}-2/1.0/conf/crs",
        f"{_FEATURES}-3/1.0/conf/filter",
        f"{_FEATURES}-3/1.0/conf/features-filter",
        f"{_FEATURES}-3/1.0/conf/queryables",
        f"{_FEATURES}-5/1.0/conf/sortables",
        f"{_CQL2}/cql2-text",
        f"{_CQL2}/cql2-json",
        f"{_CQL2}/basic-cql2",
        f"{_CQL2}/advanced-comparison-operators",
        f"{_CQL2}/basic-spatial-functions",
        f"{_CQL2}/spatial-functions",
        f"{_TILES}/core",
        f"{_TILES}/tileset",
        f"{_TILES}/tilesets-list",
        f"{_TILES}/geodata-tilesets",
        f"{_TILES}/mvt",
    }
)
