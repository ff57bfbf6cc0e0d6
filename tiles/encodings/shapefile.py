"""A table made fit for a shapefile: names of ten bytes, texts of 254, and what that cost.

The limits are those of dBASE III (Esri 1998, "dBASE file"); texts are UTF-8, three bytes for a Chinese character.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
from pandas.api.types import is_numeric_dtype

from twin_model.catalogue.ascii_name import ascii_name
from twin_model.finding import Finding
from twin_model.formula_text import escape_formula
from twin_model.layer import Layer

__all__ = ["FittedTable", "fitted_table", "short_names", "write_names"]

_MOST_NAME_BYTES = 10
_MOST_TEXT_BYTES = 254
_MOST_NAMED = 40


@dataclass(frozen=True)
class FittedTable:
    """A table as a shapefile takes it; `shortened` are its short names -> the whole ones, `cut` the texts cut by field.

    `first_cut` gives the id of the first feature that lost text, by field.
    """

    table: gpd.GeoDataFrame
    shortened: Mapping[str, str]
    cut: Mapping[str, int]
    first_cut: Mapping[str, str]

    def findings(self, layer: str) -> list[Finding]:
        """Return what is told of the names and texts that became shorter."""
        findings = []
        if self.shortened:
            pairs = [f"{short} = {name}" for short, name in self.shortened.items()]
            more = ["…"] if len(pairs) > _MOST_NAMED else []
            values = {"count": len(pairs), "names": [*pairs[:_MOST_NAMED], *more]}
            findings.append(Finding("export.names_shortened", "info", layer=layer, values=values))
        for name, count in self.cut.items():
            values = {"field": name, "count": count, "id": self.first_cut[name], "most": _MOST_TEXT_BYTES}
            findings.append(Finding("export.texts_cut", "warning", layer=layer, values=values))
        return findings


def fitted_table(table: gpd.GeoDataFrame) -> FittedTable:
    """Return a table with a column `id` for a shapefile; texts are cut between characters."""
    columns = [str(name) for name in table.columns if name != table.geometry.name]
    table = table.copy(deep=False)
    cut: dict[str, int] = {}
    first_cut: dict[str, str] = {}
    for name in columns:
        if is_numeric_dtype(table[name].dtype):
            continue
        values = table[name].astype(object)
        changed = values.map(_is_too_long)
        if changed.any():
            cut[name], first_cut[name] = int(changed.sum()), str(table["id"][changed.to_numpy().argmax()])
            table[name] = values.map(_cut)
    names = short_names(columns)
    shortened = {short: name for name, short in names.items() if short != name}
    return FittedTable(table.rename(columns=names), shortened, cut, first_cut)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return for each name one of at most ten bytes, no two alike whatever their case.

    A name is cut between characters, as every program cuts it, where no other begins alike; else a Chinese one is called
    by the first letters of its pinyin, and where that does not help by a number.

    >>> short_names(["房屋结构说明", "不动产单元号", "不动产类型", "storeys_above", "storeys_below"])
    {'房屋结构说明': '房屋结', '不动产单元号': 'BDCDYH', '不动产类型': 'BDCLX', 'storeys_above': 'storeys_ab', 'storeys_below': 'storeys_be'}
    """
    cuts = Counter(_first_bytes(name, _MOST_NAME_BYTES).lower() for name in names)
    taken = {name.lower() for name in names if _fits(name)}
    short: dict[str, str] = {}
    for name in names:
        cut = _first_bytes(name, _MOST_NAME_BYTES)
        if not _fits(name):
            wanted = cut if cuts[cut.lower()] == 1 else _initials(name) or cut
            cut = wanted if wanted.lower() not in taken else _numbered(cut, taken)
            taken.add(cut.lower())
        short[name] = cut
    return short


def write_names(file: Path, names: Mapping[str, str], layer: Layer) -> None:
    """Write short names, whole names and titles as a table (CSV, UTF-8 with mark)."""
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["short_name", "name", "title_zh", "title_en"])
        for short, name in names.items():
            field = next((field for field in layer.fields if field.name == name), None)
            titles = [field.title.zh, field.title.en] if field is not None else ["", ""]
            rows.writerow(map(escape_formula, [short, name, *titles]))


def _initials(name: str) -> str:
    """Return the pinyin initials of a name that is not ASCII, "" where they are no name of ten bytes."""
    initials = "" if name.isascii() else ascii_name(name).upper()
    return initials if _fits(initials) else ""


def _numbered(cut: str, taken: set[str]) -> str:
    for number in range(1, len(taken) + 2):
        ending = f"_{number}"
        name = f"{_first_bytes(cut, _MOST_NAME_BYTES - len(ending))}{ending}"
        if name.lower() not in taken:
            return name
    raise AssertionError


def _fits(name: str) -> bool:
    return len(name.encode()) <= _MOST_NAME_BYTES


def _is_too_long(value: object) -> bool:
    return isinstance(value, str) and len(value.encode()) > _MOST_TEXT_BYTES


def _cut(value: object) -> object:
    return _first_bytes(value, _MOST_TEXT_BYTES) if isinstance(value, str) and _is_too_long(value) else value


def _first_bytes(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")
