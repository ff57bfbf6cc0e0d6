"""What a reader is: the declared entry of one kind of source. All of them stand in `ingest/readers.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ingest.library_notices import library_notices

if TYPE_CHECKING:  # a package declares its reader before drafts are defined: they use parts of the package
    from ingest.draft import Draft, ReadOptions
    from ingest.outline import LayerOutline

__all__ = ["TOPICS", "Reader", "ReaderFunctions", "Topic"]

Topic = Literal["topography", "survey", "bim"]
TOPICS: tuple[Topic, ...] = get_args(Topic)
"""Words for `--as` that stand for several readers."""


@dataclass(frozen=True)
class ReaderFunctions:
    """What a reader does: whether a file's content is of its kind, its content as a draft, and its outline where it has layers
    that a mapping names."""

    recognises: Callable[[Path], bool]
    read: Callable[[Path, "Draft", "ReadOptions"], None]
    outline: Callable[[Path, "ReadOptions"], list["LayerOutline"]] | None = None


@dataclass(frozen=True)
class Reader:
    """One kind of source, declared in the package that reads it.

    `suffixes` are a hint only: they choose files of a folder, and which reader is asked first. `files` returns every file
    that belongs to a source (the named one first, or all by name): they are hashed, kept and read together. `load` imports
    the modules that read when they are first needed, for ezdxf and ifcopenshell take a quarter of a second.
    `version` is raised whenever the same files are read otherwise than before: sources of earlier deliveries are then read
    again when they are delivered again. `tables` are the house's own tables (`ingest/mappings/`) that it reads by.
    """

    name: str
    topic: Topic
    suffixes: tuple[str, ...]
    files: Callable[[Path], tuple[Path, ...]]
    load: Callable[[], ReaderFunctions]
    version: int
    tables: tuple[str, ...] = ()

    @property
    def has_outline(self) -> bool:
        """Whether a source has layers that a mapping names."""
        return self.load().outline is not None

    def recognises(self, path: Path) -> bool:
        """Return whether a file's content is of this kind."""
        return self.load().recognises(path)

    def read(self, path: Path, draft: "Draft", options: "ReadOptions") -> None:
        """Read a source into a draft; what libraries say of it becomes findings."""
        read = self.load().read
        with library_notices() as notices:
            read(path, draft, options)
        for finding in notices.findings(draft.source.name):
            draft.report(finding)

    def outline(self, path: Path, options: "ReadOptions") -> "list[LayerOutline] | None":
        """Return the layers of a source with their columns and some values; None where a mapping names none of them."""
        outline = self.load().outline
        with library_notices():
            return None if outline is None else outline(path, options)

    def goes_by(self, path: Path) -> bool:
        """Return whether a file's suffix is one of this kind."""
        return path.suffix.lower() in self.suffixes
