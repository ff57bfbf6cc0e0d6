"""A house before it has a number: footprint, structure, storeys and height."""

from dataclasses import dataclass
from typing import Optional

from shapely import Polygon


@dataclass(frozen=True, eq=False)
class House:
    """What a block's style puts down; `stands_on` is the podium below a tower."""

    footprint: Polygon
    structure: str
    storeys: int
    height: float
    basements: int = 0
    name: str = ""
    use: str = ""
    stands_on: Optional["House"] = None
