"""Buildings of a CASS drawing: rings, the texts that stand in them, courtyards and towers.

Structure and storeys are texts inside the ring: 砼3, 混2, 混5-2 (five above, two below), or split in two
texts coded `<code>-1` and `<code>-2`. A structure without a number is one storey by convention; a ring
without any text is unknown. An inner ring that repeats the building's code, with 天井 or no text, is a
courtyard; one with a text of its own is a building that stands on the other (a tower on its podium).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.dxf.cass_table import CassCode
from ingest.dxf.drawing import Drawing, Geometries, rings_to_polygons
from ingest.dxf.record import Record, attributes_of
from twin_model.layer import ATTRIBUTES

__all__ = ["Label", "deliver_buildings", "read_label"]

STOREY_HEIGHT = 3.0
COURTYARD = "天井"
_MOST_STOREYS = 200
_WITHOUT_TEXT = {"棚"}
"""Structures that no text is written into: a shed is known by its symbol."""
_LABEL = re.compile(
    r"^(?P<structure>钢筋混凝土|钢筋砼|框架|砖混|混合|砖木|简易|破坏|建筑中|砼|混|砖|钢|石|土|木|简|破|建|棚|铁)?"
    r"(?:房|房屋)?(?P<above>\d{1,3})?(?:[F层])?(?:-(?P<below>\d{1,2}))?$"
)
_SHORT = {
    "钢筋混凝土": "砼",
    "钢筋砼": "砼",
    "框架": "砼",
    "砖混": "混",
    "混合": "混",
    "砖木": "砖",
    "简易": "简",
    "破坏": "破",
    "建筑中": "建",
}
_DASHES = str.maketrans({"－": "-", "—": "-", "–": "-", "−": "-", "―": "-"})


@dataclass(frozen=True)
class Label:
    """What a text says of its building; None where it is silent. `courtyard` marks 天井."""

    structure: str | None = None
    above: int | None = None
    below: int | None = None
    courtyard: bool = False


def read_label(text: str) -> Label | None:
    """Return what a text says of a building, None when it is not such a text.

    >>> read_label("混5-2")
    Label(structure='混', above=5, below=2, courtyard=False)
    """
    words = unicodedata.normalize("NFKC", text).translate(_DASHES).replace(" ", "")
    if COURTYARD in words:
        return Label(courtyard=True)
    label = _LABEL.match(words)
    if not words or label is None:
        return None
    structure = label["structure"]
    above, below = (int(label[key]) if label[key] else None for key in ("above", "below"))
    if above is not None and not 0 < above <= _MOST_STOREYS:
        return None
    if structure is None and above is None and below is None:
        return None
    return Label(_SHORT.get(structure, structure) if structure else None, above, below)


@dataclass
class _Ring:
    """One ring and what its texts say."""

    record: Record
    code: CassCode
    labels: list[Label] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    texts: int = 0
    hole_of: int | None = None

    @property
    def is_open_to_sky(self) -> bool:
        return any(label.courtyard for label in self.labels) or not self.labels

    def said(self, what: str) -> list[str | int]:
        return list(dict.fromkeys(v for label in self.labels if (v := getattr(label, what)) is not None))


def deliver_buildings(
    drawing: Drawing,
    rings: Sequence[tuple[Record, CassCode]],
    texts: Sequence[Record],
    *,
    storey_height: float,
) -> list[Record]:
    """Store the buildings and return the texts that were not theirs.

    `texts` are candidates; those that speak of a building they lie in are absorbed and counted with it.
    """
    rings = _without_twins(drawing, rings)
    if not rings:
        return list(texts)
    polygons = _valid(rings_to_polygons([record for record, _ in rings]))
    outlines = [_Ring(record, code) for record, code in rings]
    areas = shapely.area(polygons)
    tree = shapely.STRtree(polygons)
    left = _absorb(drawing, outlines, polygons, areas, tree, texts)
    _mark_courtyards(outlines, polygons, areas, tree)
    _deliver(drawing, outlines, _with_holes(outlines, polygons), storey_height)
    return left


def _without_twins(drawing: Drawing, rings: Sequence[tuple[Record, CassCode]]) -> list[tuple[Record, CassCode]]:
    """Set aside a ring that was drawn a second time in the same place."""
    if not rings:
        return []
    shapes = shapely.to_wkb(shapely.normalize(rings_to_polygons([record for record, _ in rings])))
    seen: dict[bytes, Record] = {}
    kept = []
    for (record, code), shape in zip(rings, shapes, strict=True):
        first = seen.setdefault(shape, record)
        if first is record:
            kept.append((record, code))
        else:
            drawing.set_aside("dxf.drawn_twice", record, layer="building", first=first.place)
    return kept


def _valid(polygons: Geometries) -> Geometries:
    """Return polygons fit for predicates and differences; those that cross themselves are left to
    `Draft.add`."""
    wrong = ~shapely.is_valid(polygons)
    if wrong.any():
        polygons = polygons.copy()
        polygons[wrong] = shapely.make_valid(polygons[wrong])
    return polygons


def _absorb(
    drawing: Drawing,
    rings: list[_Ring],
    polygons: Geometries,
    areas: NDArray[np.float64],
    tree: shapely.STRtree,
    texts: Sequence[Record],
) -> list[Record]:
    """Give each text to the smallest ring it lies in, where it speaks of a building; return the others.

    Texts without a code that are taken from other layers than their building's are said, once a layer.
    """
    home = _homes(areas, tree, texts)
    left: list[Record] = []
    elsewhere: dict[str, list[Record]] = {}
    for text, row in zip(texts, home.tolist(), strict=True):
        taken = row >= 0 and _take(rings[row], text)
        if not taken:
            left.append(text)
        elif text.code is None and text.layer.upper() != rings[row].record.layer.upper():
            elsewhere.setdefault(text.layer, []).append(text)
    for layer, taken_texts in elsewhere.items():
        first = taken_texts[0]
        drawing.note(
            "dxf.text_of_other_layer",
            "info",
            layer="building",
            record=first,
            text=first.text,
            source_layer=layer,
            count=len(taken_texts),
        )
    return left


def _homes(areas: NDArray[np.float64], tree: shapely.STRtree, texts: Sequence[Record]) -> NDArray[np.intp]:
    """Return for each text the row of the smallest polygon around its point, -1 where there is none."""
    home = np.full(len(texts), -1, dtype=np.intp)
    if not texts:
        return home
    points = shapely.points(np.array([text.xyz[0, :2] for text in texts]))
    text_rows, ring_rows = tree.query(points, predicate="intersects")
    order = np.lexsort((areas[ring_rows], text_rows))[::-1]
    home[text_rows[order]] = ring_rows[order]
    return home


def _take(ring: _Ring, text: Record) -> bool:
    label = read_label(text.text)
    coded = text.code is not None
    if label is None:
        if coded or text.layer.upper() != ring.record.layer.upper() or not _is_name(text.text):
            return False
        ring.names.append(text.text)
    else:
        ring.labels.append(label)
    ring.texts += 1
    return True


def _is_name(text: str) -> bool:
    return sum("\u4e00" <= c <= "\u9fff" or c.isalpha() for c in text) >= 2


def _mark_courtyards(
    rings: list[_Ring], polygons: Geometries, areas: NDArray[np.float64], tree: shapely.STRtree
) -> None:
    inner, outer = tree.query(polygons, predicate="within")
    bigger = areas[outer] > areas[inner]
    inner, outer = inner[bigger], outer[bigger]
    order = np.lexsort((areas[outer], inner))[::-1]
    parent = np.full(len(rings), -1, dtype=np.intp)
    parent[inner[order]] = outer[order]
    for row in np.flatnonzero(parent >= 0).tolist():
        around = rings[parent[row]]
        same = rings[row].record.code == around.record.code or any(label.courtyard for label in rings[row].labels)
        if same and rings[row].is_open_to_sky:
            rings[row].hole_of = int(parent[row])


def _with_holes(rings: list[_Ring], polygons: Geometries) -> Geometries:
    holes: dict[int, list[int]] = {}
    for row, ring in enumerate(rings):
        if ring.hole_of is not None:
            holes.setdefault(ring.hole_of, []).append(row)
    pierced = polygons.copy()
    for outer, inner in holes.items():
        if rings[outer].hole_of is None:
            pierced[outer] = shapely.difference(polygons[outer], shapely.union_all(polygons[inner]))
    return pierced


def _deliver(drawing: Drawing, rings: list[_Ring], polygons: Geometries, storey_height: float) -> None:
    rows = [row for row, ring in enumerate(rings) if ring.hole_of is None]
    shown = [rings[row] for row in rows]
    absorbed = sum(ring.texts + 1 for ring in rings)
    original = rings_to_polygons([ring.record for ring in rings])
    pierced = {ring.hole_of for ring in rings}
    geometry = np.array([polygons[row] if row in pierced else original[row] for row in rows], dtype=object)
    facts = [_facts(drawing, ring, storey_height) for ring in shown]
    columns = {name: [fact[i] for fact in facts] for i, name in enumerate(_FACTS)}
    storeys = np.array([fact[1] or np.nan for fact in facts], dtype=np.float64)
    columns["floor_area_estimate"] = list(np.round(shapely.area(geometry) * storeys, 1))
    columns["code"] = [ring.code.gb_code for ring in shown]
    columns["name"] = ["、".join(dict.fromkeys(ring.names)) for ring in shown]
    columns["place"] = [ring.record.place for ring in shown]
    columns[ATTRIBUTES] = list[object](attributes_of(ring.record for ring in shown))
    drawing.add("building", geometry, columns, records=absorbed)


_FACTS = ("structure", "storeys", "storeys_below", "storeys_source", "height", "height_source")


def _facts(drawing: Drawing, ring: _Ring, storey_height: float) -> tuple[object, ...]:
    """Return structure, storeys above and below, how they are known, height and how it is known."""
    structures, above, below = ring.said("structure"), ring.said("above"), ring.said("below")
    structure = structures[0] if structures else ring.code.structure or None
    if len(above) > 1 or len(structures) > 1:
        drawing.note(
            "dxf.texts_disagree",
            "warning",
            layer="building",
            record=ring.record,
            found=structures + above,
            taken=[structure, *above[:1]],
        )
    if not ring.labels:
        if ring.code.structure not in _WITHOUT_TEXT:
            drawing.note(
                "dxf.building_without_text",
                "warning",
                layer="building",
                record=ring.record,
                code=ring.record.code,
            )
        return structure, None, None, None, None, "unknown"
    storeys = int(above[0]) if above else 1
    return (
        structure,
        storeys,
        below[0] if below else None,
        "text" if above else "convention",
        round(storeys * storey_height, 3),
        "storeys",
    )
