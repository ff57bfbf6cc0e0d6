"""Rows of a source that we read ourselves, before they are written where GDAL reads them (`ingest/vector/conversion.py`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twin_model.finding import Finding

__all__ = ["LayerRows", "Rows"]

Rows = tuple[Sequence[Any], Mapping[str, Any]]
"""Geometries (None where a row has none), and columns by name."""


@dataclass
class LayerRows:
    """Layers of a source: name -> rows; `crs` None where the source states none, `findings` what was noticed.

    `decoration` counts rows of the source that are no features: sums and captions of tables.
    """

    layers: Mapping[str, Rows]
    crs: str | None
    findings: Sequence[Finding] = field(default_factory=list)
    decoration: int = 0
