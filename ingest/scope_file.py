"""`--scope`: what a delivery covers, as the caller says it: a word, or a file with the polygon that was surveyed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ingest.draft import FRAME_ROWS
from ingest.vector.file import VectorFile
from twin_model.changeset import ScopeKind
from twin_model.crs import crs_code, transform_geometries
from twin_model.errors import CalledWrongly, SourceRefused

__all__ = ["WORDS", "read_scope"]

WORDS: tuple[ScopeKind, ...] = ("seen", "sheet", "layer")


def read_scope(scope: str, *, storage_crs: str, crs: str | None = None) -> tuple[ScopeKind, BaseGeometry | None]:
    """Return what a delivery could have seen: one of `WORDS`, or "area" with the union of a file's polygons.

    The polygon comes in the storage CRS; `crs` is that of a file which does not say its own. Raises `CalledWrongly`
    for what is neither a word nor a file with an area in it.
    """
    for word in WORDS:
        if scope == word:
            return word, None
    path = Path(scope)
    if not path.is_file():
        raise CalledWrongly("source.unknown_scope", value=scope, expected=[*WORDS, "FILE"])
    try:
        parts = list(_areas(path, storage_crs, crs))
    except SourceRefused as error:
        raise CalledWrongly("source.scope_unreadable", value=path.name, cause=error) from error
    area: BaseGeometry = shapely.union_all(parts)
    if area.is_empty:
        raise CalledWrongly("source.scope_unreadable", value=path.name, cause="no polygon in it")
    return "area", area


def _areas(path: Path, storage_crs: str, crs: str | None) -> Iterator[BaseGeometry]:
    """Yield the union of the polygons of each layer, in the storage CRS."""
    file = VectorFile(path, path.name)
    for name, geometry in file.names():
        layer = file.layer(name, geometry)
        for batch in file.batches(layer, [], FRAME_ROWS) if geometry is not None else ():
            declared = layer.crs or crs
            if declared is None:
                raise CalledWrongly("source.no_crs", source=path.name, crs=storage_crs, likely=[], example=storage_crs)
            shapes = shapely.make_valid(np.asarray(shapely.from_wkb(batch.wkb.objects()), dtype=object))
            moved = transform_geometries(shapes, crs_code(declared), storage_crs)
            yield shapely.union_all(moved[shapely.get_dimensions(moved) == 2])
