"""`--scope`: what a delivery covers, as the caller says it: a word, or a file with the polygon that was surveyed."""

from pathlib import Path

import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.geometry.base import BaseGeometry

from twin_model.changeset import Reach
from twin_model.crs import crs_code, transform_geometries
from twin_model.errors import CalledWrongly

__all__ = ["WORDS", "read_scope"]

WORDS: tuple[Reach, ...] = ("seen", "sheet", "layer")


def read_scope(said: str, *, storage_crs: str, crs: str | None = None) -> tuple[Reach, BaseGeometry | None]:
    """Return what a delivery could have seen: one of `WORDS`, or "area" with the union of a file's polygons.

    The polygon comes in the storage CRS; `crs` is that of a file which does not say its own. Raises `CalledWrongly`
    for what is neither a word nor a file with an area in it.
    """
    for word in WORDS:
        if said == word:
            return word, None
    path = Path(said)
    if not path.is_file():
        raise CalledWrongly("source.unknown_scope", value=said, expected=[*WORDS, "FILE"])
    try:
        about, _, wkb, _ = pyogrio.raw.read(path, columns=[])
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise CalledWrongly("source.scope_unreadable", value=path.name, cause=str(error)[:200]) from error
    shapes = shapely.make_valid(np.asarray(shapely.from_wkb(wkb), dtype=object))
    declared = about["crs"] or crs
    if declared is None:
        raise CalledWrongly("source.no_crs", source=path.name)
    moved = transform_geometries(shapes, crs_code(declared), storage_crs)
    area: BaseGeometry = shapely.union_all(moved[shapely.get_dimensions(moved) == 2])
    if area.is_empty:
        raise CalledWrongly("source.scope_unreadable", value=path.name, cause="no polygon in it")
    return "area", area
