"""RowGeometry of products: meshes in local metres, their matrices and footprints, as the geometry kernel yields them.

One pass of ifcopenshell's iterator with the kernel `hybrid-cgal-simple-opencascade`, several times faster than
opencascade alone. It yields a shape for every product, but some come without a triangle (ten pieces of furniture with
openings in Duplex, lost in its fast boolean): those are made once more, without the boolean where no opening reaches them,
else with opencascade. Shells written inside out come inside out; closed ones are turned. Local coordinates plus matrix
keep shared geometry shared: it is converted, hashed and outlined once, however many elements show it.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ifcopenshell.geom
import numpy as np
from numpy.typing import NDArray

from ingest.ifc.footprint import Footprint, footprint_of
from ingest.ifc.losses import UNREADABLE
from ingest.ifc.openings import missed_by_openings
from ingest.ifc.terminal import quiet_terminal
from twin_model.building.mesh import Mesh, digest_of, outward

__all__ = ["KERNEL", "Shape", "read_shapes"]

KERNEL = "hybrid-cgal-simple-opencascade"
SECOND_KERNEL = "opencascade"
BODY = "Body"

Float64 = NDArray[np.float64]

_UNSTYLED = np.array([200, 200, 200, 255], np.uint8)


@dataclass(frozen=True)
class Shape:
    """The shape of one product: blob of its mesh, matrix to model metres, main colour, footprint and its frame.

    `frame` maps the footprint to model metres and keeps upright things upright; it is the identity for a tilted shape,
    whose footprint is already in model metres.
    """

    product: int
    mesh: str
    matrix: Float64
    color: str | None
    footprint: Footprint
    frame: Float64


@dataclass(frozen=True)
class _Kept:
    """What is known of a geometry that was converted once; an empty `mesh` means it has no usable triangles."""

    mesh: str
    color: str | None
    footprint: Footprint | None


def read_shapes(
    model: Any, products: Sequence[Any], keep_blob: Callable[[str, bytes], None], further: Counter[str]
) -> Iterator[Shape]:
    """Yield the shapes of those products a kernel has one for, one each; `keep_blob` receives each mesh once.

    `further` counts, by their identifiers, the shapes that products have beside their Body and that are left out.
    """
    make = _Maker(model, keep_blob)
    yield from make.shapes(KERNEL, products)
    further.update(make.further)
    empty = make.take_empty()
    missed = _missed(model, empty)
    yield from make.shapes(KERNEL, missed, cut=False)
    done = {product.id() for product in missed} - {product.id() for product in make.take_empty()}
    yield from make.shapes(SECOND_KERNEL, [product for product in empty if product.id() not in done])


def _missed(model: Any, products: Sequence[Any]) -> list[Any]:
    """Return the products that no opening reaches; none where their openings cannot be read."""
    try:
        return missed_by_openings(model, products, KERNEL)
    except UNREADABLE:
        return []


class _Maker:
    """Makes shapes of products pass by pass; those that came without a triangle are remembered."""

    def __init__(self, model: Any, keep_blob: Callable[[str, bytes], None]) -> None:
        self._model = model
        self._keep_blob = keep_blob
        self._empty: dict[int, Any] = {}
        self._made: set[int] = set()
        self.further: Counter[str] = Counter()

    def take_empty(self) -> list[Any]:
        """Return the products that came empty since this was last asked."""
        empty, self._empty = [product for number, product in self._empty.items() if number not in self._made], {}
        return empty

    def shapes(self, kernel: str, products: Sequence[Any], *, cut: bool = True) -> Iterator[Shape]:
        """Yield the shapes one kernel makes, with openings cut out or without; one a product, its Body where it has several.

        Where the kernel gives up, or ends before it has come to all products, the rest is tried in halves, so that one
        whose representation cannot be used loses its own shape only.
        """
        passed: set[int] = set()
        with contextlib.suppress(RuntimeError):
            yield from self._pass(kernel, products, cut, passed)
        left = [product for product in products if product.id() not in passed]
        if len(left) > 1:
            yield from self.shapes(kernel, left[: len(left) // 2], cut=cut)
            yield from self.shapes(kernel, left[len(left) // 2 :], cut=cut)

    def _pass(self, kernel: str, products: Sequence[Any], cut: bool, passed: set[int]) -> Iterator[Shape]:
        if not products:
            return
        with quiet_terminal():
            yield from self._made_by(kernel, products, cut, passed)

    def _made_by(self, kernel: str, products: Sequence[Any], cut: bool, passed: set[int]) -> Iterator[Shape]:
        make: Any = ifcopenshell.geom.iterator
        iterator = make(_settings(cut=cut), self._model, 1, include=list(products), geometry_library=kernel)
        known: dict[str, _Kept] = {}
        more = iterator.initialize()
        while more:
            element = iterator.get()
            number = element.id
            passed.add(number)
            if self._is_further(number, element.context):
                self.further[element.context or "-"] += 1
            elif (shape := _shape(element, known, self._keep_blob)) is None:
                self._empty[number] = self._model.by_id(number)
            else:
                self._made.add(number)
                yield shape
            more = iterator.next()

    def _is_further(self, number: int, context: str) -> bool:
        """Return whether a shape is one more of its product: made already, or beside a Body ("Clearance")."""
        if number in self._made or context == BODY:
            return number in self._made
        shapes = self._model.by_id(number).Representation.Representations or ()
        return any(shape.RepresentationIdentifier == BODY for shape in shapes)


def _settings(*, cut: bool) -> Any:
    make: Any = ifcopenshell.geom.settings
    settings = make()
    settings.set("apply-default-materials", False)
    settings.set("no-normals", True)
    settings.set("disable-opening-subtractions", not cut)
    return settings


def _shape(element: Any, known: dict[str, _Kept], keep_blob: Callable[[str, bytes], None]) -> Shape | None:
    geometry = element.geometry
    stored = known.get(geometry.id)
    if stored is None:
        stored = known[geometry.id] = _keep(geometry, keep_blob)
    if stored.footprint is None:
        return None
    matrix = np.frombuffer(element.transformation_buffer).reshape(4, 4).T
    if is_upright(matrix):
        return Shape(element.id, stored.mesh, matrix, stored.color, stored.footprint, matrix)
    vertices, triangles = _arrays(geometry)
    tilted = footprint_of(vertices @ matrix[:3, :3].T + matrix[:3, 3], triangles)
    return Shape(element.id, stored.mesh, matrix, stored.color, tilted, np.eye(4))


def is_upright(matrix: Float64) -> bool:
    """Say whether a matrix keeps the vertical: z stays z, whatever the turn in the plane."""
    return (
        bool(matrix[2, 2] > 0)
        and max(abs(matrix[0, 2]), abs(matrix[1, 2]), abs(matrix[2, 0]), abs(matrix[2, 1])) < 1e-9
    )


def _arrays(geometry: Any) -> tuple[Float64, NDArray[np.uint32]]:
    vertices = np.frombuffer(geometry.verts_buffer).reshape(-1, 3)
    return vertices, np.frombuffer(geometry.faces_buffer, np.int32).reshape(-1, 3).astype(np.uint32)


def _keep(geometry: Any, keep_blob: Callable[[str, bytes], None]) -> _Kept:
    """Convert a geometry: its blob, main colour and footprint. One without triangles or with wild numbers is unusable."""
    vertices, triangles = _arrays(geometry)
    if not len(triangles) or not np.isfinite(vertices).all():
        return _Kept("", None, None)
    colors, main = _colors(geometry)
    blob = Mesh(vertices, outward(vertices, triangles), colors).to_bytes()
    digest = digest_of(blob)
    keep_blob(digest, blob)
    return _Kept(digest, main, footprint_of(vertices, triangles))


def _colors(geometry: Any) -> tuple[NDArray[np.uint8], str | None]:
    """Return the colours of a mesh (none, one, or one per triangle) and the one most triangles have, "#rrggbb[aa]"."""
    palette = np.round(np.frombuffer(geometry.colors_buffer).reshape(-1, 4) * 255).clip(0, 255).astype(np.uint8)
    styles = np.frombuffer(geometry.material_ids_buffer, np.int32)
    if not len(palette) or not len(styles) or int(styles.max()) < 0:
        return np.empty((0, 4), np.uint8), None
    palette = np.vstack((palette, _UNSTYLED))
    styles = np.where(styles < 0, len(palette) - 1, styles)
    used, counts = np.unique(styles, return_counts=True)
    main = palette[used[counts.argmax()]]
    text = "#" + bytes(main[:3] if main[3] == 255 else main).hex()
    return (palette[used] if len(used) == 1 else palette[styles]), text
