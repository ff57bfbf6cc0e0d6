"""A mapping: source names -> ours. Tables of `*.toml`, replaceable by the office's own with `--mapping`.

    [[layer]]
    from = ["道路面", "road*"]      # source layer, table or DXF layer; shell patterns
    to = "road_area"
    fields = { name = ["路名", "name"], width = "宽度" }
    constants = { surface = "沥青" }
    values = { kind = { "1" = "主干路" } }

The first entry whose `from` fits wins. `crs` at the top declares the CRS of sources that carry none.
"""

import tomllib
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from twin_model.catalogue import Catalogue
from twin_model.crs import crs_code
from twin_model.errors import CatalogueError

__all__ = ["LayerMapping", "Mapping", "ensure_fits", "read_mapping", "standard_mapping"]

_KEYS = {"from", "to", "fields", "constants", "values", "valid_from"}


@dataclass(frozen=True)
class LayerMapping:
    """How one kind of source layer becomes one of ours: field -> source names in order of preference."""

    patterns: tuple[str, ...]
    to: str
    fields: Map[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Map[str, Any] = field(default_factory=dict)
    values: Map[str, Map[str, Any]] = field(default_factory=dict)
    valid_from: str | None = None

    def fits(self, source_layer: str) -> bool:
        return any(fnmatchcase(source_layer.lower(), pattern.lower()) for pattern in self.patterns)

    def source_fields(self, available: Sequence[str]) -> dict[str, str]:
        """Return our field -> the source column that feeds it, of the columns there are (names cut to ten bytes too)."""
        found = {ours: _among(wanted, available) for ours, wanted in self.fields.items()}
        return {ours: theirs for ours, theirs in found.items() if theirs is not None}

    def dated_by(self, available: Sequence[str]) -> str | None:
        """Return the source column that says since when a row is true, None where the mapping or the source has none."""
        return _among((self.valid_from,), available) if self.valid_from else None


def _among(wanted: Sequence[str], available: Sequence[str]) -> str | None:
    """Return the first wanted name that is there, whole or as a shapefile cuts it."""
    exact = next((name for name in wanted if name in available), None)
    if exact is not None:
        return exact
    by_name = {name.strip().lower(): name for name in available}
    whole = next((by_name[name.lower()] for name in wanted if name.lower() in by_name), None)
    cut = (by_name[one] for name in wanted for one in _cut(name) if one in by_name)
    return whole or next(cut, None)


def _cut(name: str) -> tuple[str, ...]:
    """Return a name as a shapefile cuts it: ten bytes of GBK, or of UTF-8."""
    encoded = ((name.encode(one, "ignore")[:10], one) for one in ("gbk", "utf-8"))
    return tuple(text.decode(one, "ignore").lower() for text, one in encoded)


@dataclass(frozen=True)
class Mapping:
    """A list of layer mappings, tried in order, and the CRS of sources that carry none."""

    name: str
    layers: tuple[LayerMapping, ...]
    crs: str | None = None
    options: Map[str, Any] = field(default_factory=dict)

    def layer_for(self, source_layer: str) -> LayerMapping | None:
        return next((one for one in self.layers if one.fits(source_layer)), None)


def read_mapping(path: Path) -> Mapping:
    """Return the mapping of a TOML file; a key that means nothing is refused with the ones that do."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError("mapping.unreadable", path=str(path), cause=str(error)) from error
    layers = table.get("layer", [])
    if not isinstance(layers, list) or not all(isinstance(entry, dict) for entry in layers):
        raise CatalogueError("mapping.invalid", path=str(path), key="layer", expected=["[[layer]]"])
    entries = tuple(_layer_mapping(entry, path) for entry in layers)
    crs = table.get("crs")
    return Mapping(path.stem, entries, None if crs is None else crs_code(crs), table.get("options", {}))


def ensure_fits(mapping: Mapping, catalogue: Catalogue) -> None:
    """Refuse a mapping that names a layer the town has not, or a field its layer has not."""
    for entry in mapping.layers:
        layer = catalogue[entry.to]
        unknown = sorted({*entry.fields, *entry.constants, *entry.values} - set(layer.field_names))
        if unknown:
            key = f"{layer.id}: {', '.join(unknown)}"
            raise CatalogueError("mapping.invalid", path=mapping.name, key=key, expected=layer.field_names)


def standard_mapping(name: str) -> Mapping:
    """Return one of the mappings that come with the house, by file name without ending ("vector", ...)."""
    return read_mapping(Path(__file__).parent / "mappings" / f"{name}.toml")


def _layer_mapping(entry: dict[str, Any], path: Path) -> LayerMapping:
    unknown = set(entry) - _KEYS
    if unknown or "from" not in entry or "to" not in entry:
        raise CatalogueError(
            "mapping.invalid", path=str(path), key=sorted(unknown) or "from, to", expected=sorted(_KEYS)
        )
    tables = ("fields", "constants", "values")
    wrong = [key for key in tables if not isinstance(entry.get(key, {}), dict)]
    wrong += (
        [f"values.{key}" for key, one in entry.get("values", {}).items() if not isinstance(one, dict)]
        if not wrong
        else []
    )
    if wrong:
        raise CatalogueError(
            "mapping.invalid", path=str(path), key=wrong, expected=[f"{key} = {{ ... }}" for key in tables]
        )
    return LayerMapping(
        patterns=_names(entry["from"]),
        to=entry["to"],
        fields={ours: _names(theirs) for ours, theirs in entry.get("fields", {}).items()},
        constants=entry.get("constants", {}),
        values=entry.get("values", {}),
        valid_from=entry.get("valid_from"),
    )


def _names(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
