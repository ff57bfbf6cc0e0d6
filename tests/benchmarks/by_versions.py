"""What a long past costs: the same questions of towns with 10, 1,000 and 100,000 versions, in one run, in turns.

    python tests/benchmarks/by_versions.py [--versions 10,1000,100000] [--features N] [--postgis]

The towns are made by `tests/many_versions.py` and kept in out/bench; those of PostGIS are copied from them. Each question is
asked of every town in each round, for a shared machine changes its pace; what is printed is the fastest round in milliseconds
(the slower ones measure the neighbours) and, in the last column, that of the most versions by that of the fewest (goal <= 1.2
but for what is linear).
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import httpx
import pyogrio
from serving import TWIN, town_serving

from api_config.delivery import Delivery, deliver
from ingest.draft import ReadOptions
from twin_model.history import history
from twin_model.store.base import FeatureQuery
from twin_model.store.copying import tables_of
from twin_model.store.freshness import state_of
from twin_model.temporal import ALWAYS, to_instant
from twin_model.town import Town, init_town, open_town
from twin_model.view import View

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "out" / "bench"
sys.path.insert(0, str(ROOT / "tests"))

from many_versions import FEATURES, add_versions, town_of_buildings  # noqa: E402
from postgis_server import PostgisServer, running_server  # noqa: E402

ROUNDS, DELIVERED = 9, 50
TILE = (618_000.0, 3_886_000.0, 618_600.0, 3_886_600.0)
LINEAR = ("audit verify",)


def town_with(versions: int, features: int) -> Path:
    """Return the folder of a GeoPackage town of so many versions, made when it is not there yet."""
    folder = FOLDER / f"versions-{versions}-of-{features}"
    if not (folder / "town.toml").exists():
        with town_of_buildings(folder, features) as town:
            add_versions(town.store, versions)
    return folder


def fresh_copy(source: Path, name: str) -> Path:
    """Return a copy of a town: what is delivered to it while it is measured is gone with the next run."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    return folder


def in_postgis(source: Path, server: PostgisServer, schema: str) -> Path:
    """Return the folder of a PostGIS town that holds what another town does."""
    folder = FOLDER / f"postgis-{schema}"
    shutil.rmtree(folder, ignore_errors=True)
    with (
        open_town(source) as held,
        init_town(folder, name="past", crs="EPSG:4548", store=server.url(schema)) as town,
    ):
        town.store.load((table, held.store.dump(table)) for table in tables_of(held.store.catalogue))
    return folder


def delivery_file(town: Town, number: int) -> Path:
    """Write the first buildings under other names, as another office would."""
    frame = town.store.features(FeatureQuery("building", fids=tuple(range(1, DELIVERED + 1))))
    path = FOLDER / "delivered" / f"buildings-{number}.gpkg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    named = gpd.GeoDataFrame({"name": [f"{number}-{n}" for n in range(len(frame))]}, geometry=frame.geometry.to_numpy(), crs=frame.crs)  # fmt: skip
    pyogrio.write_dataframe(named, path, layer="building")
    return path


class Questions:
    """What is asked of one town; each method is a question and takes no more than it asks."""

    def __init__(self, town: Town, base: str) -> None:
        self._town, self._client, self._number = town, httpx.Client(base_url=base, timeout=120), 0
        self._layer = town.catalogue["building"]

    def delivery(self) -> Callable[[], object]:
        self._number += 1
        path = delivery_file(self._town, self._number)
        effective = to_instant(datetime(2024, 1, self._number, tzinfo=UTC))

        def work() -> None:
            (outcome,) = deliver(self._town, [path], Delivery(ReadOptions(kind="building", effective=effective)))
            if outcome.error:
                raise outcome.error

        return work

    def tile(self) -> Callable[[], object]:
        return lambda: [state_of(self._town.store, self._layer, View(), TILE) for _ in range(20)]

    def history(self) -> Callable[[], object]:
        return lambda: [history(self._town.store, "building", 20) for _ in range(5)]

    def states(self) -> Callable[[], object]:
        query = FeatureQuery("building", view=View(ALWAYS), ids=("building.7",), states=True, limit=1)
        return lambda: [self._town.store.rows(query) for _ in range(20)]

    def page(self, path: str) -> Callable[[], object]:
        return lambda: self._client.get(path).raise_for_status()

    def all(self) -> Mapping[str, Callable[[], Callable[[], object]]]:
        """Return what makes ready to ask each question, by its name; making ready is not measured."""
        return {
            f"a delivery that changes {DELIVERED}": self.delivery,
            "freshness of a tile, 20 times": self.tile,
            "history of a layer, 20 lines, 5 times": self.history,
            "first state of a feature, 20 times": self.states,
            "GET items/{id}/versions?limit=1": lambda: self.page("/collections/building/items/building.9/versions?limit=1"),
            "GET /viewer/config.json": lambda: self.page("/viewer/config.json"),
            "GET items?limit=10": lambda: self.page("/collections/building/items?limit=10"),
        }  # fmt: skip


def command(folder: Path, *words: str) -> float | None:
    """Return the milliseconds of a command of `twin`, None where it does not know the words."""
    begin = time.perf_counter()
    done = subprocess.run([TWIN, "--town", str(folder), *words], capture_output=True, check=False)
    return None if done.returncode == 2 else (time.perf_counter() - begin) * 1000


def measured(towns: Mapping[int, Path], *, verify: bool) -> dict[str, list[float | None]]:
    """Return for each question its milliseconds in each town, in the fastest of some rounds."""
    with ExitStack() as stack:
        asked = [
            Questions(
                stack.enter_context(open_town(folder)), stack.enter_context(town_serving(folder, workers=1))
            ).all()
            for folder in towns.values()
        ]
        took: dict[str, list[list[float]]] = {name: [[] for _ in towns] for name in asked[0]}
        for _ in range(ROUNDS):
            for name in took:
                for place, questions in enumerate(asked):
                    work = questions[name]()
                    begin = time.perf_counter()
                    work()
                    took[name][place].append((time.perf_counter() - begin) * 1000)
    fastest: dict[str, list[float | None]] = {name: [min(each) for each in of_towns] for name, of_towns in took.items()}
    for words in (("audit", "verify", "--quick"), ("audit", "verify")) if verify else ():
        fastest[" ".join(words)] = [command(folder, *words) for folder in towns.values()]
    return fastest


def report(store: str, towns: Mapping[int, Path], features: int, fastest: Mapping[str, list[float | None]]) -> None:
    print(f"\n{store}, {features:,} features, milliseconds by the number of versions")
    print(f"{'':40s}" + "".join(f"{versions:>12,d}" for versions in towns) + f"{'ratio':>10s}")
    for name, of_towns in fastest.items():
        shown = "".join(f"{'-':>12s}" if each is None else f"{each:12.1f}" for each in of_towns)
        first, last = of_towns[0], of_towns[-1]
        ratio = "" if first is None or last is None else f"{last / first:10.2f}"
        print(f"{name:40s}{shown}{ratio}{' linear' if name in LINEAR else ''}", flush=True)


@contextmanager
def server_where(asked: bool) -> Iterator[PostgisServer | None]:
    if not asked:
        yield None
        return
    with running_server(durable=True, small=False) as server:
        yield server


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--versions", default="10,1000,100000")
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--postgis", action="store_true")
    parser.add_argument("--no-verify", action="store_true", help="leave out `twin audit verify`, which is linear")
    asked = parser.parse_args()
    numbers = [int(each) for each in asked.versions.split(",")]
    made = {number: town_with(number, asked.features) for number in numbers}
    towns = {number: fresh_copy(folder, f"measured-{number}") for number, folder in made.items()}
    report("GeoPackage", towns, asked.features, measured(towns, verify=not asked.no_verify))
    with server_where(asked.postgis) as server:
        if server is not None:
            towns = {number: in_postgis(folder, server, f"v{number}") for number, folder in made.items()}
            report("PostGIS", towns, asked.features, measured(towns, verify=not asked.no_verify))
    return 0


if __name__ == "__main__":
    sys.exit(main())
