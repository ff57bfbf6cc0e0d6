"""Columns of values, looked at once for each value that is there: how a source's texts are read, and what they hash to."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["coded", "is_one", "plain_values"]

_LOOKED_AT = 1_000
_HARDLY_REPEATS = 0.9


def coded(column: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return which of its distinct values each row has, -1 where it has none, and those values.

    Texts that hardly repeat, by the first thousand of them, are not compared with each other: each row has its own then,
    and a value may stand twice. So it is where values cannot be compared.
    """
    if _hardly_repeats(column):
        return np.arange(len(column)), column
    try:
        codes, distinct = pd.factorize(column)
    except TypeError:
        return np.arange(len(column)), column
    return codes, np.asarray(distinct)


def _hardly_repeats(column: NDArray[Any]) -> bool:
    if column.dtype != object or len(column) < _LOOKED_AT:
        return False
    sample = column[:_LOOKED_AT].tolist()
    if set(map(type, sample)) != {str} or len(set(sample)) < _HARDLY_REPEATS * len(sample):
        return False
    return set(map(type, column.tolist())) == {str}


def is_one(column: NDArray[Any]) -> bool:
    """Say whether a column of objects holds one text, or nothing, throughout: most of a delivery's columns do."""
    if column.dtype != object or (type(column[0]) is not str and column[0] is not None) or column[-1] != column[0]:
        return False
    return bool(column.tolist().count(column[0]) == len(column))


def plain_values(column: Iterable[Any]) -> list[Any]:
    """Return a column's values as Python's own, None wherever one is absent, so that two columns can be compared.

    A store's frame and a delivery spell absence differently (None, NaN, NA, NaT), and whole numbers too (numpy's, floats).
    """
    return [_plain(value) for value in column]


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    return value.item() if isinstance(value, np.generic) else value
