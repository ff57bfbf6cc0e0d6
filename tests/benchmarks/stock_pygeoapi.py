"""A stock pygeoapi 0.21 in its own environment, over a lon/lat GeoPackage of the same rows: the peer of the item benchmarks.

It swaps EPSG:4548, so it gets the rows in EPSG:4326 and its OGR provider. GDAL's Python bindings come from the system
(Debian's python3-gdal), the rest from the package index by name.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from serving import app_serving, free_port

SYSTEM_PYTHON = Path("/usr/bin/python3")


def environment(folder: Path) -> Path:
    """Return the Python of pygeoapi's own environment, made when it is not there yet."""
    python = folder / "venv" / "bin" / "python"
    if (
        not SYSTEM_PYTHON.exists()
        or subprocess.run([SYSTEM_PYTHON, "-c", "import osgeo, ensurepip"], capture_output=True).returncode
    ):
        sys.exit(
            f"The peer of this benchmark, a stock pygeoapi, needs GDAL's Python bindings and venv in {SYSTEM_PYTHON}. "
            "On Debian: apt-get install python3-gdal python3-venv; as root, `make bench` does it."
        )
    if not python.with_name("pygeoapi").exists():
        subprocess.run([str(SYSTEM_PYTHON), "-m", "venv", "--system-site-packages", str(folder / "venv")], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "pygeoapi==0.21.0", "uvicorn", "starlette"],
            check=True,
        )
    return python


def configuration(gpkg: Path, layer: str, port: int, bbox: list[float]) -> dict[str, object]:
    return {
        "server": {"bind": {"host": "127.0.0.1", "port": port}, "url": f"http://127.0.0.1:{port}", "mimetype": "application/json; charset=UTF-8",
                   "encoding": "utf-8", "gzip": False, "languages": ["en-US"], "pretty_print": False, "admin": False,
                   "limits": {"default_items": 10, "max_items": 10000}, "map": {"url": "", "attribution": ""}},
        "logging": {"level": "ERROR"},
        "metadata": {"identification": {"title": "peer", "description": "peer", "keywords": ["peer"], "keywords_type": "theme", "terms_of_service": "", "url": "http://127.0.0.1"},
                     "license": {"name": "-", "url": "http://127.0.0.1"}, "provider": {"name": "-", "url": "http://127.0.0.1"}, "contact": {"name": "-"}},
        "resources": {layer: {"type": "collection", "title": layer, "description": layer, "keywords": [layer], "links": [],
                              "extents": {"spatial": {"bbox": bbox, "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}},
                              "providers": [{"type": "feature", "name": "OGR", "data": {"source_type": "GPKG", "source": str(gpkg),
                                             "source_capabilities": {"paging": True}}, "id_field": "fid", "layer": layer}]}},
    }  # fmt: skip


@contextmanager
def serving(folder: Path, gpkg: Path, layer: str, bbox: list[float]) -> Iterator[str]:
    """Run it with two workers under uvicorn and yield its address."""
    python, port = environment(folder), free_port()
    config, openapi = folder / "config.yml", folder / "openapi.yml"
    config.write_text(yaml.safe_dump(configuration(gpkg, layer, port, bbox)))
    named = {"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(openapi)}
    generate = [
        str(python.with_name("pygeoapi")),
        "openapi",
        "generate",
        str(config),
        "--output-file",
        str(openapi),
    ]
    subprocess.run(generate, env={**os.environ, **named}, check=True, capture_output=True)
    with app_serving(python, "pygeoapi.starlette_app:APP", "/?f=json", named, port) as base:
        yield base
