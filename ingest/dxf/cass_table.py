"""The table of CASS codes: code -> our layer, kind, expected geometry, GB/T 13923 code (`mappings/cass.csv`).

A code ending in `*` is a family: it answers for codes that have no row of their own, the longest
beginning first, by the geometry that was drawn. An office lays its own table over it, as CSV with the
columns of `cass.csv` (code, layer and kind suffice; an empty layer means symbol decoration) or as CASS's
own WORK.DEF.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from twin_model.errors import SourceRefused

__all__ = ["CassCode", "CassTable", "read_cass_table"]

STANDARD = Path(__file__).parent.parent / "mappings" / "cass.csv"


@dataclass(frozen=True)
class CassCode:
    """What one CASS code means: `layer` "" is decoration; `gb_code` "" where none is known."""

    code: str
    layer: str
    kind: str
    geometry: str = ""
    gb_code: str = ""
    structure: str = ""
    uncertain: bool = False
    confidence: str = ""

    @property
    def is_family(self) -> bool:
        return self.code.endswith("*")


@dataclass
class CassTable:
    """CASS codes by code, families by their beginning."""

    codes: dict[str, CassCode] = field(default_factory=dict)
    families: list[CassCode] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def lookup(self, code: str, geometry: str) -> CassCode | None:
        """Return the row for a code drawn as "point", "polyline", "polygon" or "text"; None where nothing
        fits."""
        exact_row = self.codes.get(code)
        if exact_row is not None:
            return exact_row
        fitting = [family for family in self.families if code.startswith(family.code[:-1])]
        exact = [row for row in fitting if row.geometry in ("", geometry)]
        if not exact and geometry == "polygon":
            exact = [row for row in fitting if row.geometry == "polyline"]
        best = max(exact, key=lambda row: len(row.code), default=None)
        if best is None or code not in self.names:
            return best
        return CassCode(code, best.layer, self.names[code], geometry, best.gb_code, best.structure, True, "office")

    def with_rows(self, rows: Iterable[CassCode]) -> "CassTable":
        """Return this table with rows laid over it; a family given again replaces the one of the same
        geometry."""
        new = list(rows)
        codes = self.codes | {row.code: row for row in new if not row.is_family}
        given = {(row.code, row.geometry) for row in new if row.is_family}
        families = [family for family in self.families if (family.code, family.geometry) not in given]
        return CassTable(codes, [row for row in new if row.is_family] + families, self.names)

    def with_names(self, names: dict[str, str]) -> "CassTable":
        """Return this table with the office's names of codes (WORK.DEF) as kinds."""
        renamed = {code: replace(one, kind=names.get(code, one.kind)) for code, one in self.codes.items()}
        return CassTable(renamed, self.families, self.names | names)


def read_cass_table(office: Path | None = None) -> CassTable:
    """Return the house's table, with the office's CSV or WORK.DEF laid over it where one is given.

    Raises SourceRefused `dxf.table_unreadable` when the office's file cannot be read or holds no code.
    """
    standard = CassTable().with_rows(_csv_rows(STANDARD.read_text("utf-8").splitlines()))
    if office is None:
        return standard
    lines = _lines(office)
    heading = [cell.strip().lower() for cell in lines[0].split(",")]
    if {"code", "layer"} <= set(heading):
        rows = list(_csv_rows([",".join(heading), *lines[1:]]))
        _ensure_any(rows, office)
        return standard.with_rows(rows)
    names = dict(_work_def(lines))
    _ensure_any(names, office)
    return standard.with_names(names)


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceRefused("dxf.table_unreadable", path=path.name, cause=error.strerror or "no such file") from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return [line for line in content.decode(encoding).splitlines() if line.strip()] or [""]
        except UnicodeDecodeError:
            continue
    raise SourceRefused("dxf.table_unreadable", path=path.name, cause="its text is neither UTF-8 nor GBK")


def _ensure_any(rows: object, path: Path) -> None:
    if not rows:
        raise SourceRefused("dxf.table_unreadable", path=path.name, cause="it holds no line with a code")


def _csv_rows(lines: list[str]) -> Iterator[CassCode]:
    for row in csv.DictReader(lines):
        value = {name: (text or "").strip() for name, text in row.items() if name}
        if value.get("code"):
            yield CassCode(
                value["code"],
                value.get("layer", ""),
                value.get("kind", ""),
                value.get("geometry", ""),
                value.get("gb_code", ""),
                value.get("structure", ""),
                value.get("gb_code_uncertain") == "1",
                value.get("confidence", ""),
            )


def _work_def(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield code and name of the lines of a WORK.DEF: code, layer, symbol class, parameters, name."""
    for line in lines:
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) >= 4 and cells[0][:6].isdigit() and cells[2].lstrip("-").isdigit() and cells[-1]:
            yield cells[0], cells[-1]
