"""Entry points: settings, the `twin` command, the ASGI app, the pygeoapi bridge.

Not here: geometry and SQL (`twin_model`), formats (`ingest`, `tiles`).

    >>> from api_config.app import make_app
    >>> from api_config.settings import settings_from
    >>> app = make_app(settings_from({"TWIN_TOWN": "town"}))        # the ASGI application of a town
    >>> app.url_path_for("landing")
    '/'
"""

__all__ = ["app", "cli", "commands", "delivery", "ogc", "pages", "routes", "serving", "settings", "web"]
