"""The two kinds of store: whatever is proved of one is proved of the other."""

import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from twin_model.catalogue import read_catalogue
from twin_model.store.base import Store
from twin_model.store.opening import create_store, open_store

CATALOGUE = read_catalogue().of_kind("feature")


@pytest.fixture(scope="session")
def empty_geopackage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store of the house's catalogue in EPSG:4548, to be copied: to make one anew costs a tenth of a second."""
    folder = tmp_path_factory.mktemp("empty")
    create_store("store.gpkg", CATALOGUE, "EPSG:4548", folder=folder).close()
    return folder / "store.gpkg"


@pytest.fixture
def store(location: str, tmp_path: Path, empty_geopackage: Path) -> Iterator[Store]:
    """An empty store of the house's catalogue in EPSG:4548."""
    if location == "store.gpkg":
        shutil.copy(empty_geopackage, tmp_path / location)
        store = open_store(location, CATALOGUE, folder=tmp_path)
    else:
        store = create_store(location, CATALOGUE, "EPSG:4548", folder=tmp_path)
    yield store
    store.close()


@pytest.fixture
def stranger(postgis_url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A session that is not ours, with the town's schema on its path."""
    address, _, schema = postgis_url.partition("&schema=")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"SET search_path = {schema}, public")
        yield connection


@pytest.fixture
def old_schema() -> Callable[[str, int], str]:
    """Return what puts a town of an earlier format into the schema of an address."""

    def put(url: str, number: int) -> str:
        address, _, schema = url.partition("&schema=")
        kept = Path(__file__).parent / "stores" / f"format_{number}.sql.gz"
        text = gzip.decompress(kept.read_bytes()).decode().replace(f"format_{number}", schema)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(text)  # type: ignore[call-overload]
        return url

    return put
