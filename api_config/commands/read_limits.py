"""How much of the machine a command may take to look into a file, and looks of commands that keep to it."""

import os
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from api_config.settings import Settings
from ingest.reading import ReadLimits, look_apart
from ingest.scope_file import WORDS
from ingest.scope_file import read_scope as read_scope_here
from twin_model.changeset import ScopeKind

__all__ = ["read_limits", "read_scope"]

_MOST_JOBS = 4


def read_limits(
    settings: Settings, *, jobs: int | None = None, memory: int | None = None, seconds: int | None = None, **_: Any
) -> ReadLimits:
    """Return how many sources are read at a time and what each may take: as the options say, else the settings."""
    jobs = settings.jobs if jobs is None else jobs
    jobs = min(os.cpu_count() or 1, _MOST_JOBS) if jobs is None else jobs
    return ReadLimits(jobs, memory or settings.read_memory_mib or None, seconds or settings.read_seconds)


def read_scope(
    scope: str, limits: ReadLimits, *, storage_crs: str, crs: str | None = None
) -> tuple[ScopeKind, BaseGeometry | None]:
    """Return what a delivery could have seen, as `ingest.scope_file` does; a file is looked into within the limits."""
    if scope in WORDS or not Path(scope).is_file():
        return read_scope_here(scope, storage_crs=storage_crs, crs=crs)
    return look_apart(limits, Path(scope).name, read_scope_here, scope, storage_crs=storage_crs, crs=crs)
