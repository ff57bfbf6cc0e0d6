"""Every benchmark, one after the other: `make bench`. Each prints ratios of one run; `--rows` shrinks the big ones.

`make bench ROWS=10000,100000,1000000` measures the curve alone: what grows with a town (`scaling.py`) and with its past
(`by_versions.py`); docs/scaling.md says what its figures mean.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SIZED = (
    "shapefile_ingest.py",
    "reading.py",
    "items.py",
    "history.py",
    "rewriting.py",
    "postgis.py",
    "tiling_by_size.py",
)
OTHERS = ("dxf_ingest.py", "ifc_ingest.py", "mvt_encode.py", "buildings_to_3dtiles.py")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--curve", default="", help="features of the towns of the curve: 10000,100000,1000000")
    asked = parser.parse_args()
    curve = [["scaling.py", asked.curve], ["by_versions.py", "--postgis"]]
    every = [[name, *([str(asked.rows)] if name in SIZED else [])] for name in (*SIZED, *OTHERS)]
    failed = []
    for name, *arguments in curve if asked.curve else every:
        command = [sys.executable, str(HERE / name), *arguments]
        print(f"== {name}", flush=True)
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"did not finish: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
