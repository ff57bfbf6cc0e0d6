"""GDAL while a source is open: without network, without files beside the source; what it says becomes our words."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from ingest.vector.kind import not_recognised
from twin_model.errors import SourceRefused
from twin_model.gdal_words import gdal_words

__all__ = ["gdal_version", "in_our_words", "missing_drivers"]

_GDAL = {
    "OGR_GEOMETRY_ACCEPT_UNCLOSED_RING": "YES",
    "OGR_SQLITE_LIST_ALL_TABLES": "NO",
    "GPX_ELE_AS_25D": "YES",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "GML_REGISTRY": os.devnull,  # GDAL's own names addresses of schemas
    "GML_SKIP_RESOLVE_ELEMS": "ALL",
    "GML_USE_SCHEMA_IMPORT": "NO",
    "OGR_SQLITE_ALLOW_EXTERNAL_ACCESS": "NO",
    "OGR_SQLITE_LIST_VIRTUAL_OGR": "NO",
    "CPL_LOG": os.devnull,  # what is wrong is raised, or read again and raised; on the terminal it says nothing more
}
_DAYS_AS_TEXTS = "OGR_GEOJSON_DATE_AS_STRING"
_GML_TYPES = "GML_FIELDTYPES"
_OFFLINE = {
    "GDAL_HTTP_PROXY": "none://source",
    "GDAL_HTTPS_PROXY": "none://source",
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
}
"""A proxy of no known kind: GDAL gives up before it connects. Only while a source is open: a notebook may read addresses."""


@contextmanager
def in_our_words(
    path: Path, source: str, *, restores_index: bool = False, reads_rows: bool = False, as_texts: bool = False
) -> Iterator[None]:
    """Turn what GDAL says into a refusal in our words, and keep its warnings out of the user's sight.

    Rows of GeoJSON are read with their days as texts; what the columns are is asked without, for then GDAL knows their types.
    With `as_texts` all columns of GML are texts.
    """
    before = {name: _set_by_caller(name) for name in _OFFLINE}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = {"SHAPE_RESTORE_SHX": restores_index, _DAYS_AS_TEXTS: reads_rows}
            types = {_GML_TYPES: "ALWAYS_STRING" if as_texts else None}
            switches = {name: "YES" if on else None for name, on in own.items()}
            pyogrio.set_gdal_config_options(_GDAL | _OFFLINE | types | switches)
            yield
    except (DataSourceError, DataLayerError, ValueError, RuntimeError, UnicodeDecodeError) as error:
        raise _refusal(str(error), path, source) from error
    finally:
        pyogrio.set_gdal_config_options({"SHAPE_RESTORE_SHX": None, _DAYS_AS_TEXTS: None, _GML_TYPES: None} | before)


def _refusal(cause: str, path: Path, source: str) -> SourceRefused:
    kind = path.suffix.lstrip(".").lower() or "vector"
    if "not recognized as being in a supported" in cause:
        return not_recognised(path, source)
    return SourceRefused("source.unreadable", source=source, kind=kind, cause=gdal_words(cause, str(path.parent)))


def _set_by_caller(option: str) -> str | None:
    """Return what an option of GDAL's was set to by others than us."""
    value = pyogrio.get_gdal_config_option(option)
    return None if value is None or value == _OFFLINE[option] else str(value)


def gdal_version() -> str:
    return str(pyogrio.__gdal_version_string__)


def missing_drivers() -> list[str]:
    """Return the drivers that this GDAL lacks of those that most deliveries come by."""
    return sorted({"ESRI Shapefile", "GPKG", "GeoJSON", "FlatGeobuf"} - set(pyogrio.list_drivers()))
