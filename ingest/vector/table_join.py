"""Tables without geometry joined to the rows of a source layer, as a mapping says: `join = { table = "...", on = "..." }`.

The table is one of the same file, or a CSV or workbook beside the mapping.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.draft import FRAME_ROWS, Draft
from ingest.mapping import LayerMapping, TableJoin, value_text
from ingest.tables import read_tables
from ingest.vector.file import VectorFile
from ingest.vector.source_layer import Batch, SourceLayer
from ingest.vector.table_features import typed_column
from twin_model.errors import SourceRefused
from twin_model.finding import Finding
from twin_model.rows.columns import coded

__all__ = ["JoinedLayer", "joined_layer", "tables_joined"]


def tables_joined(entries: Sequence[LayerMapping]) -> set[str]:
    """Return the names of the tables that entries join, which are no layers of their own then."""
    return {entry.join.table for entry in entries if entry.join is not None and entry.join.file is None}


class JoinedLayer:
    """A source layer with the columns of the tables that are joined to it; `report` says how many rows found none."""

    def __init__(self, layer: SourceLayer, joins: Sequence["_Join"]) -> None:
        self._joins = joins
        names = [name for join in joins for name in join.columns]
        about = dict(layer.about)
        for key, value in (("ogr_types", "OFTString"), ("ogr_subtypes", "OFSTNone")):
            about[key] = np.array([*about[key], *[value] * len(names)], dtype=object)
        self.layer = replace(layer, fields=layer.fields | {name: name for name in names}, about=about)

    def extended(self, batches: Generator[Batch]) -> Generator[Batch]:
        """Yield batches with the joined columns."""
        with closing(batches):
            for batch in batches:
                columns = batch.columns
                for join in self._joins:
                    columns = columns | join.columns_for(batch)
                yield replace(batch, columns=columns)

    def report(self, draft: Draft) -> None:
        """Report rows without a partner, and keys that the table has twice; for use after the last batch."""
        for join in self._joins:
            values = {
                "source_layer": self.layer.name,
                "source": draft.source.name,
                "table": join.table,
                "column": join.on,
            }
            if join.unmatched:
                draft.report(Finding("vector.join_unmatched", "warning", values=values | {"rows": join.unmatched}))
            if join.repeated:
                draft.report(Finding("vector.join_repeated", "warning", values=values | {"rows": join.repeated}))


class _Join:
    def __init__(self, table: str, on: str, key: NDArray[Any], columns: Mapping[str, NDArray[Any]]) -> None:
        self.table, self.on, self.columns = table, on, columns
        self.unmatched = 0
        texts = [value_text(value) for value in key.tolist()]
        self._rows = {text: row for row, text in reversed(list(enumerate(texts))) if text}
        self.repeated = len([text for text in texts if text]) - len(self._rows)

    def columns_for(self, batch: Batch) -> dict[str, NDArray[Any]]:
        codes, distinct = coded(batch.columns[self.on])
        partners = np.array([*(self._rows.get(value_text(value), -1) for value in distinct), -1], dtype=np.intp)[codes]
        self.unmatched += int((partners < 0).sum())
        return {
            name: np.array([*column.tolist(), None], dtype=object)[partners] for name, column in self.columns.items()
        }


def joined_layer(file: VectorFile, layer: SourceLayer, entries: Sequence[LayerMapping]) -> JoinedLayer | None:
    """Return a layer with what its entries join to it, None where they join nothing.

    Raises SourceRefused `vector.join_impossible` where there is no such table or column.
    """
    joins = list(dict.fromkeys(entry.join for entry in entries if entry.join is not None))
    return JoinedLayer(layer, [_join(file, layer, join) for join in joins]) if joins else None


def _join(file: VectorFile, layer: SourceLayer, join: TableJoin) -> _Join:
    columns = _columns_of_file(Path(join.file)) if join.file is not None else _columns_of_table(file, join, layer)
    for name, available in ((join.on, layer.fields), (join.key, columns)):
        if name not in available:
            raise _impossible(file, join, name, list(available))
    others = {name: column for name, column in columns.items() if name != join.key}
    renamed = {f"{join.table}.{name}" if name in layer.fields else name: column for name, column in others.items()}
    return _Join(join.table, join.on, columns[join.key], renamed)


def _impossible(file: VectorFile, join: TableJoin, missing: str, available: list[str]) -> SourceRefused:
    return SourceRefused(
        "vector.join_impossible", source=file.source, table=join.table, missing=missing, found=available
    )


def _columns_of_table(file: VectorFile, join: TableJoin, layer: SourceLayer) -> dict[str, NDArray[Any]]:
    tables = [name for name, geometry in file.names() if geometry is None]
    if join.table not in tables:
        raise _impossible(file, join, join.table, tables)
    table = file.layer(join.table, None)
    batches = list(file.batches(table, list(table.fields), FRAME_ROWS))
    return {
        name: np.concatenate([batch.columns[name].astype(object) for batch in batches] or [np.empty(0, object)])
        for name in table.fields
    }


def _columns_of_file(path: Path) -> dict[str, NDArray[Any]]:
    table = read_tables(path)[0]
    heading, *rows = table.rows or [[]]
    cells = {name: [row[n] if n < len(row) else "" for row in rows] for n, name in enumerate(heading)}
    return {name: np.array([*typed_column(texts), None], dtype=object)[:-1] for name, texts in cells.items()}
