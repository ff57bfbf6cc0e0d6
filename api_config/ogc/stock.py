"""The configuration with which a stock pygeoapi serves a town read-only."""

import yaml

from api_config.ogc.resources import configuration
from twin_model.town import Town

__all__ = ["stock_configuration"]


def stock_configuration(town: Town, url: str) -> str:
    """Return YAML for `pygeoapi serve`, with every layer that holds features."""
    layers = [layer for layer in town.catalogue if layer.kind == "feature" and layer.dimension >= 0 and town.store.summary(layer.id).features
              and layer.id not in town.settings.closed]  # fmt: skip
    return str(
        yaml.safe_dump(
            configuration(town, url, layers=layers, stock=True), allow_unicode=True, sort_keys=False
        )
    )
