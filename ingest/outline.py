"""The outline of a source: its layers with their geometry, columns and some values, for who maps them to layers of ours.

A reader that can give one declares it (`ReaderFunctions.outline`). What is proposed of it: `ingest/mapping_draft.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.mapping import LayerMapping
from ingest.values import is_absent
from twin_model.catalogue.layer_from_source import SourceColumn

__all__ = ["SAMPLED_ROWS", "ColumnOutline", "LayerOutline", "shown_values"]

SAMPLED_ROWS = 200
"""So many rows of a layer are looked at; a column that is empty in all of them has no values to show."""

_MOST_VALUES = 40
_LONGEST = 40


@dataclass(frozen=True)
class ColumnOutline:
    """A column of a source layer, with the distinct values of the rows looked at as texts, the first ones first."""

    column: SourceColumn
    values: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.column.name


@dataclass(frozen=True)
class LayerOutline:
    """A layer of a source: rows by kind of geometry ("Point", "LineString", "Polygon"; "" for none), CRS, columns.

    `crs` is "" where the source states none. `name` is what `from` of a mapping is compared with; `parts` are how it names
    one kind of geometry, where that is not `NAME|KIND`. `known_by_name` where columns tell nothing: a drawing's layers.
    `rows` is empty for a layer that holds none. A table of a survey has a `survey_role` ("point", "line", "half", "sheet") and the columns that are `understood` -> field.
    """

    name: str
    rows: dict[str, int]
    crs: str = ""
    columns: tuple[ColumnOutline, ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known_by_name: bool = False
    survey_role: str = ""
    understood: Mapping[str, str] = field(default_factory=dict)

    def patterns(self, kind: str) -> tuple[str, ...]:
        """Return how a mapping names the rows of one kind of geometry."""
        return (self.name,) if len(self.rows) == 1 else self._part(kind)

    def kinds_taken(self, entry: LayerMapping) -> tuple[str, ...]:
        """Return the kinds of geometry that an entry names, all of them where it names the layer whole; empty for none."""
        if entry.fits(self.name):
            return tuple(self.rows)
        return tuple(kind for kind in self.rows if any(entry.fits_part(part) for part in self._part(kind)))

    def _part(self, kind: str) -> tuple[str, ...]:
        return self.parts.get(kind, (f"{self.name}|{kind}",))


def shown_values(values: Iterable[Any]) -> tuple[str, ...]:
    """Return the distinct values of a column as texts, at most 40 of at most 40 characters."""
    texts = dict.fromkeys(_text(value) for value in values if not is_absent(value))
    return tuple(texts)[:_MOST_VALUES]


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    text = str(int(value) if whole else value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
