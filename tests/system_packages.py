"""Installs what the tests need of the system: Chromium and Chinese fonts, GDAL's command line, PostgreSQL with PostGIS, nginx.
On Debian as root only.

Elsewhere it says what is missing; the tests that need it then skip loudly, and fail under CI=true.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {"chromium": "chromium", "ogrinfo": "gdal-bin", "nginx": "nginx-light"}
ROOT = Path("/")
PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
"""Where programs are looked for; servers are not in everybody's PATH."""
PROOF = {"usr/lib/python3/dist-packages/qgis": "python3-qgis", "usr/bin/caddy": "caddy"}
"""What only `make proof` needs: a real QGIS is a gigabyte, a second proxy proves little more than the first."""
BENCH = {
    "usr/lib/python3/dist-packages/osgeo": "python3-gdal",
    "usr/lib/python3*/ensurepip": "python3-venv",
    "usr/bin/wrk": "wrk",
}
"""What only `make bench` needs: its peer, a stock pygeoapi, runs in an environment made of the system's Python."""
POSTGIS = re.compile(r"^postgresql-(\d+)-postgis-3$")
"""The extension's package; its number is that of the PostgreSQL the distribution has."""
EXTENSIONS = Path("/usr/share/postgresql")
FONT = ("fonts-noto-cjk", Path("/usr/share/fonts/opentype/noto"))


def missing(*, proof: bool = False, bench: bool = False) -> list[str]:
    """Return the Debian packages that are not there yet."""
    names = [package for program, package in PACKAGES.items() if shutil.which(program, path=PLACES) is None]
    folders = (PROOF if proof else {}) | (BENCH if bench else {})
    names += [package for pattern, package in folders.items() if not any(ROOT.glob(pattern))]
    names += [] if any(EXTENSIONS.glob("*/extension/postgis.control")) else ["postgresql-postgis"]
    return names + ([] if FONT[1].is_dir() else [FONT[0]])


def postgis_package() -> str:
    """Return the newest package of PostGIS the distribution has."""
    listed = subprocess.run(["apt-cache", "pkgnames", "postgresql-"], check=True, capture_output=True, text=True).stdout
    found = [match for match in map(POSTGIS.match, listed.split()) if match]
    return max(found, key=lambda match: int(match[1]))[0]


def main() -> None:
    names = missing(proof="--proof" in sys.argv, bench="--bench" in sys.argv)
    if not names:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(
            f"NOT INSTALLED: {', '.join(names)}. What needs them is skipped or stops here; install them to run everything."
        )
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    names = [postgis_package() if name == "postgresql-postgis" else name for name in names]
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names], check=True, env=environment)


if __name__ == "__main__":
    main()
