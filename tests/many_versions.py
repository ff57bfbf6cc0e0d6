"""Makes towns with a long past, quickly and with the store's own writing.

    python tests/many_versions.py FOLDER VERSIONS [--features N] [--postgis URL]

Every version is a delivery of its own name, hash and day that changes one building in three fields: `write_changeset`
writes it as it writes any other, with rows of the history, parts, touched boxes, digests and the chain of hashes, and
`twin audit verify` proves the town. Left out is what goes before writing: no file is read, nothing is compared (the plan
says which feature is meant), and a thousand versions share one transaction and one wait for the disk. Days lie an hour
apart from 2001 on, so none of the deliveries is late.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from twin_model.changeset import Changeset, Delivered, Rows, Scope, Source
from twin_model.editing import rows_of
from twin_model.plan import LayerPlan
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.geopackage.schema import srs_id
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.store.geopackage.write import GeoPackageTransaction
from twin_model.store.postgis.copy_queue import CopyQueue
from twin_model.store.postgis.store import PostgisStore
from twin_model.store.postgis.write import PostgisTransaction
from twin_model.store.writing import Transaction, write_changeset
from twin_model.temporal import to_instant
from twin_model.town import Town, init_town
from twin_model.versioning import commit

__all__ = ["FEATURES", "FIRST_DAY", "add_versions", "deliver_buildings", "town_of_buildings"]

FEATURES = 2_000
FIRST_DAY = datetime(2001, 1, 1, tzinfo=UTC)
_TOGETHER = 1_000


def town_of_buildings(folder: Path, features: int = FEATURES, store: str = "store.gpkg") -> Town:
    """Return a new town whose first version delivers buildings, side by side."""
    town = init_town(folder, name="past", crs="EPSG:4548", store=store)
    deliver_buildings(town.store, features)
    return town


def deliver_buildings(store: Store, features: int = FEATURES) -> None:
    """Deliver buildings to an empty store as its first version."""
    x, y = 618_000 + 30.0 * (np.arange(features) % 50), 3_886_000 + 30.0 * (np.arange(features) // 50)
    content = {"name": [f"{n}号楼" for n in range(features)], "storeys": np.arange(features) % 9 + 1}
    frame = gpd.GeoDataFrame(content, geometry=shapely.box(x, y, x + 12, y + 10), crs=store.crs)
    commit(store, _delivery(0, rows_of(store.catalogue["building"], frame, store.crs)))


def add_versions(store: Store, until: int) -> None:
    """Add versions to a store after `deliver_buildings` until it has so many."""
    layer = store.catalogue["building"]
    frame = store.features(FeatureQuery("building"))
    shown = frame[[*layer.field_names, "geometry"]]
    states = [
        rows_of(layer, shown.assign(name=[f"{n} {state}" for n in range(len(frame))], storeys=number, height=number * 3.1), store.crs)
        for number, state in enumerate(("甲", "乙", "丙"), start=4)
    ]  # fmt: skip
    fids, done = frame["fid"].to_numpy(), store.version()
    while done < until:
        end = min(done + _TOGETHER, until)
        with _transaction(store) as transaction:
            for number in range(done, end):
                turn, place = divmod(number, len(fids))
                rows = states[turn % len(states)].take(np.array([place]))
                plan = LayerPlan("building", fids[place : place + 1], seen=1, shown=fids[place : place + 1])
                write_changeset(transaction, store.catalogue, _delivery(number, rows), {"building": plan})
        done = end


def _delivery(number: int, rows: Rows) -> Changeset:
    name = f"sheet-{number}.shp"
    return Changeset(
        "bench",
        f"delivery {number}",
        to_instant(FIRST_DAY + timedelta(hours=number)),
        (Delivered.of("building", rows),),
        Source(name, hashlib.sha256(name.encode()).hexdigest(), "shapefile"),
        scope=Scope("seen", name),
    )


@contextmanager
def _transaction(store: Store) -> Iterator[Transaction]:
    """Hold the one writer's place of a store, as its own commit does."""
    writing: Any = store
    with writing._writing() as connection:
        if isinstance(store, GeoPackageStore):
            yield GeoPackageTransaction(connection, store.catalogue, srs_id(store.crs))
        else:
            assert isinstance(store, PostgisStore)
            with CopyQueue(connection) as queue:
                yield PostgisTransaction(queue, store.catalogue, store.crs)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("versions", type=int)
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--postgis", default="store.gpkg")
    asked = parser.parse_args()
    with town_of_buildings(asked.folder, asked.features, asked.postgis) as town:
        add_versions(town.store, asked.versions)
        print(f"{town.store.version():,} versions in {asked.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
