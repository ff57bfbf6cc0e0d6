"""What a source is read with besides its own bytes: the reader and its version, options, mapping, code tables.

Digests of these become part of the delivery's identity (`twin_model/delivery_identity.py`), and the contents of mapping
and code tables go into the archive, so that a version can be read again as it was.
"""

from collections.abc import Mapping as Map
from dataclasses import dataclass, fields
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ingest.draft import ReadOptions
from ingest.mapping import MAPPINGS, Mapping, tables_named
from ingest.reader import Reader
from twin_model.errors import SourceRefused

__all__ = ["ReadingBasis", "reading_basis"]


@dataclass(frozen=True)
class ReadingBasis:
    """Digests by name of what a source is read with, and the content of those that are files, by the same name.

    `paths` are where the code tables lie: they are read there, so `ensure_unchanged` looks at them again after the reading.
    """

    digests: Map[str, str]
    contents: Map[str, bytes]
    paths: Map[str, Path]

    def ensure_unchanged(self, source: str) -> None:
        """Refuse a reading during which a code table was saved again: what it was read with would not be what is kept."""
        for name, path in self.paths.items():
            digest = _digest(_content(path))
            if digest != self.digests[name]:
                expected = self.digests[name][:12]
                raise SourceRefused(
                    "source.changed", source=f"{path.name} ({source})", found=digest[:12], expected=expected
                )


def reading_basis(reader: Reader, options: ReadOptions, **others: Any) -> ReadingBasis:
    """Return what a source is read with; `others` are further values that decide what a delivery means (time zone, scope).

    Options that are as usual say nothing, so that a further option of a later release leaves earlier deliveries the same.
    A code table that cannot be read is left to its reader, which says so.
    """
    paths = {f"table/{key}/{path.name}": path for key, path in tables_named(options.mapping).items() if path.is_file()}
    contents = {name: _content(path) for name, path in paths.items()}
    mapping = options.mapping
    if isinstance(mapping, Mapping) and mapping.content:
        contents[f"mapping/{mapping.file_name}"] = mapping.content
    digests = {name: _digest(content) for name, content in contents.items()}
    if mapping is not None and not getattr(mapping, "content", b""):
        digests["mapping"] = _digest(repr(mapping).encode())
    digests["reader"] = f"{reader.name} {reader.version} {_digest_of_tables(reader.tables)}".strip()
    digests["options"] = _digest(repr(_told(options, others)).encode())[:16]
    return ReadingBasis(digests, contents, paths)


def _told(options: ReadOptions, others: Map[str, Any]) -> list[tuple[str, Any]]:
    """Return by name what a caller says about a source otherwise than usual.

    How models were placed by hand is the town's own: it makes no source another one.
    """
    unusual = {
        field.name: getattr(options, field.name)
        for field in fields(options)
        if field.name not in ("mapping", "placings") and getattr(options, field.name) != field.default
    }
    return sorted((unusual | {name: value for name, value in others.items() if value is not None}).items())


@cache
def _digest_of_tables(names: tuple[str, ...]) -> str:
    """Return a digest of the house's own tables that a reader goes by, "" for one that has none."""
    content = b"".join(_digest(_content(MAPPINGS / name)).encode() for name in names)
    return _digest(content)[:16] if names else ""


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
