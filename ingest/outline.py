"""The outline of a source: its layers with their geometry, columns and some values, for who maps them to layers of ours.

A reader that can give one declares it (`ReaderFunctions.outline`). What is proposed of it: `ingest/mapping_draft.py`.
"""

from dataclasses import dataclass, field

from twin_model.catalogue.layer_from_source import SourceColumn

__all__ = ["SAMPLED_ROWS", "ColumnOutline", "LayerOutline"]

SAMPLED_ROWS = 200
"""So many rows of a layer are looked at; a column that is empty in all of them has no values to show."""


@dataclass(frozen=True)
class ColumnOutline:
    """A column of a source layer, with the distinct values of the rows looked at as texts, the first ones first."""

    column: SourceColumn
    values: tuple[str, ...] = ()
    unit: str = ""

    @property
    def name(self) -> str:
        return self.column.name


@dataclass(frozen=True)
class LayerOutline:
    """A layer of a source: rows by kind of geometry ("Point", "LineString", "Polygon"; "" for none), CRS, columns.

    `crs` is "" where the source states none. `name` is what `from` of a mapping is compared with.
    """

    name: str
    rows: dict[str, int]
    crs: str = ""
    columns: tuple[ColumnOutline, ...] = field(default=())
