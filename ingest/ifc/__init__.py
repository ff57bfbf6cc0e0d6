"""Reads IFC models: placement, storeys, spaces, elements with property sets and shapes. The only room that knows ifcopenshell.

Not here: the meshes' own encoding (`twin_model/building/mesh.py`) and what leaves the house (`tiles/`).

    if recognises_ifc(path):
        read_ifc(path, draft, ReadOptions())
"""

__all__ = ["file", "georeference", "placement", "reader", "shapes"]
