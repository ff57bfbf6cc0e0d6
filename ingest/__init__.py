"""Brings sources in: one reader per kind of source, all answering with a `Draft`.

Not here: writing to the store (`twin_model.versioning.commit`), encodings that leave the house (`tiles`).

    >>> path = Path("lamps.geojson")
    >>> with Draft(identify(path), town.catalogue, storage_crs="EPSG:4548") as draft:
    ...     read_source(path, draft, ReadOptions(kind="street_lamp"))
    ...     changeset = draft.to_changeset(author="survey", reason="lamps of May")
    >>> draft.counts.stored                     # commit(town.store, changeset) before the draft is left
    2
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
