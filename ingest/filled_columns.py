"""What of a layer a source says: the columns, and the names in `attributes`, that it fills in or that are meant to be empty.

Absent is not empty: known features keep what a source has no column for (`twin_model/kept_values.py`).
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.changeset import Rows
from twin_model.desk.names import titled_field
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.attributes import attribute_names

__all__ = ["BlankColumns", "FilledColumns"]


@dataclass(frozen=True)
class BlankColumns:
    """Which columns of a layer are meant to be empty: fields, and names in `attributes`, or `all_attributes`."""

    fields: tuple[str, ...]
    attributes: frozenset[str]
    all_attributes: bool

    @classmethod
    def of(cls, layer: Layer, names: tuple[str, ...]) -> "BlankColumns":
        """Return what names mean in a layer: that or the title of a field, else a name in `attributes`."""
        fields = {name: titled_field(layer, name) for name in names}
        own = (field.name for field in fields.values() if field is not None)
        others = {name.removeprefix(f"{ATTRIBUTES}.") for name, field in fields.items() if field is None}
        return cls(tuple(dict.fromkeys(own)), frozenset(others - {ATTRIBUTES}), ATTRIBUTES in fields)


@dataclass
class FilledColumns:
    """Which columns of a layer a source fills in, and which names in `attributes`.

    A column or a name that it lacks, or leaves empty throughout, says nothing.
    """

    names: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)

    def add(self, rows: Rows) -> None:
        """Take note of the columns of rows in which there is something."""
        self.names |= {name for name, column in rows.columns.items() if name not in self.names and _has_values(column)}
        if ATTRIBUTES in rows.columns:
            self.attributes |= attribute_names(rows.columns[ATTRIBUTES].tolist())

    def of(self, rows: Rows, blank: BlankColumns) -> Rows:
        """Return rows with the columns that the whole source fills in, and empty ones of `blank`."""
        columns = {name: column for name, column in rows.columns.items() if name in self.names}
        attributes = frozenset(self.attributes | blank.attributes)
        emptied = [*blank.fields, *([ATTRIBUTES] if attributes or blank.all_attributes else [])]
        empty = np.full(len(rows), None, dtype=object)
        return replace(
            rows,
            columns=dict.fromkeys(emptied, empty) | columns,
            attribute_names=None if blank.all_attributes else attributes,
        )


def _has_values(column: NDArray[Any]) -> bool:
    if column.dtype.kind == "f":
        return bool(np.isfinite(column).any())
    return column.dtype != object or any(value is not None for value in column)
