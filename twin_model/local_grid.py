"""A local grid: the transformation from its coordinates to a known system, fitted to control points by least squares.

Three models, for n control points (source -> target, east and north in metres):

    similarity   E = a x - b y + c, N = b x + a y + d       (4 parameters: shift, turn, scale)
    affine       E = a x + b y + c, N = d x + e y + f       (6 parameters)
    bursa        X' = t + (1 + m) (X + r x X), geocentric   (7 parameters, Bursa-Wolf; source and target are known datums)

The parameters are the town's own and secret: they lie in `private/local-NAME.toml`, and neither `repr`, messages nor
findings show them. Where control points are read and checked stands in `ingest/control_points.py`.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from twin_model.crs import crs_code, from_geocentric, to_geocentric
from twin_model.errors import CalledWrongly
from twin_model.toml_text import toml_text

__all__ = ["LOCAL", "MODELS", "Control", "GridFit", "LocalGrid", "Model", "fit_grid", "read_grid", "write_grid"]

Floats = NDArray[np.float64]
Model = Literal["similarity", "affine", "bursa"]
MODELS: tuple[Model, ...] = get_args(Model)
LOCAL = "local:"
"""What a CRS begins with that is a local grid of the town."""

_SMALLEST = {"similarity": 2, "affine": 3, "bursa": 3}
"""Points that a model passes through without any residual; one more is needed to know how good it is."""
_NAME = re.compile(r"[\w-]{1,40}")
_MOST_SUBSETS = 600
_OUTLIER_SIGMAS, _OUTLIER_METRES = 3.0, 0.03


@dataclass(frozen=True, repr=False)
class LocalGrid:
    """A fitted transformation; `origin` is subtracted from source coordinates before the parameters are applied."""

    name: str
    model: Model
    target_crs: str
    source_crs: str
    origin: tuple[float, ...]
    parameters: tuple[float, ...]

    def __repr__(self) -> str:
        return f"LocalGrid({self.name!r}, {self.digest})"

    @property
    def digest(self) -> str:
        """What tells two fits of one name apart, without telling the parameters."""
        return sha256(repr((self.model, self.target_crs, self.origin, self.parameters)).encode()).hexdigest()[:16]

    @property
    def is_mirrored(self) -> bool:
        """Whether the plane is turned over, which no survey does: the axes of one side are swapped."""
        if self.model != "affine":
            return False
        a, b, _, d, e, _ = self.parameters
        return a * e - b * d < 0

    def to_target(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return east and north in the target CRS of east and north in the grid (bursa: in `source_crs`)."""
        if self.model == "bursa":
            moved = self._shifted(to_geocentric(x, y, np.zeros(len(x)), self.source_crs))
            east, north, _ = from_geocentric(moved, self.target_crs)
            return east, north
        dx, dy = np.asarray(x) - self.origin[0], np.asarray(y) - self.origin[1]
        if self.model == "affine":
            a, b, c, d, e, f = self.parameters
            return a * dx + b * dy + c, d * dx + e * dy + f
        a, b, c, d = self.parameters
        return a * dx - b * dy + c, b * dx + a * dy + d

    def _shifted(self, xyz: Floats) -> Floats:
        scale, *rest = self.parameters
        turn, shift = np.array(rest[:3]), np.array(rest[3:])
        centred = xyz - np.array(self.origin)
        return np.asarray(shift + scale * centred + np.cross(np.broadcast_to(turn, centred.shape), centred))


@dataclass(frozen=True)
class Control:
    """Control points: numbers, source and target as east, north, height (n x 3, metres or degrees; height NaN if unknown)."""

    numbers: tuple[str, ...]
    source: Floats
    target: Floats

    def __len__(self) -> int:
        return len(self.numbers)

    def without(self, numbers: tuple[str, ...]) -> "Control":
        keep = np.array([number not in numbers for number in self.numbers], dtype=bool)
        left = tuple(number for number in self.numbers if number not in numbers)
        return Control(left, self.source[keep], self.target[keep])

    def with_source_swapped(self) -> "Control":
        return Control(self.numbers, self.source[:, [1, 0, 2]], self.target)


@dataclass(frozen=True)
class GridFit:
    """A grid with its residuals (n x 2: target minus transformed, in metres), their root mean square, and outliers."""

    grid: LocalGrid
    residuals: Floats
    outliers: tuple[str, ...]

    @property
    def lengths(self) -> Floats:
        return np.hypot(self.residuals[:, 0], self.residuals[:, 1])

    @property
    def rmse(self) -> float:
        return float(np.sqrt((self.residuals**2).sum(axis=1).mean()))


def fit_grid(control: Control, model: Model, name: str, *, target_crs: str, source_crs: str = "") -> GridFit:
    """Return the grid that fits all control points best by least squares, with residuals and outliers by number.

    Raises CalledWrongly where the points are too few to know a residual, or lie on one line.
    """
    least = _SMALLEST[model] + 1
    if len(control) < least:
        raise CalledWrongly("georeference.too_few", count=len(control), least=least, model=model)

    def solved(rows: NDArray[np.intp]) -> LocalGrid:
        return _solved(control, rows, model, name, target_crs, source_crs)

    grid = solved(np.arange(len(control)))
    _ensure_determined(control, model)
    return GridFit(grid, _residuals(grid, control), _outliers(control, model, solved))


def _solved(
    control: Control, rows: NDArray[np.intp], model: Model, name: str, target_crs: str, source_crs: str
) -> LocalGrid:
    source, target = control.source[rows], control.target[rows]
    if model == "bursa":
        source, target = (
            to_geocentric(xyz[:, 0], xyz[:, 1], xyz[:, 2], crs)
            for xyz, crs in ((source, source_crs), (target, target_crs))
        )
    width = 3 if model == "bursa" else 2
    origin, middle = source[:, :width].mean(axis=0), target[:, :width].mean(axis=0)
    matrix, shift = _DESIGNS[model](source[:, :width] - origin)
    solution, *_ = np.linalg.lstsq(matrix, (target[:, :width] - middle).ravel(), rcond=None)
    solution[shift] += middle
    return LocalGrid(name, model, target_crs, source_crs, tuple(origin.tolist()), tuple(solution.tolist()))


def _similarity(xy: Floats) -> tuple[Floats, list[int]]:
    """Return the equations of a plane similarity, two rows a point, and which unknowns are the shift."""
    x, y = xy.T
    unit, none = np.ones(len(x)), np.zeros(len(x))
    return _interleaved([x, -y, unit, none], [y, x, none, unit]), [2, 3]


def _affine(xy: Floats) -> tuple[Floats, list[int]]:
    x, y = xy.T
    unit, none = np.ones(len(x)), np.zeros(len(x))
    return _interleaved([x, y, unit, none, none, none], [none, none, none, x, y, unit]), [2, 5]


def _bursa(xyz: Floats) -> tuple[Floats, list[int]]:
    """Unknowns: 1 + m, (1 + m) times the three rotations, the shift."""
    x, y, z = xyz.T
    unit, none = np.ones(len(x)), np.zeros(len(x))
    rows = (
        [x, none, z, -y, unit, none, none],
        [y, -z, none, x, none, unit, none],
        [z, y, -x, none, none, none, unit],
    )
    return _interleaved(*rows), [4, 5, 6]


def _interleaved(*rows: list[Floats]) -> Floats:
    """Return equations point by point: the first of every row, then the second."""
    return np.stack([np.column_stack(terms) for terms in rows], axis=1).reshape(-1, len(rows[0]))


_DESIGNS: dict[str, Callable[[Floats], tuple[Floats, list[int]]]] = {
    "similarity": _similarity,
    "affine": _affine,
    "bursa": _bursa,
}


def _residuals(grid: LocalGrid, control: Control) -> Floats:
    moved = grid.to_target(control.source[:, 0], control.source[:, 1])
    return np.asarray(control.target[:, :2] - np.column_stack(moved))


def _ensure_determined(control: Control, model: Model) -> None:
    """Refuse points that lie at one place, or on one line where the model needs an area."""
    spread = np.linalg.svd(control.source[:, :2] - control.source[:, :2].mean(axis=0), compute_uv=False)
    needed = spread[0] if model == "similarity" else spread[1]
    if needed < 1e-3 * max(1.0, float(spread[0])) and (needed < 1e-6 or model != "similarity"):
        raise CalledWrongly("georeference.one_line", model=model, count=len(control))


def _outliers(control: Control, model: Model, solved: Callable[[NDArray[np.intp]], LocalGrid]) -> tuple[str, ...]:
    """Return the points that do not fit what most others agree on (least quantile of squares, Rousseeuw 1984).

    Every small subset gives a grid; the one with the smallest residual of the better half of the points is believed.
    """
    smallest, count = _SMALLEST[model], len(control)
    quantile = (count + smallest + 1) // 2 - 1
    best: Floats | None = None
    for rows in _subsets(count, smallest):
        lengths = np.hypot(*_residuals(solved(rows), control).T)
        if np.isfinite(lengths).all() and (best is None or np.sort(lengths)[quantile] < np.sort(best)[quantile]):
            best = lengths
    if best is None or quantile >= count - 1:
        return ()
    sigma = 1.4826 * float(np.sort(best)[quantile])
    limit = max(_OUTLIER_SIGMAS * sigma, _OUTLIER_METRES)
    return tuple(number for number, length in zip(control.numbers, best, strict=True) if length > limit)


def _subsets(count: int, size: int) -> Iterator[NDArray[np.intp]]:
    """Yield subsets of points, all of them where they are few, else a sample that is the same each time."""
    if comb(count, size) <= _MOST_SUBSETS:
        for rows in combinations(range(count), size):
            yield np.array(rows, dtype=np.intp)
        return
    random = np.random.default_rng(0)
    for _ in range(_MOST_SUBSETS):
        yield random.choice(count, size, replace=False)


def write_grid(folder: Path, fit: GridFit) -> Path:
    """Write a grid to `folder/local-NAME.toml`, readable by its owner alone; the former one of the name is replaced."""
    grid = fit.grid
    path = _path_of(folder, grid.name)
    lines = [
        "# 地方独立坐标转换参数，属受控成果，请勿外传。",
        "# Transformation parameters of a local grid: keep them secret. Written by: twin georeference",
        *(f"{key} = {toml_text(getattr(grid, key))}" for key in ("name", "model", "target_crs", "source_crs")),
        f"origin = {[*grid.origin]!r}",
        f"parameters = {[*grid.parameters]!r}",
        f"points = {len(fit.residuals)}",
        f"rmse = {round(fit.rmse, 4)!r}",
    ]
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def read_grid(folder: Path | None, crs: str) -> LocalGrid:
    """Return the grid that "local:NAME" names, from a town's `private/` folder.

    Raises CalledWrongly for a name that is not there (with those that are) and for a file that is damaged.
    """
    name = crs.removeprefix(LOCAL)
    known = sorted(path.stem.removeprefix("local-") for path in folder.glob("local-*.toml")) if folder else []
    if folder is None or name not in known:
        raise CalledWrongly("georeference.unknown", name=name, known=known)
    path = _path_of(folder, name)
    try:
        return _grid_of(tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CalledWrongly("georeference.damaged", name=name, path=path.name) from error


def _grid_of(table: dict[str, Any]) -> LocalGrid:
    model = table["model"]
    origin, parameters = (tuple(float(number) for number in table[key]) for key in ("origin", "parameters"))
    if len(parameters) != {"similarity": 4, "affine": 6, "bursa": 7}[model] or not np.isfinite(parameters).all():
        raise ValueError(model)
    return LocalGrid(table["name"], model, crs_code(table["target_crs"]), table["source_crs"], origin, parameters)


def _path_of(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise CalledWrongly("georeference.name", name=name)
    return folder / f"local-{name}.toml"
