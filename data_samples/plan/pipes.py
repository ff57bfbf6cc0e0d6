"""Points and lines of the buried services, as a survey finds them: water JS, storm YS, sewer WS, power DL."""

import itertools
from dataclasses import dataclass, field, replace

import numpy as np

from data_samples.plan.terrain import ground

OWNERS = {"JS": "琅琊水务集团", "YS": "新城市政管理处", "WS": "新城市政管理处", "DL": "国网琅琊供电公司"}
SERVICES = {"JS": "给水", "YS": "雨水", "WS": "污水", "DL": "电力"}


@dataclass(frozen=True)
class PipePoint:
    """A surveyed point: one of `feature` and `appurtenance` is filled; `well_depth` 0 means no well."""

    number: str
    east: float
    north: float
    ground: float
    feature: str
    appurtenance: str
    well_depth: float
    street: str
    year: int


@dataclass(frozen=True)
class PipeLine:
    """A surveyed line; depths are to the crown (JS, DL) or invert (YS, WS, which flow start to end)."""

    start: str
    end: str
    start_depth: float
    end_depth: float
    size: str
    material: str
    burial: str
    street: str
    year: int
    pressure_mpa: float = 0.0
    voltage_kv: float = 0.0
    cables: int = 0
    holes: int = 0
    holes_used: int = 0


@dataclass(frozen=True)
class Survey:
    """The survey of one service."""

    service: str
    points: tuple[PipePoint, ...]
    lines: tuple[PipeLine, ...]


@dataclass
class Trench:
    """A survey being made: nodes found by place, lines between them; `ready` numbers the points."""

    service: str
    places: list[tuple[float, float]] = field(default_factory=list)
    streets: list[str] = field(default_factory=list)
    feature: dict[int, str] = field(default_factory=dict)
    appurtenance: dict[int, str] = field(default_factory=dict)
    lines: list[tuple[int, int, PipeLine]] = field(default_factory=list)
    known: dict[tuple[float, float], int] = field(default_factory=dict)

    def node(self, place: tuple[float, float], street: str) -> int:
        """Return the node at a place, a new one when there is none yet."""
        if place not in self.known:
            self.known[place] = len(self.places)
            self.places.append(place)
            self.streets.append(street)
        return self.known[place]

    def chain(self, places: list[tuple[float, float]], line: PipeLine) -> list[int]:
        """Join places by lines like `line` and return their nodes."""
        nodes = [self.node(place, line.street) for place in places]
        self.lines += [(a, b, line) for a, b in itertools.pairwise(nodes) if a != b]
        return nodes

    def heights(self) -> np.ndarray:
        """Return the ground above every node, to the millimetre."""
        at = np.array(self.places)
        return np.round(ground(at[:, 0], at[:, 1]), 3)

    def degree(self) -> np.ndarray:
        """Return how many lines meet in every node."""
        ends = np.array([(a, b) for a, b, _ in self.lines]).ravel()
        return np.bincount(ends, minlength=len(self.places))

    def ready(self, wells: frozenset[str]) -> Survey:
        """Return the survey with point numbers; appurtenances in `wells` get a depth to their bottom."""
        numbers = [f"{self.service}{i:04d}" for i in range(1, len(self.places) + 1)]
        heights = self.heights()
        lines = tuple(replace(line, start=numbers[a], end=numbers[b]) for a, b, line in self.lines)
        deepest = np.zeros(len(self.places))
        for a, b, line in self.lines:
            deepest[a], deepest[b] = max(deepest[a], line.start_depth), max(deepest[b], line.end_depth)
        points = tuple(
            PipePoint(
                numbers[i],
                *self.places[i],
                float(heights[i]),
                self.feature.get(i, ""),
                self.appurtenance.get(i, ""),
                round(float(deepest[i]) + 0.5, 2) if self.appurtenance.get(i) in wells else 0.0,
                self.streets[i],
                built_in(self.streets[i]),
            )
            for i in range(len(self.places))
        )
        return Survey(self.service, points, lines)


def built_in(street: str) -> int:
    """Return the year in which a street's services were laid: the older streets lie in the south-west."""
    return 2012 + sum(street.encode()) % 9


def blank_line(street: str, material: str, burial: str, size: str) -> PipeLine:
    """Return a line whose ends and depths are still to be filled."""
    return PipeLine("", "", 0.0, 0.0, size, material, burial, street, built_in(street))
