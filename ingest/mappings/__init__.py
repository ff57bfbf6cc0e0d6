"""Tables of sources: names and codes as offices write them -> our layers and fields. Data, no code.

Not here: how a mapping is read (`ingest/mapping.py`) and how a CASS code table is (`ingest/dxf/cass_table.py`).

    mapping = standard_mapping("vector")            # vector.toml
    mapping = read_mapping(Path("town/mappings/office.toml"))
"""

__all__: list[str] = []
