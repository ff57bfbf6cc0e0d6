"""Tables of sources: names and codes as offices write them -> our layers and fields. Data, no code.

Not here: how a mapping is read (`ingest/mapping.py`) and how a CASS code table is (`ingest/dxf/cass_table.py`).

    >>> from ingest.mapping import standard_mapping
    >>> [each.to for each in standard_mapping("vector").layers][:2]
    ['building', 'road_area']
"""

__all__: list[str] = []
