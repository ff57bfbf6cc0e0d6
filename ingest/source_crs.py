"""Which CRS a source is read in: what it states, what the caller names, what the mapping names; never a guess.

Where both the source and the caller name one, the source's holds unless the caller says `--crs-wins`, gives a local grid
(`--crs local:NAME`), or only the caller's brings the coordinates into the town. What was decided is said.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.draft import Draft, ReadOptions
from ingest.place import fit_better, likely_systems
from twin_model.crs import crs_code, same_crs
from twin_model.errors import SourceRefused
from twin_model.finding import Finding
from twin_model.local_grid import LOCAL, read_grid

__all__ = ["no_crs", "source_crs", "with_local_grid"]

Places = Callable[[], tuple[NDArray[np.float64], NDArray[np.float64]]]


def source_crs(
    draft: Draft, options: ReadOptions, places: Places, *, declared: str | None = None, evidence: str | None = None
) -> str:
    """Return the CRS to read a source in; `places` gives its east and north where they are needed to judge.

    `declared` is what the source states, `evidence` what its margin says in words. Raises SourceRefused
    (`source.no_crs`) where nobody names one, with the systems of the town that the numbers fit.
    """
    given = options.crs or getattr(options.mapping, "crs", None)
    if options.grid is not None:
        draft.details["local_grid"] = options.crs_name
    if declared is None:
        if given is None:
            raise no_crs(draft, places, evidence)
        return crs_code(given)
    if options.crs is None or same_crs(declared, options.crs):
        return declared
    values = {"source": draft.source.name, "found": _short(declared), "given": options.crs_name or options.crs}
    if options.crs_wins or options.grid is not None:
        draft.details["crs_wins"] = f"{values['found']} -> {values['given']}"
        draft.report(Finding("vector.crs_won", "warning", values=values))
        return crs_code(options.crs)
    if fit_better(*places(), declared, options.crs, draft.town):
        draft.details["crs_wins"] = f"{values['found']} -> {values['given']}"
        draft.report(Finding("vector.crs_overruled", "warning", values=values))
        return crs_code(options.crs)
    draft.report(Finding("vector.crs_kept", "warning", values=values))
    return declared


def no_crs(draft: Draft, places: Places, evidence: str | None = None) -> SourceRefused:
    """Return the refusal of a source without CRS: the town's, those that the numbers fit, what the margin says."""
    likely = likely_systems(*places(), draft.town)
    values: dict[str, Any] = {"source": draft.source.name, "crs": draft.storage_crs, "likely": likely}
    return SourceRefused(
        "source.no_crs", **values, evidence=evidence, example=likely[0] if likely else draft.storage_crs
    )


def with_local_grid(options: ReadOptions, private: Path | None) -> ReadOptions:
    """Return options in which a local grid ("local:NAME") is replaced by its target CRS and its transformation."""
    named = options.crs or getattr(options.mapping, "crs", None)
    if named is None or not str(named).startswith(LOCAL):
        return options
    grid = read_grid(private, named)
    return replace(options, crs=grid.target_crs, crs_name=named, grid=grid)


def _short(code: str) -> str:
    named = re.match(r'\w+\["([^"]+)', code)
    return named[1] if named else code
