"""The only package that knows pygeoapi: landing page, collections and OpenAPI come through this bridge.

Not here: items and tiles, they have routes of their own (`api_config/routes`); what a layer is (`twin_model/layer.py`).

    >>> from api_config.ogc.bridge import Bridge
    >>> from api_config.routes import FAMILIES
    >>> bridge = Bridge(town, FAMILIES)                     # asks pygeoapi, answers in our catalogue's words
    >>> bridge.landing("http://127.0.0.1:8000", "zh", town.view().policy)["title"]
    '小镇'
"""

__all__ = ["bridge", "providers", "resources"]
