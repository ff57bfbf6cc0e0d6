"""Every benchmark, one after the other: `make bench`. Each prints ratios of one run; `--rows` shrinks the big ones."""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SIZED = ("shapefile_ingest.py", "reading.py", "items.py", "history.py", "rewriting.py", "postgis.py", "tiling_by_size.py")
OTHERS = ("dxf_ingest.py", "ifc_ingest.py", "mvt_encode.py", "buildings_to_3dtiles.py")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500_000)
    rows = parser.parse_args().rows
    failed = []
    for name in (*SIZED, *OTHERS):
        command = [sys.executable, str(HERE / name), *([str(rows)] if name in SIZED else [])]
        print(f"== {name}", flush=True)
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"did not finish: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
