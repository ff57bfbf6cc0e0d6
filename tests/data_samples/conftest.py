"""The sample town as its own tests see it: the plan, and the truth written beside its files."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from data_samples.plan.town import Town, build_town  # noqa: E402


@pytest.fixture(scope="session")
def truth(samples: Path) -> dict[str, Any]:
    """What `town_plan.json` says."""
    content: dict[str, Any] = json.loads((samples / "town_plan.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def town() -> Town:
    """The plan itself."""
    return build_town()
