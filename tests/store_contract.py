"""Houses in a row and how they are delivered: what the tests of the contract of stores begin with."""

from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from ingest.draft import Draft
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source, Version
from twin_model.store.base import Store
from twin_model.temporal import parse_instant
from twin_model.versioning import commit
from twin_model.view import View

CRS = "EPSG:4548"
CATALOGUE = read_catalogue()


def deliver(
    store: Store, layer: str, frame: gpd.GeoDataFrame, effective: str = "2024-01-01", name: str = "test"
) -> Version:
    source = Source(name, f"{name}-{effective}-{store.version()}")
    with Draft(source, CATALOGUE, storage_crs=store.crs, effective=parse_instant(effective)[0]) as draft:
        draft.add(layer, frame)
        return commit(store, draft.to_changeset(author="tester", reason="test"))


def houses(count: int, **columns: Any) -> gpd.GeoDataFrame:
    x, y = 618_000 + 20.0 * (np.arange(count) % 1000), 3_886_000 + 20.0 * (np.arange(count) // 1000)
    content = {"name": [f"{n}号楼" for n in range(count)], "storeys": np.arange(count) % 9 + 1} | columns
    return gpd.GeoDataFrame(content, geometry=shapely.box(x, y, x + 12, y + 10), crs=CRS)


def at(datetime: str | None = None, recorded: int | None = None) -> View:
    return View(parse_instant(datetime)[0] if datetime else None, recorded)
