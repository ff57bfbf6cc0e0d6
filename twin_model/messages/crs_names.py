"""How a coordinate system is called in a sentence: as its authority writes it, in Chinese as maps of China print it.

A system that its file gives no name ("unnamed", as MapInfo writes them) is called by ellipsoid and meridian. In China
the ellipsoid tells the datum: Krassowsky 1940 is Beijing 1954, IAG 1975 is Xian 1980.
Everything else that is known of systems stands in `twin_model/crs.py`; this stands here because errors are worded below it.
"""

import re
import warnings
from functools import lru_cache

from pyproj import CRS
from pyproj.exceptions import CRSError

from twin_model.messages.fragments import in_chinese

__all__ = ["datum_of_ellipsoid", "is_nameless", "system_example", "system_name"]

_DATUMS = {6_378_245: "Beijing 1954", 6_378_140: "Xian 1980"}
"""Half the major axis of an ellipsoid in metres -> the datum of China on it."""
_ELLIPSOIDS = {6_378_245: "Krassowsky 1940 ellipsoid", 6_378_140: "IAG 1975 ellipsoid"}
_GEOGRAPHIC = {"Beijing 1954": "EPSG:4214", "Xian 1980": "EPSG:4610"}
_NO_NAME = re.compile(r"(unnamed|unknown|undefined|not specified|<custom>|user.defined|$)", re.IGNORECASE)


@lru_cache(maxsize=256)
def system_name(code: str, lang: str) -> str:
    """Return the name of a system given by its code or WKT; what is no system is returned as it was given."""
    try:
        crs = CRS.from_user_input(code)
    except CRSError:
        return code
    name = _description(crs) if is_nameless(crs) else str(crs.name)
    if lang != "zh":
        return name
    return f"{in_chinese(name)}（{code}）" if code.startswith(("EPSG:", "OGC:")) else in_chinese(name)


def is_nameless(crs: CRS) -> bool:
    """Tell whether a system has no name of its own."""
    return bool(_NO_NAME.match(str(crs.name)))


def datum_of_ellipsoid(crs: CRS) -> str | None:
    """Return the datum of China whose ellipsoid a system is on ("Beijing 1954", "Xian 1980"), None on any other."""
    return None if crs.ellipsoid is None else _DATUMS.get(round(crs.ellipsoid.semi_major_metre))


def system_example(code: str) -> str:
    """Return how a system is given on a command line: its code, that of its datum and zone, or its PROJ text."""
    if re.match(r"\w+:\w+$", code):
        return code
    crs = CRS.from_user_input(code)
    datum = datum_of_ellipsoid(crs)
    if datum is not None and not crs.is_projected:
        return _GEOGRAPHIC[datum]
    for name in _zone_names(crs, datum) if datum is not None else ():
        try:
            return ":".join(CRS.from_user_input(name).to_authority())
        except (CRSError, TypeError):
            continue
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PROJ's text keeps ellipsoid and projection: all that is asked of it
        return str(crs.to_proj4())


def _zone_names(crs: CRS, datum: str | None) -> list[str]:
    """Return what EPSG may call the zone of a Gauss-Krueger projection: 3-degree zones first, with number or without."""
    values = _projection_values(crs)
    meridian, east = values.get("Longitude of natural origin", 0.0), values.get("False easting", 0.0)
    zone = f"zone {int(east // 1_000_000)}" if east > 1_000_000 else f"CM {meridian:g}E"
    return [f"{datum} / {width}Gauss-Kruger {zone}" for width in ("3-degree ", "")]


def _projection_values(crs: CRS) -> dict[str, float]:
    operation = crs.coordinate_operation
    return {} if operation is None else {value.name: float(value.value) for value in operation.params}


def _description(crs: CRS) -> str:
    """Return the ellipsoid or datum of a nameless system, and the meridian of its projection."""
    ellipsoid, datum = crs.ellipsoid, datum_of_ellipsoid(crs)
    geodetic = crs.geodetic_crs
    named = geodetic.datum.name if geodetic is not None and geodetic.datum is not None else ""
    if datum is not None and ellipsoid is not None:
        name = f"{_ELLIPSOIDS[round(ellipsoid.semi_major_metre)]} (in China: {datum})"
    elif not _NO_NAME.match(named) or ellipsoid is None:
        name = named or str(crs.name)
    else:
        name = f"ellipsoid a = {ellipsoid.semi_major_metre:g} m, 1/f = {ellipsoid.inverse_flattening:g}"
    meridian = _projection_values(crs).get("Longitude of natural origin")
    return name if meridian is None else f"{name} / CM {meridian:g}E"
