"""Which CRS a source is read in: what it states, what the caller names, what the mapping names; never a guess.

Where both the source and the caller name one, the source's holds unless the caller says `--crs-wins`, gives a local grid
(`--crs local:NAME`), or only the caller's brings the coordinates into the town. A finding says what was decided.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.draft import Draft, ReadOptions
from ingest.margin_text import Margin, codes_of, contradicts
from ingest.place import fit_better, lie_in_town, likely_systems
from twin_model.crs import crs_code, same_crs, title_of
from twin_model.errors import SourceRefused
from twin_model.finding import Finding
from twin_model.local_grid import LOCAL, read_grid

__all__ = ["no_crs", "source_crs", "with_local_grid"]

Places = Callable[[], tuple[NDArray[np.float64], NDArray[np.float64]]]


def source_crs(
    draft: Draft, options: ReadOptions, places: Places, *, declared: str | None = None, margin: Margin | None = None
) -> str:
    """Return the CRS to read a source in; `places` gives its east and north where they are needed to judge.

    `declared` is what the source states, `margin` what its texts say. Raises SourceRefused where nobody names one
    (`source.no_crs`, with the systems of the town that the numbers fit), and where the texts contradict the one that is
    named (`source.margin_contradicts`) unless `options.crs_wins`.
    """
    given = options.crs or getattr(options.mapping, "crs", None)
    if options.grid is not None:
        draft.details["local_grid"] = options.crs_name
    if declared is None:
        if given is None:
            raise no_crs(draft, places, margin)
        if margin is not None:
            _ensure_agreement(draft, options, crs_code(given), margin)
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
    fits = bool(lie_in_town(*places(), declared, draft.town).all())
    draft.report(Finding("vector.crs_kept", "info" if fits else "warning", values=values))
    return declared


def _ensure_agreement(draft: Draft, options: ReadOptions, crs: str, margin: Margin) -> None:
    """Compare texts with the CRS to read in and with the town's heights; a local grid was fitted to what it holds."""
    values = {"source": draft.source.name, "crs": crs, "margin": margin.quoted, "fits": codes_of(margin)}
    if options.grid is None and contradicts(margin, crs):
        if not options.crs_wins:
            raise SourceRefused("source.margin_contradicts", **values)
        draft.details["crs_wins"] = f"{margin.quoted} -> {crs}"
        draft.report(Finding("source.margin_overruled", "warning", values=values))
    heights = draft.town.height_datum
    if heights and margin.heights and heights not in margin.heights:
        draft.report(Finding("source.margin_heights", "warning", values=values | {"heights": heights}))


def no_crs(draft: Draft, places: Places, margin: Margin | None = None) -> SourceRefused:
    """Return the refusal of a source without CRS: the town's, those that the numbers fit, what the margin says."""
    likely, named = likely_systems(*places(), draft.town), codes_of(margin) if margin else []
    agreed = [code for code in named if code in likely] or named or likely or [draft.storage_crs]
    values: dict[str, Any] = {"source": draft.source.name, "crs": draft.storage_crs, "likely": likely}
    return SourceRefused("source.no_crs", **values, evidence=margin and margin.quoted, example=agreed[0])


def with_local_grid(options: ReadOptions, private: Path | None) -> ReadOptions:
    """Return options in which a local grid ("local:NAME") is replaced by its target CRS and its transformation."""
    named = options.crs or getattr(options.mapping, "crs", None)
    if named is None or not str(named).startswith(LOCAL):
        return options
    grid = read_grid(private, named)
    return replace(options, crs=grid.target_crs, crs_name=named, grid=grid)


def _short(code: str) -> str:
    return title_of(code) if "[" in code else code
