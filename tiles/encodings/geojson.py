"""GeoJSON: rows -> bytes, for whole pages at once.

Coordinates are rounded to what the source can mean: 8 decimals of a degree (1 mm), 3 of a metre.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from twin_model.crs import authority_axis_swapped, is_projected, transform_geometries

__all__ = ["encode_feature", "encode_features", "geometry_fragments"]

DEGREE_DECIMALS, METRE_DECIMALS = 8, 3


def geometry_fragments(
    geometry: NDArray[Any],
    source_crs: str,
    target_crs: str,
    *,
    axis_order: Literal["authority", "xy"] = "authority",
) -> list[bytes]:
    """Return the GeoJSON of each geometry in another CRS; None gives `null`.

    The axes stand in the order of the CRS's authority, as OGC API wants it, or x, y as files of a GIS have them.
    """
    moved = transform_geometries(geometry, source_crs, target_crs)
    decimals = METRE_DECIMALS if is_projected(target_crs) else DEGREE_DECIMALS
    with_z = bool(shapely.has_z(moved).any())
    swapped = axis_order == "authority" and authority_axis_swapped(target_crs)

    def tidy(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        rounded = np.round(xyz, decimals)
        rounded[:, 2:] = np.round(xyz[:, 2:], METRE_DECIMALS)
        return rounded[:, [1, 0, *range(2, rounded.shape[1])]] if swapped else rounded

    if with_z:
        flat = ~shapely.has_z(moved)
        tidied = shapely.transform(moved, tidy, include_z=True)
        tidied[flat] = shapely.force_2d(tidied[flat])
    else:
        tidied = shapely.transform(moved, tidy)
    return [b"null" if text is None else text.encode() for text in shapely.to_geojson(tidied)]


def encode_features(
    ids: Sequence[str], properties: Iterable[Mapping[str, Any]], geometries: Sequence[bytes]
) -> bytes:
    """Return the features as a JSON array; `geometries` are fragments of `geometry_fragments`."""
    parts = [
        b'{"type":"Feature","id":'
        + orjson.dumps(name)
        + b',"geometry":'
        + shape
        + b',"properties":'
        + orjson.dumps(values)
        + b"}"
        for name, shape, values in zip(ids, geometries, properties, strict=True)
    ]
    return b"[" + b",".join(parts) + b"]"


def encode_feature(name: str, properties: Mapping[str, Any], geometry: bytes, **members: Any) -> bytes:
    """Return one feature; `members` (links) stand beside its properties."""
    extra = b"".join(b',"' + key.encode() + b'":' + orjson.dumps(value) for key, value in members.items())
    return (
        b'{"type":"Feature","id":'
        + orjson.dumps(name)
        + b',"geometry":'
        + geometry
        + b',"properties":'
        + orjson.dumps(properties)
        + extra
        + b"}"
    )
