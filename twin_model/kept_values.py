"""What a delivery leaves as it is known: columns and attributes that it lacks, and classes that it names less finely.

Absent is not empty, and each name in `attributes` is a column like others. A delivery is therefore compared with what
its features would then say, and where that is what they say now it is no change. The same is done as rows are written
(`twin_model/store/layer_writer.py`). Here, too, one counts what happened to the features of a network.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Rows
from twin_model.identity import are_compatible, class_keys, finer_class, line_gaps
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.attributes import attribute_names, with_known_attributes
from twin_model.rows.content import row_contents
from twin_model.rows.known_heights import with_known_heights
from twin_model.store.base import FeatureQuery, Store
from twin_model.view import View

__all__ = ["Comparison", "compare_with_known"]

Columns = Mapping[str, list[Any]]

_AT_ONCE = 4_000
"""So many features are asked for by their fids at once."""


@dataclass
class Comparison:
    """What updates of known features come to: which say nothing else, how they are counted, which columns were kept.

    A kept attribute is called `attributes.NAME`.
    """

    same: NDArray[np.bool_]
    kinds: Counter[str] = field(default_factory=Counter)
    kept_columns: set[str] = field(default_factory=set)


def compare_with_known(
    store: Store, layer: Layer, rows: Rows, fids: NDArray[np.int64], view: View, *, whole: bool = False
) -> Comparison:
    """Compare rows with the features they are, as a view shows them; rows that are `whole` say that what they lack is empty."""
    comparison = Comparison(np.zeros(len(rows), dtype=bool))
    for start in range(0, len(rows), _AT_ONCE):
        part = np.arange(start, min(start + _AT_ONCE, len(rows)))
        names, known = store.rows(FeatureQuery(layer.id, view=view, fids=tuple(fids[part].tolist())))
        at = {row[names.index("fid")]: row for row in known}
        present = part[[fid in at for fid in fids[part].tolist()]]
        if len(present):
            held = {name: [at[fid][n] for fid in fids[present].tolist()] for n, name in enumerate(names)}
            taken = rows.take(present)
            _compare(layer, _filled(layer, taken) if whole else taken, held, present, comparison)
    return comparison


def _filled(layer: Layer, rows: Rows) -> Rows:
    """Return rows with every column of the layer, empty where they lacked it."""
    empty = {name: np.full(len(rows), None, dtype=object) for name in (*layer.field_names, ATTRIBUTES)}
    return replace(rows, columns=empty | dict(rows.columns))


def _compare(layer: Layer, rows: Rows, held: Columns, places: NDArray[np.intp], comparison: Comparison) -> None:
    names = [name for name in (*layer.field_names, ATTRIBUTES) if name in held]
    lacking = [name for name in names if name not in rows.columns]
    becomes = {name: held[name] if name in lacking else rows.columns[name].tolist() for name in names}
    comparison.kept_columns |= _kept_columns(lacking, rows, held)
    if ATTRIBUTES in becomes and rows.attribute_names is not None:
        becomes[ATTRIBUTES] = with_known_attributes(becomes[ATTRIBUTES], held[ATTRIBUTES], rows.attribute_names)
    keys = list(zip(*(class_keys(layer, columns, len(rows)) for columns in (held, becomes)), strict=True))
    finer = {pair: finer_class(*pair) for pair in set(keys)}
    becomes |= {name: [finer[pair][n] for pair in keys] for n, name in enumerate(layer.classes)}
    wkb = rows.wkb
    if layer.keeps_heights:
        wkb, _ = with_known_heights(wkb, held["geometry"], 2 * layer.plan_error)
    shown = {"fid": held["fid"], "geometry": wkb.tolist(), **becomes}
    same = row_contents(layer, shown, names) == row_contents(layer, held, names)
    comparison.same[places] = same
    if layer.is_network:
        contradicts = {pair: not are_compatible(*pair) for pair in finer}
        reclassed = np.array([contradicts[pair] for pair in keys], dtype=bool)
        comparison.kinds.update(_kinds(layer, rows, held, becomes, reclassed, np.flatnonzero(~same)))


def _kept_columns(lacking: list[str], rows: Rows, held: Columns) -> set[str]:
    """Return the fields that rows lack, and the attributes as `attributes.NAME`, of which features have values."""
    fields = {name for name in lacking if name != ATTRIBUTES and any(value is not None for value in held[name])}
    if ATTRIBUTES not in held or (ATTRIBUTES not in lacking and rows.attribute_names is None):
        return fields
    others = attribute_names(held[ATTRIBUTES]) - (rows.attribute_names or frozenset())
    return fields | {f"{ATTRIBUTES}.{name}" for name in others}


def _kinds(
    layer: Layer,
    rows: Rows,
    held: Columns,
    becomes: Columns,
    reclassed: NDArray[np.bool_],
    changed: NDArray[np.intp],
) -> Counter[str]:
    """Count how the changed ones changed: moved by more than half the plan error, of a class that contradicts, abandoned."""
    abandoned = np.zeros(len(rows), dtype=bool)
    for name, codes in layer.abandoned.items():
        pairs = zip(held[name], becomes[name], strict=True)
        abandoned |= np.array([after in codes and before not in codes for before, after in pairs], dtype=bool)
    gaps = _gaps(layer, rows.take(changed), [held["geometry"][row] for row in changed.tolist()])
    counts = {
        "moved": int((gaps > layer.plan_error / 2).sum()),
        "abandoned": int(abandoned[changed].sum()),
        "reclassed": int(reclassed[changed].sum()),
    }
    return Counter({kind: count for kind, count in counts.items() if count})


def _gaps(layer: Layer, rows: Rows, held: list[bytes | None]) -> NDArray[np.float64]:
    """Return by how much each feature has moved; 0 where it had no place, or has none now."""
    new, known = rows.geometry(), np.asarray(shapely.from_wkb(np.array([*held, None], dtype=object)[:-1]), dtype=object)
    gaps = np.zeros(len(new))
    both = np.flatnonzero(~(shapely.is_missing(new) | shapely.is_missing(known)))
    measure = line_gaps if layer.dimension == 1 else shapely.distance
    gaps[both] = measure(new[both], known[both])
    return gaps
