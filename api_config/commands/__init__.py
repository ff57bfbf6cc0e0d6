"""The verbs of `twin`, one file each: a command parses, calls one function, prints, exits.

Not here: the group they hang on (`api_config/cli.py`), what they do (`ingest`, `tiles`, `twin_model`).

    twin --town town init --name 临沂北站新城 --crs EPSG:4548
    twin --town town ingest data_samples/topo --dry-run
    twin --town town export building out/building.gpkg
"""

__all__ = ["backup", "context", "demo", "history", "ingest", "localized", "serve", "tiles", "town", "verbs"]
