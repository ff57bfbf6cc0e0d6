"""The coordinate reference systems that the layers of a file declare, and layers that declare none among others that do."""

import re

from ingest.draft import Draft, ReadOptions
from ingest.vector.file import VectorFile
from twin_model.crs import crs_code
from twin_model.errors import CrsRefused, SourceRefused
from twin_model.finding import Finding

__all__ = ["declared_crs", "layers_with_crs"]

_NO_SYSTEM = re.compile(r'^(LOCAL_CS|ENGCRS|ENGINEERINGCRS|\w+\["(undefined|unknown))', re.IGNORECASE)


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
        values = {"source_layer": name, "source": draft.source.name, "crs": draft.storage_crs}
        draft.report(Finding("vector.layer_without_crs", "error", values=values))
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
