"""Reads DXF drawings: CASS drawings by their codes, others by a mapping of layer names. Here alone is ezdxf.

Not here: mappings (`ingest/mapping.py`) and what becomes of rows (`ingest/fitting.py`).

    if recognises_dxf(path):
        read_dxf(path, draft, ReadOptions(crs="EPSG:4548"))
"""

from ingest.reader import Reader, ReaderFunctions
from ingest.source_files import alone

__all__ = ["READER", "cass", "document", "drawing", "outline", "reader"]


def _functions() -> ReaderFunctions:
    from ingest.dxf.outline import dxf_outline
    from ingest.dxf.reader import read_dxf, recognises_dxf

    return ReaderFunctions(recognises_dxf, read_dxf, dxf_outline)


READER = Reader(
    "dxf", topic="topography", suffixes=(".dxf", ".dwg"), files=alone, load=_functions, version=1, tables=("cass.csv",)
)
