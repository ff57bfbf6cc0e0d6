"""The mappings a town has learned: a source of the same form is read by them without being told (`twin ingest --learn`).

A form is the set of columns of a source layer, whatever the layer is called this time. A learned mapping is the file as it
was given, in `mappings/` of the town, with its forms at the end; edit it, or remove it to forget it.

    learn(town.path / "mappings", mapping, outlines)
    learned_mapping(town.path / "mappings", outlines)          # None where no form is that of the source
"""

import json
import re
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
_COMMENTS = re.compile(r"(?:\s*#.*\n)*\s*")
_DRAFTED = " mapping check "


@dataclass(frozen=True)
class _Form:
    """The columns of a source layer, in small letters, and the name that entries of the mapping know it by.

    A layer of a drawing has no columns that tell it from another: its name does.
    """

    layer: str
    columns: frozenset[str] | None


def learn(folder: Path, mapping: Mapping, outlines: Sequence[LayerOutline]) -> Path:
    """Keep a mapping for sources of the same form and return its file; one of that name is replaced."""
    text = _without_head(mapping.content.decode("utf-8").partition(_HEAD)[0]).rstrip("\n") + "\n" + _HEAD
    for outline in _with_rows(outlines):
        text += f"[[form]]\nlayer = {_quoted(outline.name)}\n"
        if not outline.known_by_name:
            text += f"columns = {_quoted([column.name for column in outline.columns])}\n"
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / f"{mapping.name}.toml", folder / f".{mapping.name}.part"
    part.write_text(text, "utf-8")
    part.replace(path)
    return path


def _without_head(text: str) -> str:
    """Return a mapping without the head of a draft: it names the file that was drafted, and another one to write."""
    head = _COMMENTS.match(text)
    return text[head.end() :] if head is not None and _DRAFTED in head[0] else text


def has_learned(folder: Path) -> bool:
    """Return whether a town has any mapping of its own."""
    return folder.is_dir() and any(folder.glob("*.toml"))


def learned_mapping(folder: Path, outlines: Sequence[LayerOutline]) -> Mapping | None:
    """Return the mapping by which every layer of a source is known, its entries under the names they have now."""
    for path in sorted(folder.glob("*.toml")):
        mapping = read_mapping(path)
        forms = [
            _Form(form["layer"], frozenset(map(str.casefold, form["columns"])) if "columns" in form else None)
            for form in tomllib.loads(mapping.content.decode("utf-8")).get("form", [])
        ]
        known = [(outline, _known(outline, forms)) for outline in _with_rows(outlines)]
        if not known or not all(name for _, name in known):
            continue
        if all(outline.name == name for outline, name in known):
            return mapping
        return replace(mapping, layers=tuple(entry for each in known for entry in _renamed(mapping, *each)))
    return None


def _with_rows(outlines: Sequence[LayerOutline]) -> list[LayerOutline]:
    """Return the layers that hold something: of an empty one nothing is read."""
    return [outline for outline in outlines if outline.rows or outline.survey_role]


def _known(outline: LayerOutline, forms: Sequence[_Form]) -> str:
    """Return the name under which a mapping learned layers with these columns; "" where none has."""
    columns = None if outline.known_by_name else frozenset(column.name.casefold() for column in outline.columns)
    alike = [form.layer for form in forms if form.columns == columns]
    if outline.name in alike or columns is None:
        return outline.name if outline.name in alike else ""
    return next(iter(alike), "")


def _renamed(mapping: Mapping, outline: LayerOutline, known_as: str) -> list[LayerMapping]:
    """Return the entries for a layer under its present name; those for one kind of geometry stay so."""
    former = replace(outline, name=known_as)
    renamed = []
    for entry in mapping.layers:
        kinds = former.kinds_taken(entry)
        patterns = (outline.name,) if entry.fits(known_as) else tuple(f"{outline.name}|{kind}" for kind in kinds)
        renamed += [replace(entry, patterns=patterns)] if kinds else []
    return renamed


def _quoted(value: Any) -> str:
    """Return a text or a list of texts as TOML writes them; basic strings are JSON's."""
    return json.dumps(value, ensure_ascii=False)
