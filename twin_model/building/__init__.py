"""Buildings and their parts: what a mesh blob is. Sources that bring meshes are read in `ingest/`, tiles made in `tiles/`.

mesh = Mesh.from_bytes(store.blob(row.mesh))
placed = mesh.placed(matrix_of(row.matrix))     # vertices in projected metres
"""

from twin_model.building.mesh import Mesh, matrix_of, matrix_text

__all__ = ["Mesh", "matrix_of", "matrix_text"]
