"""Reads pipeline survey tables of CJJ 61: points and lines of each class, or one sheet with every line from both ends.

Not here: how tables are opened (`ingest/tables.py`); hydraulic models are `ingest/epanet.py`.

    files = files_of_survey(Path("WSPOINT.csv"))        # the tables that belong to one survey
    read_survey(files[0], draft, ReadOptions(crs="EPSG:4548"))
"""

__all__ = ["files", "heading", "lines", "points", "reader"]
