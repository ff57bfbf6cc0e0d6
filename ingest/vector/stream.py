"""The rows of a layer as GDAL streams them through Arrow, one batch ahead of whoever takes them.

GDAL then reads in a thread of its own, beside the making of rows. What comes is what `pyogrio.raw.read` gives; what Arrow
would give otherwise, or not at all, `ingest/vector/file.py` reads that way. pyarrow is known in this module only.
"""

import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyogrio.raw import open_arrow, read_arrow

from twin_model.rows.packed_wkb import PackedWkb

__all__ = ["Column", "Streamed", "TextColumn", "Unstreamable", "stream", "whole_columns"]

_TYPES = {"OFTString", "OFTInteger", "OFTInteger64", "OFTReal", "OFTDate", "OFTDateTime"}
_COUNTED = {"ESRI Shapefile", "GPKG", "FlatGeobuf", "SQLite", "GeoJSON"}
"""Drivers that know how many rows a layer has before they read the first."""

_ALIKE = np.array([z + kind for z in (0, 1000) for kind in range(1, 7)], dtype="<u4")
"""Types of ISO WKB that come alike both ways: simple ones, flat or with Z. Measures and curves do not."""

_HEAD = np.dtype([("order", "u1"), ("kind", "<u4")])
"""What WKB begins with."""

_REFUSALS = (pa.ArrowException, DataLayerError, DataSourceError, OSError, KeyError, ValueError, RuntimeError)
"""What GDAL, pyogrio and Arrow raise where they cannot; not knowing an encoding is a `NotImplementedError`."""


@dataclass(frozen=True)
class TextColumn:
    """A column of texts as distinct ones and which each row has, -1 where it has none."""

    codes: NDArray[np.intp]
    distinct: NDArray[Any]


Column = NDArray[Any] | TextColumn


@dataclass(frozen=True)
class Streamed:
    """Some rows of a layer: feature ids, WKB (None where there is none), columns by GDAL's name.

    Rows that are not `alike` have ids only: they are to be read otherwise, and the stream goes on after them.
    """

    fids: NDArray[np.int64]
    wkb: PackedWkb | None
    columns: dict[str, Column]
    alike: bool = True

    def __len__(self) -> int:
        return len(self.fids)


class Unstreamable(Exception):
    """The rows from here on are to be read otherwise; why does not matter, for reading says it in its own words."""


def stream(
    address: str, about: Mapping[str, Any], layer: str, fields: list[str], rows: int, encoding: str | None
) -> Iterator[Streamed]:
    """Yield the rows of a layer (`about` it is what `pyogrio.read_info` says), at most `rows` at a time.

    One batch is read ahead, so memory holds two. Raises `Unstreamable` before the first rows that are not to be had
    so, and where too few come: GDAL names what is wrong with a row only to one who reads it, in a stream the row is
    without geometry (and so not `alike`), or it ends.
    """
    _ensure_alike(about, fields)
    left = int(about["features"])
    # GDAL's warnings reach Python in the thread that reads, where those of the caller are not held back.
    warnings.filterwarnings("ignore", module=__name__)
    try:
        with ExitStack() as stack:
            head, reader = stack.enter_context(
                open_arrow(address, layer=layer, columns=fields, encoding=encoding, batch_size=rows,
                           use_pyarrow=True, return_fids=True, datetime_as_string=True)
            )  # fmt: skip
            thread = stack.enter_context(ThreadPoolExecutor(1, "twin-reads-ahead"))
            ahead = thread.submit(_next, reader, head)
            while (streamed := ahead.result()) is not None:
                ahead = thread.submit(_next, reader, head)
                left -= len(streamed)
                if len(streamed) < rows and left:
                    raise Unstreamable
                yield streamed
    except _REFUSALS as error:
        raise Unstreamable from error
    if left:
        raise Unstreamable


def _ensure_alike(about: Mapping[str, Any], fields: list[str]) -> None:
    """Refuse fields that Arrow has in another form, texts it would take for UTF-8 that are not, and layers whose rows are
    counted by walking them: that their stream ended too early could not be told."""
    kinds = {
        name: (kind, subtype)
        for name, kind, subtype in zip(about["fields"], about["ogr_types"], about["ogr_subtypes"], strict=True)
    }
    if str(about["encoding"]).upper() != "UTF-8" or about["driver"] not in _COUNTED:
        raise Unstreamable
    if any(kinds[name][0] not in _TYPES or kinds[name][1] == "OFSTJSON" for name in fields):
        raise Unstreamable


def _next(reader: Any, head: Mapping[str, Any]) -> Streamed | None:
    try:
        batch = reader.read_next_batch()
    except StopIteration:
        return None
    shape = head["geometry_name"] or "wkb_geometry"
    fids = batch.column(head["fid_column"] or "OGC_FID").to_numpy().astype(np.int64)
    wkb = _packed(batch.column(shape)) if shape in batch.schema.names else None
    if wkb is not None and not _alike(wkb):
        return Streamed(fids, None, {}, alike=False)
    return Streamed(fids, wkb, {name: _column(batch.column(name)) for name in head["fields"].tolist()})


def _packed(shapes: pa.Array) -> PackedWkb:
    """Return WKB as it lies in Arrow's memory."""
    shapes = shapes.cast(pa.large_binary())
    _, offsets, content = shapes.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[shapes.offset : shapes.offset + len(shapes) + 1]
    return PackedWkb(np.frombuffer(content or b"", dtype=np.uint8)[bounds[0] : bounds[-1]], bounds - bounds[0])


def _alike(wkb: PackedWkb) -> bool:
    """Say whether every geometry is there, little endian and of a type that comes alike both ways.

    A point of which one coordinate is no number comes through a stream as a point without any.
    """
    if (wkb.sizes < _HEAD.itemsize).any():
        return False
    heads = wkb.part(np.arange(len(wkb)), 0, _HEAD.itemsize).view(_HEAD).ravel()
    points = np.flatnonzero(heads["kind"] % 1_000 == 1)
    known = wkb.part(points, _HEAD.itemsize, 16).view("<f8")
    return bool((heads["order"] == 1).all() and np.isin(heads["kind"], _ALIKE).all() and not np.isnan(known).any())


def whole_columns(
    address: str, layer: str, fields: list[str], start: int, rows: int, encoding: str | None
) -> tuple[NDArray[np.int64], dict[str, Column]]:
    """Return feature ids and columns of whole numbers, where none is NULL in their own type, else as objects.

    `pyogrio.raw.read` makes floats of them beside one NULL, which have 53 bits. Raises `Unstreamable` where Arrow cannot.
    """
    try:
        head, table = read_arrow(address, layer=layer, columns=fields, encoding=encoding, read_geometry=False,
                                 skip_features=start, max_features=rows, return_fids=True)  # fmt: skip
    except _REFUSALS as error:
        raise Unstreamable from error
    fids = table.column(head["fid_column"] or "OGC_FID").to_numpy().astype(np.int64)
    return fids, {name: _column(table.column(name).combine_chunks()) for name in head["fields"].tolist()}


def _column(values: pa.Array) -> Column:
    """Return a column as numpy has it: numbers in their own type, whole ones and truth values beside NULL as objects."""
    if pa.types.is_date(values.type):
        values = values.cast(pa.string())
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        coded = values.dictionary_encode()
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return TextColumn(codes.astype(np.intp), coded.dictionary.to_numpy(zero_copy_only=False))
    if values.null_count and not pa.types.is_floating(values.type):
        objects = values.fill_null(False if pa.types.is_boolean(values.type) else 0).to_numpy(zero_copy_only=False)
        objects = objects.astype(object)
        objects[values.is_null().to_numpy(zero_copy_only=False)] = None
        return np.asarray(objects)
    return np.asarray(values.to_numpy(zero_copy_only=False))
