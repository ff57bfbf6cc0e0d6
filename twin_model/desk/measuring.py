"""What a notebook measures in a town: heights of the ground, properties of BIM elements, ratios by parcel, lengths of pipes.

The formulas stand in `measures`, heights in `heights`, property sets in `psets`.
"""

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.cache_folder import CacheFolder
from twin_model.desk.heights import height_at, looks_like_degrees
from twin_model.desk.measures import (
    GREEN_KINDS,
    building_density,
    features_of,
    green_ratio,
    pipe_length,
    plot_ratio,
)
from twin_model.desk.names import fields_named
from twin_model.desk.notices import notice
from twin_model.desk.opened import OpenedTown
from twin_model.desk.plain_errors import plainly
from twin_model.desk.psets import bim_properties
from twin_model.desk.question import Time
from twin_model.errors import QueryRefused
from twin_model.relief.ground import Ground
from twin_model.store.base import FeatureQuery
from twin_model.store.select import PROPERTY_SETS

__all__ = ["Measuring"]


class Measuring(OpenedTown):
    """The part of a town that measures."""

    _ground: Ground | None = None

    @plainly
    def ground(self) -> Ground:
        """Return the ground of what the town knows now, triangulated once a version and held in its cache.

        `ground().surface()` is the triangulation; `ground().heights(x, y)` answers outside the survey too, with the
        nearest height that is known.
        """
        if self._ground is None:
            self._ground = Ground(self.store, CacheFolder(self.cache))
        return self._ground

    @plainly
    def height_at(self, points: Any) -> "pd.Series[float] | NDArray[np.float64] | float":
        """Return the height of the ground at points, in metres of the town's height datum; NaN outside the survey.

        A GeoDataFrame or GeoSeries of points in any CRS gives a Series with its index; an array (n, 2) of x, y in the
        town's CRS, or a list of shapely points, an array; one point a float.

            wells["ground"] = town.height_at(wells)
        """
        heights = height_at(self.ground(), points, crs=self.store.crs)
        if looks_like_degrees(points) and np.isnan(heights).all():
            notice("heights.degrees", self.lang, crs=self.store.crs)
        return heights

    @plainly
    def bim_properties(
        self, elements: pd.DataFrame | str | None = None, psets: Sequence[str] | str | None = None
    ) -> pd.DataFrame:
        """Return the property sets of BIM elements as columns, such as "Pset_WallCommon.FireRating".

        `elements` is a frame of `features`, or the layer (by id or title) of which all are taken, "bim_element" if left out;
        `psets` names sets or single properties, all if left out. Types, units and errors: `twin_model.desk.psets`.

            walls = town.features("bim_element", where="psets.Pset_WallCommon.FireRating = '2h'")
            walls.join(town.bim_properties(walls, ["Pset_WallCommon"]))
        """
        if elements is not None and not isinstance(elements, str):
            return bim_properties(elements, psets)
        layer = self._named(elements or "bim_element")
        if layer.field_of(PROPERTY_SETS) is None:
            raise QueryRefused("psets.no_column", found=layer.field_names)
        query = FeatureQuery(layer.id, fields=(PROPERTY_SETS,), geometry=False)
        return bim_properties(self.store.features(query), psets)

    @plainly
    def plot_ratio(
        self,
        parcels: gpd.GeoDataFrame | str = "land_use",
        buildings: gpd.GeoDataFrame | str = "building",
        *,
        at: Time | None = None,
        as_known: Time | int | None = None,
    ) -> gpd.GeoDataFrame:
        """Return the plot ratio (容积率) of each parcel, an estimate: footprint x storeys above ground / parcel area.

        `parcels` and `buildings` are layers (ids or titles) of the day `at`, as known by the version or day `as_known`, or
        frames of your own. Columns, choices and the definition: `twin_model.desk.measures.plot_ratio`.

            ratio = town.plot_ratio()
            ratio[ratio["plot_ratio_estimate"] > town.features("land_use")["floor_area_ratio"]]
        """
        return plot_ratio(*self._frames((parcels, buildings), at, as_known))

    @plainly
    def building_density(
        self,
        parcels: gpd.GeoDataFrame | str = "land_use",
        buildings: gpd.GeoDataFrame | str = "building",
        *,
        at: Time | None = None,
        as_known: Time | int | None = None,
    ) -> gpd.GeoDataFrame:
        """Return the building density (建筑密度) of each parcel in per cent, an estimate: footprints / parcel area.

        Parameters are those of `plot_ratio`, columns and the definition: `twin_model.desk.measures.building_density`.
        """
        return building_density(*self._frames((parcels, buildings), at, as_known))

    @plainly
    def green_ratio(
        self,
        parcels: gpd.GeoDataFrame | str = "land_use",
        vegetation: gpd.GeoDataFrame | str = "vegetation_area",
        *,
        kinds: Sequence[str] | None = GREEN_KINDS,
        at: Time | None = None,
        as_known: Time | int | None = None,
    ) -> gpd.GeoDataFrame:
        """Return the green ratio (绿地率) of each parcel in per cent, an estimate: green space / parcel area.

        `kinds` are the kinds of vegetation that count, None for all; the other parameters are those of `plot_ratio`,
        columns and the definition: `twin_model.desk.measures.green_ratio`.
        """
        return green_ratio(*self._frames((parcels, vegetation), at, as_known), kinds=kinds)

    @plainly
    def pipe_length(
        self,
        by: Sequence[str] | str = ("class",),
        *,
        pipes: gpd.GeoDataFrame | str = "pipe_line",
        at: Time | None = None,
        as_known: Time | int | None = None,
    ) -> pd.DataFrame:
        """Return the length of pipes in kilometres by fields (ids or titles), along the axis and in plan.

        `pipes` is a layer of the day `at`, as known by `as_known`, or a frame. Columns: `twin_model.desk.measures.pipe_length`.

            town.pipe_length(["class", "material"])
        """
        if isinstance(pipes, str):
            by = fields_named(self._named(pipes), by)
        return pipe_length(self._frames((pipes,), at, as_known)[0], by)

    def _frames(
        self, layers: Sequence[gpd.GeoDataFrame | str], at: Time | None, as_known: Time | int | None
    ) -> list[gpd.GeoDataFrame]:
        """Return frames as they are, and of layers the features of a day."""
        view = self.view(at, as_known)
        return [features_of(self.store, each, view, zone=self.settings.timezone) for each in layers]
