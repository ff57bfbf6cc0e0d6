"""What tilesets and the viewer's configuration cost as a town grows: `tiling_by_size.py ROWS` prints ratios of 100,000 to ROWS.

Goals, from 100,000 to 3,000,000 features: first answers <= 1.5x and <= 0.3 s, memory of the worker <= 1.3x, restart <= 1.2x.
`measured(town, ...)` takes folders of any towns; each figure is the median of several services started anew.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pyogrio
from serving import TWIN, free_port
from workload import buildings

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from postgis_server import binaries, running_server  # noqa: E402

__all__ = ["ADDRESSES", "made_town", "main", "measured"]

ADDRESSES = {
    "viewer config": "/viewer/config.json",
    "tileset": "/collections/building/3dtiles/tileset.json",
}
_STARTS = 5
_SMALL = 100_000


def made_town(folder: Path, rows: int, store: str = "") -> Path:
    """Return a town with `rows` buildings; one that is there already is taken."""
    town = folder / f"town-{rows}{'-postgis' if store else ''}"
    if store:  # its server is a new one each time
        shutil.rmtree(town, ignore_errors=True)
    elif (town / "town.toml").exists():
        return town
    source = folder / f"{rows}.gpkg"
    if not source.exists():
        pyogrio.write_dataframe(buildings(rows), source, layer="building")
    where = ["--store", store] if store else []
    _run("--town", str(town), "init", "--name", "新城", "--crs", "EPSG:4548", *where)
    _run("--town", str(town), "ingest", str(source), "--as", "building")
    return town


def _run(*words: str) -> None:
    subprocess.run([TWIN, *words], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "TWIN_LANG": "en"})


def measured(*towns: Path) -> list[dict[str, float]]:
    """Return of each town seconds of first answers, of a way to a content and of a restart, and the MiB of one worker.

    They take turns, so that what else the machine does falls on all of them.
    """
    runs = [[_one_service(town) for town in towns] for _ in range(_STARTS)]
    return [{name: statistics.median(run[n][name] for run in runs) for name in runs[0][n]} for n in range(len(towns))]


def _one_service(town: Path) -> dict[str, float]:
    port, begun = free_port(), time.monotonic()
    process = subprocess.Popen(
        [TWIN, "--town", str(town), "serve", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            _wait(client)
            figures = {"restart": time.monotonic() - begun}
            for name, address in ADDRESSES.items():
                figures[name], _ = _timed(client, address)
            figures["first content"] = _first_content(client)
            figures["memory"] = _memory(process.pid)
            return figures
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(client: httpx.Client) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.02)
    raise RuntimeError("the service does not become ready")


def _timed(client: httpx.Client, address: str) -> tuple[float, httpx.Response]:
    begun = time.monotonic()
    answer = client.get(address)
    answer.raise_for_status()
    return time.monotonic() - begun, answer


def _first_content(client: httpx.Client) -> float:
    """Return the seconds from the first document to the first GLB, down through external tilesets."""
    begun, address = time.monotonic(), httpx.URL(ADDRESSES["tileset"])
    while not address.path.endswith(".glb"):
        _, answer = _timed(client, str(address))
        (uri, *_) = re.findall(r'"uri":\s*"([^"]+)"', answer.text)
        address = address.join(uri)
    _timed(client, str(address))
    return time.monotonic() - begun


def _memory(pid: int) -> float:
    """Return the resident MiB of the largest process of a service: its worker."""
    pids = [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    texts = (Path(f"/proc/{each}/status").read_text() for each in pids)
    return max(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024 for text in texts)  # type: ignore[index]


def main(rows: int, folder: Path, kind: str, stores: dict[int, str]) -> None:
    """Print what towns of 100,000 and of `rows` features cost in one kind of store; `stores` are their addresses."""
    small, big = measured(*(made_town(folder, size, stores[size]) for size in (_SMALL, rows)))
    for name in small:
        unit, ratio = "MiB" if name == "memory" else "s", big[name] / small[name]
        figures = f"{_SMALL:,}: {small[name]:.3f} {unit}  {rows:,}: {big[name]:.3f} {unit}  {ratio:.2f}x"
        print(f"{kind:10} {name:14} {figures}", flush=True)


if __name__ == "__main__":
    where = ROOT / "out" / "bench"
    where.mkdir(parents=True, exist_ok=True)
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    main(size, where, "geopackage", dict.fromkeys((_SMALL, size), ""))
    if binaries() is not None:
        with running_server(durable=True, small=False) as server:
            main(size, where, "postgis", {rows: server.url(f"size_{rows}") for rows in (_SMALL, size)})
