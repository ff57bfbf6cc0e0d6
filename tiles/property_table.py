"""The properties of a tile's features as EXT_structural_metadata keeps them: one class, one property table.

`tiles/gltf.py` puts the bytes into a GLB. Strings are values + offsets. A missing value is the type's
`noData` sentinel. There is no INT64: browsers read it as BigInt, which styles cannot compare.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

NO_INT32 = -(2**31)
LAST_INT32 = 2**31 - 1
NO_FLOAT64 = -1.7976931348623157e308
NO_FLAG = 255
EXACT_INTEGER = 2**53
PLAIN = frozenset({str, int, bool, type(None)})


class PropertyType(Enum):
    """How a property is stored; the same property wants the same type in all tiles of a tileset."""

    STRING = "STRING"
    INT32 = "INT32"
    FLOAT64 = "FLOAT64"
    BOOLEAN = "BOOLEAN"
    FLAG = "FLAG"
    """True, false or missing as UINT8 1, 0, 255: BOOLEAN knows no missing value."""
    DAY = "DAY"
    """Day since 1970-01-01 as INT32, `NO_INT32` or `LAST_INT32` where open: never missing, so styles can compare it."""


CLASS_PROPERTY: dict[PropertyType, dict[str, Any]] = {
    PropertyType.STRING: {"type": "STRING", "noData": ""},
    PropertyType.INT32: {"type": "SCALAR", "componentType": "INT32", "noData": NO_INT32},
    PropertyType.FLOAT64: {"type": "SCALAR", "componentType": "FLOAT64", "noData": NO_FLOAT64},
    PropertyType.BOOLEAN: {"type": "BOOLEAN"},
    PropertyType.FLAG: {"type": "SCALAR", "componentType": "UINT8", "noData": NO_FLAG},
    PropertyType.DAY: {
        "type": "SCALAR",
        "componentType": "INT32",
        "description": "local day, counted from 1970-01-01; the least or greatest INT32 where open",
    },
}


@dataclass(frozen=True)
class PropertyTable:
    """The extension's JSON with `values` and `stringOffsets` counting `buffers` from zero."""

    count: int
    class_name: str
    class_properties: dict[str, dict[str, Any]]
    table_properties: dict[str, dict[str, int]]
    buffers: list[bytes]

    def extension(self, first_buffer_view: int) -> dict[str, Any]:
        """Return EXT_structural_metadata's object, the first buffer being that buffer view."""
        properties = {
            key: {name: number + first_buffer_view for name, number in views.items()}
            for key, views in self.table_properties.items()
        }
        table = {"class": self.class_name, "count": self.count} | ({"properties": properties} if properties else {})
        schema = {"id": "town", "classes": {self.class_name: {"properties": self.class_properties}}}
        return {"schema": schema, "propertyTables": [table]}


def property_table(
    properties: Mapping[str, Sequence[Any] | NDArray[Any]],
    class_name: str,
    types: Mapping[str, PropertyType] | None = None,
) -> PropertyTable:
    """Return the table of all columns; every column has one value for each feature row.

    `types` fixes the type of a column; without it the values decide, and a tile without values would decide
    otherwise than its neighbour. Names become identifiers (letters, digits, underscore); the old name is kept
    as the property's `name`. A missing string and an empty string become the same; a column of such strings alone
    stands in the class only: its values would be a buffer view of no byte, which glTF does not allow.
    """
    lengths = {len(column) for column in properties.values()}
    if len(lengths) != 1:
        raise ValueError(f"property columns have lengths {sorted(lengths)}, expected one length for all")
    buffers: list[bytes] = []
    class_properties: dict[str, dict[str, Any]] = {}
    table_properties: dict[str, dict[str, int]] = {}
    for name, column in properties.items():
        values = _plain(column)
        kind = (types or {}).get(name) or property_type(values)
        key = _identifier(name, class_properties)
        class_properties[key] = CLASS_PROPERTY[kind] | ({"name": name} if key != name else {})
        encoded = ENCODERS[kind](values)
        if all(encoded):
            table_properties[key] = _append(buffers, kind, encoded)
    return PropertyTable(lengths.pop(), _identifier(class_name, {}), class_properties, table_properties, buffers)


def _append(buffers: list[bytes], kind: PropertyType, encoded: list[bytes]) -> dict[str, int]:
    first = len(buffers)
    buffers.extend(encoded)
    return {"values": first, "stringOffsets": first + 1} if kind is PropertyType.STRING else {"values": first}


def property_type(values: Sequence[Any]) -> PropertyType:
    """Return the narrowest type that keeps all values as they are."""
    present = set(map(type, values)) - {type(None)}
    if not present:
        return PropertyType.STRING
    if present == {bool}:
        return PropertyType.FLAG if any(value is None for value in values) else PropertyType.BOOLEAN
    if present == {int}:
        numbers = [value for value in values if value is not None]
        low, high = min(numbers), max(numbers)
        if low > NO_INT32 and high < 2**31:
            return PropertyType.INT32
        return PropertyType.FLOAT64 if max(-low, high) <= EXACT_INTEGER else PropertyType.STRING
    return PropertyType.FLOAT64 if present <= {int, float} else PropertyType.STRING


def _plain(column: Sequence[Any] | NDArray[Any]) -> list[Any]:
    """Return str, int, float, bool or None for each value; whatever says "missing" is None."""
    raw = column.tolist() if hasattr(column, "tolist") else list(column)
    if set(map(type, raw)) <= PLAIN:
        return raw
    return [value if type(value) in PLAIN else _plain_value(value) for value in raw]


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, (list, tuple, dict)):
        return orjson.dumps(value, default=str).decode()
    return None if pd.isna(value) else str(value)


def _identifier(name: str, taken: Mapping[str, Any]) -> str:
    """Return a name the extension allows, unlike those taken."""
    key = re.sub(r"[^A-Za-z0-9_]", "_", name)
    key = key if re.match(r"[A-Za-z_]", key) else f"_{key}"
    while key in taken:
        key += "_"
    return key


def _encode_strings(values: list[Any]) -> list[bytes]:
    texts = [value if type(value) is str else _text(value) for value in values]
    joined = "".join(texts)
    lengths = [len(text) for text in texts] if joined.isascii() else [len(text.encode()) for text in texts]
    offsets = np.zeros(len(texts) + 1, np.uint32)
    np.cumsum(lengths, out=offsets[1:])
    return [joined.encode(), offsets.tobytes()]


def _text(value: str | bool | int | float | None) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _encode_int32(values: list[Any]) -> list[bytes]:
    return [np.array([NO_INT32 if value is None else value for value in values], "<i4").tobytes()]


def _encode_float64(values: list[Any]) -> list[bytes]:
    return [np.array([NO_FLOAT64 if value is None else value for value in values], "<f8").tobytes()]


def _encode_booleans(values: list[Any]) -> list[bytes]:
    return [np.packbits(np.array(values, dtype=bool), bitorder="little").tobytes()]


def _encode_flags(values: list[Any]) -> list[bytes]:
    return [np.array([NO_FLAG if value is None else bool(value) for value in values], np.uint8).tobytes()]


ENCODERS: dict[PropertyType, Callable[[list[Any]], list[bytes]]] = {
    PropertyType.STRING: _encode_strings,
    PropertyType.INT32: _encode_int32,
    PropertyType.FLOAT64: _encode_float64,
    PropertyType.BOOLEAN: _encode_booleans,
    PropertyType.FLAG: _encode_flags,
    PropertyType.DAY: _encode_int32,
}
