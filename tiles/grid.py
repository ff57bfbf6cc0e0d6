"""The tile matrix sets this service publishes, and the arithmetic of their tiles.

OGC 17-083r4 (Two Dimensional Tile Matrix Set). Inside the house coordinates are x, y (east, north) whatever
the set's CRS says; only `to_dict` speaks the authority's axis order. Encoding a tile lives in `mvt`.

>>> quad = tile_matrix_set("WebMercatorQuad")
>>> quad.tile_of(13169079.0, 4178000.0, 13)
Tile(z=13, row=3241, col=6787)
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, NamedTuple

from twin_model.box import Box
from twin_model.errors import NotFound

"""minx, miny, maxx, maxy, always x (east) before y (north)."""

MAX_ZOOM = 24
TILE_SIZE = 256
PIXEL_SIZE = 0.00028
"""Metres; the "standardized rendering pixel" that scale denominators refer to (17-083r4, 6.1.1)."""
SEMI_MAJOR_AXIS = 6378137.0
"""Metres; the same for WGS 84, CGCS2000 and the Web Mercator sphere."""
METRES_PER_DEGREE = 2 * math.pi * SEMI_MAJOR_AXIS / 360


class TileMatrixSetNotFound(NotFound, LookupError):
    """No tile matrix set has this name; `nearest` holds the names there are, closest first."""

    rule = "tile_matrix_set.not_found"

    def __init__(self, name: str, nearest: tuple[str, ...]) -> None:
        super().__init__(name=name, nearest=nearest)
        self.name, self.nearest = name, nearest


class Tile(NamedTuple):
    """Address of one tile in the URL's order: zoom (tile matrix), row from the top, column from the left."""

    z: int
    row: int
    col: int


class TileMatrixLimits(NamedTuple):
    """The rows and columns of one tile matrix that data touches, both ends included."""

    z: int
    min_row: int
    max_row: int
    min_col: int
    max_col: int

    def to_dict(self) -> dict[str, Any]:
        """Return the OGC TileMatrixLimits JSON object."""
        return {
            "tileMatrix": str(self.z),
            "minTileRow": self.min_row,
            "maxTileRow": self.max_row,
            "minTileCol": self.min_col,
            "maxTileCol": self.max_col,
        }


@dataclass(frozen=True, slots=True)
class TileMatrixSet:
    """A quad-tree over the world: `root_width` x `root_height` square tiles at zoom 0, halved at each zoom.

    `left`, `top` (x, y of the top left corner) and `root_size` (side of a zoom 0 tile) are in units of the
    CRS; `metres_per_unit` turns them into scale denominators. `northing_first` says that the authority's axis
    order is not ours. `uri` and `well_known_scale_set` are empty where OGC has registered none.
    """

    id: str
    title: str
    epsg: str
    crs_uri: str
    ordered_axes: tuple[str, str]
    left: float
    top: float
    root_size: float
    root_width: int
    root_height: int
    metres_per_unit: float
    northing_first: bool = False
    uri: str = ""
    well_known_scale_set: str = ""

    @property
    def extent(self) -> Box:
        """The box all tiles of a zoom cover together."""
        right = self.left + self.root_width * self.root_size
        bottom = self.top - self.root_height * self.root_size
        return self.left, bottom, right, self.top

    def matrix_size(self, z: int) -> tuple[int, int]:
        """Return how many columns and rows zoom `z` has."""
        return self.root_width << z, self.root_height << z

    def tile_size(self, z: int) -> float:
        """Return the side of a tile in units of the CRS."""
        return self.root_size / (1 << z)

    def cell_size(self, z: int) -> float:
        """Return the side of a pixel (256 to a tile) in units of the CRS."""
        return self.tile_size(z) / TILE_SIZE

    def scale_denominator(self, z: int) -> float:
        """Return the scale denominator for a pixel of 0.28 mm; at the equator for Web Mercator."""
        return self.cell_size(z) * self.metres_per_unit / PIXEL_SIZE

    def contains(self, z: int, row: int, col: int) -> bool:
        """Tell whether there is such a tile; the service answers 404 where not."""
        if not 0 <= z <= MAX_ZOOM:
            return False
        width, height = self.matrix_size(z)
        return 0 <= row < height and 0 <= col < width

    def bounds(self, z: int, row: int, col: int) -> Box:
        """Return the tile's box. Neighbours share their edge to the last bit, children their parent's."""
        size = self.tile_size(z)
        return (
            self.left + col * size,
            self.top - (row + 1) * size,
            self.left + (col + 1) * size,
            self.top - row * size,
        )

    def tile_of(self, x: float, y: float, z: int) -> Tile:
        """Return the tile at a place. Left and top edge belong to it, the right and bottom edge do not.

        The outer right and bottom edge belong to the last column and row. A place beyond the extent gives an
        address that `contains` refuses; a coordinate that is not finite raises ValueError.
        """
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError(f"A place needs finite coordinates, not {x!r}, {y!r}. Check the transformation.")
        _, bottom, right, _ = self.extent
        width, height = self.matrix_size(z)
        size = self.tile_size(z)
        col = width - 1 if x == right else math.floor((x - self.left) / size)
        row = height - 1 if y == bottom else math.floor((self.top - y) / size)
        return self._settled(x, y, Tile(z, row, col))

    def _settled(self, x: float, y: float, tile: Tile) -> Tile:
        """Return the tile whose `bounds` hold the place; the division may miss it by one in the last bit."""
        minx, miny, maxx, maxy = self.bounds(*tile)
        width, height = self.matrix_size(tile.z)
        col = tile.col - (x < minx) + (x >= maxx and tile.col != width - 1)
        row = tile.row - (y > maxy) + (y <= miny and tile.row != height - 1)
        return Tile(tile.z, row, col)

    def limits(self, bbox: Box, z: int) -> TileMatrixLimits | None:
        """Return the rows and columns whose tiles share area with `bbox`, None where it misses the extent.

        A box without width or height gets the tiles that `tile_of` gives its places. minx > maxx raises
        ValueError: split the box at the antimeridian first.
        """
        minx, miny, maxx, maxy = bbox
        if minx > maxx or miny > maxy:
            raise ValueError(f"A box is minx, miny, maxx, maxy, not {bbox}. Split it at the antimeridian.")
        first, last = self.tile_of(minx, maxy, z), self.tile_of(maxx, miny, z)
        tile_minx, _, _, tile_maxy = self.bounds(*last)
        max_col = last.col - (maxx > minx and tile_minx == maxx)
        max_row = last.row - (maxy > miny and tile_maxy == miny)
        width, height = self.matrix_size(z)
        limits = TileMatrixLimits(
            z, max(first.row, 0), min(max_row, height - 1), max(first.col, 0), min(max_col, width - 1)
        )
        return limits if limits.min_row <= limits.max_row and limits.min_col <= limits.max_col else None

    def tiles(self, bbox: Box, z: int) -> Iterator[Tile]:
        """Yield the tiles that share area with `bbox`, row by row from the top left."""
        limits = self.limits(bbox, z)
        if limits is None:
            return
        for row in range(limits.min_row, limits.max_row + 1):
            for col in range(limits.min_col, limits.max_col + 1):
                yield Tile(z, row, col)

    def to_dict(self) -> dict[str, Any]:
        """Return the OGC TileMatrixSet JSON document, zooms 0 to 24, places in the authority's axis order."""
        document: dict[str, Any] = {"id": self.id, "title": self.title}
        if self.uri:
            document["uri"] = self.uri
        document |= {"crs": self.crs_uri, "orderedAxes": list(self.ordered_axes)}
        if self.well_known_scale_set:
            document["wellKnownScaleSet"] = self.well_known_scale_set
        return document | {"tileMatrices": [self._matrix(z) for z in range(MAX_ZOOM + 1)]}

    def _matrix(self, z: int) -> dict[str, Any]:
        width, height = self.matrix_size(z)
        return {
            "id": str(z),
            "scaleDenominator": self.scale_denominator(z),
            "cellSize": self.cell_size(z),
            "cornerOfOrigin": "topLeft",
            "pointOfOrigin": [self.top, self.left] if self.northing_first else [self.left, self.top],
            "tileWidth": TILE_SIZE,
            "tileHeight": TILE_SIZE,
            "matrixWidth": width,
            "matrixHeight": height,
        }


def _web_mercator_quad() -> TileMatrixSet:
    half = math.pi * SEMI_MAJOR_AXIS
    return TileMatrixSet(
        id="WebMercatorQuad",
        title="Google Maps Compatible for the World",
        epsg="EPSG:3857",
        crs_uri="http://www.opengis.net/def/crs/EPSG/0/3857",
        ordered_axes=("X", "Y"),
        left=-half,
        top=half,
        root_size=2 * half,
        root_width=1,
        root_height=1,
        metres_per_unit=1.0,
        uri="http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad",
        well_known_scale_set="http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
    )


def _geographic_quad(
    *, id: str, title: str, epsg: str, crs_uri: str, ordered_axes: tuple[str, str], **registered: str
) -> TileMatrixSet:
    """Return a set of two zoom 0 tiles of 180 degrees, west and east of Greenwich."""
    return TileMatrixSet(
        id=id,
        title=title,
        epsg=epsg,
        crs_uri=crs_uri,
        ordered_axes=ordered_axes,
        left=-180.0,
        top=90.0,
        root_size=180.0,
        root_width=2,
        root_height=1,
        metres_per_unit=METRES_PER_DEGREE,
        northing_first=ordered_axes[0] == "Lat",
        uri=registered.get("uri", ""),
        well_known_scale_set=registered.get("well_known_scale_set", ""),
    )


def _sets() -> Iterator[TileMatrixSet]:
    yield _web_mercator_quad()
    yield _geographic_quad(
        id="WorldCRS84Quad",
        title="CRS84 for the World",
        epsg="OGC:CRS84",
        crs_uri="http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        ordered_axes=("Lon", "Lat"),
        uri="http://www.opengis.net/def/tilematrixset/OGC/1.0/WorldCRS84Quad",
        well_known_scale_set="http://www.opengis.net/def/wkss/OGC/1.0/GoogleCRS84Quad",
    )
    # Not in OGC's register, so it claims neither a URI nor a scale set, which would name another CRS.
    yield _geographic_quad(
        id="CGCS2000Quad",
        title="CGCS2000 for the World",
        epsg="EPSG:4490",
        crs_uri="http://www.opengis.net/def/crs/EPSG/0/4490",
        ordered_axes=("Lat", "Lon"),
    )


TILE_MATRIX_SETS: Mapping[str, TileMatrixSet] = MappingProxyType({each.id: each for each in _sets()})


def tile_matrix_set(name: str) -> TileMatrixSet:
    """Return the tile matrix set of this name (case matters, as in the URL); raises TileMatrixSetNotFound."""
    if name in TILE_MATRIX_SETS:
        return TILE_MATRIX_SETS[name]
    by_lower = {known.lower(): known for known in TILE_MATRIX_SETS}
    nearest = get_close_matches(name.lower(), by_lower, n=len(by_lower), cutoff=0.0)
    raise TileMatrixSetNotFound(name, tuple(by_lower[lower] for lower in nearest))
