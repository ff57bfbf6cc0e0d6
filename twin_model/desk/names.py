"""Names as a person writes them: a layer or a field by its id, or by its title in either language.

    layer = layer_named(catalogue, "建筑物")        # the same as catalogue["building"]
    field_named(layer, "层数").name                 # 'storeys'

A slip is answered with the nearest names, ids and titles alike.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal, TypeAlias

from twin_model.catalogue import Catalogue
from twin_model.errors import LayerNotFound, QueryRefused
from twin_model.layer import Field, Layer

__all__ = ["LayerName", "field_named", "fields_named", "layer_named", "nearest_fields", "titled_field"]

LayerName: TypeAlias = (
    str
    | Literal[
        "control_point",
        "water_area",
        "water_line",
        "building",
        "structure",
        "road_area",
        "road_line",
        "rail",
        "contour",
        "spot_height",
        "vegetation_area",
        "vegetation_point",
        "boundary",
        "facility",
        "annotation",
        "map_sheet",
        "pipe_point",
        "pipe_line",
        "manhole",
        "utility_tunnel",
        "underground_space",
        "bim_model",
        "bim_storey",
        "bim_space",
        "bim_element",
        "bim_alignment",
        "planning_area",
        "land_use",
        "control_line",
        "project",
        "street_lamp",
        "traffic_signal",
        "car_park",
        "camera",
        "ev_charger",
        "cover_sensor",
        "monitoring_station",
        "weather_station",
        "telecom_station",
        "bus_stop",
        "finding",
    ]
)
"""The name of a layer: an editor offers those of the house, any other text is taken too."""

_SHOWN = 5
"""So many names a refusal lists where none is near."""


def layer_named(catalogue: Catalogue, name: str) -> Layer:
    """Return a layer of features by id or title. Raises `LayerNotFound` with the nearest for a slip."""
    if not isinstance(name, str):
        raise LayerNotFound("desk.no_layer", name=repr(name)[:80], nearest=sorted(catalogue.layers)[:_SHOWN])
    if name in catalogue.layers:
        return catalogue.layers[name]
    titled = [layer for layer in catalogue if name.strip() in _titles(layer)]
    if len(titled) == 1:
        return titled[0]
    candidates = {each: layer.id for layer in catalogue for each in (layer.id, *_titles(layer))}
    nearest = _nearest(name, candidates) or sorted(catalogue.layers)
    raise LayerNotFound("desk.no_layer", name=name, nearest=nearest)


def field_named(layer: Layer, name: str) -> Field:
    """Return a field of a layer by name or title. Raises `QueryRefused` with the nearest for a slip."""
    field = titled_field(layer, name)
    if field is None:
        nearest = nearest_fields(layer, str(name)) or list(layer.field_names)
        raise QueryRefused("desk.no_field", layer=layer.id, name=str(name)[:80], nearest=nearest)
    return field


def titled_field(layer: Layer, name: object) -> Field | None:
    """Return the field of a layer that has a name, or alone has it as a title or alias; None for no such field."""
    if not isinstance(name, str):
        return None
    titled = [field for field in layer.fields if name.strip() in _words_for(field)]
    return layer.field_of(name) or (titled[0] if len(titled) == 1 else None)


def nearest_fields(layer: Layer, name: str) -> list[str]:
    """Return the names of the fields whose name or title is near to `name`, the nearest first; none may be."""
    candidates = {each: field.name for field in layer.fields for each in (field.name, *_words_for(field))}
    return _nearest(name, candidates)


def fields_named(layer: Layer, names: Iterable[str] | str) -> tuple[str, ...]:
    """Return the ids of fields named by id or title; one name may be given alone."""
    names = [names] if isinstance(names, str) else list(names)
    return tuple(dict.fromkeys(field_named(layer, name).name for name in names))


def _titles(layer: Layer) -> tuple[str, ...]:
    return tuple(filter(None, (layer.title.zh, layer.title.en)))


def _words_for(field: Field) -> tuple[str, ...]:
    return tuple(filter(None, (field.title.zh, field.title.en, *field.aliases)))


def _nearest(name: str, candidates: dict[str, str]) -> list[str]:
    """Return the ids of the nearest candidates; a candidate that contains the name, or lies in it, is near."""
    wanted = name.strip().casefold()
    folded = {each.casefold(): named for each, named in candidates.items()}
    close = get_close_matches(wanted, folded, 3, 0.5)
    if wanted:
        close += [each for each in folded if wanted in each or each in wanted]
    return list(dict.fromkeys(folded[each] for each in close))[:_SHOWN]
