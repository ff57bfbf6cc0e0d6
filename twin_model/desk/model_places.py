"""Models without a place of their own, put into the town by hand and taken out again; each a version that can be reverted.

    town.place_model("Office", at=(500100, 3400200, 12.5), rotate=30, reason="setting-out plan")

How a motion is fitted stands in `twin_model.building.placing`, what is kept of an unplaced model in `local_shapes`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.building.local_shapes import LocalShapes
from twin_model.building.placing import motion, placed_columns, placed_geometry, rotation_of
from twin_model.changeset import Changeset, Delivered, Version
from twin_model.crs import crs_code, transform_xy
from twin_model.desk.edited_frame import rows_in_parts
from twin_model.desk.model_fit import Candidate, equally_good, fit_outline, fit_points
from twin_model.desk.opened import OpenedTown
from twin_model.desk.plain_errors import plainly
from twin_model.editing import ensure_text
from twin_model.errors import CalledWrongly, FeatureNotFound
from twin_model.filter.expression import Comparison, Constant, Property
from twin_model.messages import render
from twin_model.store.base import FeatureQuery
from twin_model.temporal import now
from twin_model.versioning import commit

__all__ = ["ModelPlaces", "Placed"]

Point = Sequence[float]
Float64 = NDArray[np.float64]

_COLUMNS = ("id", "model_key", "name", "placement", "placing", "local_shapes", "elements", "storeys")
_STEP_DEGREES, _STEP_METRES = 1e-4, 10.0


@dataclass(frozen=True, repr=False)
class Placed:
    """How a model was placed, or with `dry_run` would be: metres of the town's CRS, degrees counter-clockwise.

    `version` is None where nothing was written. `residuals` (metres) belong to control points, `candidates` (best first)
    to an outline; `remarks` say what should be looked at.
    """

    model: str
    name: str
    version: int | None
    matrix: Float64 | None
    residuals: tuple[float, ...] = ()
    scale: float = 1.0
    candidates: tuple[Candidate, ...] = ()
    remarks: tuple[str, ...] = ()
    lang: str = "en"

    @property
    def rotation(self) -> float:
        """Return the degrees the model is turned by, counter-clockwise against north of the town's CRS."""
        return 0.0 if self.matrix is None else rotation_of(self.matrix)

    @property
    def place(self) -> tuple[float, float, float] | None:
        """Return where the model's origin lies: east, north, height."""
        return None if self.matrix is None else tuple(float(value) for value in self.matrix[:3, 3])  # type: ignore[return-value]

    def __repr__(self) -> str:
        if self.matrix is None:
            return render("place.removed", self.lang, {"name": self.name, "version": self.version or "-"})
        east, north, height = (f"{value:.3f}" for value in self.matrix[:3, 3])
        values = {"name": self.name, "east": east, "north": north, "height": height, "version": self.version or "-",
                  "rotate": f"{self.rotation:.4f}"}  # fmt: skip
        return render("place.would" if self.version is None else "place.placed", self.lang, values)


class ModelPlaces(OpenedTown):
    """The part of a town that knows where its models stand."""

    def models(self) -> pd.DataFrame:
        """Return the models of the town, index `id`: key, name, placement ("none" without one), elements, storeys."""
        table = pd.DataFrame(self._model_rows(), columns=list(_COLUMNS)).set_index("id")
        return table.drop(columns=["placing", "local_shapes"])

    def placings(self) -> dict[str, str]:
        """Return how models were placed by hand, as JSON text by model key."""
        return {row["model_key"]: row["placing"] for row in self._model_rows() if row["placing"]}

    @plainly
    def place_model(
        self,
        model: str,
        *,
        at: Point | None = None,
        rotate: float | None = None,
        crs: str | None = None,
        points: Sequence[tuple[Point, Point]] = (),
        footprint: Any = None,
        height: float | None = None,
        remove: bool = False,
        reason: str = "placed by hand",
        author: str = "notebook",
        dry_run: bool = False,
    ) -> Placed:
        """Put a model that says nothing usable about its place into the town; return how it stands.

        One of: `at`, where the model's origin comes to lie (east, north, height; longitude, latitude with `crs="EPSG:4326"`)
        with `rotate` degrees counter-clockwise against north of that CRS; `points`, pairs of a model point and its place, two or
        more; `footprint`, a polygon in the town's CRS or the id of a feature of layer `building` that the model should
        match; `remove`. Model points are in metres. The same model delivered again keeps its place.

        Raises `FeatureNotFound` for a model that is not there, `CalledWrongly` for one that has a place of its own and
        for points whose distances differ by more than 1 percent.
        """
        row = self._model(model)
        shapes = self._local_shapes(row)
        if sum((at is not None, bool(points), footprint is not None, remove)) != 1:
            raise CalledWrongly("place.one_way")
        ensure_text(reason, name="reason", layer="bim_model")
        name, key = row["name"] or row["model_key"], row["model_key"]
        if remove:
            version = None if dry_run else self._put_placing(key, shapes, None, None, reason, author)
            return Placed(key, name, version, None, lang=self.lang)
        placed = self._fitted(key, name, shapes, at, rotate, crs, points, footprint, height)
        if dry_run:
            return placed
        assert placed.matrix is not None
        placing = {"matrix": np.asarray(placed.matrix).T.ravel().tolist(), "reason": reason}
        number = self._put_placing(key, shapes, placed.matrix, orjson.dumps(placing).decode(), reason, author)
        return Placed(**{**placed.__dict__, "version": number})

    def _fitted(
        self, key: str, name: str, shapes: LocalShapes, at: Point | None, rotate: float | None, crs: str | None,
        points: Sequence[tuple[Point, Point]], footprint: Any, height: float | None,
    ) -> Placed:  # fmt: skip
        if at is not None:
            return Placed(key, name, None, self._motion_at(at, rotate or 0.0, crs), lang=self.lang)
        if points:
            targets = [self._in_town(target, crs) for _, target in points]
            fit = fit_points([local for local, _ in points], targets, height)
            return Placed(key, name, None, fit.matrix, fit.residuals, fit.scale, lang=self.lang)
        polygon = self._building(footprint) if isinstance(footprint, str) else footprint
        candidates = fit_outline(shapes.outline, polygon, _base_of(polygon) if height is None else height)
        if rotate is not None:
            candidates.sort(key=lambda each: abs((each.rotation - rotate + 180.0) % 360.0 - 180.0))
        others = [f"{each.rotation:.2f}" for each in equally_good(candidates)[1:]] if rotate is None else []
        values = {"rotate": f"{candidates[0].rotation:.2f}", "others": others}
        remarks = (render("place.ambiguous", self.lang, values),) if others else ()
        return Placed(
            key, name, None, candidates[0].matrix, candidates=tuple(candidates), remarks=remarks, lang=self.lang
        )

    def _motion_at(self, at: Point, rotate: float, crs: str | None) -> Float64:
        """Return the motion to a place; its rotation is counted from north of the CRS the place is given in."""
        source = crs_code(crs) if crs else self.store.crs
        x, y = float(at[0]), float(at[1])
        step = _STEP_DEGREES if abs(x) <= 360 and abs(y) <= 90 and source != self.store.crs else _STEP_METRES
        east, north = transform_xy(np.array([x, x]), np.array([y, y + step]), source, self.store.crs)
        if not np.isfinite([*east, *north]).all():
            raise CalledWrongly("place.nowhere", at=list(at), crs=source)
        turn = math.degrees(math.atan2(north[1] - north[0], east[1] - east[0])) - 90.0
        return motion(float(east[0]), float(north[0]), float(at[2]) if len(at) > 2 else 0.0, rotate + turn)

    def _in_town(self, target: Point, crs: str | None) -> tuple[float, ...]:
        if crs is None:
            return tuple(float(value) for value in target)
        east, north = transform_xy(np.array([target[0]]), np.array([target[1]]), crs_code(crs), self.store.crs)
        return (float(east[0]), float(north[0]), *(float(value) for value in target[2:]))

    def _building(self, feature_id: str) -> Any:
        frame = self.store.features(FeatureQuery("building", ids=(feature_id,), fields=()))
        if not len(frame) or frame.geometry.iloc[0] is None:
            example = self.store.features(FeatureQuery("building", fields=(), geometry=False, limit=1))
            raise FeatureNotFound(
                "changes.no_feature",
                id=feature_id[:100],
                layer="building",
                example=example.index[0] if len(example) else "-",
            )
        return frame.geometry.iloc[0]

    def _model_rows(self) -> list[dict[str, Any]]:
        if "bim_model" not in self.store.catalogue:
            return []
        columns, rows = self.store.rows(FeatureQuery("bim_model", geometry=False))
        return [{name: dict(zip(columns, row, strict=True)).get(name) for name in _COLUMNS} for row in rows]

    def _model(self, model: str) -> Mapping[str, Any]:
        """Return the row of a model by its key, its id or, where only one has it, its name."""
        rows = self._model_rows()
        exact = [row for row in rows if model in (row["model_key"], row["id"])]
        named = exact or [row for row in rows if row["name"] == model]
        if len(named) != 1:
            known = [f"{row['model_key']} ({row['name'] or '-'})" for row in named or rows]
            raise FeatureNotFound("place.no_model", model=model[:100], models=known[:10], count=len(named))
        return named[0]

    def _local_shapes(self, row: Mapping[str, Any]) -> LocalShapes:
        if not row["local_shapes"]:
            name = row["name"] or row["model_key"]
            if row["placement"] == "none":
                raise CalledWrongly("place.deliver_again", model=name)
            raise CalledWrongly("place.has_place", model=name)
        return LocalShapes.from_bytes(self.store.blob(row["local_shapes"]))

    def _put_placing(
        self, key: str, shapes: LocalShapes, matrix: Float64 | None, placing: str | None, reason: str, author: str
    ) -> int:
        """Commit the rows of a model placed by a motion, or with None taken out of the town; return the version."""
        delivered = [part for layer in shapes.rows for part in self._placed_rows(key, layer, shapes, matrix, placing)]
        version: Version = commit(
            self.store, Changeset(author, reason, now(), tuple(delivered), edit=True, since_recorded=True)
        )
        return version.number

    def _placed_rows(
        self, key: str, layer: str, shapes: LocalShapes, matrix: Float64 | None, placing: str | None
    ) -> list[Delivered]:
        held = shapes.columns_of(layer)
        geometry = shapes.geometry_of(layer)
        field = "model_key" if layer == "bim_model" else "model"
        where = Comparison("=", Property(field), Constant(key))
        columns, rows = self.store.rows(FeatureQuery(layer, where=where, geometry=False))
        named = "model_key" if layer == "bim_model" else "global_id"
        ids = {row[columns.index(named)]: row[columns.index("id")] for row in rows}
        shown = np.full(len(geometry), None, dtype=object) if matrix is None else placed_geometry(geometry, matrix)
        values: dict[str, list[Any]] = dict(held) if matrix is None else placed_columns(held, matrix)
        if layer == "bim_model":
            values |= {"placement": ["none" if matrix is None else "placed"], "placing": [placing]}
        index = pd.Index([ids.get(each) for each in shapes.rows[layer]], dtype=object, name="id")
        frame = gpd.GeoDataFrame(values, index=index, geometry=gpd.array.from_shapely(shown), crs=self.store.crs)
        frame = frame[[each is not None for each in index]]
        described = self.store.catalogue[layer]
        parts = rows_in_parts(described, frame, self.store.crs, self.settings.timezone)
        return [Delivered.of(layer, part) for part in parts if len(part)]


def _base_of(polygon: Any) -> float:
    """Return the lowest height of a polygon, 0 where it has none."""
    heights = shapely.get_coordinates(polygon, include_z=True)[:, 2]
    return float(np.nanmin(heights)) if np.isfinite(heights).any() else 0.0
