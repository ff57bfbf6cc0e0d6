"""Brings sources in: one reader per kind of source, all answering with a `Draft`.

Not here: writing to the store (`twin_model.versioning.commit`), encodings that leave the house (`tiles`).

    source = identify(Path("plan.dxf"))
    with Draft(source, catalogue, storage_crs="EPSG:4548") as draft:
        read_source(Path("plan.dxf"), draft, ReadOptions())
        version = commit(store, draft.to_changeset(author="survey", reason="sheet 3886.0-618.5"))
"""

from ingest.draft import Draft, ReadOptions
from ingest.mapping import Mapping, read_mapping, standard_mapping
from ingest.readers import READERS, find_sources, identify, read_source

__all__ = [
    "READERS",
    "Draft",
    "Mapping",
    "ReadOptions",
    "find_sources",
    "identify",
    "read_mapping",
    "read_source",
    "standard_mapping",
]
