"""The station's frame: storeys, bays, the roof's height, and what a part is.

Places are in metres along the rails (s), left of them (t) and above the ground floor (z).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi

from data_samples.plan.rail import HALL_DEPTH, HALL_LENGTH, HALL_OFFSET
from data_samples.plan.solids import Shape, Triple

STOREYS = {"1F": 0.0, "站台层": 9.0, "2F": 10.25, "3F": 16.5, "屋面层": 21.0}
STOREYS_EN = {
    "1F": "Ground floor",
    "站台层": "Platforms",
    "2F": "Waiting floor",
    "3F": "Mezzanine",
    "屋面层": "Roof",
}
BAYS = 12
BAY = HALL_LENGTH / BAYS
SOUTH, NORTH = HALL_OFFSET - HALL_DEPTH / 2, HALL_OFFSET + HALL_DEPTH / 2
WEST = -HALL_LENGTH / 2
UPPER, MEZZANINE = STOREYS["2F"], STOREYS["3F"]
SIDES = ((-1, "西"), (1, "东"))
Values = tuple[tuple[str, object], ...]
Properties = tuple[tuple[str, Values], ...]


@dataclass(frozen=True)
class Part:
    """A product of the model: `key` gives its GlobalId, `host` the part that it cuts, fills or belongs to."""

    key: str
    ifc_class: str
    name: str
    storey: str
    shape: Shape | None
    place: Triple
    turn_deg: float = 0.0
    predefined: str = ""
    name_en: str = ""
    properties: Properties = ()
    host: str = ""
    style: str = "concrete"


def family(
    ifc_class: str, predefined: str, name_en: str, style: str = "concrete", properties: Properties = ()
) -> Callable[..., Part]:
    """Return a maker of parts of one kind: it takes key, name, storey, shape, place, turn and host."""

    def make(
        key: str,
        name: str,
        storey: str,
        shape: Shape | None,
        place: Triple,
        turn_deg: float = 0.0,
        host: str = "",
    ) -> Part:
        return Part(key, ifc_class, name, storey, shape, place, turn_deg, predefined, name_en, properties, host, style)

    return make


def fire(rating: str, *, bearing: bool, external: bool) -> Values:
    """Return the three properties that walls, slabs and columns have in common."""
    return (("FireRating", rating), ("LoadBearing", bearing), ("IsExternal", external))


def axis(i: float) -> float:
    """Return where along the rails the i-th axis of the hall stands, counted from its west end."""
    return WEST + BAY * i


def roof_height(s: float, t: float) -> float:
    """Return the roof's lower side: folded across the bays, rising to the square, arched along the rails."""
    forward = max(0.0, (NORTH + 6.0 - t) / (NORTH - SOUTH + 20.0))
    within = abs((s - WEST) / BAY % 1.0 * 2 - 1)
    swing = 7.5 * float(forward**1.6)
    return 19.5 + swing + 4.2 * cos(pi * s / 250) + 1.7 * (1 - within) * (0.5 + forward)


def glass_height(s: float, t: float) -> float:
    """Return how high glass on the waiting floor reaches below the roof."""
    inside = min(max(s, WEST + 0.01), -WEST - 0.01)
    return round(roof_height(inside, t) - UPPER, 3)
