"""Coordinate reference systems: the only module that knows pyproj, axis order and datums.

Inside the house coordinates are x, y (east, north). CGCS2000 and WGS 84 are taken as one datum, by name and on
purpose (they differ by centimetres; PROJ has no real operation between them and answers "ballpark"). Every other
change of datum needs an operation that PROJ really has; those of Xian 1980 and Beijing 1954 are refused, because
their parameters are the town's own and come from its `private/` folder.
"""

from collections.abc import Callable
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from twin_model.errors import CrsRefused
from twin_model.messages.crs_names import datum_of_ellipsoid, is_nameless, system_example, system_name

__all__ = [
    "CRS84",
    "area_of_use",
    "authority_axis_swapped",
    "central_meridian",
    "crs_code",
    "datum_of",
    "epsg_of",
    "from_geocentric",
    "grid_count",
    "is_projected",
    "lonlat_of",
    "placed_bounds",
    "placed_geometries",
    "proj_version",
    "reachable_extent",
    "same_crs",
    "title_of",
    "to_geocentric",
    "transform_bounds",
    "transform_geometries",
    "transform_xy",
    "unit_of",
    "uri_of",
    "well_known_text",
]

CRS84 = "OGC:CRS84"
Floats = NDArray[np.float64]

_ONE_DATUM = ("China 2000", "World Geodetic System 1984", "China Geodetic Coordinate System 2000")
_TOWN_PARAMETERS_ONLY = ("Xian 1980", "Beijing 1954", "New Beijing")
_POINTS_A_SIDE = 21
_AROUND_THE_AREA = 10.0
"""Degrees around a system's area of use within which features are looked for where a layer's extent says nothing."""
_FARTHEST = 1e7
"""Metres from a projection's origin, for a system whose area of use nobody knows."""
_URI_PREFIXES = ("http://www.opengis.net/def/crs/", "https://www.opengis.net/def/crs/")


@lru_cache(maxsize=256)
def _crs(code: str) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_user_input(code)
    except pyproj.exceptions.CRSError as error:
        nearest = get_close_matches(
            code, ("EPSG:4548", "EPSG:4527", "EPSG:4490", "EPSG:4326", "EPSG:3857", CRS84), 3, 0.3
        )
        nearest = nearest or ["EPSG:4548"]
        raise CrsRefused("crs.unknown", crs=code, nearest=nearest, example=nearest[0]) from error


def crs_code(crs: Any) -> str:
    """Return the short code ("EPSG:4548", "OGC:CRS84") of a code, an OGC URI or CURIE, WKT or CRS object.

    WKT that names no authority but equals an EPSG system gets that code; else its WKT is the code. What is neither
    geographic nor projected (heights alone, geocentric) is refused like an unknown code.
    """
    if isinstance(crs, int):
        return _code_of(f"EPSG:{crs}")
    if isinstance(crs, str):
        return _code_of(crs)
    if not hasattr(crs, "to_wkt"):
        raise CrsRefused("crs.unknown", crs=crs, nearest=["EPSG:4548"], example="EPSG:4548")
    return _code_of(crs.to_wkt())


@lru_cache(maxsize=1024)
def _code_of(text: str) -> str:
    text = text.strip()
    text = text.strip("[]") if text.startswith("[") else text
    for prefix in _URI_PREFIXES:
        if text.startswith(prefix):
            parts = text.removeprefix(prefix).split("/")
            text = f"{parts[0]}:{parts[2]}" if len(parts) == 3 else text
    if text.lower().startswith("urn:ogc:def:crs:"):
        text = ":".join((text.split(":")[4], text.split(":")[-1]))
    if text.upper() in {CRS84, "CRS84", "OGC:CRS84H"}:
        return CRS84
    system = _crs(text)
    if not (system.is_geographic or system.is_projected):
        raise CrsRefused("crs.unknown", crs=text, nearest=["EPSG:4548"], example="EPSG:4548")
    own = system.to_json_dict().get("id")
    if own is not None:  # its own code first: 4509 and 4548 are equal in everything but name
        return f"{own['authority']}:{own['code']}"
    authority = system.to_authority(min_confidence=70)
    code = f"{authority[0]}:{authority[1]}" if authority else str(system.to_wkt())
    datum = datum_of_ellipsoid(system) if is_nameless(system) else None
    return str(system.to_wkt()) if datum and not _datum(code).startswith(datum) else code


def epsg_of(crs: Any) -> int | None:
    """Return the EPSG number, 4326 for CRS84, None where there is none."""
    code = crs_code(crs)
    if code == CRS84:
        return 4326
    return int(code.split(":")[1]) if code.startswith("EPSG:") else None


def uri_of(crs: Any) -> str:
    """Return OGC's URI of a system, as `Content-Crs` and `crs` lists want it."""
    code = crs_code(crs)
    if code == CRS84:
        return "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
    authority, _, number = code.partition(":")
    return f"http://www.opengis.net/def/crs/{authority}/0/{number}"


def well_known_text(crs: Any, *, version: str = "WKT1_GDAL") -> str:
    """Return the WKT of a system; GeoPackage and shapefiles want WKT1."""
    return str(_crs(crs_code(crs)).to_wkt(version))


def is_projected(crs: Any) -> bool:
    return bool(_crs(crs_code(crs)).is_projected)


def unit_of(crs: Any) -> str:
    """Return the name that pyproj has for what the first coordinate counts: "metre", "degree", "foot", "US survey foot" ..."""
    return str(_crs(crs_code(crs)).axis_info[0].unit_name)


def title_of(crs: Any, lang: str = "en") -> str:
    """Return the name of a system: as its authority writes it, in Chinese with the code as maps of China print it.

    What is no known system is returned as it was given, so that a message can name it.
    """
    try:
        return system_name(crs_code(crs), lang)
    except CrsRefused:
        return str(crs)


def authority_axis_swapped(crs: Any) -> bool:
    """Say whether the authority's axis order is north, east (EPSG:4490, 4326, 4548), unlike x, y inside the house."""
    axes = _crs(crs_code(crs)).axis_info
    return bool(axes) and axes[0].direction.lower() in {"north", "south"}


def same_crs(a: Any, b: Any) -> bool:
    """Say whether coordinates need no change between two systems (4490, 4326 and CRS84 are one; so is x, y order)."""
    return crs_code(a) == crs_code(b) or (_merged(crs_code(a)) == _merged(crs_code(b)))


def _merged(code: str) -> str:
    return CRS84 if code in {"EPSG:4326", "EPSG:4490", CRS84, "EPSG:4979", "EPSG:4480"} else code


def area_of_use(crs: Any) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north in degrees of the system's area of use, None where unknown."""
    area = _crs(crs_code(crs)).area_of_use
    return (area.west, area.south, area.east, area.north) if area else None


def datum_of(crs: Any) -> str:
    """Return the name of a system's datum; CGCS2000 and WGS 84 are one, "CGCS2000/WGS 84"."""
    return _datum(crs_code(crs))


def central_meridian(crs: Any) -> float | None:
    """Return the degrees of a projected system's central meridian, None where it has none."""
    operation = _crs(crs_code(crs)).coordinate_operation
    named = {parameter.name: parameter.value for parameter in operation.params} if operation is not None else {}
    degrees = named.get("Longitude of natural origin")
    return None if degrees is None else float(degrees)


def _datum(code: str) -> str:
    geodetic = _crs(code).geodetic_crs
    name = geodetic.datum.name if geodetic is not None and geodetic.datum is not None else ""
    return "CGCS2000/WGS 84" if any(name.startswith(prefix) for prefix in _ONE_DATUM) else name


def _steps(source: str, target: str) -> list[Callable[..., Any]]:
    """Return the transformations that lead from one system to the other, each a real one."""
    if _datum(source) == _datum(target) == "CGCS2000/WGS 84":
        a, b = _crs(source).geodetic_crs, _crs(target).geodetic_crs
        pairs: list[tuple[Any, Any]] = [(_crs(source), a)] if _crs(source).is_projected else []
        pairs += [(b, _crs(target))] if _crs(target).is_projected else []
        return [pyproj.Transformer.from_crs(s, t, always_xy=True).transform for s, t in pairs]
    if _datum(source) != _datum(target):
        _ensure_sanctioned(source, target)
    try:
        transformer = pyproj.Transformer.from_crs(_crs(source), _crs(target), always_xy=True, allow_ballpark=False)
    except pyproj.exceptions.ProjError as error:
        raise _no_parameters(source, target) from error
    return [transformer.transform]


def _ensure_sanctioned(source: str, target: str) -> None:
    """Refuse the datums whose parameters are the town's own, even where PROJ would pick some by area.

    A nameless system on the ellipsoid of one is on it: MapInfo writes Beijing 1954 as Pulkovo 1942, and PROJ would
    take the parameters of Russia.
    """
    systems = (_crs(source), _crs(target))
    names = [crs.geodetic_crs.name if crs.geodetic_crs else "" for crs in systems]
    if any(own in name for name in names for own in _TOWN_PARAMETERS_ONLY) or any(
        is_nameless(crs) and datum_of_ellipsoid(crs) for crs in systems
    ):
        raise _no_parameters(source, target)


def _no_parameters(source: str, target: str) -> CrsRefused:
    values = {"source": title_of(source), "target": title_of(target), "example": system_example(source)}
    return CrsRefused("crs.datum", **values)


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> tuple[Callable[..., Any], ...]:
    return () if same_crs(source, target) else tuple(_steps(source, target))


def transform_xy(x: Floats, y: Floats, source: Any, target: Any) -> tuple[Floats, Floats]:
    """Return x, y of `source` in `target`, both in east, north (longitude, latitude) order. Built once per pair."""
    for step in _transformer(crs_code(source), crs_code(target)):
        x, y = step(x, y)
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def to_geocentric(x: Floats, y: Floats, height: Floats, crs: Any) -> Floats:
    """Return X, Y, Z (n x 3, metres) on the datum of a system; no change of datum, as those are the town's own."""
    code = crs_code(crs)
    lon, lat = (x, y) if not is_projected(code) else _to_degrees(code).transform(x, y)
    return np.column_stack(_cartesian(code).transform(lon, lat, height))


def from_geocentric(xyz: Floats, crs: Any) -> tuple[Floats, Floats, Floats]:
    """Return x, y (east, north or degrees) and ellipsoidal height of X, Y, Z on the datum of a system."""
    code = crs_code(crs)
    lon, lat, height = _cartesian(code).transform(xyz[:, 0], xyz[:, 1], xyz[:, 2], direction="INVERSE")
    x, y = (lon, lat) if not is_projected(code) else _to_degrees(code).transform(lon, lat, direction="INVERSE")
    return np.asarray(x), np.asarray(y), np.asarray(height)


@lru_cache(maxsize=64)
def _to_degrees(code: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(_crs(code), _crs(code).geodetic_crs, always_xy=True)


@lru_cache(maxsize=64)
def _cartesian(code: str) -> pyproj.Transformer:
    axes = _crs(code).get_geod()
    if axes is None:
        raise CrsRefused("crs.unknown", crs=code, nearest=["EPSG:4490"], example="EPSG:4490")
    a, b = axes.a, axes.b
    steps = f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cart +a={a!r} +b={b!r}"
    return pyproj.Transformer.from_pipeline(steps)


def transform_geometries(geometries: NDArray[Any], source: Any, target: Any) -> NDArray[Any]:
    """Return shapely geometries in `target`, Z kept as it is; None stays None."""
    source, target = crs_code(source), crs_code(target)
    if not _transformer(source, target):
        return geometries
    with_z = bool(shapely.has_z(geometries).any())

    def moved(xyz: Floats) -> Floats:
        x, y = transform_xy(xyz[:, 0].copy(), xyz[:, 1].copy(), source, target)
        return np.column_stack((x, y, xyz[:, 2])) if with_z else np.column_stack((x, y))

    if not with_z:
        return np.asarray(shapely.transform(geometries, moved))
    return _transform_mixed(geometries, moved)


def _transform_mixed(geometries: NDArray[Any], moved: Callable[[Floats], Floats]) -> NDArray[Any]:
    """Transform geometries of which some have Z and some not, so that the flat ones stay flat."""
    flat = ~shapely.has_z(geometries)
    done = shapely.transform(geometries, moved, include_z=True)
    if flat.any():
        done[flat] = shapely.force_2d(done[flat])
    return np.asarray(done)


def transform_bounds(
    bounds: tuple[float, float, float, float], source: Any, target: Any
) -> tuple[float, float, float, float]:
    """Return an envelope in another system that holds every point of a box.

    The edges are densified to 21 points a side; what an edge may bulge between two of them is added on all sides.
    """
    if not _transformer(crs_code(source), crs_code(target)):
        return bounds
    x, y = transform_xy(*_edges(bounds), source, target)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        raise CrsRefused("crs.outside", bounds=bounds, source=title_of(source), target=title_of(target))
    bulge_x, bulge_y = _bulge(x), _bulge(y)
    x, y = x[finite], y[finite]
    return (
        float(x.min() - bulge_x),
        float(y.min() - bulge_y),
        float(x.max() + bulge_x),
        float(y.max() + bulge_y),
    )


def placed_bounds(
    bounds: tuple[float, float, float, float], source: Any, target: Any
) -> tuple[float, float, float, float] | None:
    """Return what `transform_bounds` does, None where any of the box has no place in the other system.

    Asked of the town's extents: a layer with coordinates that are nowhere must not spoil what is made of the others.
    """
    return _placed_bounds(bounds, crs_code(source), crs_code(target))


@lru_cache(maxsize=4096)
def _placed_bounds(
    bounds: tuple[float, float, float, float], source: str, target: str
) -> tuple[float, float, float, float] | None:
    if not np.isfinite(bounds).all():
        return None
    x, y = transform_xy(*_edges(bounds), source, target)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    return transform_bounds(bounds, source, target)


def reachable_extent(
    extent: tuple[float, float, float, float] | None, crs: Any
) -> tuple[float, float, float, float] | None:
    """Return a layer's extent, cut to where its system reaches if some of it has no place on the globe.

    None for None, and where nothing of it is left. What lies beyond is found by no place.
    """
    if extent is None or placed_bounds(extent, crs, CRS84) is not None:
        return extent
    reach = _reach(crs_code(crs))
    low = [max(a, b) for a, b in zip(extent[:2], reach[:2], strict=True)]
    high = [min(a, b) for a, b in zip(extent[2:], reach[2:], strict=True)]
    return (low[0], low[1], high[0], high[1]) if low[0] <= high[0] and low[1] <= high[1] else None


@lru_cache(maxsize=64)
def _reach(crs: str) -> tuple[float, float, float, float]:
    """Return the box of a projected system's area of use and what lies around it, in its own coordinates."""
    area = area_of_use(crs)
    if area is None:
        return -_FARTHEST, -_FARTHEST, _FARTHEST, _FARTHEST
    west, south, east, north = area
    around = (
        max(west - _AROUND_THE_AREA, -180.0),
        max(south - _AROUND_THE_AREA, -85.0),
        min(east + _AROUND_THE_AREA, 180.0),
        min(north + _AROUND_THE_AREA, 85.0),
    )
    return transform_bounds(around, CRS84, crs)


def placed_geometries(geometries: NDArray[Any]) -> NDArray[Any]:
    """Return geometries with None instead of those that are nowhere: empty, or with a coordinate that is no number."""
    nowhere = ~shapely.is_missing(geometries)
    nowhere &= shapely.is_empty(geometries) | ~_all_finite(geometries)
    if not nowhere.any():
        return geometries
    placed = np.array(geometries, dtype=object)
    placed[nowhere] = None
    return placed


def _all_finite(geometries: NDArray[Any]) -> NDArray[np.bool_]:
    coordinates, index = shapely.get_coordinates(geometries, return_index=True)
    finite = np.ones(len(geometries), dtype=bool)
    finite[index[~np.isfinite(coordinates).all(axis=1)]] = False
    return finite


def _edges(bounds: tuple[float, float, float, float]) -> tuple[Floats, Floats]:
    """Return points along the four edges of a box, one edge after the other."""
    t = np.linspace(0.0, 1.0, _POINTS_A_SIDE)
    minx, miny, maxx, maxy = bounds
    xs, ys = minx + (maxx - minx) * t, miny + (maxy - miny) * t
    x = np.concatenate((xs, xs, np.full_like(t, minx), np.full_like(t, maxx)))
    y = np.concatenate((np.full_like(t, miny), np.full_like(t, maxy), ys, ys))
    return x, y


def _bulge(values: Floats) -> float:
    """Return how far a smooth edge may reach beyond its points: an eighth of the largest second difference, doubled."""
    second = np.abs(np.diff(values.reshape(4, _POINTS_A_SIDE), n=2, axis=1))
    second = second[np.isfinite(second)]
    return float(second.max()) / 4.0 if len(second) else 0.0


def lonlat_of(crs: Any) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
    """Return a function x, y -> longitude, latitude in degrees (CRS84) for arrays of one system."""
    code = crs_code(crs)
    _transformer(code, CRS84)
    return lambda x, y: transform_xy(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), code, CRS84)


def proj_version() -> str:
    return pyproj.proj_version_str


def grid_count() -> int:
    """Return the number of grids of datum and height changes that PROJ finds on this machine; it fetches none."""
    folder = Path(pyproj.datadir.get_data_dir())
    return sum(path.suffix in {".tif", ".gsb", ".gtx"} for path in folder.iterdir())
