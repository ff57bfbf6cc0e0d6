"""A vector file read by itself, without a town: what tests of formats and faults ask of it."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from ingest.draft import Draft, ReadOptions
from ingest.readers import read_source
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.finding import Finding

__all__ = ["CRS", "EAST", "NORTH", "DraftContent", "VectorReading"]

CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0
"""A place in the town, in `CRS`."""


class DraftContent:
    """What a draft held after reading: frames with their layers, counts and findings."""

    def __init__(self, draft: Draft) -> None:
        self.counts, self.findings = draft.counts, draft.findings
        self.frames = list(draft.frames())

    @property
    def rules(self) -> list[str]:
        return [finding.rule for finding in self.findings]

    def frame(self, layer: str) -> gpd.GeoDataFrame:
        return pd.concat([frame for name, frame in self.frames if name == layer], ignore_index=True)


class VectorReading:
    """What a source gave: frames by layer, counts and findings."""

    def __init__(self, path: Path, **options: Any) -> None:
        with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs=CRS) as draft:
            read_source(path, draft, ReadOptions(**options))
            parts: dict[str, list[gpd.GeoDataFrame]] = {}
            for layer, frame in draft.frames():
                parts.setdefault(layer, []).append(frame)
            self.layers = {layer: pd.concat(frames, ignore_index=True) for layer, frames in parts.items()}
            self.counts, self.findings = draft.counts, draft.findings

    @property
    def numbers(self) -> dict[str, int]:
        return {layer: len(frame) for layer, frame in self.layers.items()}

    @property
    def rules(self) -> set[str]:
        return {finding.rule for finding in self.findings}

    def finding(self, rule: str) -> Finding:
        """Return the only finding of a rule."""
        (finding,) = (finding for finding in self.findings if finding.rule == rule)
        return finding
