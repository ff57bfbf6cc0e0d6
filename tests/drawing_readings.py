"""A drawing read by itself, without a town: what tests of DXF ask of it."""

from collections import Counter
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from ingest.draft import Draft, ReadOptions
from ingest.dxf.reader import read_dxf
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source

__all__ = ["EAST", "NORTH", "Reading"]

EAST, NORTH = 527_000.0, 3_884_000.0
"""A place in the town, in EPSG:4548."""


class Reading:
    """What a drawing gave: frames by layer, counts and findings."""

    def __init__(self, path: Path, **options: Any) -> None:
        with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
            read_dxf(path, draft, ReadOptions(crs="EPSG:4548", **options))
            parts: dict[str, list[gpd.GeoDataFrame]] = {}
            for layer, frame in draft.frames():
                parts.setdefault(layer, []).append(frame)
            self.layers = {layer: pd.concat(frames, ignore_index=True) for layer, frames in parts.items()}
            self.counts, self.findings = draft.counts.to_dict(), draft.findings

    @property
    def numbers(self) -> dict[str, int]:
        return {layer: len(frame) for layer, frame in self.layers.items()}

    @property
    def is_accounted_for(self) -> bool:
        parts = (int(self.counts[part]) for part in ("stored", "quarantined", "decoration"))
        return bool(self.counts["read"] == sum(parts))

    def rules(self) -> Counter[str]:
        return Counter(finding.rule for finding in self.findings)
