"""The words of pipeline surveys: names of columns, classes, rules and status words, from tables an office can
replace.

Standard tables: `ingest/mappings/survey_aliases.toml`, `survey.toml`, `survey_classes.csv` (CJJ 61-2017
appendices B, C; office names from delivered tables). A mapping's `[options.survey_aliases]` and
`[options.survey]` are laid over them.
"""

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.draft import ReadOptions
from ingest.number_text import METRES
from ingest.tables import read_tables
from twin_model.errors import CatalogueError

__all__ = ["UNITS", "PipeClass", "Vocabulary", "kind_of_number", "normal_text", "read_vocabulary"]

UNITS = {
    "coordinates": "m",
    "elevation": "m",
    "depth": "m",
    "well_depth": "m",
    "section": "mm",
    "voltage": "kV",
    "pressure": "MPa",
}
"""The units of our fields, and of tables whose headings say none."""

_FOLDER = Path(__file__).parent.parent / "mappings"
_FLAT_KEYS = {"project", "axes", "classes"}


@dataclass(frozen=True)
class PipeClass:
    """A class (JS, PS, ...) with its sub-class (YS, WS, ...), either "" where not known."""

    major: str = ""
    sub: str = ""

    @property
    def scope(self) -> str:
        """The narrowest code known: within it point numbers are unique."""
        return self.sub or self.major


@dataclass(frozen=True)
class Vocabulary:
    """Aliases by role ("point", "line", "half") and field; classes by word; the rules' tables."""

    aliases: Mapping[str, Mapping[str, tuple[str, ...]]]
    classes: Mapping[str, PipeClass]
    rules: Mapping[str, Mapping[str, Any]]
    project: str = ""
    axes: str = "north_east"

    def pipe_class(self, word: str) -> PipeClass:
        """Return the class a word means ("雨水", "YS", "DX", "5201..."); empty where it means none."""
        key = _class_key(word)
        known = self.classes.get(key)
        if known is None and key.isdigit() and len(key) >= 4:
            known = self.classes.get(key[:4]) or self.classes.get(key[:2])
        return known or PipeClass()

    def depth_reference(self, pipe_class: PipeClass, burial: str) -> str:
        """Return "top" or "invert": what depths of a class and burial method are measured to; "" where not
        known."""
        table = self.rules["depth_reference"]
        own = self.rules["burial_reference"].get(self.word("burial_method", burial) or normal_text(burial))
        return str(own or table.get(pipe_class.sub) or table.get(pipe_class.major) or "")

    def maximum_depth(self, pipe_class: PipeClass) -> float:
        table = self.rules["maximum_depth"]
        return float(table.get(pipe_class.sub, table.get(pipe_class.major, max(table.values()))))

    def written_in(self, name: str, heading: str) -> str:
        """Return the unit in which a field's numbers are written: by the mapping, else the heading's, else the usual one."""
        kind = kind_of_number(name)
        return str(self.rules["units"].get(kind) or heading or UNITS.get(kind, ""))

    def word(self, table: str, text: str) -> str | None:
        """Return our word for what was said in one of the word tables ("status", "material", ...), None if
        not there."""
        words = self.rules[table]
        word = words.get(text, words.get(normal_text(text)))
        return None if word is None else str(word)


def kind_of_number(name: str) -> str:
    """Return which unit counts for a field: "depth" for `start_crown_depth`, "elevation" for `ground_elevation` ..."""
    if name in {"x", "y"}:
        return "coordinates"
    return (
        name if name == "well_depth" else next((kind for kind in ("depth", "elevation") if name.endswith(kind)), name)
    )


def normal_text(text: str) -> str:
    """Return a text in one form: full-width as half-width, no white space inside."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def read_vocabulary(options: ReadOptions) -> Vocabulary:
    """Return the house's vocabulary with what the mapping's options say laid over it.

    `options.survey_aliases` replaces the alias list of a field; `options.survey` replaces single rules and
    takes `project`, `axes` ("north_east" or "east_north": what X and Y of the table mean) and `classes`
    ({word = "PS.YS"}).
    """
    own: Mapping[str, Any] = getattr(options.mapping, "options", None) or {}
    over = own.get("survey", {})
    rules = _laid_over(_read_toml("survey.toml"), {k: v for k, v in over.items() if k not in _FLAT_KEYS}, "survey")
    aliases = _laid_over(_read_toml("survey_aliases.toml"), own.get("survey_aliases", {}), "survey_aliases")
    wrong = {kind: unit for kind, unit in rules["units"].items() if unit and unit not in METRES}
    if wrong or set(rules["units"]) - set(UNITS):
        raise CatalogueError(
            "mapping.invalid", path=options.mapping.name, key=f"survey.units = {rules['units']}", expected=tuple(METRES)
        )
    axes = str(over.get("axes", "north_east"))
    if axes not in {"north_east", "east_north"}:
        raise CatalogueError(
            "mapping.invalid",
            path=options.mapping.name,
            key=f"survey.axes = {axes}",
            expected=["north_east", "east_north"],
        )
    return Vocabulary(
        aliases={role: {ours: _texts(names) for ours, names in table.items()} for role, table in aliases.items()},
        classes=_classes() | {_class_key(word): _class_meant(str(v)) for word, v in over.get("classes", {}).items()},
        rules=rules,
        project=str(over.get("project", own.get("project", ""))),
        axes=axes,
    )


def _read_toml(name: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads((_FOLDER / name).read_text("utf-8"))


def _laid_over(table: dict[str, dict[str, Any]], over: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """Return a table of tables with single entries replaced; a table that is not there is refused by name."""
    unknown = [key for key, value in over.items() if key not in table or not isinstance(value, Mapping)]
    if unknown:
        raise CatalogueError("mapping.invalid", path=f"[options.{name}]", key=unknown, expected=sorted(table))
    return {key: {**entries, **over.get(key, {})} for key, entries in table.items()}


def _texts(names: str | list[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _class_key(word: str) -> str:
    """Return the form in which words for classes are compared."""
    return normal_text(word).upper().removesuffix("管线").removesuffix("管道").removesuffix("管")


def _class_meant(name: str) -> PipeClass:
    """Return the class that a mapping names: by a word the house knows ("YS", "雨水"), else as "PS.YS"."""
    return _classes().get(_class_key(name)) or PipeClass(*name.split(".", 1))


def _classes() -> dict[str, PipeClass]:
    rows = read_tables(_FOLDER / "survey_classes.csv", encoding="utf-8")[0].rows[1:]
    return {word.upper(): PipeClass(major, sub) for word, major, sub, *_ in rows}
