"""Measures of planning and of networks that every bureau computes: frames in, a frame with inputs and result out.

    plot_ratio(parcels, buildings)       # 容积率
    building_density(parcels, buildings) # 建筑密度
    green_ratio(parcels, vegetation)     # 绿地率
    pipe_length(pipes, by=["class"])     # 管线长度

All are estimates from the map: the statutory figures are counted by rules that no map knows (balconies, storeys half in
the ground, soil above cellars). Areas are those in the plane of the frames' CRS, which must be in metres. What stands in
two parcels counts in each with the part that lies there; parcels that overlap each count the common part.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.crs import crs_code, is_projected, transform_geometries
from twin_model.desk.answer_frame import typed
from twin_model.desk.names import layer_named
from twin_model.desk.question import first_known
from twin_model.errors import CrsRefused, QueryRefused
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import local_time
from twin_model.view import View

__all__ = ["GREEN_KINDS", "building_density", "features_of", "green_ratio", "pipe_length", "plot_ratio"]

GREEN_KINDS = (
    "绿地",
    "公园绿地",
    "防护绿地",
    "附属绿地",
    "草地",
    "天然草地",
    "人工草地",
    "花圃",
    "林地",
    "有林地",
    "灌木林",
    "疏林",
    "未成林",
    "竹林",
    "苗圃",
)
"""The kinds of vegetation that count as green space; fields, orchards and sports grounds are none."""

Float64 = NDArray[np.float64]
Index = NDArray[np.integer[Any]]


def features_of(store: Store, layer: gpd.GeoDataFrame | str, view: View, *, zone: str) -> gpd.GeoDataFrame:
    """Return a frame as it is, or the features of a layer (id or title) that a view shows.

    A layer that shows nothing then, though it does at another time, is refused with the day since which it does: nothing
    would be measured, and look like a result.
    """
    if not isinstance(layer, str):
        return layer
    described = layer_named(store.catalogue, layer)
    frame = typed(described, store.features(FeatureQuery(described.id, view=view)), zone)
    if len(frame) or view.is_now:
        return frame
    since = first_known(store, described, view)
    if since is not None:
        raise QueryRefused("measures.nothing_then", layer=described.id, since=local_time(since, zone))
    return frame


def plot_ratio(parcels: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the plot ratio (容积率) of each parcel: floor area above ground / parcel area, an estimate.

    Floor area = footprint x storeys above ground. The footprint is split among parcels by area, not given whole to that of
    its centroid. Where a tower stands within its podium, or outlines overlap, the higher counts and the lower is cut:
    no storey is counted twice (`storeys` of a tower count from the ground, as maps write them). A building of unknown `storeys` has no floor area and is counted, so that the ratio of its
    parcel is the least that it can be.

    Definition: GB/T 50280-98 (容积率); as GB 50180-2018 has it for residential blocks, only what is above ground counts.

    Index and geometry are those of `parcels`. Columns: `parcel_area`, `footprint_area`, `floor_area_estimate` (m2),
    `buildings` and `unknown_storeys` (each building once, where the most of it stands), `plot_ratio_estimate`.
    """
    _ensure_column(buildings, "storeys")
    storeys = _storeys(buildings)
    cover = _cover(parcels, buildings, np.nan_to_num(storeys, nan=-1.0))
    columns = _built(cover)
    unknown = cover.homes[np.isnan(storeys[cover.homes.index])]
    columns["unknown_storeys"] = _sums(unknown.to_numpy(), len(parcels)).astype(np.int64)
    floors = cover.area * np.nan_to_num(storeys[cover.shape])
    columns["floor_area_estimate"] = _sums(cover.parcel, len(parcels), floors)
    columns["plot_ratio_estimate"] = _ratio(columns["floor_area_estimate"], cover.parcel_area)
    return _result(parcels, columns)


def building_density(parcels: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the building density (建筑密度) of each parcel: footprints / parcel area in per cent, an estimate.

    Outlines that overlap (a tower within its podium) cover their ground once. Definition: GB/T 50280-98 (建筑密度); GB
    50180-2018 has the same of residential blocks.

    Index and geometry are those of `parcels`. Columns: `parcel_area`, `footprint_area` (m2), `buildings` (each once, where
    the most of it stands), `density_percent_estimate`.
    """
    cover = _cover(parcels, buildings, np.zeros(len(buildings)))
    columns = _built(cover)
    columns["density_percent_estimate"] = 100 * _ratio(columns["footprint_area"], cover.parcel_area)
    return _result(parcels, columns)


def green_ratio(
    parcels: gpd.GeoDataFrame, vegetation: gpd.GeoDataFrame, *, kinds: Iterable[str] | None = GREEN_KINDS
) -> gpd.GeoDataFrame:
    """Return the green ratio (绿地率) of each parcel: green space / parcel area in per cent, an estimate.

    Green space is vegetation whose `kind` is among `kinds` (None: all of it); areas that overlap count once. What is
    mapped as green but paved, or green on a roof, is not known to a map. Definition: GB/T 50280-98 (绿地率); GB
    50180-2018 has the same of residential blocks.

    Index and geometry are those of `parcels`. Columns: `parcel_area`, `green_area`, `other_vegetation_area` (of kinds that
    do not count, m2), `green_percent_estimate`.
    """
    _ensure_column(vegetation, "kind")
    is_green = (
        np.ones(len(vegetation), dtype=bool) if kinds is None else vegetation["kind"].isin(list(kinds)).to_numpy()
    )
    cover = _cover(parcels, vegetation, is_green.astype(np.float64))
    counts = is_green[cover.shape]
    columns: dict[str, Any] = {"parcel_area": cover.parcel_area}
    columns["green_area"] = _sums(cover.parcel[counts], len(parcels), cover.area[counts])
    columns["other_vegetation_area"] = _sums(cover.parcel[~counts], len(parcels), cover.area[~counts])
    columns["green_percent_estimate"] = 100 * _ratio(columns["green_area"], cover.parcel_area)
    return _result(parcels, columns)


def pipe_length(pipes: gpd.GeoDataFrame, by: Sequence[str] | str = ("class",)) -> pd.DataFrame:
    """Return the length of pipes by one or more columns: segments, length along the axis and in plan, in kilometres.

    `length_km` follows the slope where both ends of a segment have a height; `plan_length_km` is what the map shows. Pipes
    of which a column is not known make a group of their own (NaN), so that the groups add up to all pipes. Without `by`
    the one row `all` is answered. Index: the groups, in order.
    """
    _ensure_metres(pipes)
    names = [by] if isinstance(by, str) else list(by)
    for name in names:
        _ensure_column(pipes, name)
    plan = shapely.length(pipes.geometry.to_numpy()) / 1000
    lengths = {"segments": 1, "length_km": _length_3d(pipes.geometry.to_numpy()) / 1000, "plan_length_km": plan}
    table = pd.DataFrame({**{name: pipes[name].to_numpy() for name in names}, **lengths}, index=range(len(pipes)))
    if names:
        return table.groupby(names, dropna=False, observed=True).sum()
    return table.sum().to_frame("all").T.astype({"segments": "int64"})


class _Cover(NamedTuple):
    """What of which shape lies in which parcel: `area` (m2) of shape number `shape` in parcel number `parcel`.

    `homes` gives for each shape that lies in a parcel the one in which the most of it lies.
    """

    parcel: Index
    shape: Index
    area: Float64
    homes: "pd.Series[int]"
    parcel_area: Float64


def _cover(parcels: gpd.GeoDataFrame, shapes: gpd.GeoDataFrame, rank: Float64) -> _Cover:
    """Return what of which shape lies in which parcel; a spot on which several lie counts for that of the highest rank."""
    _ensure_metres(parcels)
    _ensure_metres(shapes)
    outlines = _valid(shapes.geometry.to_numpy())
    areas = _valid(transform_geometries(parcels.geometry.to_numpy(), crs_code(parcels.crs), crs_code(shapes.crs)))
    parcel, shape, shared = _overlaps(areas, outlines)
    pieces = shapely.intersection(areas[parcel], _each_spot_once(outlines, rank)[shape])
    by_share = pd.DataFrame({"parcel": parcel, "shape": shape, "shared": shared}).sort_values("shared", kind="stable")
    return _Cover(parcel, shape, shapely.area(pieces), by_share.groupby("shape")["parcel"].last(), shapely.area(areas))


def _each_spot_once(outlines: NDArray[Any], rank: Float64) -> NDArray[Any]:
    """Return outlines without the spots on which another of a higher rank lies, or one of the same rank further ahead."""
    place = np.empty(len(outlines), dtype=np.intp)
    place[np.lexsort((np.arange(len(outlines)), -rank))] = np.arange(len(outlines))
    upper, lower, _ = _overlaps(outlines, outlines)
    covers = place[upper] < place[lower]
    above: dict[int, list[int]] = defaultdict(list)
    for low, high in zip(lower[covers].tolist(), upper[covers].tolist(), strict=True):
        above[low].append(high)
    cut = outlines.copy()
    for number, highers in above.items():
        cut[number] = shapely.difference(outlines[number], shapely.union_all(outlines[highers]))
    return cut


def _overlaps(first: NDArray[Any], second: NDArray[Any]) -> tuple[Index, Index, Float64]:
    """Return which of the first overlap which of the second, and the area that both have (m2)."""
    left, right = shapely.STRtree(second).query(first, predicate="intersects")
    shared = shapely.area(shapely.intersection(first[left], second[right]))
    return left[shared > 0], right[shared > 0], shared[shared > 0]


def _valid(shapes: NDArray[Any]) -> NDArray[Any]:
    """Return geometries that can be overlaid: invalid ones mended, missing ones empty."""
    mended = np.array(shapes, dtype=object)
    mended[shapely.is_missing(mended)] = shapely.Polygon()
    wrong = ~shapely.is_valid(mended)
    mended[wrong] = shapely.make_valid(mended[wrong])
    return mended


def _storeys(buildings: gpd.GeoDataFrame) -> Float64:
    """Return the storeys above ground, NaN where they are not known or no column tells them."""
    if "storeys" not in buildings:
        return np.full(len(buildings), np.nan)
    storeys = pd.to_numeric(buildings["storeys"]).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(storeys, dtype=np.float64)


def _built(cover: _Cover) -> dict[str, Any]:
    count = len(cover.parcel_area)
    return {
        "parcel_area": cover.parcel_area,
        "footprint_area": _sums(cover.parcel, count, cover.area),
        "buildings": _sums(cover.homes.to_numpy(), count).astype(np.int64),
    }


def _sums(group: Index, count: int, weights: Float64 | None = None) -> Float64:
    sums = np.bincount(group.astype(np.intp), weights, minlength=count)
    return sums.astype(np.float64)


def _ratio(part: Float64, whole: Float64) -> Float64:
    """Return part / whole, NaN where a parcel has no area."""
    ratio = np.full(len(whole), np.nan)
    ratio[whole > 0] = part[whole > 0] / whole[whole > 0]
    return ratio


def _result(parcels: gpd.GeoDataFrame, columns: dict[str, Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, index=parcels.index, geometry=parcels.geometry.to_numpy(), crs=parcels.crs)


def _length_3d(lines: NDArray[Any]) -> Float64:
    """Return lengths along the axis in metres; between two vertices of which one has no height, the length in plan."""
    parts, line = shapely.get_parts(lines, return_index=True)
    xyz, part = shapely.get_coordinates(parts, include_z=True, return_index=True)
    steps = np.diff(xyz, axis=0)
    length = np.hypot(np.hypot(steps[:, 0], steps[:, 1]), np.nan_to_num(steps[:, 2]))
    inside = part[1:] == part[:-1]
    return _sums(line[part[1:][inside]], len(lines), length[inside])


def _ensure_column(frame: gpd.GeoDataFrame, name: str) -> None:
    if name not in frame:
        raise QueryRefused("measures.no_column", name=str(name)[:80], found=list(map(str, frame.columns)))


def _ensure_metres(frame: gpd.GeoDataFrame) -> None:
    if frame.crs is None:
        raise CrsRefused("measures.no_crs")
    if not is_projected(crs_code(frame.crs)):
        raise CrsRefused("measures.not_metres", crs=crs_code(frame.crs))
