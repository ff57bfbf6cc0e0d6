"""The viewer: its files, and the one document from which it learns the town."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from api_config.ogc.resources import extent_of, features_of, is_placed
from api_config.routes.tiles import tiles_version
from api_config.routes.tilesets import is_open_ground, terrain_version, tileset_version
from api_config.settings import Settings
from api_config.web.answer import answer_json
from api_config.web.call import Call
from api_config.web.change_days import LayerTime, dates, few
from api_config.web.family import OpenApiPaths, RouteFamily
from api_config.web.kept_answers import versioned
from api_config.web.lanes import get_route
from api_config.web.openapi import JSON, get_operation
from api_config.web.viewer_files import ViewerFiles
from tiles.town_tiles import TownTiles
from twin_model.catalogue import CIM_CLASSES
from twin_model.classification import CLASSES
from twin_model.layer import Layer, Text
from twin_model.view import View

__all__ = ["FAMILY"]


def config(request: Request) -> Response:
    """Answer the town as the viewer needs it: layers with styles and addresses, scenes, extent, days of change."""
    call = Call(request)
    call.allow()
    return answer_json(request, _config(call))


def _config(call: Call) -> dict[str, Any]:
    town, settings = call.town, call.town.settings
    west, south, east, north = town.extent(policy=call.policy) or (118.28, 35.09, 118.32, 35.11)
    tiles: TownTiles = call.request.app.state.tiles
    middle = town.extent(town.store.crs, call.policy)
    ground, open_ground = 0.0, is_open_ground(call) and tiles.ground.surface() is not None
    if middle is not None and open_ground:
        ground = float(
            tiles.ground.heights(np.array([(middle[0] + middle[2]) / 2]), np.array([(middle[1] + middle[3]) / 2]))[0]
        )
    layers, timeline = call.layers, call.request.app.state.timeline
    times: dict[str, LayerTime | None] = {layer.id: timeline.of(layer, View(policy=call.policy)) for layer in layers}
    closed = frozenset(layer for layer in town.catalogue.layers if not call.policy.admits(layer))
    return {
        "town": {
            "id": town.path.name,
            "name": _both(settings.name),
            "version": town.store.version(),
            "storage_crs": town.store.crs,
            "timezone": settings.timezone,
            "extent": [west, south, east, north],
            "height_offset": settings.height_offset,
            "center": [(west + east) / 2, (south + north) / 2, ground + settings.height_offset],
        },
        "time": _time([layer_time for layer_time in times.values() if layer_time is not None], timeline.today),
        "layers": [_layer(call, layer, times[layer.id]) for layer in layers],
        "terrain": versioned("/terrain", terrain_version(call)) if open_ground else None,
        "scenes": [_scene(scene, closed, {layer.id for layer in layers}) for scene in settings.scenes],
    }


def _scene(scene: Mapping[str, Any], closed: frozenset[str], shown: set[str]) -> dict[str, Any]:
    """Return a scene that shows no closed layer and names none, but says whether it wants one that is not shown."""

    def opened(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: each for name, each in value.items() if name not in closed}
        return [each for each in value if each not in closed] if isinstance(value, list) else value

    # A layer that never was counts as well: nobody can tell a closed one from it.
    withheld = not set(scene.get("layers", ())) <= shown
    return {**{key: opened(value) for key, value in scene.items()}, "layers_withheld": withheld}


def _time(times: list[LayerTime], today: int) -> dict[str, Any]:
    """Return the days a time slider goes from and to, and those on which something begins or ends (see `few`)."""
    changes = frozenset[int]().union(*(layer_time.changes for layer_time in times))
    days = dates({today, *changes})
    return {"first": days[0], "last": days[-1], "today": dates([today])[0], "changes": few(dates(changes))}


def _layer(call: Call, layer: Layer, time: LayerTime | None) -> dict[str, Any]:
    policy, timeline = call.policy, call.request.app.state.timeline
    features = features_of(call.town, layer, policy)
    here, marking = f"/collections/{layer.id}", call.town.marking(layer)
    return {
        "id": layer.id, "title": _both(layer.title), "description": _both(layer.description), "kind": layer.kind, "geometry": layer.geometry,
        "cim_class": {"id": layer.cim_class, **_both(CIM_CLASSES[layer.cim_class])}, "underground": layer.underground,
        "features": features, "extent": extent_of(call.town, layer, policy) if time else None, "placed": is_placed(call.town, layer, policy),
        "min_zoom": layer.zoom.start, "max_zoom": max(layer.zoom.latest, layer.zoom.start), "style": layer.style,
        "label": [name for name in layer.label if layer.field_of(name)],
        "model": _shape(layer),
        "fields": [{"name": field.name, "type": field.type, "format": field.format, "unit": field.unit, "title": _both(field.title),
                    "codes": {code: _both(words) for code, words in field.codes.items()}} for field in layer.fields],
        "mvt": versioned(f"{here}/tiles/WebMercatorQuad/{{z}}/{{row}}/{{col}}", tiles_version(call, layer)) if layer.has_geometry else None,
        "tileset": versioned(f"{here}/3dtiles/tileset.json", tileset_version(call, layer)) if layer.model.get("kind") and time else None,
        "time": _layer_time(time, timeline.today) if time else None,
        "map_approval": marking.approval or None,
        "classification": _both(CLASSES[marking.classification]) if marking.classification else None,
    }  # fmt: skip


def _shape(layer: Layer) -> dict[str, str] | None:
    """Return how a layer becomes solid, and which of the fields that the caller may see say its foot and its height."""
    if not layer.model.get("kind"):
        return None
    fields = {name: layer.model[name] for name in ("base", "height") if layer.field_of(layer.model.get(name, ""))}
    return {"kind": layer.model["kind"], **fields}


def _layer_time(time: LayerTime, today: int) -> dict[str, Any]:
    """Return whether all states hold today, the days of change, and the first and last day on which something is there; last is
    None where something stays."""
    last = None if time.last is None else dates([time.last])[0]
    return {"steady": time.is_steady(today), "changes": time.listed, "first": dates([time.first])[0], "last": last}


def _both(text: Text) -> dict[str, str]:
    return {"zh": text("zh"), "en": text("en")}


def to_viewer(request: Request) -> Response:
    return RedirectResponse(f"{Call(request).base}/viewer/")


def _routes(settings: Settings) -> list[Route | Mount]:
    """Return the viewer's routes; its files are served only where it has been built."""
    routes: list[Route | Mount] = [
        get_route("/viewer/config.json", config, heavy=True),
        get_route("/viewer", to_viewer),
    ]
    if (settings.viewer / "index.html").is_file():
        routes.append(Mount("/viewer", ViewerFiles(directory=settings.viewer, html=True)))
    return routes


def _paths(layers: Sequence[Layer]) -> OpenApiPaths:
    return {
        "/viewer/config.json": get_operation(
            "viewerConfig", "The town as the viewer needs it", JSON, ["lang"], answers="viewerConfig"
        )
    }


FAMILY = RouteFamily("viewer", routes=_routes, paths=_paths)
