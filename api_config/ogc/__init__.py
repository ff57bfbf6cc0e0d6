"""The only room that knows pygeoapi: landing page, collections and OpenAPI come through this bridge.

Not here: items and tiles, they have routes of their own (`api_config/routes`); what a layer is (`twin_model/layer.py`).

    settings = configuration(town, url, layers=layers)      # collections as pygeoapi wants them configured
    bridge = Bridge(town, FAMILIES)                         # asks pygeoapi, answers in our catalogue's words
"""

__all__ = ["bridge", "providers", "resources"]
