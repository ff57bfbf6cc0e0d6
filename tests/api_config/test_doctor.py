"""`twin doctor`, run as a user runs it: nothing changes until it is applied, and the version it makes can be undone."""

import json
from pathlib import Path

import numpy as np
import surveyed_networks
from doubled_towns import put_beside
from surveyed_networks import CRS, Office, frames
from twin_command import run_twin

from twin_model.town import init_town


def twin(town: Path, *words: str, code: int = 0, lang: str = "en") -> str:
    done = run_twin("--town", town, *words, environment={"TWIN_LANG": lang}, folder=town.parent)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def doubled_town(folder: Path) -> Path:
    random = np.random.default_rng(1)
    net = surveyed_networks.network(random, size=2)
    with init_town(folder, name="新城", crs=CRS) as town:
        Office(town.store).deliver("first", frames(net, random, lacking=("material",)))
        put_beside(town.store, frames(net, random, renumbered=True, noise=0.03))
        put_beside(town.store, frames(surveyed_networks.network(random, size=2, east=9e9), random), prefix="nowhere")
    return folder


def test_a_doubled_network_is_told_mended_for_a_reason_and_can_be_undone(tmp_path: Path) -> None:
    town = doubled_town(tmp_path / "town")

    proposed, refused = twin(town, "doctor", lang="zh"), twin(town, "doctor", "--apply", code=2)
    mended = json.loads(twin(town, "doctor", "--apply", "--reason", "重复入库", "--json"))
    again = twin(town, "doctor")
    shown, told = twin(town, "show", str(mended["version"]), lang="zh"), twin(town, "history")
    twin(town, "revert", str(mended["version"]))
    twice = json.loads(twin(town, "doctor", "--json"))

    assert "管线点" in proposed and "材质：4" in proposed and "未作改动" in proposed
    assert "--reason" in refused
    assert {name: each["doubled"] for name, each in mended["layers"].items()} == {"pipe_point": 8, "pipe_line": 4}
    assert mended["advice"]["unplaced"] == ["pipe_point", "pipe_line"] and "no place on the globe" in again
    assert "Nothing stands twice" in again
    assert twice["layers"] == mended["layers"] and twice["version"] is None
    pair = mended["layers"]["pipe_line"]["examples"][0]
    assert f"{pair['stays']}：由 {pair['joins']} 合并" in shown and "(merged" in told
