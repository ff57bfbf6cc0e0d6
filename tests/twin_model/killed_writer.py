"""A process to be killed: it does one kind of work on a store over and over and says when each piece begins.

    python killed_writer.py WORK LOCATION FOLDER [TIMES]

Every state it commits can be recognised: after commit k each building is named "vK", and there are as many as ever.
It imports the store and what it needs to commit, nothing else.
"""

import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import shapely

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Changeset, Delivered, Rows, Scope, Source
from twin_model.rows.content import content_hashes
from twin_model.rows.row_geometry import RowGeometry
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.opening import open_store
from twin_model.versioning import commit

ROWS, FIRST = 6_000, 5_500
CATALOGUE = Catalogue({one.id: one for one in read_catalogue() if one.id in ("building", "finding")})


def rows(version: int, ids: list[str] | None = None) -> Rows:
    layer, count = CATALOGUE["building"], ROWS if ids is None else len(ids)
    x = 618_000 + 20.0 * (np.arange(count) % 100)
    y = 3_886_000 + 20.0 * (np.arange(count) // 100)
    shapes = np.array([shapely.MultiPolygon([one]) for one in shapely.box(x, y, x + 12, y + 10)], dtype=object)
    columns = {name: np.full(count, None, dtype=object) for name in layer.field_names}
    columns["name"] = np.full(count, f"v{version}", dtype=object)
    empty = np.full(count, None, dtype=object)
    return Rows(
        empty if ids is None else np.array(ids, dtype=object),
        RowGeometry.of(np.asarray(shapely.to_wkb(shapes, byte_order=1, flavor="iso"), dtype=object)),
        shapely.bounds(shapes),
        columns,
        empty,
        empty,
        np.full(count, 12, dtype=np.int16),
        content_hashes(layer, shapes, columns),
    )


def deliver(store: Store, number: int) -> None:
    """Bring all buildings in with their next name, in two frames that go ahead where they may."""
    whole, scope = rows(number), Scope("layer", "b")
    frames = [whole.take(np.arange(ROWS) < FIRST), whole.take(np.arange(ROWS) >= FIRST)]
    delivered = tuple(Delivered("building", lambda frame=frame: frame, len(frame)) for frame in frames)
    source = Source(f"{number}.shp", f"{number:064d}")
    with store.head_start() as ahead:
        for frame in frames:
            ahead.take("building", frame, lambda: _day(number), scope)
        commit(store, Changeset("office", "delivery", _day(number), delivered, source, scope=scope), ahead)


def edit(store: Store, number: int) -> None:
    """Give every building its next name by hand."""
    ids = store.features(FeatureQuery("building", fields=(), geometry=False)).index.tolist()
    named = rows(number, ids)
    commit(
        store,
        Changeset(
            "planner",
            "edit",
            _day(number),
            (Delivered("building", lambda: named, len(named)),),
            edit=True,
            base=number - 1,
        ),
    )


def _day(number: int) -> str:
    """Each version is true since a day later than the one before it, so that the newest is what holds now."""
    return f"{date(1990, 1, 1) + timedelta(days=number)}T00:00:00.000Z"


def main() -> None:
    work, location, folder, times = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(([*sys.argv, "1000"])[4])
    print("begin open", flush=True)
    store = open_store(location, CATALOGUE, folder=folder)
    for _ in range(times):
        number = store.version() + 1
        print(f"begin {number}", flush=True)
        if work == "backup":
            store.backup(folder / "kept.backup")
        else:
            (deliver if work == "deliver" or number == 1 else edit)(store, number)
    store.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
