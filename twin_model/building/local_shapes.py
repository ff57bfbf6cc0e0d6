"""The shapes of a model without a place, in model metres: a blob beside the model, from which it can be placed later.

The blob is JSON: {layer: {GlobalId: {"wkb": hex or null, "matrix": text, "bottom": number, ...}}}. The features of such a
model have no geometry, as they lie nowhere; their `matrix` and heights are in model metres as well.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

__all__ = ["LOCAL_FIELDS", "LocalShapes"]

_JOINT = 0.01

LOCAL_FIELDS = ("matrix", "bottom", "top", "elevation")
"""Fields in model metres as long as a model is not placed."""


class LocalShapes:
    """Collects the rows of a model by layer and GlobalId; `to_bytes` and `from_bytes` are the blob."""

    def __init__(self, rows: Mapping[str, dict[str, dict[str, Any]]] | None = None) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = dict(rows or {})

    def add(self, layer: str, columns: Mapping[str, list[Any]], geometry: NDArray[Any]) -> None:
        """Take in rows of a layer that have a GlobalId."""
        wkb = shapely.to_wkb(geometry, hex=True, output_dimension=3)
        names = [name for name in LOCAL_FIELDS if name in columns]
        rows = self.rows.setdefault(layer, {})
        for n, key in enumerate(columns["model_key" if layer == "bim_model" else "global_id"]):
            if key is not None:
                rows[key] = {"wkb": wkb[n], **{name: columns[name][n] for name in names}}

    def columns_of(self, layer: str) -> dict[str, list[Any]]:
        """Return the fields in model metres of a layer's rows, in order of `rows`."""
        rows = list(self.rows.get(layer, {}).values())
        names = [name for name in LOCAL_FIELDS if any(name in row for row in rows)]
        return {name: [row.get(name) for row in rows] for name in names}

    def geometry_of(self, layer: str) -> NDArray[Any]:
        """Return the geometries of a layer's rows in model metres, in order of `rows`."""
        texts = [row["wkb"] for row in self.rows.get(layer, {}).values()]
        return np.array(shapely.from_wkb(np.array([*texts, None], dtype=object))[:-1], dtype=object)

    @property
    def outline(self) -> Any:
        """Return what the elements cover together, seen from above."""
        shapes = self.geometry_of("bim_element")
        flat = shapely.force_2d(shapes[~shapely.is_missing(shapes)])
        return shapely.union_all(shapely.buffer(flat, _JOINT, join_style="mitre")).buffer(-_JOINT, join_style="mitre")

    @property
    def size(self) -> tuple[float, float, float]:
        """Return metres along x, y and z, 0 without shapes."""
        shapes = np.concatenate([self.geometry_of(layer) for layer in self.rows])
        points = shapely.get_coordinates(shapes, include_z=True)
        tops = [row["top"] for row in self.rows.get("bim_element", {}).values() if row.get("top") is not None]
        if not len(points):
            return 0.0, 0.0, 0.0
        low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
        top = max([float(high[2]), *tops])
        return float(high[0] - low[0]), float(high[1] - low[1]), top - float(low[2])

    def to_bytes(self) -> bytes:
        return orjson.dumps(self.rows, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_bytes(cls, content: bytes) -> "LocalShapes":
        return cls(orjson.loads(content))
