"""Texts of a drawing without codes joined to the areas they lie in: a house's name, number, structure and storeys."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from ingest.dxf.building import read_label
from ingest.dxf.record import Record

__all__ = ["LABEL_FACTS", "JoinedTexts", "joined_texts"]

LABEL_FACTS = ("structure", "storeys", "storeys_below")
"""What a text such as 砼3 or 混5-2 says of the building around it."""


@dataclass
class JoinedTexts:
    """Texts by the number of their area; `taken` holds the `id()` of each record that was joined."""

    by_area: dict[int, list[Record]] = field(default_factory=lambda: defaultdict(list))
    taken: set[int] = field(default_factory=set)

    def facts(self, area: int) -> dict[str, Any]:
        """Return the texts of an area as `text`, and what the first label among them says; nothing where it has none."""
        texts = self.by_area.get(area)
        if not texts:
            return {}
        label = next((label for record in texts if (label := read_label(record.text)) is not None), None)
        values = (label.structure, label.above, label.below) if label is not None else (None, None, None)
        return {"text": " ".join(record.text for record in texts)} | dict(zip(LABEL_FACTS, values, strict=True))


def joined_texts(areas: Sequence[Any], texts: Sequence[Record]) -> JoinedTexts:
    """Return each text under the smallest of the areas (all in drawing units) in which its insertion point lies."""
    joined = JoinedTexts()
    texts = [record for record in texts if record.text]
    if not texts or not areas:
        return joined
    polygons = shapely.make_valid(np.asarray(areas, dtype=object))
    points = shapely.points(np.array([record.xyz[0, :2] for record in texts]))
    text_rows, area_rows = shapely.STRtree(polygons).query(points, predicate="intersects")
    order = np.lexsort((shapely.area(polygons)[area_rows], text_rows))
    text_rows, area_rows = text_rows[order], area_rows[order]
    _, first = np.unique(text_rows, return_index=True)
    for text, area in zip(text_rows[first].tolist(), area_rows[first].tolist(), strict=True):
        joined.by_area[area].append(texts[text])
        joined.taken.add(id(texts[text]))
    return joined
