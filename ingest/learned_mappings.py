"""The mappings a town has learned: a source of the same form is read by them without being told (`twin ingest --learn`).

A form is the set of columns of a source layer, whatever the layer is called this time. A learned mapping is the file as it
was given, in `mappings/` of the town, with its forms at the end; edit it, or remove it to forget it.

    learn(town.path / "mappings", mapping, outlines)
    learned_mapping(town.path / "mappings", outlines)          # None where no form is that of the source
"""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ingest.mapping import LayerMapping, Mapping, read_mapping
from ingest.outline import LayerOutline

__all__ = ["has_learned", "learn", "learned_mapping"]

_HEAD = (
    "\n# What this mapping was learned from: sources with these columns are read by it. Remove the file to forget it.\n"
)


@dataclass(frozen=True)
class _Form:
    """The columns of a source layer, in small letters, and the name that entries of the mapping know it by."""

    layer: str
    columns: frozenset[str]


def learn(folder: Path, mapping: Mapping, outlines: Sequence[LayerOutline]) -> Path:
    """Keep a mapping for sources of the same form and return its file; one of that name is replaced."""
    forms = [outline for outline in outlines if _entries(mapping, outline.name, outline)]
    text = mapping.content.decode("utf-8").partition(_HEAD)[0].rstrip("\n") + "\n" + _HEAD
    for outline in forms:
        columns = [column.name for column in outline.columns]
        text += f"[[form]]\nlayer = {_quoted(outline.name)}\ncolumns = {_quoted(columns)}\n"
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / f"{mapping.name}.toml", folder / f".{mapping.name}.part"
    part.write_text(text, "utf-8")
    part.replace(path)
    return path


def has_learned(folder: Path) -> bool:
    """Return whether a town has any mapping of its own."""
    return folder.is_dir() and any(folder.glob("*.toml"))


def learned_mapping(folder: Path, outlines: Sequence[LayerOutline]) -> Mapping | None:
    """Return the mapping by which every layer of a source is known, its entries under the names they have now."""
    for path in sorted(folder.glob("*.toml")):
        mapping = read_mapping(path)
        forms = [
            _Form(form["layer"], frozenset(map(str.casefold, form["columns"])))
            for form in tomllib.loads(mapping.content.decode("utf-8")).get("form", [])
        ]
        known = {outline.name: _known(outline, forms) for outline in outlines}
        if outlines and all(known.values()):
            entries = [entry for outline in outlines for entry in _renamed(mapping, outline, known[outline.name])]
            return replace(mapping, layers=tuple(entries))
    return None


def _known(outline: LayerOutline, forms: Sequence[_Form]) -> str:
    """Return the name under which a mapping learned layers with these columns; "" where none has."""
    columns = frozenset(column.name.casefold() for column in outline.columns)
    alike = [form.layer for form in forms if form.columns == columns]
    return outline.name if outline.name in alike else next(iter(alike), "")


def _renamed(mapping: Mapping, outline: LayerOutline, known_as: str) -> list[LayerMapping]:
    """Return the entries for a layer under its present name; those for one kind of geometry stay so."""
    renamed = []
    for entry in _entries(mapping, known_as, outline):
        kinds = () if entry.fits(known_as) else tuple(kind for kind in outline.rows if entry.fits_part(known_as, kind))
        patterns = tuple(f"{outline.name}|{kind}" for kind in kinds) or (outline.name,)
        renamed.append(replace(entry, patterns=patterns))
    return renamed


def _entries(mapping: Mapping, name: str, outline: LayerOutline) -> list[LayerMapping]:
    return [
        entry
        for entry in mapping.layers
        if entry.fits(name) or any(entry.fits_part(name, kind) for kind in outline.rows)
    ]


def _quoted(value: Any) -> str:
    """Return a text or a list of texts as TOML writes them; basic strings are JSON's."""
    return json.dumps(value, ensure_ascii=False)
