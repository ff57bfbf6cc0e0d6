"""A real QGIS opens the store and the service; it needs Debian's python3-qgis, which `make proof` installs."""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from twin_model.catalogue import read_catalogue

LOOK = Path(__file__).with_name("qgis_looks.py")
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def seen(demo_town: Path, served_town: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What QGIS says of a copy of the store and of the service."""
    if (
        not Path(PYTHON).exists()
        or subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True, check=False).returncode
    ):
        pytest.skip("python3-qgis is missing: QGIS is NOT tested here (make proof installs it on Debian)")
    copy = tmp_path_factory.mktemp("qgis") / "store.gpkg"
    shutil.copy(demo_town / "store.gpkg", copy)
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(copy.parent)}
    told = subprocess.run(
        [PYTHON, str(LOOK), str(copy), served_town],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout
    answer: dict[str, Any] = json.loads(told.splitlines()[-1])
    return answer


@pytest.mark.proof
def test_qgis_lists_catalogue_layers_only_with_styles_and_chinese_aliases(seen: dict[str, Any]) -> None:
    store = seen["store"]

    assert store["layers"] == sorted(layer.id for layer in read_catalogue() if layer.kind == "feature")
    assert store["valid"] and store["crs"] == "EPSG:4548" and store["features"] > 1_000
    assert store["storeys"] == "地上层数"
    assert store["styled"] and store["renderer"] == "categorizedSymbol"


@pytest.mark.proof
def test_qgis_reads_the_service_with_the_box_pushed_down(seen: dict[str, Any], served_town: str) -> None:
    service = seen["service"]
    box = ",".join(str(number) for number in service["box"])

    with urllib.request.urlopen(f"{served_town}/collections/building/items?bbox={box}&limit=10000") as answer:
        ours = json.load(answer)

    assert service["valid"] and service["error"] == ""
    assert service["inside"] == ours["numberReturned"] > 0
