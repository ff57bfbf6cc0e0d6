"""Installs what the tests need of the system: Chromium and Chinese fonts, GDAL's command line. On Debian as root only.

Elsewhere it says what is missing; the tests that need it then skip loudly, and fail under CI=true.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {"chromium": "chromium", "ogrinfo": "gdal-bin"}
PROOF = {"/usr/lib/python3/dist-packages/qgis": "python3-qgis"}
"""What only `make proof` needs: a real QGIS is a gigabyte."""
FONT = ("fonts-noto-cjk", Path("/usr/share/fonts/opentype/noto"))


def missing(*, proof: bool) -> list[str]:
    """Return the Debian packages that are not there yet."""
    names = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    names += [package for path, package in PROOF.items() if proof and not Path(path).is_dir()]
    return names + ([] if FONT[1].is_dir() else [FONT[0]])


def main() -> None:
    names = missing(proof="--proof" in sys.argv)
    if not names:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(
            f"NOT INSTALLED: {', '.join(names)}. Tests that need them are skipped here; install them to run everything."
        )
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names], check=True, env=environment
    )


if __name__ == "__main__":
    main()
