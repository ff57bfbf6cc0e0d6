"""Buildings and their parts: what a mesh blob is, and the matrix that places it.

Not here: sources that bring meshes (`ingest/ifc/reader.py`), tiles of them (`tiles/solids.py`).

    >>> matrix_of("[1,0,0,0, 0,1,0,0, 0,0,1,0, 618000,3886000,65,1]")[:3, 3].tolist()     # where a mesh is placed
    [618000.0, 3886000.0, 65.0]
"""

from twin_model.building.mesh import Mesh, matrix_of, matrix_text

__all__ = ["Mesh", "matrix_of", "matrix_text"]
