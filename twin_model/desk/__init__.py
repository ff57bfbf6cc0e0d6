"""The analyst's desk: what a notebook asks of a town and writes back, in words of Python.

Questions become a `FeatureQuery`, answers become typed frames, frames become changesets. `Town` offers all of it as methods.
Not here: how a store answers (`store/`), what an edit's rows must be (`editing`), maps and the service (`tiles/`, `api_config/`).

    >>> layer = layer_named(town.catalogue, "建筑物")
    >>> layer.id, field_named(layer, "层数").name
    ('building', 'storeys')
"""

from twin_model.desk.names import field_named, layer_named

__all__ = ["field_named", "layer_named"]
