"""Opens the doors: settings, the `twin` command, the ASGI app, the pygeoapi bridge.

Not here: geometry and SQL (`twin_model`), formats (`ingest`, `tiles`).

    app = make_app(Settings(town=Path("town")))
"""
