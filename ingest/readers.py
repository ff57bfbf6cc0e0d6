"""Which reader a source wants: found by what the file is, never by its name alone.

Readers are imported when first needed: ifcopenshell and ezdxf take their time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from importlib import import_module
from pathlib import Path

from ingest.draft import Draft, ReadOptions
from ingest.source_files import ensure_own_files
from twin_model.catalogue import Catalogue
from twin_model.changeset import Source
from twin_model.errors import CalledWrongly, SourceRefused

__all__ = [
    "KINDS",
    "Kind",
    "ensure_inside",
    "ensure_kind",
    "find_sources",
    "identify",
    "kind_of",
    "parts_of",
    "read_source",
]


@dataclass(frozen=True)
class Kind:
    """One kind of source: its reader's module, the suffixes it goes by (a hint for folders only), words for `--as`."""

    name: str
    module: str
    suffixes: tuple[str, ...]
    topic: str = ""

    @property
    def recognises(self) -> Callable[[Path], bool]:
        return getattr(import_module(self.module), f"recognises_{self.name}")  # type: ignore[no-any-return]

    @property
    def read(self) -> Callable[[Path, Draft, ReadOptions], None]:
        return getattr(import_module(self.module), f"read_{self.name}")  # type: ignore[no-any-return]


KINDS: tuple[Kind, ...] = (
    Kind("ifc", "ingest.ifc.reader", (".ifc", ".ifczip", ".ifcxml"), "bim"),
    Kind("epanet", "ingest.epanet", (".inp",), "survey"),
    Kind("dxf", "ingest.dxf.reader", (".dxf",), "topography"),
    Kind("survey", "ingest.survey.reader", (".csv", ".xlsx"), "survey"),
    Kind(
        "vector",
        "ingest.vector.reader",
        (".shp", ".gpkg", ".geojson", ".json", ".fgb", ".gml", ".sqlite", ".tab", ".mif"),
        "topography",
    ),
)
"""In the order they are asked, those first by whose suffix a file goes; the first that recognises it reads it."""

TOPICS = ("topography", "survey", "bim")
_COMPANIONS = (".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".qpj")


def ensure_kind(value: str | None, catalogue: Catalogue) -> None:
    """Refuse an `--as` that is neither a layer nor a kind of source."""
    if value is None or value in catalogue or value in TOPICS or value in {kind.name for kind in KINDS}:
        return
    names = list(catalogue.layers)
    raise CalledWrongly(
        "source.unknown_as",
        value=value,
        kinds=list(dict.fromkeys([*TOPICS, *(kind.name for kind in KINDS)])),
        nearest=get_close_matches(value, names, 3, 0.3) or names[:4],
    )


def find_sources(path: Path) -> list[Path]:
    """Return the sources below a path: the file itself, or every file of a folder that some reader goes by.

    Tables of one pipeline survey that belong together (points and lines) are one source, named by its first table.
    """
    if not path.exists():
        raise CalledWrongly("source.not_found", source=str(path))
    if path.is_file():
        return [path]
    suffixes = {suffix for kind in KINDS for suffix in kind.suffixes} | {".zip"}
    found = [
        one
        for one in sorted(path.rglob("*"))
        if one.is_file() and one.suffix.lower() in suffixes and not one.name.startswith((".", "~$"))
    ]
    if not found:
        raise SourceRefused("source.nothing_found", source=str(path))
    return list(_one_a_survey(found))


def ensure_inside(source: Path, folder: Path) -> None:
    """Refuse a source of a delivered folder that is a link to somewhere else: whoever delivers it chose what it leads to."""
    if folder.is_dir() and not source.resolve().is_relative_to(folder.resolve()):
        found = str(source.readlink()) if source.is_symlink() else str(source.resolve())
        raise SourceRefused("source.link_outside", source=source.name, found=found)


def _one_a_survey(paths: list[Path]) -> Iterator[Path]:
    belonging = import_module("ingest.survey.reader").files_of_survey
    taken: set[Path] = set()
    for path in paths:
        if path in taken:
            continue
        if path.suffix.lower() in (".csv", ".xlsx"):
            taken.update(belonging(path))
        yield path


def identify(path: Path, kind: Kind | None = None, *, delivery: str = "") -> Source:
    """Return name, SHA-256 and kind of a source; the hash of a set (shapefile, survey tables) covers all its files."""
    digest = sha256()
    ensure_own_files(path, parts_of(path, kind.name if kind else ""), path.name)
    for part in parts_of(path, kind.name if kind else ""):
        with part.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return Source(path.name, digest.hexdigest(), kind.name if kind else "", delivery=delivery)


def parts_of(path: Path, kind: str) -> list[Path]:
    """Return the files that one source is made of."""
    if kind == "survey":
        return sorted(import_module("ingest.survey.reader").files_of_survey(path))
    if path.suffix.lower() == ".shp":
        beside = sorted(one for one in path.parent.iterdir() if one.stem == path.stem)
        return [path, *(one for one in beside if one.suffix.lower() in _COMPANIONS)]
    return [path]


def kind_of(path: Path, options: ReadOptions) -> Kind:
    """Return the kind of a source: the caller's, else the first whose reader recognises it."""
    named = next((kind for kind in KINDS if kind.name == options.kind), None)
    if named is not None:
        return named
    # The likely ones first: a reader that is not asked need not be imported, and some take half a second.
    for kind in sorted(KINDS, key=lambda one: path.suffix.lower() not in one.suffixes):
        if options.kind in TOPICS and kind.topic != options.kind:
            continue
        if kind.recognises(path):
            return kind
    suffix = ".shp" if path.suffix.lower() in _COMPANIONS[:2] else path.suffix.lower()
    by_suffix = next((kind for kind in KINDS if suffix in kind.suffixes and kind.name != "survey"), None)
    if by_suffix is not None:
        return by_suffix
    if suffix == ".xlsx":
        import_module("ingest.tables").read_tables(path, limit=1)  # one that cannot be opened says why
    with path.open("rb") as file:
        raise SourceRefused("source.unknown_kind", source=path.name, found=file.read(16))


def read_source(path: Path, draft: Draft, options: ReadOptions, kind: Kind | None = None) -> None:
    """Read one source into a draft with the reader its content wants."""
    (kind or kind_of(path, options)).read(path, draft, options)
