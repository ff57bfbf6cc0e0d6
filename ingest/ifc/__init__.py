"""Reads IFC models: placement, storeys, spaces, elements with property sets and shapes. Here alone is ifcopenshell.

Not here: the meshes' own encoding (`twin_model/building/mesh.py`) and what leaves the house (`tiles/`).

    if recognises_ifc(path):
        read_ifc(path, draft, ReadOptions())
"""

from ingest.reader import Reader, ReaderFunctions
from ingest.source_files import alone

__all__ = ["READER", "file", "georeference", "placement", "reader", "shapes"]


def _functions() -> ReaderFunctions:
    from ingest.ifc.reader import read_ifc, recognises_ifc

    return ReaderFunctions(recognises_ifc, read_ifc)


READER = Reader("ifc", topic="bim", suffixes=(".ifc", ".ifczip", ".ifcxml"), files=alone, load=_functions, version=3)
