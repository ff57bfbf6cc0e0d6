"""The coordinate reference systems that the layers of a file declare, and layers that declare none among others that do."""

import re
from contextlib import closing
from itertools import islice

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.draft import Draft, ReadOptions
from ingest.place import likely_systems
from ingest.vector.file import VectorFile
from ingest.vector.source_layer import Batch
from twin_model.crs import crs_code
from twin_model.errors import CrsRefused, SourceRefused
from twin_model.finding import Finding

__all__ = ["declared_crs", "layers_with_crs", "places_of"]

_NO_SYSTEM = re.compile(r'^(LOCAL_CS|ENGCRS|ENGINEERINGCRS|\w+\["(undefined|unknown))', re.IGNORECASE)


_LOOKED_AT = 1_000
"""So many geometries tell where a layer lies."""


def layers_with_crs(
    file: VectorFile, layers: list[tuple[str, str | None]], draft: Draft, options: ReadOptions
) -> list[tuple[str, str | None]]:
    """Return the layers that can be placed; one without a system is left out with an error where others have theirs.

    A file of which no layer has one is refused when it is read.
    """
    spatial = [name for name, geometry in layers if geometry is not None]
    if options.crs or (options.mapping and options.mapping.crs) or len(spatial) < 2:
        return layers
    lacking = [name for name in spatial if _lacks_crs(file, name)]
    if len(lacking) == len(spatial):
        return layers
    for name in lacking:
        layer = file.layer(name, "Unknown")
        with closing(file.batches(layer, [], _LOOKED_AT)) as batches:
            likely = [
                system
                for batch in islice(batches, 1)
                for system in likely_systems(*places_of(batch, draft), draft.town)
            ]
        values = {"source_layer": name, "source": draft.source.name, "rows": layer.features}
        rule = "vector.layer_without_crs" if likely else "vector.layer_without_crs_elsewhere"
        values |= {"crs": likely[0]} if likely else {}
        draft.leave_out(Finding(rule, "error", place=name, values=values), layer.features)
    return [(name, geometry) for name, geometry in layers if name not in lacking]


def _lacks_crs(file: VectorFile, name: str) -> bool:
    try:
        return declared_crs(file.layer(name, "Unknown").crs) is None
    except SourceRefused:
        return False  # what cannot be read says so when it is read


def declared_crs(declared: str | None) -> str | None:
    """Return the system a layer declares as a code, None for none; GDAL's "Undefined SRS" declares none."""
    try:
        return None if declared is None or _NO_SYSTEM.match(declared) else crs_code(declared)
    except CrsRefused:
        return None


def places_of(batch: Batch, draft: Draft) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x, y of the middles of the first geometries of a batch, read as the mapping says they are meant."""
    rows = np.flatnonzero(batch.wkb.sizes > 0)[:_LOOKED_AT]
    shapes = np.asarray(shapely.from_wkb(batch.wkb.objects(rows), on_invalid="ignore"), dtype=object)
    bounds = shapely.bounds(draft.coordinates.read(shapes))
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    return (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
