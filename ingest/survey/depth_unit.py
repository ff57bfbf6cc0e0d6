"""Depths of a whole table that cannot be metres: in centimetres or millimetres, say, without a heading that tells it.

One such table is refused once, with the unit that fits and the option that says it. A unit is never guessed into the town.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.survey.rows import SurveyRows
from ingest.survey.vocabulary import kind_of_number
from twin_model.errors import SourceRefused

__all__ = ["ensure_depth_unit"]

Floats = NDArray[np.float64]
_FEWEST, _MOST_OF_ALL = 3, 0.8
_FACTORS = {"cm": 100.0, "mm": 1000.0}
_USUAL_METRES = (0.2, 6.0)
"""Between these lies the median depth of a network."""


def ensure_depth_unit(rows: SurveyRows, fields: Sequence[str], depths: Sequence[Floats], maximum: Floats) -> None:
    """Refuse a table most of whose depths are impossible as metres and possible in another unit.

    `depths` are the columns of `fields` as they were read in metres, `maximum` the deepest that each row's class allows.
    """
    tables = rows.frame["table"].to_numpy(dtype=int)
    for table in np.unique(tables[rows.keep]).tolist():
        mine = rows.keep & (tables == table)
        values = np.concatenate([depth[mine] for depth in depths])
        limits = np.tile(maximum[mine], len(depths))
        known = np.isfinite(values) & (values > 0)
        unit = _unit_that_fits(values[known], limits[known])
        if unit is None:
            continue
        field, row = _first(fields, depths, mine & ~np.isnan(maximum), maximum)
        raise SourceRefused(
            "survey.depth_unit",
            source=rows.draft.source.name,
            table=rows.tables[table].table.name,
            place=rows.place(row),
            count=int((values[known] > limits[known]).sum()),
            total=int(known.sum()),
            column=_title(rows, table, field),
            value=rows.text(field)[row],
            maximum=float(maximum[row]),
            likely=unit,
            option=f'{kind_of_number(field)} = "{unit}"',
        )


def _title(rows: SurveyRows, table: int, field: str) -> str:
    """Return the heading of a field's column as it stands in the table."""
    heading = rows.tables[table].heading
    column = heading.columns.get(field, heading.columns.get(field.removeprefix("start_").removeprefix("end_")))
    return field if column is None else heading.titles[column]


def _unit_that_fits(values: Floats, limits: Floats) -> str | None:
    """Return the unit in which depths are possible that are not in metres, None where they are, or none fits."""
    if len(values) < _FEWEST or (values > limits).mean() < _MOST_OF_ALL:
        return None
    for unit, factor in _FACTORS.items():
        metres = values / factor
        if (metres <= limits).mean() >= _MOST_OF_ALL and _USUAL_METRES[0] <= np.median(metres) <= _USUAL_METRES[1]:
            return unit
    return None


def _first(
    fields: Sequence[str], depths: Sequence[Floats], mine: NDArray[np.bool_], maximum: Floats
) -> tuple[str, int]:
    """Return field and row of the first depth that is impossible."""
    for field, depth in zip(fields, depths, strict=True):
        rows = np.flatnonzero(mine & (depth > maximum))
        if len(rows):
            return field, int(rows[0])
    raise AssertionError("a table without an impossible depth")
