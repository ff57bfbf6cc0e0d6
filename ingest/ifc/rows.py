"""Rows of the BIM layers: what a product says, who holds it, where its shape lies in the town.

`Rows` remembers, over the batches of one model, which products had shapes and the hulls of storeys and model.
"""

import functools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import geopandas as gpd
import ifcopenshell.util.placement
import ifcopenshell.util.unit
import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.ifc.attribute import attribute
from ingest.ifc.footprint import placed_footprints
from ingest.ifc.losses import Losses
from ingest.ifc.products import Products
from ingest.ifc.properties import PropertySets
from ingest.ifc.relations import Relations
from ingest.ifc.shapes import Shape
from twin_model.building.local_shapes import LocalShapes
from twin_model.building.mesh import matrix_text
from twin_model.building.placing import placed_columns, placed_geometry

__all__ = ["ModelRows"]

Float64 = NDArray[np.float64]
Frames = Iterator[tuple[str, gpd.GeoDataFrame]]

_BASEMENT = -0.1
_WHOLE = -1


class ModelRows:
    """Makes the frames of one model; `matrix` maps model metres to the storage CRS, None where it is not placed.

    `by_hand` is the motion of a model that was placed by hand; `local` then holds, as for one without place, its
    shapes in model metres.
    """

    def __init__(
        self,
        model_key: str,
        products: Products,
        relations: Relations,
        matrix: Float64 | None,
        crs: str,
        losses: Losses,
        by_hand: Float64 | None = None,
    ) -> None:
        self.model_key = model_key
        self.shaped: set[int] = set()
        self.widened: set[int] = set()
        self.storeyless: set[int] = set()
        self._products = products
        self._by_number = {feature.id(): feature for feature in products.features}
        self._spaces = {space.id() for space in products.spaces}
        self._storeys = {storey.id(): storey for storey in products.storeys}
        self._losses = losses
        self._storey_names = {
            storey.id(): (losses.text(storey, 2), losses.text(storey, 0)) for storey in products.storeys
        }
        self._relations = relations
        self._properties = PropertySets(relations, losses)
        self._placed = matrix is not None
        self._by_hand = by_hand
        self.local = LocalShapes()
        self._matrix = np.eye(4) if matrix is None else matrix
        self._crs = crs
        self._hulls: dict[int, Any] = {}
        self._counts: Counter[int] = Counter()

    def of_shapes(self, batch: Sequence[Shape]) -> Frames:
        """Yield frames of spaces and elements that have shapes."""
        frames = self._matrix @ np.array([each.frame for each in batch])
        heights = np.array([(each.footprint.bottom, each.footprint.top) for each in batch])
        bottoms, tops = (frames[:, 2, 2] * heights[:, at] + frames[:, 2, 3] for at in (0, 1))
        areas = np.array([each.footprint.area for each in batch], dtype=object)
        geometry = placed_footprints(areas, frames, bottoms)
        rows = []
        for shape, bottom, top in zip(batch, bottoms, tops, strict=True):
            row = self._row(self._by_number[shape.product])
            row |= {"bottom": float(bottom), "top": float(top), "mesh": shape.mesh, "color": shape.color}
            row["matrix"] = matrix_text(self._matrix @ shape.matrix)
            rows.append(row)
        self.shaped.update(each.product for each in batch)
        self.widened.update(each.product for each in batch if each.footprint.widened)
        self._grow_hulls(rows, geometry)
        yield from self._frames(rows, geometry)

    def without_shape(self, products: Sequence[Any]) -> Frames:
        """Yield frames of spaces and elements for which there is no shape; their geometry is NULL."""
        rows = [self._row(product) for product in products]
        yield from self._frames(rows, np.full(len(rows), None, dtype=object))

    def _row(self, product: Any) -> dict[str, Any]:
        """Return the fields of a space or element that do not depend on its shape, and its storey's number."""
        number = product.id()
        storey = self._relations.storey_of(number, self._storeys)
        at = storey.id() if storey is not None else None
        name, global_id = self._storey_names.get(at, (None, None)) if at is not None else (None, None)
        text, key = self._losses.text, self._losses.text(product, 0)
        row = {"number": number, "storey_number": at, "place": key or f"#{number}", "global_id": key,
               "model": self.model_key, "name": text(product, 2), "storey": name, "properties": self._properties.text_of(number)}  # fmt: skip
        if number in self._spaces:
            return row | {"long_name": self._text(product, "LongName")}
        if at is None:
            self.storeyless.add(number)
        else:
            self._counts[at] += 1
        return row | {
            "ifc_class": product.is_a(),
            "object_type": self._object_type(product),
            "storey_id": global_id,
            "tag": self._text(product, "Tag"),
            "material": self._relations.material_of(number),
        }

    def _text(self, product: Any, name: str) -> str | None:
        """Return the text of an attribute that the product's class may not have."""
        value = attribute(product, name)
        if value is None or isinstance(value, str):
            return value
        self._losses.add("ifc.value_lost", product)
        return None

    def _object_type(self, product: Any) -> str | None:
        kind = self._relations.type_of.get(product.id())
        return self._losses.text(product, 4) or (self._losses.text(kind, 2) if kind is not None else None)

    def _frames(self, rows: list[dict[str, Any]], geometry: NDArray[Any]) -> Frames:
        is_space = np.array([row["number"] in self._spaces for row in rows], dtype=bool)
        for layer, mask in (("bim_space", is_space), ("bim_element", ~is_space)):
            if mask.any():
                chosen = [row for row, wanted in zip(rows, mask, strict=True) if wanted]
                drop = (
                    "number",
                    "storey_number",
                    *(("bottom", "top", "mesh", "color", "matrix") if layer == "bim_space" else ()),
                )
                columns = {name: [row.get(name) for row in chosen] for name in chosen[0] if name not in drop}
                yield layer, self._frame(layer, columns, geometry[mask])

    def _frame(self, layer: str, columns: dict[str, list[Any]], geometry: NDArray[Any]) -> gpd.GeoDataFrame:
        """Return a frame in the storage CRS; what is not placed by the model is kept apart in model metres."""
        shown = geometry
        if not self._placed:
            self.local.add(layer, columns, geometry)
            shown = np.full(len(geometry), None, dtype=object)
        if self._by_hand is not None:
            shown, columns = placed_geometry(geometry, self._by_hand), placed_columns(columns, self._by_hand)
        return gpd.GeoDataFrame(columns, geometry=gpd.array.from_shapely(shown), crs=self._crs)

    def _grow_hulls(self, rows: list[dict[str, Any]], geometry: NDArray[Any]) -> None:
        """Widen the hulls of storeys and of the whole model by the footprints of a batch."""
        of_storey = np.array([_WHOLE if row["storey_number"] is None else row["storey_number"] for row in rows])
        storeys_at = [int(at) for at in np.unique(of_storey) if at != _WHOLE]
        self._grow([*storeys_at, _WHOLE], [*(geometry[of_storey == at] for at in storeys_at), geometry])

    def _grow(self, numbers: Sequence[int], shapes: Sequence[NDArray[Any]]) -> None:
        for at, some in zip(numbers, shapes, strict=True):
            before = [self._hulls[at]] if at in self._hulls else []
            self._hulls[at] = shapely.convex_hull(shapely.geometrycollections([*before, *shapely.convex_hull(some)]))

    def _outline(self, at: int, height: float) -> Any:
        hull = self._hulls.get(at)
        if hull is None or hull.geom_type != "Polygon":
            return None
        return shapely.force_3d(shapely.force_2d(shapely.multipolygons([hull])), height)

    def of_storeys(self) -> gpd.GeoDataFrame:
        """Return the storeys: outline of what they hold, at the height of their placement; numbered 1, 2, … and -1, -2, …"""
        storeys = self._products.storeys
        attempt = self._losses.attempt
        local = [
            attempt("ifc.value_lost", storey, partial(self._local_height, storey), (0.0, 0.0)) for storey in storeys
        ]
        numbers = _storey_numbers([above for _, above in local])
        heights = [float(self._matrix[2, 2] * z + self._matrix[2, 3]) for z, _ in local]
        columns: dict[str, list[Any]] = {
            "place": [self._storey_names[storey.id()][1] or f"#{storey.id()}" for storey in storeys],
            "global_id": [self._storey_names[storey.id()][1] for storey in storeys],
            "model": [self.model_key] * len(storeys),
            "name": [self._storey_names[storey.id()][0] or self._text(storey, "LongName") for storey in storeys],
            "elevation": heights,
            "number": numbers,
            "elements": [self._counts[storey.id()] for storey in storeys],
        }
        outlines = np.empty(len(storeys), dtype=object)
        outlines[:] = [self._outline(storey.id(), height) for storey, height in zip(storeys, heights, strict=True)]
        return self._frame("bim_storey", columns, outlines)

    def _local_height(self, storey: Any) -> tuple[float, float]:
        """Return a storey's height in model metres and above its building's zero; by its Elevation where it has no placement."""
        above = float(storey.Elevation or 0.0) * self._unit
        if storey.ObjectPlacement is None:
            return above, above
        z = float(ifcopenshell.util.placement.get_local_placement(storey.ObjectPlacement)[2, 3]) * self._unit
        if not math.isfinite(z + above):
            raise ValueError("a height is no number")
        return z, (z if storey.Elevation is None else above)

    @functools.cached_property
    def _unit(self) -> float:
        return float(ifcopenshell.util.unit.calculate_unit_scale(self._products.storeys[0].file))

    def of_alignments(self, lines: Sequence[tuple[Any, Float64 | None]]) -> gpd.GeoDataFrame:
        """Return alignments with their axes; one without a curve has no geometry."""
        geometry = np.empty(len(lines), dtype=object)
        geometry[:] = [
            None if line is None else shapely.linestrings(line @ self._matrix[:3, :3].T + self._matrix[:3, 3])
            for _, line in lines
        ]
        self._grow([_WHOLE], [geometry[~shapely.is_missing(geometry)]])
        columns: dict[str, list[Any]] = {
            "place": [self._losses.text(alignment, 0) or f"#{alignment.id()}" for alignment, _ in lines],
            "global_id": [self._losses.text(alignment, 0) for alignment, _ in lines],
            "model": [self.model_key] * len(lines),
            "name": [self._losses.text(alignment, 2) for alignment, _ in lines],
        }
        return self._frame("bim_alignment", columns, geometry)

    def model_frame(self, row: dict[str, Any]) -> gpd.GeoDataFrame:
        """Return the one row of the model with the hull of all its footprints, at the height of the model's zero."""
        outline = np.empty(1, dtype=object)
        outline[0] = self._outline(_WHOLE, float(self._matrix[2, 3]))
        columns = {"place": [self.model_key], "model_key": [self.model_key]} | {
            name: [value] for name, value in row.items()
        }
        return self._frame("bim_model", columns, outline)


def _storey_numbers(heights: Sequence[float]) -> list[int]:
    """Return 1, 2, … for storeys from the building's zero upwards and -1, -2, … below it, by height."""
    order = np.argsort(np.array(heights), kind="stable")
    below = int(sum(height < _BASEMENT for height in heights))
    numbers = np.empty(len(heights), dtype=int)
    numbers[order] = [rank - below if rank < below else rank - below + 1 for rank in range(len(heights))]
    return numbers.tolist()
