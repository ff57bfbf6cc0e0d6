"""Kinds of geometry: points, lines and areas, by their dimension and by the names that programs and the catalogue give them."""

import re
from typing import Literal

__all__ = ["GEOMETRY_KINDS", "LAYER_GEOMETRIES", "GeometryType", "dimension_of"]

GeometryType = Literal[
    "Point",
    "PointZ",
    "MultiLineString",
    "LineString",
    "LineStringZ",
    "MultiLineStringZ",
    "MultiPolygon",
    "MultiPolygonZ",
    "None",
]
"""What a layer of the catalogue may hold."""

GEOMETRY_KINDS = ("Point", "LineString", "Polygon")
"""The single kinds by dimension: 0 points, 1 lines, 2 areas."""

LAYER_GEOMETRIES: tuple[GeometryType, ...] = ("Point", "MultiLineString", "MultiPolygon")
"""By dimension what a layer holds that is described from data, where single and multiple ones may come together."""

_HEIGHTS_AND_MEASURES = re.compile(r"^(Measured )?(3D )?| ?Z$|M$")
"""How GDAL says that vertices have heights or measures: "Point Z", "PointM", "Measured 3D Polygon"; we write "PointZ"."""


def dimension_of(geometry: str | None) -> int | None:
    """Return 0 for points, 1 for lines and 2 for areas by the name of a geometry type, None for any other.

    >>> dimension_of("MultiPolygon Z"), dimension_of("Measured 3D LineString"), dimension_of("Unknown")
    (2, 1, None)
    """
    single = _HEIGHTS_AND_MEASURES.sub("", geometry or "").removeprefix("Multi")
    return GEOMETRY_KINDS.index(single) if single in GEOMETRY_KINDS else None
