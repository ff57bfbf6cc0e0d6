"""What every test may ask for: real files nobody here made, and the sample town's sources, made once a session."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REALDATA = ROOT.parent / "shared" / "realdata"
IN_CI = os.environ.get("CI") == "true"


def missing(what: str) -> None:
    """Skip loudly where a component is missing; under CI nothing may be missing."""
    if IN_CI:
        pytest.fail(f"{what} is missing, and CI=true")
    pytest.skip(f"{what} is missing: this part is NOT tested here")


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real files beside the project (`../shared/realdata`)."""
    if not REALDATA.is_dir():
        missing(str(REALDATA))
    return REALDATA


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sources of the sample town, written by the generator into a folder of this session (or an earlier, equal one)."""
    folder = ROOT / "out" / "samples"
    subprocess.run(
        [sys.executable, str(ROOT / "data_samples" / "make_samples.py"), "--out", str(folder)], check=True
    )
    yield folder
