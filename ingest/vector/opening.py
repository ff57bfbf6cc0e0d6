"""Opens a vector source whatever reads it: GDAL, or readers of ours by way of a GeoPackage (`ingest/vector/conversion.py`)."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.draft import ReadOptions
from ingest.vector.conversion import converted
from ingest.vector.file import VectorFile
from ingest.vector.kind import tables_together
from twin_model.finding import Finding

__all__ = ["OpenedVector", "opened_vector"]


@dataclass(frozen=True)
class OpenedVector:
    """A source that GDAL can list; `path` names it as its layers are called.

    `findings` are those of a conversion, `decoration` the rows that it left out because they are no features.
    """

    path: Path
    file: VectorFile
    findings: tuple[Finding, ...]
    decoration: int = 0


@contextmanager
def opened_vector(path: Path, source: str, options: ReadOptions) -> Iterator[OpenedVector]:
    """Yield an opened source; `SourceRefused` where nothing can open it."""
    encoding = options.text_encoding
    with tempfile.TemporaryDirectory(prefix="twin-converted-") as folder:
        path = tables_together(path, Path(folder))
        conversion = converted(path, source, Path(folder), encoding)
        file = VectorFile(conversion.path if conversion else path, source, encoding)
        if conversion:
            yield OpenedVector(path, file, conversion.findings, conversion.decoration)
        else:
            yield OpenedVector(path, file, ())
