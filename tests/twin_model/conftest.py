"""The two kinds of store: whatever is proved of one is proved of the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from twin_model.catalogue import read_catalogue
from twin_model.store.base import Store
from twin_model.store.opening import create_store


@pytest.fixture(params=["geopackage", "postgis"])
def location(request: pytest.FixtureRequest) -> str:
    """Where a store is to be; a server is started only where one is asked for."""
    return "store.gpkg" if request.param == "geopackage" else str(request.getfixturevalue("postgis_url"))


@pytest.fixture
def store(location: str, tmp_path: Path) -> Iterator[Store]:
    """An empty store of the house's catalogue in EPSG:4548."""
    kept = create_store(location, read_catalogue().of_kind("feature"), "EPSG:4548", folder=tmp_path)
    yield kept
    kept.close()
