"""Where the mains run: one straight line per service and street, and the places along it."""

from dataclasses import dataclass

import numpy as np

from data_samples.plan.frame import EAST, HEIGHT, NORTH, WIDTH
from data_samples.plan.streets import Street

# metres from the centreline: to the east of a north-south street, to the north of an east-west one
OFFSETS = {
    "arterial": {"JS": 19.0, "YS": 8.0, "WS": -8.0, "DL": -20.5},
    "secondary": {"JS": 14.0, "YS": 5.0, "WS": -5.0, "DL": -14.5},
    "branch": {"JS": 8.2, "YS": 2.5, "WS": -2.5, "DL": -8.4},
}
EDGE = 32.0
STEP = {"JS": 44.0, "YS": 40.0, "WS": 38.0, "DL": 46.0}
VALVE_DISTANCE = 15.0
JUNCTION = 46.0


@dataclass(frozen=True)
class Run:
    """A main in one street: `across` is its fixed coordinate, `start` to `end` the other (plan offsets)."""

    street: Street
    northward: bool
    across: float
    start: float
    end: float

    def place(self, along: float, beside: float = 0.0) -> tuple[float, float]:
        """Return (east, north) at a chainage, `beside` metres to the east or north of the main."""
        a, b = self.across + beside, along
        return (
            (round(EAST + a, 3), round(NORTH + b, 3)) if self.northward else (round(EAST + b, 3), round(NORTH + a, 3))
        )

    @property
    def from_centre(self) -> float:
        """Signed distance of the main from the street's centreline."""
        return self.across - middle(self.street)


def is_northward(street: Street) -> bool:
    """Say whether a straight street runs north-south."""
    (x0, _), (x1, _) = street.centreline.coords[0], street.centreline.coords[-1]
    return abs(x0 - x1) < 1e-6


def middle(street: Street) -> float:
    """Return the fixed coordinate of a straight street's centreline in plan offsets."""
    x, y = street.centreline.coords[0]
    return x - EAST if is_northward(street) else y - NORTH


def runs(streets: list[Street], service: str) -> list[Run]:
    """Return the mains of a service; where two streets meet, their mains meet in one place."""
    piped = [s for s in streets if s.piped]
    return [_run(street, piped, service) for street in piped]


def _run(street: Street, piped: list[Street], service: str) -> Run:
    northward = is_northward(street)
    ends = sorted(
        c[1] - NORTH if northward else c[0] - EAST for c in (street.centreline.coords[0], street.centreline.coords[-1])
    )
    start, end = (_end(e, street, piped, service) for e in ends)
    return Run(street, northward, middle(street) + OFFSETS[street.kind][service], start, end)


def _end(end: float, street: Street, piped: list[Street], service: str) -> float:
    northward = is_northward(street)
    limit = HEIGHT if northward else WIDTH
    if northward and end < 1:
        riverside = next(s for s in piped if s.name == "滨湖路")
        return middle(riverside) + OFFSETS[riverside.kind][service]
    if end < 1:
        return EDGE
    if end > limit - 1:
        return limit - EDGE
    for other in piped:
        if is_northward(other) != northward and abs(middle(other) - end) < 1:
            return middle(other) + OFFSETS[other.kind][service]
    return end


def crossings(run: Run, others: list[Run]) -> list[float]:
    """Return the chainages where a main meets the mains of crossing streets, in order."""
    met = [
        other.across
        for other in others
        if other.northward != run.northward
        and run.start - 0.01 <= other.across <= run.end + 0.01
        and other.start - 0.01 <= run.across <= other.end + 0.01
    ]
    return sorted(met)


def between(start: float, end: float, step: float) -> list[float]:
    """Return evenly spaced chainages from `start` to `end`, both included, about `step` apart."""
    count = max(1, round(abs(end - start) / step))
    return [round(float(a), 3) for a in np.linspace(start, end, count + 1)]


def far_from_junctions(run: Run, along: float, met: list[float]) -> bool:
    """Say whether a place is far enough from every junction for a gully or a service pipe."""
    return all(abs(along - m) > JUNCTION for m in met)
