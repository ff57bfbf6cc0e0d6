"""Places on the globe: geographic -> earth-centred (ECEF) coordinates and the east-north-up frame of a tile.

The ellipsoid is WGS 84; CGCS2000 differs from it by 0.1 mm at the poles. What is projected comes in through a
`ToLonLat`, made by `twin_model/crs.py`; this module knows no CRS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tiles.mesh import Float32, Float64

ToLonLat = Callable[[Float64, Float64], tuple[Float64, Float64]]
"""Projected x (east), y (north) in metres -> longitude, latitude in degrees."""

SEMI_MAJOR_AXIS = 6378137.0
FLATTENING = 1.0 / 298.257223563
ECCENTRICITY_SQUARED = FLATTENING * (2.0 - FLATTENING)
Y_UP_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Rotation of (east, north, up) to glTF's (east, up, -north); a 3D Tiles viewer turns it back."""


@dataclass(frozen=True)
class LocalFrame:
    """An east-north-up frame touching the ellipsoid's normal at its origin.

    `origin` (3,) ECEF metres; `axes` (3, 3) with the unit vectors east, north, up as rows.
    """

    origin: Float64
    axes: Float64

    @property
    def transform(self) -> list[float]:
        """Return the 4x4 matrix local -> ECEF as `tileset.json` wants it: 16 numbers, column by column."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes.T
        matrix[:3, 3] = self.origin
        return [float(number) for number in matrix.T.ravel()]

    def from_ecef(self, ecef: Float64) -> Float64:
        """Return east, north, up in metres from this origin, shape (n, 3)."""
        local: Float64 = (ecef - self.origin) @ self.axes.T
        return local


def ecef_from_lonlat(lon: Float64, lat: Float64, height: Float64) -> Float64:
    """Return earth-centred x, y, z in metres, shape (n, 3).

    Degrees and metres above the ellipsoid. Closed formula, EPSG Guidance Note 7-2, section 4.1.1.
    """
    up = ellipsoid_normal(lon, lat)
    prime_vertical = SEMI_MAJOR_AXIS / np.sqrt(1.0 - ECCENTRICITY_SQUARED * up[:, 2] ** 2)
    ecef: Float64 = up * (prime_vertical + height)[:, None]
    ecef[:, 2] -= ECCENTRICITY_SQUARED * prime_vertical * up[:, 2]
    return ecef


def ellipsoid_normal(lon: Float64, lat: Float64) -> Float64:
    """Return the outward unit normal of the ellipsoid, shape (n, 3); degrees."""
    lam, phi = np.radians(lon), np.radians(lat)
    cos_phi = np.cos(phi)
    return np.stack([cos_phi * np.cos(lam), cos_phi * np.sin(lam), np.sin(phi)], axis=-1)


def local_frame(lon: float, lat: float, height: float = 0.0) -> LocalFrame:
    """Return the east-north-up frame at a place; degrees and metres above the ellipsoid."""
    lons, lats = np.array([lon], dtype=np.float64), np.array([lat], dtype=np.float64)
    lam = np.radians(lon)
    east = np.array([-np.sin(lam), np.cos(lam), 0.0])
    up = ellipsoid_normal(lons, lats)[0]
    origin = ecef_from_lonlat(lons, lats, np.array([height]))[0]
    return LocalFrame(origin, np.stack([east, np.cross(up, east), up]))


def projected_frame(x: float, y: float, height: float, to_lonlat: ToLonLat) -> LocalFrame:
    """Return the east-north-up frame at a projected place; `height` in metres above the ellipsoid."""
    lon, lat = to_lonlat(np.array([x], dtype=np.float64), np.array([y], dtype=np.float64))
    return local_frame(float(lon[0]), float(lat[0]), height)


def ecef_from_projected(positions: Float64, to_lonlat: ToLonLat, height_offset: float = 0.0) -> Float64:
    """Return every projected vertex in ECEF, shape (n, 3); z + `height_offset` is its ellipsoidal height.

    Vertices above each other (a wall's foot and top) are projected once: a footprint point serves six.
    """
    if len(positions) == 0:
        return np.empty((0, 3))
    place, first = _distinct_places(positions)
    lon, lat = to_lonlat(positions[first, 0], positions[first, 1])
    lon, lat = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    up = ellipsoid_normal(lon, lat)
    foot = ecef_from_lonlat(lon, lat, np.zeros(len(lon)))
    ecef: Float64 = foot[place] + up[place] * (positions[:, 2:3] + height_offset)
    return ecef


def _distinct_places(positions: Float64) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the distinct x, y; answer each vertex's number and one vertex for each number."""
    key = np.empty(len(positions), np.complex128)
    key.real, key.imag = positions[:, 0], positions[:, 1]
    place, distinct = pd.factorize(key)
    first = np.empty(len(distinct), np.intp)
    first[place[::-1]] = np.arange(len(key) - 1, -1, -1)
    return place, first


def local_positions(positions: Float64, frame: LocalFrame, to_lonlat: ToLonLat, height_offset: float = 0.0) -> Float64:
    """Return east, north, up from the frame's origin for every projected vertex, each by its own ECEF place.

    A flat copy of projected metres would be 8 m too high at 10 km, and turned by the meridian convergence.
    """
    return frame.from_ecef(ecef_from_projected(positions, to_lonlat, height_offset))


def local_jacobians(positions: Float64, frame: LocalFrame, to_lonlat: ToLonLat, height_offset: float = 0.0) -> Float64:
    """Return d(east, north, up) / d(x, y, z) at every projected place, shape (n, 3, 3).

    Central differences over 20 m: truncation below 1e-11, rounding below 1e-9.
    """
    step = 10.0
    shifts = step * np.concatenate([np.eye(3), -np.eye(3)])
    moved = (positions[:, None, :] + shifts).reshape(-1, 3)
    local = local_positions(moved, frame, to_lonlat, height_offset).reshape(-1, 2, 3, 3)
    jacobians: Float64 = ((local[:, 0] - local[:, 1]) / (2.0 * step)).transpose(0, 2, 1)
    return jacobians


def y_up(local: Float64) -> Float32:
    """Return glTF's (east, up, -north) in float32 for local (east, north, up)."""
    return np.stack([local[:, 0], local[:, 2], -local[:, 1]], axis=-1).astype(np.float32)
