"""What a layer holds, field by field, and which layers a town has: tables to read before one asks for features.

    describe(store, layer, lang="zh", view=View())        # one row a field: title, type, unit, codes, how full, range
    codes_of(layer, "structure", lang="zh")               # Series: code -> words

How a town or an answer shows itself in a notebook stands in `shown`.
"""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.desk.names import field_named
from twin_model.errors import QueryRefused
from twin_model.layer import Field, Layer
from twin_model.markup import cut_short, listed_short
from twin_model.messages import render
from twin_model.store.base import FeatureQuery, SortKey, Store, StoreReads
from twin_model.store.freshness import holds_features
from twin_model.temporal import ALWAYS, Instant, local_day_number, local_time
from twin_model.view import View

__all__ = ["Tally", "codes_of", "describe", "layers_of", "share", "valid_days"]

_LONGEST = 48
"""Characters of a cell: a notebook cuts at 50."""
_COMMON = 1_000
"""So many different values of a field are counted, the most frequent ones, to find a common one."""
_COLUMNS = ("title", "type", "unit", "codes", "filled_percent", "example", "range")


def describe(store: StoreReads, layer: Layer, *, lang: str, view: View, zone: str = "Asia/Shanghai") -> pd.DataFrame:
    """Return one row a field: title, type, unit, codes, filled_percent, example, range; index `field`.

    Counted over the features of the view: `filled_percent` is 0 to 100, `example` the most common value, `range` the
    least and greatest number or day, of texts how many different ones there are. Codes that are many are cut short: `codes_of`
    has them all. `attrs` holds layer, title, features, geometry, crs. Without features filled is 0 and example None.
    A field that the view's policy hides is not in it. Reads the features once, 50,000 at a time, without geometry.
    """
    view.ensure_admits(layer.id)
    layer = view.policy.visible(layer)
    tallies = [Tally(field) for field in layer.fields]
    features = 0
    for frame in store.frames(FeatureQuery(layer.id, view=view, geometry=False)):
        features += len(frame)
        for tally in tallies:
            tally.add(frame[tally.field.name])
    rows = [_described(tally, features, lang, zone) for tally in tallies]
    index = pd.Index(layer.field_names, dtype=object, name="field")
    table = pd.DataFrame(rows, columns=list(_COLUMNS), index=index, dtype=object)
    table = table.astype({"filled_percent": float})
    table.attrs = {
        "layer": layer.id,
        "title": layer.title(lang),
        "features": features,
        "geometry": layer.geometry,
        "crs": store.crs,
    }
    return table


class Tally:
    """What is known of a field's values so far; it stays small however many there are."""

    def __init__(self, field: Field) -> None:
        self.field, self.filled = field, 0
        self.least: Any = None
        self.greatest: Any = None
        self._hashes: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)
        self._common: Counter[Any] = Counter()

    @property
    def is_ordered(self) -> bool:
        """Whether a range of values says something: of numbers and times, not of texts."""
        return self.field.type in ("integer", "number", "date", "datetime")

    @property
    def distinct(self) -> int:
        """How many different values there are, of a field without order (two with the same hash of 64 bits are one)."""
        return len(self._hashes)

    @property
    def example(self) -> Any:
        """The most common value, None where there is none."""
        return self._common.most_common(1)[0][0] if self._common else None

    def add(self, column: "pd.Series[Any]") -> None:
        """Take the next values of the field in."""
        values = column.dropna()
        self.filled += len(values)
        if values.empty:
            return
        counts = values.value_counts(sort=False)
        if self.is_ordered:
            self.least = min(values.min(), self.least) if self.least is not None else values.min()
            self.greatest = max(values.max(), self.greatest) if self.greatest is not None else values.max()
        else:
            hashes = pd.util.hash_array(np.asarray(counts.index, dtype=object))
            self._hashes = np.union1d(self._hashes, hashes)
        self._common.update(counts.nlargest(_COMMON).to_dict() if len(counts) > _COMMON else counts.to_dict())
        if len(self._common) > _COMMON:
            self._common = Counter(dict(self._common.most_common(_COMMON)))


def _described(tally: Tally, features: int, lang: str, zone: str) -> tuple[Any, ...]:
    """Return a row of the table, in the order of its columns."""
    field = tally.field
    return (
        field.title(lang),
        field.type,
        field.unit,
        _codes_text(field, lang),
        share(tally.filled, features),
        _example(tally, zone),
        _range(tally, lang, zone),
    )


def _codes_text(field: Field, lang: str) -> str:
    return listed_short([f"{code} {words(lang)}" for code, words in field.codes.items()], _LONGEST)


def share(part: int, whole: int) -> float:
    """Return a percentage to one decimal; 0 and 100 mean none and all, not nearly."""
    if part in (0, whole):
        return 100.0 if part else 0.0
    return min(max(round(100 * part / whole, 1), 0.1), 99.9)


def _example(tally: Tally, zone: str) -> Any:
    value = tally.example
    if tally.field.type == "datetime":
        return None if value is None else local_time(str(value), zone)
    if isinstance(value, str):
        return cut_short(value, _LONGEST)
    return value.item() if isinstance(value, np.generic) else value


def _range(tally: Tally, lang: str, zone: str) -> str:
    if not tally.filled:
        return ""
    if not tally.is_ordered:
        return render("shown.distinct", lang, {"count": tally.distinct})
    least, greatest = (_text_of(value, tally.field, zone) for value in (tally.least, tally.greatest))
    return least if least == greatest else f"{least} .. {greatest}"


def _text_of(value: Any, field: Field, zone: str) -> str:
    if field.type == "number":
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) >= 0.01 or value == 0 else f"{value:.3g}"
    return local_time(str(value), zone) if field.type == "datetime" else str(value)


def codes_of(layer: Layer, field: str, *, lang: str) -> "pd.Series[Any]":
    """Return what each code of a field means: index the codes, values the words. `field` is a name or a title.

    Raises `QueryRefused` for a field whose values are no codes, with those that have some.
    """
    described = field_named(layer, field)
    if not described.codes:
        coded = [each.name for each in layer.fields if each.codes]
        raise QueryRefused("description.no_codes", layer=layer.id, name=described.name, coded=coded)
    words = [text(lang) for text in described.codes.values()]
    index = pd.Index(list(described.codes), dtype=object, name="code")
    return pd.Series(words, index=index, name=described.name, dtype=object)


def layers_of(store: Store, *, lang: str, zone: str = "Asia/Shanghai") -> pd.DataFrame:
    """Return one row a layer that holds features: title, geometry, features, cim_class, first, last; index `layer`.

    `first` and `last` are the town's days on which its features first and last begin or end to be true (datetime64).
    """
    rows = []
    for layer in store.catalogue:
        features = store.summary(layer.id).features
        if holds_features(store, layer.id):
            days = valid_days(store, layer.id, zone=zone)
            rows.append((layer.id, layer.title(lang), layer.geometry, features, layer.cim_class, *days))
    columns = ["layer", "title", "geometry", "features", "cim_class", "first", "last"]
    frame = pd.DataFrame(rows, columns=columns).set_index("layer")
    return frame.astype({"features": "int64", "first": "datetime64[s]", "last": "datetime64[s]"})


def valid_days(store: StoreReads, layer: str, *, zone: str = "Asia/Shanghai") -> tuple[np.datetime64, np.datetime64]:
    """Return the first and last local day on which a feature of the layer begins or ends; NaT where it never had one."""
    orders = (SortKey("valid_from"), SortKey("valid_from", ascending=False), SortKey("valid_to", ascending=False))
    instants = [instant for order in orders for instant in _first_of(store, layer, order)]
    if not instants:
        return np.datetime64("NaT", "D"), np.datetime64("NaT", "D")
    first, last = (np.datetime64(local_day_number(each, zone), "D") for each in (min(instants), max(instants)))
    return first, last


def _first_of(store: StoreReads, layer: str, order: SortKey) -> list[Instant]:
    """Return the instants between which the first state of an order is true."""
    query = FeatureQuery(layer, view=View(ALWAYS), sort=(order,), limit=1, fields=(), geometry=False, states=True)
    columns, rows = store.rows(query)
    places = [columns.index(name) for name in ("valid_from", "valid_to")]
    return [row[place] for row in rows for place in places if row[place] is not None]
