"""The configuration with which a stock pygeoapi serves a town read-only."""

import yaml

from api_config.ogc.resources import configuration
from api_config.web.call import anonymous_policy
from twin_model.town import Town

__all__ = ["stock_configuration"]


def stock_configuration(town: Town, url: str) -> str:
    """Return YAML for `pygeoapi serve`, with every layer that holds features and is open to everybody."""
    policy = anonymous_policy(town)
    layers = [
        layer
        for layer in policy.visible_layers(town.catalogue)
        if layer.dimension >= 0 and town.store.summary(layer.id).features
    ]
    return str(
        yaml.safe_dump(
            configuration(town, url, policy=policy, layers=layers, stock=True),
            allow_unicode=True,
            sort_keys=False,
        )
    )
