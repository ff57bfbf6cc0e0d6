"""Vector files through GDAL: shapefile, GeoPackage, GeoJSON, FlatGeobuf, GML, MapInfo, SQLite.

A record is one row of one source layer. Names become ours through a mapping (`ingest/mapping.py`); without one the
standard mapping and our own layer names are tried. Text of a shapefile without `.cpg` is GBK unless it is UTF-8.
"""

import contextlib
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyogrio.raw import read as read_raw

from ingest.draft import FRAME_ROWS, Draft, ReadOptions
from ingest.mapping import LayerMapping, Mapping, standard_mapping
from twin_model.crs import crs_code
from twin_model.errors import CrsRefused, SourceRefused
from twin_model.finding import Finding
from twin_model.layer import Layer

__all__ = ["read_vector", "recognises_vector"]

_SUFFIXES = {".shp", ".gpkg", ".geojson", ".json", ".fgb", ".gml", ".tab", ".mif", ".sqlite", ".db", ".dbf"}
_LENGTH_OF_HEAD = 512


def recognises_vector(path: Path) -> bool:
    """Say whether the first bytes are those of a vector file GDAL reads for us."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_LENGTH_OF_HEAD)
    if head[:4] == b"\x00\x00\x27\x0a" or head[:15] == b"SQLite format 3" or head[:4] == b"fgb\x03":
        return True
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in (b"{", b"["):
        return path.suffix.lower() in {".geojson", ".json"} and b"CityJSON" not in head
    return (b"opengis.net/gml" in head or b"FeatureCollection" in head) and text[:1] == b"<"


def read_vector(path: Path, draft: Draft, options: ReadOptions) -> None:
    """Read every layer of a file that a mapping, or `options.kind`, gives a place here."""
    if path.suffix.lower() == ".shp":
        _ensure_complete(path, draft)
    names = _layer_names(path, draft)
    mapping = options.mapping or standard_mapping("vector")
    chosen = {
        name: target
        for name, _ in names
        if (target := _target(name, path, draft, mapping, options)) is not None
    }
    if not chosen:
        if not names:
            raise SourceRefused("source.empty", source=draft.source.name)
        raise SourceRefused("source.nothing_mapped", source=draft.source.name, found=[name for name, _ in names],
                            nearest=[layer.id for layer in draft.catalogue if layer.dimension >= 0][:12])  # fmt: skip
    before = draft.counts.read
    for name, geometry_type in names:
        if name in chosen:
            _read_layer(path, name, geometry_type, chosen[name], draft, options)
        else:
            draft.report(
                Finding(
                    "vector.layer_left_out",
                    "info",
                    values={"source_layer": name, "source": draft.source.name},
                )
            )
    if draft.counts.read == before:
        raise SourceRefused("source.empty", source=draft.source.name)


def _ensure_complete(path: Path, draft: Draft) -> None:
    """A shapefile without `.shx` is read (GDAL rebuilds it in memory), one without `.dbf` too; both are said."""
    for suffix in (".dbf", ".shx"):
        if not _beside(path, suffix):
            draft.report(
                Finding(
                    "vector.part_missing", "warning", values={"source": draft.source.name, "part": suffix}
                )
            )


def _beside(path: Path, suffix: str) -> Path | None:
    return next(
        (one for one in (path.with_suffix(suffix), path.with_suffix(suffix.upper())) if one.exists()), None
    )


def _address(path: Path) -> str:
    return str(path)


@contextlib.contextmanager
def _as_refusal(path: Path, draft: Draft) -> Iterator[None]:
    """Turn what GDAL says into a refusal in our words, and keep its warnings out of the user's sight."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pyogrio.set_gdal_config_options(
                {
                    "SHAPE_RESTORE_SHX": "YES",
                    "OGR_GEOMETRY_ACCEPT_UNCLOSED_RING": "YES",
                    "OGR_SQLITE_LIST_ALL_TABLES": "NO",
                }
            )
            yield
    except SourceRefused:
        raise
    except (
        DataSourceError,
        DataLayerError,
        ValueError,
        RuntimeError,
        shapely.errors.ShapelyError,
        UnicodeDecodeError,
    ) as error:
        cause = re.sub(r"\s+", " ", str(error).replace(str(path.parent), "").strip("; "))[:200]
        raise SourceRefused(
            "source.unreadable",
            source=draft.source.name,
            kind=path.suffix.lstrip(".").lower() or "vector",
            cause=cause,
        ) from error


def _layer_names(path: Path, draft: Draft) -> list[tuple[str, str | None]]:
    with _as_refusal(path, draft):
        return [
            (str(name), None if kind is None else str(kind))
            for name, kind in pyogrio.list_layers(_address(path))
        ]


def _target(
    name: str, path: Path, draft: Draft, mapping: Mapping, options: ReadOptions
) -> LayerMapping | None:
    """Return how a source layer is read: by `--as LAYER`, the mapping, or because it is named as one of ours."""
    if options.kind in draft.catalogue.layers:
        fitting = [
            one for one in (*mapping.layers, *standard_mapping("vector").layers) if one.to == options.kind
        ]
        return fitting[0] if fitting else LayerMapping(("*",), str(options.kind))
    for candidate in (name, path.stem):
        found = mapping.layer_for(candidate)
        if found is not None:
            return found
        if candidate in draft.catalogue:
            return LayerMapping((candidate,), candidate)
    return None


def _read_layer(
    path: Path, name: str, geometry_type: str | None, target: LayerMapping, draft: Draft, options: ReadOptions
) -> None:
    layer = draft.catalogue[target.to]
    with _as_refusal(path, draft):
        info = pyogrio.read_info(_address(path), layer=name, encoding=_encoding(path, options))
    crs = _crs(info.get("crs"), draft, options)
    columns = target.source_fields(info["fields"]) | {
        f: f for f in layer.field_names if f in set(info["fields"]) and f not in target.fields
    }
    dated = [target.valid_from] if target.valid_from and target.valid_from in set(info["fields"]) else []
    wanted = sorted({*columns.values(), *dated})
    start = 0
    while True:
        with _as_refusal(path, draft):
            meta, fids, geometry, values = read_raw(_address(path), layer=name, columns=wanted, skip_features=start, max_features=FRAME_ROWS,
                                                    return_fids=True, encoding=_encoding(path, options), datetime_as_string=True)  # fmt: skip
        if not len(fids):
            return
        by_name = dict(zip(meta["fields"], values, strict=True))
        frame = _frame(layer, target, columns, by_name, _shapes(geometry, len(fids)), fids, crs, draft)
        draft.add(layer.id, frame)
        start += len(fids)
        if len(fids) < FRAME_ROWS:
            return


def _encoding(path: Path, options: ReadOptions) -> str | None:
    """Return the encoding of a shapefile's texts: the caller's, the `.cpg`'s (GDAL reads it), else GBK or UTF-8."""
    if options.encoding or path.suffix.lower() not in {".shp", ".dbf"}:
        return options.encoding
    table = _beside(path, ".dbf") or path
    if _beside(path, ".cpg") or not table.exists():
        return None
    with table.open("rb") as file:
        header = file.read(32)
        if len(header) < 32 or header[29] not in (0x00, 0x4D, 0x57):
            return None
        sample = file.read(1 << 20)
    try:
        sample[: len(sample) - 8].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 16:
            return "GBK"
    return "UTF-8"


def _crs(found: str | None, draft: Draft, options: ReadOptions) -> str:
    declared = options.crs or (options.mapping.crs if options.mapping else None)
    if found is not None:
        with contextlib.suppress(CrsRefused):
            return crs_code(found)
    if declared is None:
        raise SourceRefused("source.no_crs", source=draft.source.name)
    return crs_code(declared)


def _shapes(wkb: NDArray[Any] | None, rows: int) -> NDArray[Any]:
    if wkb is None:
        return np.full(rows, None, dtype=object)
    return np.asarray(shapely.from_wkb(wkb, on_invalid="fix"), dtype=object)


def _frame(
    layer: Layer, target: LayerMapping, columns: dict[str, str], values: dict[str, NDArray[Any]], shapes: NDArray[Any],
    fids: NDArray[Any], crs: str, draft: Draft,
) -> gpd.GeoDataFrame:  # fmt: skip
    content: dict[str, Any] = {}
    for ours, theirs in columns.items():
        if theirs in values and layer.field_of(ours):
            content[ours] = _translated(values[theirs], target.values.get(ours))
    for ours, constant in target.constants.items():
        content[ours] = np.full(len(shapes), constant, dtype=object)
    if target.valid_from in values:
        content["valid_from"] = values[str(target.valid_from)]
    content["place"] = np.array([f"row {fid}" for fid in fids.tolist()], dtype=object)
    return gpd.GeoDataFrame(_finished(layer, content), geometry=gpd.array.from_shapely(shapes), crs=crs)


def _translated(values: NDArray[Any], table: Any) -> NDArray[Any]:
    return values if table is None else np.array([table.get(str(v), v) for v in values], dtype=object)


def _finished(layer: Layer, content: dict[str, Any]) -> dict[str, Any]:
    """Fill what follows from what was delivered: a building's height source, land use's class from its code."""
    if layer.id == "building" and ("height" in content or "storeys" in content):
        rows = len(next(iter(content.values())))
        height = pd.to_numeric(pd.Series(content.get("height", [math.nan] * rows)), errors="coerce")
        storeys = pd.to_numeric(pd.Series(content.get("storeys", [math.nan] * rows)), errors="coerce")
        content["height_source"] = np.where(
            height > 0, "measured", np.where(storeys > 0, "storeys", "unknown")
        ).astype(object)
        content["height"] = np.where(height > 0, height, np.where(storeys > 0, storeys * 3.0, math.nan))
        content["storeys_source"] = np.array(["field" if one > 0 else None for one in storeys], dtype=object)
    if layer.id == "land_use" and "land_use" not in content and "land_use_code" in content:
        content["land_use"] = np.array(
            [str(c)[:1].upper() if c else None for c in content["land_use_code"]], dtype=object
        )
    return content
