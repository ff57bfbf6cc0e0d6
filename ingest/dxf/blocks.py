"""Block references opened: what stands in a block becomes records of its own, at the place where the reference draws it.

A reference with rows and columns (MINSERT) is one record for each cell. Nested blocks are opened too, however they are scaled,
turned or mirrored. What is on layer 0 in a block is on the layer of its reference. Blocks that stand for more than `MOST_PARTS`
entities are refused before they are opened: a few lines of a file can ask for billions.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.dxf.circle import centre_in_block, centre_of_block
from ingest.dxf.record import BY_BLOCK, BY_LAYER, Record, centre_of_entity, color_name, ensure_finite, read_record
from ingest.dxf.texts import decoded_name
from twin_model.errors import SourceRefused

__all__ = ["MOST_PARTS", "Blocks", "bound_name", "is_reference"]

MOST_PARTS = 2_000_000
"""So many entities at most come out of the blocks of one drawing."""

_DEEPEST = 64
_UNDRAWN = {"ATTDEF", "VIEWPORT"}
_LAYER_OF_REFERENCE = "0"
_LAYOUTS = ("*model_space", "*paper_space", "$model_space", "$paper_space")
"""Blocks that stand for the drawing itself: nothing refers to them, and they hold all of it."""

_BOUND = re.compile(r"[^$]+\$\d+\$(?=.)")


class Blocks:
    """The blocks of one drawing; `sagitta` is that of flattened arcs in drawing units, `source` names it in refusals."""

    def __init__(self, document: Any, sagitta: float, source: str) -> None:
        self._document, self._sagitta, self._source = document, sagitta, source
        self._definitions = _definitions(document)
        self._sizes, self._depths, self._endless = _measured(self._definitions, document.encoding)
        self._colors = {
            decoded_name(layer.dxf.name, document.encoding).lower(): color_name(vars(layer.dxf))
            for layer in document.layers
        }
        self._records: dict[tuple[str, float], list[Record]] = {}
        self._centres: dict[str, NDArray[np.float64] | None] = {}
        self._xrefs: dict[str, str | None] = {}
        self._parts = 0

    def records(self) -> Iterator[Record]:
        """Yield the entities of the modelspace, of a reference with rows and columns one record for each cell."""
        for number, entity in enumerate(self._document.modelspace(), 1):
            if _cells_of(entity) > 1:
                self._ensure_few(entity.dxf.name, _cells_of(entity))
                yield from self._cells(entity, number)
            else:
                yield self._read(entity, number, self._sagitta)

    def contents(self, reference: Record) -> list[Record]:
        """Return what the block of an INSERT draws, one level deep, in world coordinates; nested references are records.

        Raises SourceRefused `dxf.too_many_parts` once the blocks of the drawing stand for more than `MOST_PARTS`.
        """
        matrix = _matrix(reference)
        scale = float(np.linalg.norm(matrix[:2, :3], axis=1).max()) or 1.0
        parts = self._drawn(reference.name, scale)
        self._ensure_few(reference.name, len(parts))
        color = self.color_of(reference)
        return [_placed(part, reference, matrix, color) for part in parts]

    def any_part(self, reference: Record, test: Callable[[Record], bool]) -> bool:
        """Say whether an entity in a block, nested ones included, passes a test; its layer is the one it is drawn on.

        Its coordinates are those of the block it stands in.
        """
        self._ensure_few(reference.name, 0)
        waiting, seen = [(reference.name.lower(), reference.layer)], set[tuple[str, str]]()
        while waiting:
            name, layer = waiting.pop()
            if (name, layer) in seen:
                continue
            seen.add((name, layer))
            for part in self._drawn(name, 1.0):
                drawn = replace(part, layer=layer) if part.layer == _LAYER_OF_REFERENCE else part
                if test(drawn):
                    return True
                if is_reference(part):
                    waiting.append((part.name.lower(), drawn.layer))
        return False

    def xref_of(self, reference: Record) -> str | None:
        """Return the path of the drawing that a reference stands for, None where its block is in this drawing."""
        if not is_reference(reference):
            return None
        name = reference.entity.dxf.name
        if name not in self._xrefs:
            block = self._document.blocks.get(name)
            is_drawing = block is not None and block.block.is_xref
            path = block.block.dxf.get("xref_path", "") or reference.name if is_drawing else None
            self._xrefs[name] = None if path is None else decoded_name(path, self._document.encoding)
        return self._xrefs[name]

    def color_of(self, record: Record) -> str:
        """Return the colour an entity is drawn in, its layer's where it has none: AutoCAD's index ("1") or "#ff0000"."""
        drawn_as_layer = record.color in (BY_LAYER, BY_BLOCK)
        return self._colors.get(record.layer.lower(), "7") if drawn_as_layer else record.color

    def size(self, name: str) -> int:
        """Return how many entities a reference to a block stands for, nested ones and their cells counted."""
        return self._sizes.get(name.lower(), 1)

    def _read(self, entity: Any, number: int, sagitta: float) -> Record:
        record = read_record(entity, sagitta, self._document.encoding, number)
        if is_reference(record):
            record.centre = centre_of_block(entity, self._centre_of(entity.dxf.name))
        return record

    def _centre_of(self, name: str) -> NDArray[np.float64] | None:
        """Return the centre of a block of circles in its own coordinates, looked for once for each block."""
        if name not in self._centres:
            block = self._document.blocks.get(name)
            self._centres[name] = None if block is None else centre_in_block(block, centre_of_entity)
        return self._centres[name]

    def _cells(self, entity: Any, number: int) -> Iterator[Record]:
        for cell, virtual in enumerate(entity.multi_insert(), 1):
            record = self._read(virtual, number, self._sagitta)
            record.handle = f"{entity.dxf.handle}[{cell}]"
            yield record

    def _ensure_few(self, name: str, parts: int) -> None:
        key = name.lower()
        self._parts += parts
        count = max(self.size(name), self._parts)
        if count > MOST_PARTS or self._depths.get(key, 0) > _DEEPEST:
            depth = self._depths.get(key, 0)
            values = {"source": self._source, "block": name, "count": count, "depth": depth}
            raise SourceRefused("dxf.too_many_parts", **values, most=MOST_PARTS, deepest=_DEEPEST)

    def _drawn(self, name: str, scale: float) -> list[Record]:
        """Return the records of a block in its own coordinates, read once for each scale: arcs are flattened for it."""
        key = name.lower(), float(f"{scale:.2g}")
        if key not in self._records:
            self._records[key] = list(self._parts_of(key[0], self._sagitta / key[1]))
        return self._records[key]

    def _parts_of(self, key: str, sagitta: float) -> Iterator[Record]:
        for part in self._definitions.get(key, ()):
            if _cells_of(part) > 1:
                yield from self._cells(part, 0)
                continue
            record = self._read(part, 0, sagitta)
            if is_reference(record) and (key, record.name.lower()) in self._endless:
                record.form, record.text = "broken", f"the block {record.name} holds itself"
            yield record


def bound_name(name: str) -> str:
    """Return a layer's or a block's name without that of the drawing it was bound from.

    >>> bound_name("旧图$0$房屋")
    '房屋'
    """
    return _BOUND.sub("", name) if "$" in name else name


def _definitions(document: Any) -> dict[str, list[Any]]:
    """Return the entities that each block draws, by its name in small letters; what a block hides is not among them."""
    return {
        decoded_name(block.name, document.encoding).lower(): [
            part for part in block if part.dxftype() not in _UNDRAWN and not part.dxf.get("invisible", 0)
        ]
        for block in document.blocks
        if not block.name.lower().startswith(_LAYOUTS)
    }


def _measured(
    definitions: dict[str, list[Any]], encoding: str
) -> tuple[dict[str, int], dict[str, int], set[tuple[str, str]]]:
    """Return how many entities each block stands for, how deep it is nested, and which reference in which block is endless.

    The walk goes down from each block; a reference that leads back to a block on the way is the endless one, and counts once.
    """
    nested = {name: _references(parts, encoding) for name, parts in definitions.items()}
    sizes: dict[str, int] = {}
    depths: dict[str, int] = {}
    endless: set[tuple[str, str]] = set()
    for start in definitions:
        way = [] if start in sizes else [(start, iter(nested[start]))]
        on_way = {start}
        while way:
            name, children = way[-1]
            child = next((child for child in children if child in definitions and child not in sizes), None)
            if child is None:
                plain = sum(part.dxftype() != "INSERT" for part in definitions[name])
                sizes[name] = plain + sum(n * max(1, sizes.get(below, 1)) for below, n in nested[name].items())
                depths[name] = 1 + max((depths.get(below, 0) for below in nested[name]), default=0)
                on_way.discard(name)
                way.pop()
            elif child in on_way:
                endless.add((name, child))
            else:
                on_way.add(child)
                way.append((child, iter(nested[child])))
    return sizes, depths, endless


def _references(parts: list[Any], encoding: str) -> Counter[str]:
    """Return the blocks that a block refers to, and how many times with all rows and columns."""
    counts: Counter[str] = Counter()
    for part in parts:
        if part.dxftype() == "INSERT":
            counts[decoded_name(part.dxf.get("name", ""), encoding).lower()] += max(1, _cells_of(part))
    return counts


def _cells_of(entity: Any) -> int:
    return int(entity.mcount) if entity.dxftype() == "INSERT" else 1


def is_reference(record: Record) -> bool:
    """Say whether a record is a reference to a block that can be opened."""
    return record.type == "INSERT" and record.form == "point"


def _matrix(reference: Record) -> NDArray[np.float64]:
    """Return the 4x4 matrix that brings row vectors of a block to the world."""
    own = np.array(list(reference.entity.matrix44()), dtype=np.float64).reshape(4, 4)
    return own if reference.matrix is None else own @ reference.matrix


def _placed(part: Record, reference: Record, matrix: NDArray[np.float64], color: str) -> Record:
    """Return a record of a block as a reference draws it: moved, on its layer, named by both handles."""
    inherits = part.layer == _LAYER_OF_REFERENCE
    size, rotation = _turned(part, matrix)
    drawn = replace(
        part,
        number=reference.number,
        handle=f"{reference.handle}/{part.handle}" if reference.handle else part.handle,
        layer=reference.layer if inherits else part.layer,
        color=color if part.color == BY_BLOCK or (inherits and part.color == BY_LAYER) else part.color,
        xyz=_moved(part.xyz, matrix),
        centre=None if part.centre is None else _moved(part.centre, matrix),
        rings=None if part.rings is None else [_moved(ring, matrix) for ring in part.rings],
        size=size,
        rotation=rotation,
        matrix=matrix,
    )
    ensure_finite(drawn)
    return drawn


def _moved(xyz: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(xyz @ matrix[:3, :3] + matrix[3, :3])


def _turned(part: Record, matrix: NDArray[np.float64]) -> tuple[float, float]:
    """Return size and rotation (degrees) of a text or symbol as its reference draws it."""
    angle = math.radians(part.rotation)
    x, y = np.array((math.cos(angle), math.sin(angle), 0.0)) @ matrix[:3, :2]
    return part.size * float(np.linalg.norm(matrix[1, :3])), math.degrees(math.atan2(y, x)) % 360.0
