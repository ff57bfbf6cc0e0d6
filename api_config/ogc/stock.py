"""The configuration with which a stock pygeoapi serves a town read-only."""

import yaml

from api_config.ogc.resources import configuration
from api_config.web.call import anonymous_policy
from twin_model.town import Town

__all__ = ["stock_configuration"]


def stock_configuration(town: Town, url: str) -> str:
    """Return YAML for `pygeoapi serve`, with every layer that holds features and is open to everybody.

    Underground layers are published to this machine only, unless `town.toml` says otherwise: it then listens on loopback.
    """
    policy = anonymous_policy(town)
    layers = [
        layer
        for layer in policy.visible_layers(town.catalogue)
        if layer.dimension >= 0 and town.store.summary(layer.id).features
    ]
    document = configuration(town, url, policy=policy, layers=layers, stock=True)
    if any(layer.underground for layer in layers) and not town.settings.publish_underground:
        document["server"]["bind"]["host"] = "127.0.0.1"
    return str(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))
