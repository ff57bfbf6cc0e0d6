"""The curve: what a town of 10 thousand, 100 thousand, a million features costs, on both stores, in one run.

    python tests/benchmarks/scaling.py [10000,100000,1000000] [--no-postgis]        make bench ROWS=10000,100000

Each town is delivered by `twin ingest` from a shapefile and served by one worker; both are the commands that a user runs. Memory is
that of the largest process, as the kernel counts it (`ru_maxrss` of what was waited for, `VmRSS` of the worker when all has been
asked). Milliseconds are those of one client that asks one question after the other, the lower quartile of several different ones (on a
shared machine the slower half measures the neighbours); "first" is the very first. On a machine with much else to do, `--cpu` counts milliseconds of CPU instead. The ratios stand in the last column: the largest town by the smallest, and by the one of 100,000.
What the figures mean stands in docs/scaling.md.
"""

import argparse
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson
from serving import TWIN, free_port
from workload import CENTRE, write_shapefile

from twin_model.crs import CRS84, transform_bounds
from twin_model.town import init_town

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "out" / "bench" / "scaling"
sys.path.insert(0, str(ROOT / "tests"))

from postgis_server import PostgisServer, running_server  # noqa: E402

ASKED, READY_SECONDS = 25, 300
ITEMS = "/collections/building/items"
TILES = "/collections/building/tiles/WebMercatorQuad"
LINEAR = ("ingest, seconds", "ingest, CPU seconds", "store, MB", "store with sort indexes, MB")
Figures = dict[str, float]


def ingested(rows: int, store: str, folder: Path) -> Figures:
    """Deliver a town of so many buildings; return what that took."""
    source = write_shapefile(FOLDER / f"building_{rows}.shp", rows)
    shutil.rmtree(folder, ignore_errors=True)
    with init_town(folder, name="scaling", crs="EPSG:4548", store=store) as town:
        town.store.close()
    begin = time.perf_counter()
    process = subprocess.Popen([TWIN, "--town", str(folder), "ingest", str(source)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"twin ingest ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "ingest, seconds": time.perf_counter() - begin,
        "ingest, CPU seconds": used.ru_utime + used.ru_stime,
        "ingest, peak MiB": used.ru_maxrss / 1024,
    }


class Client:
    """One connection that asks one question after the other; http.client takes 0.2 ms for itself.

    With processes to watch, milliseconds are those of the CPU that these have used meanwhile, not those of the clock.
    """

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self.watched: list[int] = []

    def get(self, path: str) -> tuple[float, bytes]:
        """Return the milliseconds of an answer and its body; any answer but 200 or 204 stops the run."""
        begin, used = time.perf_counter(), cpu_ms(self.watched)
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        took = cpu_ms(self.watched) - used if self.watched else (time.perf_counter() - begin) * 1000
        if answer.status not in (200, 204):
            raise RuntimeError(f"{path} answers {answer.status}: {body[:200]!r}")
        return took, body

    def is_ready(self) -> bool:
        try:
            self._connection.request("GET", "/readyz")
            answer = self._connection.getresponse()
            answer.read()
            return answer.status == 200
        except OSError:
            self._connection.close()
            return False


@contextmanager
def served(folder: Path) -> Iterator[tuple[Client, int, float]]:
    """Serve a town with one worker; yield a client, the number of the process and the seconds until it was ready."""
    port = free_port()
    begin = time.perf_counter()
    process = subprocess.Popen([TWIN, "--town", str(folder), "serve", "--port", str(port), "--workers", "1"], stdout=subprocess.DEVNULL)  # fmt: skip
    client = Client(port)
    try:
        while not client.is_ready():
            if time.perf_counter() - begin > READY_SECONDS or process.poll() is not None:
                raise RuntimeError(f"{folder} is not served")
            time.sleep(0.02)
        yield client, process.pid, time.perf_counter() - begin
    finally:
        process.terminate()
        process.wait(timeout=60)


def places(rows: int, side: float) -> list[tuple[float, float, float, float]]:
    """Return boxes inside the town in longitude, latitude, fixed seed."""
    half = max(np.sqrt(rows) * 15.0 - side, 1.0)
    corners = np.array(CENTRE) + np.random.default_rng(3).uniform(-half, half, (ASKED, 2))
    return [transform_bounds((x, y, x + side, y + side), "EPSG:4548", CRS84) for x, y in corners.tolist()]


def tile(zoom: int, place: tuple[float, ...]) -> str:
    """Return the address of the vector tile in which a place lies."""
    count = 2**zoom
    column = int((place[0] + 180) / 360 * count)
    latitude = np.radians(place[1])
    row = int((1 - np.log(np.tan(latitude) + 1 / np.cos(latitude)) / np.pi) / 2 * count)
    return f"{TILES}/{zoom}/{row}/{column}?f=mvt"


def asked(client: Client, rows: int) -> Figures:
    """Return the milliseconds of each kind of question."""
    near = places(rows, 400.0)

    def typical(paths: list[str]) -> float:
        return lower_quartile([client.get(path)[0] for path in paths])

    boxes = [f"{ITEMS}?bbox={','.join(map(str, box))}&limit=100" for box in near]
    figures = {"items, bbox, limit 100: first": client.get(boxes[0])[0]}
    figures["items, bbox, limit 100"] = typical(boxes[1:])
    figures["items, next page"] = _next_pages(client)
    filters = [f"{ITEMS}?filter={quote(f'storeys > {n} AND height < {3 * n + 30}')}&limit=10" for n in range(1, 20)]
    figures["items, filter, limit 10"] = typical(filters)
    for zoom in (14, 15, 16):
        figures[f"vector tile, z{zoom}"] = typical(list(dict.fromkeys(tile(zoom, place) for place in near)))
    figures["3dtiles/tileset.json: first"] = client.get("/collections/building/3dtiles/tileset.json")[0]
    figures["/viewer/config.json: first"] = client.get("/viewer/config.json")[0]
    figures |= sorted_pages(client)
    return figures


def lower_quartile(values: list[float]) -> float:
    return values[0] if len(values) == 1 else statistics.quantiles(values, n=4)[0]


def _next_pages(client: Client) -> float:
    """Return the median of pages that follow one another."""
    took, path = [], f"{ITEMS}?limit=100"
    for _ in range(ASKED):
        milliseconds, body = client.get(path)
        took.append(milliseconds)
        following = [link["href"] for link in orjson.loads(body)["links"] if link["rel"] == "next"]
        if not following:
            break
        path = following[0][following[0].index("/collections/") :]
    return lower_quartile(took)


def sorted_pages(client: Client) -> Figures:
    """Return what a page in the order of a field takes: the first ever, then, when its index is made, others."""
    figures: Figures = {}
    for name in ("-storeys", "height", "name", "-usage"):
        path = f"{ITEMS}?sortby={name}&limit="
        figures[f"sortby={name}: first"] = client.get(f"{path}10")[0]
        _until_settled(lambda path=path: client.get(f"{path}11")[0])  # type: ignore[misc]
        figures[f"sortby={name}, limit 10 to 19"] = statistics.median(
            client.get(f"{path}{n}")[0] for n in range(12, 20)
        )
    return figures


def _until_settled(ask: Callable[[], float]) -> None:
    """Wait some seconds for an index that is being made."""
    fastest, until = ask(), time.monotonic() + 8
    while time.monotonic() < until and fastest > 3:
        time.sleep(0.5)
        fastest = min(fastest, ask())


def with_children(pids: list[int]) -> Iterator[int]:
    """Yield processes and all that they have started."""
    for pid in pids:
        with suppress(OSError):  # it has ended meanwhile
            children = [task.joinpath("children").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
            yield pid
            yield from with_children([int(child) for listed in children for child in listed])


def cpu_ms(pids: list[int]) -> float:
    """Return the milliseconds of CPU that processes and their children have used, by the kernel's own count."""
    total = 0
    for pid in with_children(pids):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                total += int(task.joinpath("schedstat").read_text().split()[0])
    return total / 1e6


def memory_mib(pid: int, of: str) -> float:
    """Return the memory of a process and its children: "VmRSS" is all that is mapped, "RssAnon" what is not a file's."""
    total = 0
    for number in with_children([pid]):
        lines = Path(f"/proc/{number}/status").read_text().splitlines()
        total += next((int(line.split()[1]) for line in lines if line.startswith(of)), 0)
    return total / 1024


def size_mb(folder: Path, server: PostgisServer | None, schema: str) -> float:
    if server is None:
        return sum(path.stat().st_size for path in folder.glob("store.gpkg*")) / 1e6
    import psycopg

    text = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind IN ('r', 'm')"  # fmt: skip
    with psycopg.connect(server.url(schema).partition("&schema=")[0]) as connection:
        ((size,),) = connection.execute(text, (schema,)).fetchall()
    return float(size or 0) / 1e6


def figures_of(rows: int, server: PostgisServer | None, *, cpu: bool) -> Figures:
    """Return all figures of a town of so many features, milliseconds by the clock or of CPU."""
    schema = f"s{rows}"
    folder = FOLDER / f"{'postgis' if server else 'geopackage'}-{rows}"
    figures = ingested(rows, server.url(schema) if server else "store.gpkg", folder)
    figures["store, MB"] = size_mb(folder, server, schema)
    with served(folder):
        pass  # what a first start compiles and caches
    with served(folder) as (client, pid, ready):
        figures["restart to ready, seconds"] = ready
        figures["restart to ready, CPU seconds"] = cpu_ms([pid]) / 1000
        client.watched = [pid, *([postmaster(server)] if server else [])] if cpu else []
        figures |= asked(client, rows)
        figures["worker afterwards, MiB"] = memory_mib(pid, "VmRSS")
        figures["of it not mapped from files, MiB"] = memory_mib(pid, "RssAnon")
    figures["store with sort indexes, MB"] = size_mb(folder, server, schema)
    print(f"{rows:,} features, {'PostGIS' if server else 'GeoPackage'}: measured", flush=True)
    return figures


def postmaster(server: PostgisServer) -> int:
    return int((Path(server._cluster) / "postmaster.pid").read_text().split()[0])


def report(store: str, curve: Mapping[int, Figures]) -> None:
    sizes = list(curve)
    base = 100_000 if 100_000 in sizes[:-1] else sizes[0]
    print(f"\n{store}, one worker{'':24s}" + "".join(f"{rows:>12,d}" for rows in sizes) + f"{f'by {base:,}':>12s}")
    for name in curve[sizes[0]]:
        values = [curve[rows][name] for rows in sizes]
        ratio = curve[sizes[-1]][name] / max(curve[base][name], 1e-9)
        shown = "".join(f"{value:12.1f}" for value in values)
        print(f"{name:40s}{shown}{ratio:12.2f}{' linear' if name in LINEAR else ''}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", default="10000,100000,1000000")
    parser.add_argument("--no-postgis", action="store_true")
    parser.add_argument("--no-geopackage", action="store_true")
    parser.add_argument(
        "--cpu", action="store_true", help="count CPU of the service (and of PostgreSQL), not the clock"
    )
    arguments: Any = parser.parse_args()
    sizes = sorted({int(each) for each in arguments.rows.split(",")})
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not arguments.no_geopackage:
        report("GeoPackage", {rows: figures_of(rows, None, cpu=arguments.cpu) for rows in sizes})
    if not arguments.no_postgis:
        with running_server(durable=True, small=False) as server:
            report("PostGIS", {rows: figures_of(rows, server, cpu=arguments.cpu) for rows in sizes})
    return 0


if __name__ == "__main__":
    sys.exit(main())
