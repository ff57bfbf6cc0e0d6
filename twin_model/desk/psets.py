"""Property sets of BIM elements as columns of a frame.

    walls = town.features("bim_element", where="ifc_class = 'IfcWall'")
    walls.join(bim_properties(walls, ["Pset_WallCommon"]))          # columns "Pset_WallCommon.FireRating", ...

Not here: how the sets are read from a model (`ingest.ifc.properties`), and how a filter names a property of one
(`twin_model.filter.property_sets`).
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pandas as pd

from twin_model.errors import QueryRefused
from twin_model.filter.property_sets import PREFIX
from twin_model.store.select import PROPERTY_SETS

__all__ = ["bim_properties"]

Sets = Mapping[str, Any]
_SHOWN = 5


def bim_properties(elements: pd.DataFrame, psets: Iterable[str] | str | None = None) -> pd.DataFrame:
    """Return the property sets of elements, one column a property, named "Pset_WallCommon.FireRating".

    `elements` is a frame with the column `properties` as the layers of models have it (JSON text or dicts); `psets`
    names sets ("Pset_WallCommon") or single properties ("Pset_WallCommon.FireRating"), None takes all. The index is that
    of `elements`, columns stand in the order of `psets`, else in that of the alphabet.

    Truth values are `boolean`, whole numbers `Int64`, numbers `float64`, texts `str` (missing: NaN); a property that has
    values of several kinds, or lists and tables, is `object`. Values are in their model's own units. Raises
    `QueryRefused` for a frame without property sets and, with the nearest, for a set that no element has.
    """
    if PROPERTY_SETS not in elements:
        raise QueryRefused("psets.no_column", found=list(map(str, elements.columns)))
    rows = [_flat(_sets_of(value)) for value in elements[PROPERTY_SETS]]
    known = sorted({name for row in rows for name in row})
    names = known if psets is None else _chosen([psets] if isinstance(psets, str) else list(psets), known, len(rows))
    columns = {name: _typed([row.get(name) for row in rows], elements.index) for name in names}
    return pd.DataFrame(columns, index=elements.index)


def _sets_of(value: Any) -> Sets:
    if isinstance(value, Mapping):
        return value
    return _read(value) if isinstance(value, str) else {}


@lru_cache(maxsize=4096)
def _read(text: str) -> Sets:
    """Return what a JSON text means; elements of one type share theirs."""
    sets = orjson.loads(text)
    return sets if isinstance(sets, Mapping) else {}


def _flat(sets: Sets) -> dict[str, Any]:
    return {
        f"{name}.{property_name}": value
        for name, properties in sets.items()
        if isinstance(properties, Mapping)
        for property_name, value in properties.items()
        if value is not None
    }


def _chosen(wanted: Sequence[str], known: Sequence[str], elements: int) -> list[str]:
    """Return the columns that names of sets and of properties stand for."""
    columns: list[str] = []
    for name in (each.removeprefix(f"{PREFIX}.") for each in wanted):
        own = [each for each in known if each == name or each.startswith(f"{name}.")]
        if not own and elements:
            raise QueryRefused("psets.unknown", name=name[:100], elements=elements, nearest=_nearest(name, known))
        columns += own
    return list(dict.fromkeys(columns))


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    sets = {each.split(".")[0] for each in known}
    candidates = {each.casefold(): each for each in [*known, *sets]}
    close = get_close_matches(name.casefold(), candidates, _SHOWN, 0.5)
    return [candidates[each] for each in close] or sorted(sets)[:_SHOWN]


def _typed(values: list[Any], index: pd.Index) -> "pd.Series[Any]":
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pd.Series(pd.array(values, dtype="boolean"), index=index)
    if kinds == {int}:
        return pd.Series(pd.array(values, dtype="Int64"), index=index)
    if kinds and kinds <= {int, float}:
        return pd.Series(np.array(values, dtype=np.float64), index=index)
    if kinds == {str}:
        return pd.Series(values, dtype=pd.StringDtype(na_value=np.nan), index=index)
    return pd.Series(values, dtype=object, index=index)
