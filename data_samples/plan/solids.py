"""Shapes of building parts, equal by value so that equal parts can share one geometry in the model."""

from dataclasses import dataclass
from typing import Literal

Pair = tuple[float, float]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Extrusion:
    """A profile pushed out: `up` along z, `upright` stands in the x-z plane and is pushed along -y."""

    profile: tuple[Pair, ...]
    depth: float
    direction: Literal["up", "upright"] = "up"


@dataclass(frozen=True)
class Tube:
    """A round bar or, with a wall, a pipe along x (`lying`) or z."""

    radius: float
    length: float
    wall: float = 0.0
    lying: bool = True


@dataclass(frozen=True)
class Mesh:
    """A closed surface of triangles; faces count vertices from 0."""

    vertices: tuple[Triple, ...]
    faces: tuple[tuple[int, int, int], ...]


Shape = Extrusion | Tube | Mesh


def slab(length: float, width: float, thickness: float) -> Extrusion:
    """Return a slab about its middle whose top is at z = 0."""
    a, b = length / 2, width / 2
    return Extrusion(((-a, -b), (a, -b), (a, b), (-a, b)), thickness)


def post(width: float, depth: float, height: float) -> Extrusion:
    """Return a rectangular column that stands on z = 0."""
    a, b = width / 2, depth / 2
    return Extrusion(((-a, -b), (a, -b), (a, b), (-a, b)), height)


def panel(length: float, height: float, thickness: float) -> Extrusion:
    """Return an upright panel along x, its foot at z = 0, its middle at y = 0 (pushed half its thickness)."""
    return post(length, thickness, height)


def gable(tops: tuple[Pair, ...], thickness: float) -> Extrusion:
    """Return an upright panel whose upper edge goes through `tops` (x, z), its foot at z = 0."""
    first, last = tops[0][0], tops[-1][0]
    return Extrusion(((first, 0.0), (last, 0.0), *reversed(tops)), thickness, "upright")


def flight(steps: int, going: float, riser: float, width: float) -> Extrusion:
    """Return a flight of stairs that climbs along x, stepped above and sloped below."""
    tread = [(i * going + d, (i + 1) * riser) for i in range(steps) for d in (0.0, going)]
    under = [(steps * going, (steps - 1) * riser - 0.25), (going, -0.05), (0.0, 0.0)]
    return Extrusion(tuple(tread + under), width, "upright")


def shell(lower: list[list[Triple]], thickness: float) -> Mesh:
    """Return a sheet of given thickness whose lower side goes through a grid of points, closed all round."""
    rows, columns = len(lower), len(lower[0])
    bottom = [p for row in lower for p in row]
    top = [(x, y, z + thickness) for x, y, z in bottom]
    count = rows * columns
    faces: list[tuple[int, int, int]] = []
    for i in range(rows - 1):
        for j in range(columns - 1):
            a, b = i * columns + j, i * columns + j + 1
            c, d = a + columns, b + columns
            faces += [
                (a, c, b),
                (b, c, d),
                (a + count, b + count, c + count),
                (b + count, d + count, c + count),
            ]
    for a, b in _rim(rows, columns):
        faces += [(a, b, a + count), (b, b + count, a + count)]
    return Mesh(tuple((round(x, 4), round(y, 4), round(z, 4)) for x, y, z in bottom + top), tuple(faces))


def _rim(rows: int, columns: int) -> list[tuple[int, int]]:
    """Return the directed border edges of a grid, counter-clockwise seen from above with rows along y."""
    south = [(j, j + 1) for j in range(columns - 1)]
    east = [(i * columns + columns - 1, (i + 1) * columns + columns - 1) for i in range(rows - 1)]
    last = (rows - 1) * columns
    north = [(last + j + 1, last + j) for j in range(columns - 1)]
    west = [((i + 1) * columns, i * columns) for i in range(rows - 1)]
    return south + east + north + west
