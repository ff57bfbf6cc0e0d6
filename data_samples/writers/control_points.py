"""Control points of an invented local grid: turned by two degrees, 20 ppm smaller, measured to a centimetre."""

import math
from collections.abc import Callable
from pathlib import Path

from data_samples.plan.town import Town

_TURN, _SCALE = math.radians(2.0), 0.99998
_ORIGIN = (615_900.0, 3_883_500.0)
_POINTS = {
    "K1": ((1200.0, 800.0), (0.012, -0.008)),
    "K2": ((3400.0, 950.0), (-0.010, 0.004)),
    "K3": ((3300.0, 2600.0), (0.006, 0.011)),
    "K4": ((1100.0, 2700.0), (-0.009, -0.006)),
    "K5": ((2250.0, 1750.0), (0.001, -0.001)),
}
"""East and north in the grid, and by how much the measurement misses, in metres."""


def write_control(town: Town, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Write `local_grid.csv`; X is north, as survey tables have it."""
    rows = ["点号,源X,源Y,目标X,目标Y"]
    for number, ((east, north), (miss_east, miss_north)) in _POINTS.items():
        x = _SCALE * (math.cos(_TURN) * east - math.sin(_TURN) * north) + _ORIGIN[0] + miss_east
        y = _SCALE * (math.sin(_TURN) * east + math.cos(_TURN) * north) + _ORIGIN[1] + miss_north
        rows.append(f"{number},{north:.3f},{east:.3f},{y:.3f},{x:.3f}")
    (folder / "local_grid.csv").write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
