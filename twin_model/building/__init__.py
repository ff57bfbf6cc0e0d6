"""Buildings and their parts: what a mesh blob is, and the matrix that places it.

Not here: sources that bring meshes (`ingest/ifc/reader.py`), tiles of them (`tiles/solids.py`).

    mesh = Mesh.from_bytes(store.blob(row.mesh))
    placed = mesh.placed(matrix_of(row.matrix))     # vertices in projected metres
"""

from twin_model.building.mesh import Mesh, matrix_of, matrix_text

__all__ = ["Mesh", "matrix_of", "matrix_text"]
