"""The map of a page: features of its document drawn in their layers' styles, with legend and scale bar."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from api_config.pages.address import address_of
from api_config.pages.render import Document, feature_title
from api_config.web.call import Call
from tiles.svg.plan import (
    Box,
    PlanFrame,
    color_key,
    frame_of,
    locator,
    presentation,
    scale_bar,
    svg_path,
    ticks,
)
from twin_model.crs import (
    CRS84,
    authority_axis_swapped,
    crs_code,
    placed_geometries,
    transform_geometries,
    transform_xy,
)
from twin_model.layer import Layer

__all__ = ["NARROW", "Drawn", "center", "draw_map"]

_DRAWN = 2_000
_WIDE, NARROW = 960.0, 600.0


@dataclass(frozen=True)
class Drawn:
    """A FeatureCollection to draw in the style of its layer; `muted` is for what only surrounds."""

    layer: Layer
    document: Document
    muted: bool = False
    linked: bool = True


def draw_map(
    call: Call,
    drawn: Sequence[Drawn],
    *,
    extent: Box | None = None,
    width: float = _WIDE,
    margin: float = 0.06,
    locate: bool = True,
) -> dict[str, Any] | None:
    """Return what `map.html` draws: shapes by colour, legend, graticule, scale bar, place in the town.

    The map shows `extent`, else the features of the last collection, with a margin as a share of their size.
    None where there is neither.
    """
    shapes = [_geometries(call, collection.document["features"][:_DRAWN]) for collection in drawn]
    bounds = extent or _bounds(np.concatenate(shapes[-1:] or [np.empty(0, dtype=object)]))
    if bounds is None:
        return None
    frame = frame_of(bounds, width, margin)
    groups = [
        group
        for collection, geometries in zip(drawn, shapes, strict=True)
        for group in _shape_groups(call, collection, geometries, frame)
    ]
    town = call.town.extent(policy=call.policy)
    drawn_count = sum(min(len(collection.document["features"]), _DRAWN) for collection in drawn)
    return {
        "frame": frame,
        "groups": groups,
        "legend": _legend(call, groups),
        "bounds": bounds,
        "town": town and frame.box(town),
        "meridians": ticks(frame.west, frame.width / frame.sx, "EW"),
        "parallels": ticks(frame.north - frame.height / frame.sy, frame.height / frame.sy, "NS"),
        "scale": scale_bar(frame),
        "locator": locator(town, frame) if locate and town else None,
        "count": drawn_count,
        "cut": any(len(collection.document["features"]) > _DRAWN for collection in drawn),
    }


def _geometries(call: Call, features: Sequence[Document]) -> NDArray[Any]:
    """Return the features' geometries in longitude, latitude, whatever `crs` the page was asked for in."""
    texts = [orjson.dumps(feature["geometry"]).decode() if feature.get("geometry") else None for feature in features]
    geometries: NDArray[Any] = shapely.force_2d(
        shapely.from_geojson(np.array(texts, dtype=object), on_invalid="ignore")
    )
    asked = call.params.get("crs")
    crs = crs_code(asked) if asked else CRS84
    if crs == CRS84:
        return geometries
    if authority_axis_swapped(crs):
        geometries = shapely.transform(geometries, lambda xy: xy[:, ::-1])
    return placed_geometries(transform_geometries(geometries, crs, CRS84))


def _bounds(geometries: NDArray[Any]) -> Box | None:
    present = geometries[~(shapely.is_missing(geometries) | shapely.is_empty(geometries))]
    if not len(present):
        return None
    west, south, east, north = shapely.total_bounds(present).tolist()
    return west, south, east, north


def _shape_groups(call: Call, collection: Drawn, geometries: NDArray[Any], frame: PlanFrame) -> list[dict[str, Any]]:
    """Return the shapes of a layer, those of one colour together."""
    pixels = shapely.simplify(shapely.transform(geometries, frame.xy), 0.25)
    address, by, colors = address_of(call), collection.layer.style.get("by"), collection.layer.style.get("colors", {})
    groups: dict[str, dict[str, Any]] = {}
    for feature, shape, text in zip(
        collection.document["features"], pixels, shapely.to_wkt(pixels, rounding_precision=1), strict=False
    ):
        if shape is None or shape.is_empty:
            continue
        key = color_key((feature.get("properties") or {}).get(by) if by else None, colors)
        group = groups.setdefault(
            key or "",
            {
                "layer": collection.layer,
                "key": key,
                "by": by,
                "muted": collection.muted,
                "shapes": [],
                **presentation(collection.layer, colors.get(key) if key else None),
            },
        )
        name = feature.get("id")
        href = (
            address.page("collections", collection.layer.id, "items", str(name))
            if collection.linked and name is not None
            else None
        )
        group["shapes"].append(
            {"d": svg_path(text), "title": feature_title(collection.layer, feature), "id": name, "href": href}
        )
    return list(groups.values())


def _legend(call: Call, groups: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return colour and meaning of each colour on the map, in the reader's language."""
    meanings: dict[tuple[str, str], None] = {}
    for group in groups:
        layer, key = group["layer"], group["key"]
        field = layer.field_of(group["by"]) if group["by"] else None
        title = (
            layer.title(call.lang)
            if key is None
            else field.codes[key](call.lang)
            if field and key in field.codes
            else key
        )
        if not group["muted"]:
            meanings[(group["swatch"], title)] = None
    return list(meanings)


def center(call: Call, plan: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Return the middle of a map in degrees and, as surveyors write it, X north, Y east in the town's CRS."""
    if plan is None:
        return None
    west, south, east, north = plan["bounds"]
    lon, lat = (west + east) / 2, (south + north) / 2
    x, y = transform_xy(np.array([lon]), np.array([lat]), CRS84, call.town.store.crs)
    return {"lon": lon, "lat": lat, "x_north": float(y[0]), "y_east": float(x[0])}
