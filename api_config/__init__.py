"""Opens the doors: settings, the `twin` command, the ASGI app, the pygeoapi bridge.

Not here: geometry and SQL (`twin_model`), formats (`ingest`, `tiles`).

    settings = settings_from(os.environ, town=Path("town"))     # api_config.settings
    app = make_app(settings)                                    # api_config.app: the ASGI application
    main(["--town", "town", "status"])                          # api_config.cli: the `twin` command
"""

__all__ = ["app", "cli", "commands", "delivery", "ogc", "routes", "settings", "web"]
