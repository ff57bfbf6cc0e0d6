"""Any frame or layer of a town on a map in a notebook, with a legend; `Town.map` calls `map_of`.

    map_of(town, "建筑物", column="层数")                               # in three dimensions
    map_of(town, {"容积率": parcels, "building": None}, column="far", flat=True).to_html("out/far.html")

Not here: the two ways of drawing (`deck`, `flat_map`), colours of a column (`symbology`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import shapely

from tiles.deck import Camera, Ground, deck_of, offline_html
from tiles.flat_map import DrawnLayer, flat_map_html
from tiles.frame_layer import layer_of_frame, with_columns
from tiles.offline_page import LegendGroup, frame_of, legend_html, marking_html
from tiles.solids import feature_colors
from tiles.symbology import CATEGORIES, Breaks, LegendEntry, Palette, Symbols, rgba, symbols_of
from twin_model.box import Box
from twin_model.cache_folder import CacheFolder
from twin_model.catalogue import Catalogue
from twin_model.classification import combined
from twin_model.crs import CRS84, area_of_use, placed_geometries, transform_bounds, transform_geometries
from twin_model.desk.names import field_named, layer_named
from twin_model.errors import LayerNotFound, QueryRefused
from twin_model.layer import Layer, Text
from twin_model.relief.ground import Ground as TownGround
from twin_model.store.base import FeatureQuery
from twin_model.town import Town
from twin_model.view import View

__all__ = ["NotebookMap", "map_of"]

Drawable: TypeAlias = str | gpd.GeoDataFrame | gpd.GeoSeries
_MOST_CORNERS = 2_000_000
"""So many corners make a page of about 60 MB; a notebook with a larger one does not open again."""
_DIMENSIONS = (Text("点", "points"), Text("线", "lines"), Text("面", "areas"))
_RESULT = Text("结果", "Result")


class NotebookMap:
    """A map as a page of its own, which asks no host for anything. A notebook shows it; `to_html` writes it."""

    def __init__(self, page: str, *, height: int, titles: Sequence[str]) -> None:
        self.page, self.height, self.titles = page, height, tuple(titles)

    def to_html(self, path: str | Path) -> Path:
        """Write the page to a file, making its folder if need be, and return its path."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.page, "utf-8")
        return target

    def _repr_html_(self) -> str:
        return frame_of(self.page, height=self.height)

    def __repr__(self) -> str:
        return f"<map of {', '.join(self.titles)}; {len(self.page) / 1e6:.1f} MB, write it with to_html(path)>"


@dataclass(frozen=True)
class _Part:
    """Features of one dimension in the town's CRS, and the layer of the catalogue they are of (None: of their own kind)."""

    title: str
    layer: Layer | None
    frame: gpd.GeoDataFrame
    color: str


@dataclass(frozen=True)
class _Coloring:
    column: str | None
    palette: Palette | None
    breaks: Breaks
    lang: str


def map_of(
    town: Town,
    layers: Drawable | Sequence[Drawable] | Mapping[str, Drawable | None],
    *,
    column: str | None = None,
    palette: Palette | None = None,
    breaks: Breaks = "quantile",
    legend: bool = True,
    ground: Ground | float | None = None,
    flat: bool = False,
    at: str | date | None = None,
    as_known: int | str | None = None,
    lang: str | None = None,
    height: int = 520,
) -> NotebookMap:
    """Return a map of layers and frames; `Town.map` says what each argument is."""
    lang = lang or town.lang
    requested = list(_requested(town, layers, town.view(at, as_known), lang))
    _ensure_column(column, requested)
    parts = [part for each in requested for part in _parts(each, town.store.crs, lang)]
    _ensure_size(parts)
    coloring = _Coloring(column, palette, breaks, lang)
    drawn = [_drawn(part, number, coloring) for number, part in enumerate(parts)]
    marking = combined(town.marking(part.layer) for part in parts if part.layer is not None).text(lang)
    extent, shown_legend = _extent(drawn, town), (_legend(drawn, lang) if legend else "") + marking_html(marking)
    titles = [f"{each.layer.title(lang)} ({len(each.frame):,})" for each in drawn]
    if flat:
        degrees = transform_bounds(extent, town.store.crs, CRS84)
        page = flat_map_html(drawn, extent=degrees, lang=lang, legend=shown_legend, title=", ".join(titles))
        return NotebookMap(page, height=height, titles=titles)
    deck = deck_of(
        {each.layer.id: each.frame for each in drawn},
        catalogue=Catalogue({each.layer.id: each.layer for each in drawn}),
        ground=_ground(town) if ground is None else ground,
        camera=Camera(bbox=_grown(extent)),
        lang=lang,
        colors={each.layer.id: each.symbols.colors for each in drawn},
    )
    page = offline_html(deck, title=", ".join(titles), legend=shown_legend, lang=lang)
    return NotebookMap(page, height=height, titles=titles)


def _legend(drawn: Sequence[DrawnLayer], lang: str) -> str:
    groups = (
        LegendGroup(each.layer.title(lang), len(each.frame), each.layer.dimension, each.symbols) for each in drawn
    )
    return legend_html(list(groups), lang)


def _requested(
    town: Town, layers: Drawable | Sequence[Drawable] | Mapping[str, Drawable | None], view: View, lang: str
) -> Iterator[_Part]:
    """Yield everything that is to be drawn as it was asked for: any CRS, any geometry.

    A frame is drawn as the layer that its title names, else as the one it was read from (`Town.features`).
    """
    if isinstance(layers, Mapping):
        named = [(str(name), str(name) if drawable is None else drawable) for name, drawable in layers.items()]
    else:
        listed = list(layers) if isinstance(layers, list | tuple) else [layers]
        named = [("", drawable) for drawable in listed]
    for number, (name, drawable) in enumerate(named, 1):
        color = CATEGORIES[(number - 1) % len(CATEGORIES)]
        if isinstance(drawable, str):
            layer = layer_named(town.catalogue, drawable)
            title = name if name and name != drawable else layer.title(lang)
            yield _Part(title, layer, town.store.features(FeatureQuery(layer.id, view=view)), color)
            continue
        frame, described = _frame_of(drawable), _layer_of_name(town.catalogue, name)
        untitled = _RESULT(lang) if len(named) == 1 else f"{_RESULT(lang)} {number}"
        read = _layer_of_name(town.catalogue, str(frame.attrs.get("layer") or ""))
        title = described.title(lang) if described else name or (read.title(lang) if read else untitled)
        yield _Part(title, described or read, frame, color)


def _frame_of(drawable: Any) -> gpd.GeoDataFrame:
    frame = drawable.to_frame("geometry") if isinstance(drawable, gpd.GeoSeries) else drawable
    if not isinstance(frame, gpd.GeoDataFrame) or frame.active_geometry_name is None:
        raise QueryRefused("notebook.no_map_of", found=type(drawable).__name__)
    return frame.loc[:, ~frame.columns.duplicated()]


def _layer_of_name(catalogue: Catalogue, name: str) -> Layer | None:
    try:
        return layer_named(catalogue, name) if name else None
    except LayerNotFound:
        return None


def _parts(asked: _Part, crs: str, lang: str) -> Iterator[_Part]:
    """Yield the features that have a place, moved to the town's CRS, apart by dimension; nothing gives one empty part."""
    frame, shapes = asked.frame, placed_geometries(asked.frame.geometry.to_numpy())
    frame = frame[~shapely.is_missing(shapes)]
    if frame.geometry.geom_type.isin(["MultiPoint", "GeometryCollection"]).any():
        frame = frame.explode()
    moved = transform_geometries(frame.geometry.to_numpy(), frame.crs, crs)
    frame = frame.set_geometry(gpd.GeoSeries(moved, frame.index, crs=crs))
    dimensions = shapely.get_dimensions(moved)
    distinct = np.unique(dimensions).tolist()
    if len(distinct) < 2:
        yield replace(asked, frame=frame, layer=_layer_of(asked.layer, *distinct))
        return
    for dimension in distinct:
        part = replace(asked, frame=frame[dimensions == dimension], layer=_layer_of(asked.layer, dimension))
        yield replace(part, title=f"{asked.title} · {_DIMENSIONS[dimension](lang)}")


def _layer_of(layer: Layer | None, *dimensions: int) -> Layer | None:
    """Return the layer where it has geometry of these dimensions: the outlines of buildings are drawn as lines."""
    return layer if layer is not None and set(dimensions) <= {layer.dimension} else None


def _ensure_size(parts: Sequence[_Part]) -> None:
    corners = sum(int(shapely.get_num_coordinates(part.frame.geometry.to_numpy()).sum()) for part in parts)
    if corners > _MOST_CORNERS:
        raise QueryRefused("notebook.map_too_large", corners=corners, expected=_MOST_CORNERS)


def _ensure_column(column: str | None, parts: Sequence[_Part]) -> None:
    """Refuse a column that no frame has, naming the nearest or all there are."""
    if column is None or any(_column_of(part.layer, part.frame, column) is not None for part in parts):
        return
    names = list(
        dict.fromkeys(str(name) for part in parts for name in part.frame.columns.drop(part.frame.geometry.name))
    )
    nearest = get_close_matches(str(column), names, 3, 0.5) or names[:40]
    raise QueryRefused("notebook.no_column", column=str(column)[:80], nearest=nearest)


def _column_of(layer: Layer | None, frame: gpd.GeoDataFrame, column: str) -> str | None:
    """Return the frame's column by its name, or by the title of the layer's field."""
    if column in frame.columns and column != frame.geometry.name:
        return column
    try:
        name = field_named(layer, column).name if layer is not None else None
    except QueryRefused:
        return None
    return name if name in frame.columns else None


def _drawn(part: _Part, number: int, coloring: _Coloring) -> DrawnLayer:
    """Return a part with the layer that says how it is drawn, its colours and its legend."""
    layer = part.layer or layer_of_frame("frame", part.frame, color=part.color)
    column = _column_of(part.layer, part.frame, coloring.column) if coloring.column is not None else None
    layer = with_columns(layer, part.frame, first=column)
    layer = replace(layer, id=f"{layer.id}-{number}", title=Text(part.title, part.title))
    return DrawnLayer(layer, part.frame, _symbols(layer, part.frame, column, coloring))


def _symbols(layer: Layer, frame: gpd.GeoDataFrame, column: str | None, coloring: _Coloring) -> Symbols:
    """Return colours by the column, else those of the catalogue: by a field's value, of each element, or one for all.

    Beside a layer that is coloured by a column, the others have one colour each.
    """
    by, has_own_colors = layer.style.get("by"), layer.model.get("kind") == "mesh" and "color" in frame
    colors = {str(value): str(color) for value, color in layer.style.get("colors", {}).items()}
    if column is not None:
        return symbols_of(
            frame[column],
            lang=coloring.lang,
            field=layer.field_of(column),
            palette=coloring.palette,
            breaks=coloring.breaks,
            colors=colors if column == by else {},
        )
    if coloring.column is None and colors and by in frame and not has_own_colors:
        return symbols_of(frame[by], lang=coloring.lang, field=layer.field_of(str(by)), colors=colors)
    color = str(layer.style.get("color") or layer.style.get("line_color") or "#cccccc")
    paints = np.tile(np.array(rgba(color), dtype=np.uint8), (len(frame), 1))
    if has_own_colors:
        paints = feature_colors(layer, frame)
        is_own = frame["color"].astype(str).str.fullmatch("#[0-9a-fA-F]{6}").to_numpy(dtype=bool)
        paints[is_own] = np.array([rgba(each) for each in frame["color"][is_own]], dtype=np.uint8).reshape(-1, 4)
    return Symbols(paints, (LegendEntry(color, layer.title(coloring.lang), len(frame)),))


def _extent(drawn: Sequence[DrawnLayer], town: Town) -> Box:
    """Return the box of all that is drawn, else that of the town, else where its CRS is used; storage CRS."""
    boxes = np.array([each.frame.total_bounds for each in drawn if len(each.frame)])
    if len(boxes):
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])
    crs = town.store.crs
    return town.extent(crs) or transform_bounds(area_of_use(crs) or (-180.0, -80.0, 180.0, 80.0), CRS84, crs)


def _grown(extent: Box) -> Box:
    """Return a box a tenth larger: what is near the eye shows larger."""
    minx, miny, maxx, maxy = extent
    x, y = (maxx - minx) * 0.05, (maxy - miny) * 0.05
    return minx - x, miny - y, maxx + x, maxy + y


def _ground(town: Town) -> Ground | None:
    """Return the heights of the town's ground, None where it has none."""
    ground = TownGround(town.store, CacheFolder(town.cache))
    return None if ground.surface() is None else ground.heights
