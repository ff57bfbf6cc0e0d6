"""Water networks of EPANET (.inp): nodes become `pipe_point`, pipes, pumps and valves `pipe_line`.

Units follow the file's flow unit: US customary (CFS, GPM, MGD, IMGD, AFD: feet and inches) or SI (LPS, LPM,
MLD, CMH, CMD, CMS: metres and millimetres), EPANET 2.2 user's manual, appendix A. Drainage models of SWMM
share the suffix; they are recognised and refused by name.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.draft import Draft, ReadOptions
from ingest.inp_tokens import InpLine, ensure_one_comma, words_of
from ingest.number_text import numbers_of_texts
from ingest.reader import Reader, ReaderFunctions
from ingest.source_crs import source_crs
from ingest.source_files import alone
from twin_model.crs import unit_of
from twin_model.errors import SourceRefused
from twin_model.finding import Finding
from twin_model.layer import ATTRIBUTES

__all__ = ["READER", "read_epanet", "recognises_epanet"]

Floats = NDArray[np.float64]

_HEAD_BYTES = 1_048_576
_NODES = {"JUNCTIONS": "junction", "RESERVOIRS": "reservoir", "TANKS": "tank"}
_LINKS = {"PIPES": "pipe", "PUMPS": "pump", "VALVES": "valve"}
_READ = (*_NODES, *_LINKS, "COORDINATES", "VERTICES", "OPTIONS", "STATUS", "TAGS")
_KEPT: Mapping[str, tuple[tuple[int, str], ...]] = {
    "JUNCTIONS": ((2, "demand"), (3, "pattern")),
    "RESERVOIRS": ((2, "pattern"),),
    "TANKS": ((2, "initial_level"), (3, "minimum_level"), (4, "maximum_level"), (5, "diameter"), (6, "minimum_volume"), (7, "volume_curve")),
    "PIPES": ((5, "roughness"), (6, "minor_loss")),
    "VALVES": ((6, "minor_loss"),),
}  # fmt: skip
"""What the manual has in a section and we have no field for: place in an entry and name, in the units of the file."""
_SWMM = re.compile(r"^\s*\[(CONDUITS|SUBCATCHMENTS|OUTFALLS|RAINGAGES|XSECTIONS|SUBAREAS)", re.I | re.M)
_OWN = re.compile(r"^\s*\[(JUNC|RESER|PIPES)", re.I | re.M)
_US_UNITS = {"CFS", "GPM", "MGD", "IMGD", "AFD"}
_SI_UNITS = {"LPS", "LPM", "MLD", "CMH", "CMD", "CMS"}
_FOOT, _INCH_MM = 0.3048, 25.4
_MAP_UNIT = re.compile(r"^\s*\[BACK[^\n]*\n(?:(?!\s*\[)[^\n]*\n)*?\s*UNITS\s+(\w+)", re.I | re.M)
_MAP_UNITS: Mapping[str, tuple[str, ...]] = {
    "FEET": ("foot", "US survey foot"),
    "METERS": ("metre",),
    "DEGREES": ("degree",),
}
"""What [BACKDROP] says that coordinates count -> units of a CRS that count the same (EPANET 2.2 manual, appendix C)."""


@dataclass(frozen=True)
class Entry:
    """One line of a section: its tokens, its line number from 1, and the comment behind it."""

    tokens: tuple[str, ...]
    line: int
    comment: str = ""

    @property
    def place(self) -> str:
        return f"line {self.line}"

    def token(self, index: int) -> str:
        return self.tokens[index] if index < len(self.tokens) else ""

    def number(self, index: int) -> float:
        """Return a token as a number, NaN where it is absent or none."""
        return float(numbers_of_texts([self.token(index)], comma="unknown")[0][0])


Sections = Mapping[str, list[Entry]]


@dataclass(frozen=True)
class _Units:
    """The file's flow unit and what its lengths are in metres and its diameters in millimetres."""

    flow: str
    metres: float
    millimetres: float


@dataclass(frozen=True)
class _Node:
    x: float
    y: float
    z: float


def recognises_epanet(path: Path) -> bool:
    """Say whether a file has the sections of an EPANET network, or of a SWMM model, which `read_epanet`
    refuses by name."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    text = head.decode("latin-1")
    return b"\x00" not in head and bool(_OWN.search(text) or _SWMM.search(text))


def read_epanet(path: Path, draft: Draft, options: ReadOptions) -> None:
    """Read a network into the draft; `length` is the model's own, Z and axis are the nodes' elevations
    (source "model").

    A record is one entry of the sections JUNCTIONS, RESERVOIRS, TANKS, PIPES, PUMPS and VALVES. A reservoir's
    elevation is its hydraulic head, as its note says. Coordinates carry no CRS: `options.crs` or the
    mapping's is needed. The project, which keeps numbers of several networks apart, is the mapping's
    `options.project` or the file's name.
    """
    text = _text(path, draft.source.name, options.text_encoding)
    _ensure_epanet(text, draft.source.name)
    sections = _sections(text, draft)
    _ensure_located(sections, draft.source.name)
    crs = source_crs(draft, options, lambda: _places(sections))
    _compare_map_unit(text, crs, draft)
    units = _units(sections["OPTIONS"], draft)
    own: Mapping[str, Any] = getattr(options.mapping, "options", None) or {}
    project = str(own.get("project") or Path(draft.source.name).stem)
    nodes = _read_nodes(sections, units, project, crs, draft)
    _read_links(sections, nodes, units, project, crs, draft)


def _places(sections: Sections) -> tuple[Floats, Floats]:
    """Return x and y of all nodes that have them."""
    pairs = [(entry.number(1), entry.number(2)) for entry in sections["COORDINATES"]]
    xy = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return xy[:, 0], xy[:, 1]


def _compare_map_unit(text: str, crs: str, draft: Draft) -> None:
    """Report that [BACKDROP] names another unit than the CRS counts in, unless a mapping says how coordinates are meant."""
    named = _MAP_UNIT.search(text)
    unit = named[1].upper() if named else ""
    if unit in _MAP_UNITS and unit_of(crs) not in _MAP_UNITS[unit] and draft.coordinates.change_nothing:
        values = {"source": draft.source.name, "unit": unit, "crs": crs, "counted": unit_of(crs)}
        draft.report(Finding("epanet.map_unit", "warning", values=values))


def _text(path: Path, name: str, encoding: str | None) -> str:
    """Return the file's text: UTF-8 if it is that, else GBK, else Latin-1 (comments of any age)."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceRefused("epanet.unreadable", source=name, cause=error.strerror or type(error).__name__) from error
    content = content.rstrip(b"\x00\x1a \t\r\n")  # some programs pad the file to whole blocks
    if not content.strip():
        raise SourceRefused("epanet.empty", source=name)
    if b"\x00" in content:
        raise SourceRefused("epanet.not_text", source=name, found=" ".join(f"{byte:02X}" for byte in content[:8]))
    for one in (encoding,) if encoding else ("utf-8-sig", "gb18030"):
        try:
            return content.decode(one)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("latin-1")


def _ensure_epanet(text: str, name: str) -> None:
    swmm = _SWMM.search(text)
    if swmm:
        raise SourceRefused("epanet.swmm", source=name, section=swmm[1].upper())
    if not _OWN.search(text):
        sections = re.findall(r"^\s*(\[[^\]\n]{1,30}\]?)", text, re.M)[:8]
        raise SourceRefused("epanet.not_epanet", source=name, found=sections or [text.strip().splitlines()[0][:60]])


def _sections(text: str, draft: Draft) -> dict[str, list[Entry]]:
    """Return the entries of the sections we read; names may be cut to four letters, as EPANET itself
    allows. Decimal commas are read, and that is said."""
    sections: dict[str, list[Entry]] = {name: [] for name in _READ}
    lines: list[tuple[InpLine, str]] = []
    current = ""
    for number, content in enumerate(text.splitlines(), 1):
        said, _, comment = content.partition(";")
        stripped = said.strip()
        if stripped.startswith("["):
            word = stripped.strip("[] ").upper()
            current = next((name for name in _READ if len(word) >= 4 and name[:4] == word[:4]), "")
        elif stripped and current:
            lines.append((InpLine(current, number, stripped), comment.strip()))
    decimal = ensure_one_comma([line for line, _ in lines], draft.source.name)
    for line, comment in lines:
        tokens = words_of(line.text, decimal_comma=bool(decimal))
        sections[line.section].append(Entry(tokens, line.number, comment))
    if decimal:
        values = {"source": draft.source.name, "count": len(decimal), "entry": decimal[0].text}
        draft.report(Finding("epanet.decimal_comma", "info", place=f"line {decimal[0].number}", values=values))
    return sections


def _ensure_located(sections: Sections, name: str) -> None:
    """Refuse a network without nodes, or without a place for any of them."""
    if not any(sections[section] for section in _NODES):
        raise SourceRefused("epanet.no_nodes", source=name)
    if not sections["COORDINATES"]:
        raise SourceRefused(
            "epanet.no_coordinates", source=name, count=sum(len(sections[section]) for section in _NODES)
        )


def _units(entries: Sequence[Entry], draft: Draft) -> _Units:
    """Return the units; EPANET's own default, GPM, where the file names none, and that is said."""
    unit_name = next((entry.token(1).upper() for entry in entries if entry.token(0).upper() == "UNITS"), "")
    if unit_name and unit_name not in _US_UNITS | _SI_UNITS:
        raise SourceRefused(
            "epanet.units", source=draft.source.name, units=unit_name, expected=sorted(_US_UNITS | _SI_UNITS)
        )
    if not unit_name:
        draft.report(Finding("epanet.units_assumed", "warning", values={"source": draft.source.name}))
    us = not unit_name or unit_name in _US_UNITS
    return _Units(unit_name or "GPM", _FOOT if us else 1.0, _INCH_MM if us else 1.0)


def _read_nodes(sections: Sections, units: _Units, project: str, crs: str, draft: Draft) -> dict[str, _Node]:
    """Store the nodes that have a place and return all of them by id; the others are set aside."""
    places, tags = {entry.token(0): entry for entry in sections["COORDINATES"]}, _tags(sections["TAGS"])
    nodes: dict[str, _Node] = {}
    rows: list[dict[str, Any]] = []
    for section, kind in _NODES.items():
        for entry in sections[section]:
            node = _node(entry, section, places.get(entry.token(0)), nodes, units, draft)
            if node is not None:
                nodes[entry.token(0)] = node
                note = f"hydraulic head; {entry.comment}".rstrip("; ") if kind == "reservoir" else entry.comment
                rows.append(
                    {
                        "survey_no": entry.token(0),
                        "kind": kind,
                        "ground_elevation": node.z,
                        "note": note,
                        "place": entry.place,
                        ATTRIBUTES: _attributes(entry, section, tags),
                    }
                )
    at = np.array([(node.x, node.y, node.z) for node in nodes.values()]).reshape(-1, 3)
    _add(draft, "pipe_point", rows, _points(at), project, crs)
    return nodes


def _tags(entries: Sequence[Entry]) -> dict[tuple[str, str], str]:
    """Return the tags by NODE or LINK and id."""
    return {(entry.token(0).upper(), entry.token(1)): " ".join(entry.tokens[2:]) for entry in entries}


def _attributes(entry: Entry, section: str, tags: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Return what a model says of a node or link and no field takes, its tag too; numbers as numbers."""
    attributes: dict[str, Any] = {}
    for index, name in _KEPT.get(section, ()):
        number = entry.number(index)
        attributes |= {name: number if np.isfinite(number) else entry.token(index)} if entry.token(index) else {}
    tag = tags.get(("NODE" if section in _NODES else "LINK", entry.token(0)))
    return attributes | ({"tag": tag} if tag else {})


def _points(at: Floats) -> NDArray[Any]:
    """Return points with Z where the elevation is known, else flat."""
    geometry = np.asarray(shapely.points(at[:, :2]), dtype=object).reshape(-1)
    raised = np.flatnonzero(np.isfinite(at[:, 2]))
    geometry[raised] = shapely.points(at[raised])
    return geometry


def _node(
    entry: Entry, section: str, place: Entry | None, nodes: Mapping[str, _Node], units: _Units, draft: Draft
) -> _Node | None:
    """Return a node with its place in the file's coordinates and elevation in metres, None where it was set
    aside."""
    name, raw = entry.token(0), _raw(entry, section)
    if name in nodes:
        draft.set_aside(
            Finding("epanet.id_repeated", "error", "pipe_point", place=entry.place, values={"id": name}, raw=raw)
        )
        return None
    x, y = (place.number(1), place.number(2)) if place else (np.nan, np.nan)
    if not (np.isfinite(x) and np.isfinite(y)):
        draft.set_aside(
            Finding("epanet.no_place", "error", "pipe_point", place=entry.place, values={"id": name}, raw=raw)
        )
        return None
    z = entry.number(1) * units.metres
    if not np.isfinite(z):
        values = {"id": name, "value": entry.token(1) or None}
        draft.report(
            Finding("epanet.no_elevation", "warning", "pipe_point", place=entry.place, point=(x, y), values=values)
        )
    return _Node(x, y, z)


def _raw(entry: Entry, section: str) -> dict[str, Any]:
    return {"section": section, "line": entry.line, "entry": " ".join(entry.tokens)}


def _add(draft: Draft, layer: str, rows: list[dict[str, Any]], geometry: NDArray[Any], project: str, crs: str) -> None:
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]} | {
            "project": project,
            "class": "JS",
        }
        draft.add(layer, gpd.GeoDataFrame(columns, geometry=geometry, crs=crs))


def _read_links(
    sections: Sections, nodes: Mapping[str, _Node], units: _Units, project: str, crs: str, draft: Draft
) -> None:
    bends: dict[str, list[tuple[float, float]]] = {}
    for entry in sections["VERTICES"]:
        if _is_number(entry, 1, draft) and _is_number(entry, 2, draft):
            bends.setdefault(entry.token(0), []).append((entry.number(1), entry.number(2)))
    states, tags = {entry.token(0): entry.token(1) for entry in sections["STATUS"]}, _tags(sections["TAGS"])
    seen: set[str] = set()
    rows: list[dict[str, Any]] = []
    geometry: list[Any] = []
    for section, kind in _LINKS.items():
        for entry in sections[section]:
            if _usable(entry, section, nodes, seen, draft):
                seen.add(entry.token(0))
                start, end = nodes[entry.token(1)], nodes[entry.token(2)]
                link = _link(entry, kind, start, end, units, states, draft)
                rows.append(link | {ATTRIBUTES: _attributes(entry, section, tags)})
                geometry.append(_axis(start, end, bends.get(entry.token(0), []), entry, draft))
    _add(draft, "pipe_line", rows, np.array([*geometry, None], dtype=object)[:-1], project, crs)


def _is_number(entry: Entry, index: int, draft: Draft) -> bool:
    """Return whether a token is a number; one that is none is reported."""
    if np.isfinite(entry.number(index)):
        return True
    values = {"id": entry.token(0), "value": entry.token(index) or None}
    draft.report(Finding("epanet.number_unreadable", "warning", "pipe_line", place=entry.place, values=values))
    return False


def _usable(entry: Entry, section: str, nodes: Mapping[str, _Node], seen: set[str], draft: Draft) -> bool:
    """Return whether a link has an id of its own and two nodes with a place; else it is set aside with the
    nearest ids."""
    name = entry.token(0)
    lost = next((end for end in (entry.token(1), entry.token(2)) if end not in nodes), None)
    if lost is None and name not in seen:
        return True
    rule = "epanet.id_repeated" if lost is None else "epanet.node_unknown"
    values = {"id": name, "node": lost, "nearest": get_close_matches(lost, nodes, 3, 0.5) if lost else []}
    draft.set_aside(Finding(rule, "error", "pipe_line", place=entry.place, values=values, raw=_raw(entry, section)))
    return False


def _link(
    entry: Entry, kind: str, start: _Node, end: _Node, units: _Units, states: Mapping[str, str], draft: Draft
) -> dict[str, Any]:
    """Return a link as fields of `pipe_line`; the note says its state (Closed, CV), a valve's type and
    setting."""
    length = entry.number(3) * units.metres if kind == "pipe" and _is_number(entry, 3, draft) else float("nan")
    diameter = entry.number({"pipe": 4, "valve": 3}.get(kind, 99)) * units.millimetres
    if kind != "pump" and not diameter > 0:
        values = {"id": entry.token(0), "value": entry.token(4 if kind == "pipe" else 3) or None}
        draft.report(Finding("epanet.no_diameter", "warning", "pipe_line", place=entry.place, values=values))
        diameter = float("nan")
    half, known = diameter / 2000, diameter == diameter
    return {
        "segment_key": entry.token(0),
        "kind": kind,
        "start_no": entry.token(1),
        "end_no": entry.token(2),
        "section": f"{round(diameter, 3):g}" if known else None,
        "section_shape": "round" if known else None,
        "width_mm": diameter,
        "height_mm": diameter,
        "length": length,
        "height_source": "model",
        "start_crown": start.z + half,
        "end_crown": end.z + half,
        "start_axis": start.z,
        "end_axis": end.z,
        "start_invert": start.z - half,
        "end_invert": end.z - half,
        "note": _note(entry, kind, states),
        "place": entry.place,
    }


def _note(entry: Entry, kind: str, states: Mapping[str, str]) -> str:
    """Return what the model says of a link beyond our fields, "Open" left out, then the entry's comment."""
    own = {"pipe": entry.tokens[7:8], "valve": entry.tokens[4:6], "pump": entry.tokens[3:]}[kind]
    state = states.get(entry.token(0), "")
    said = " ".join(word for word in (*own, state) if word and word.upper() != "OPEN")
    return "; ".join(part for part in (said, entry.comment) if part)


def _axis(start: _Node, end: _Node, bends: list[tuple[float, float]], entry: Entry, draft: Draft) -> Any:
    """Return the link's line with heights along it, flat where a node has none, None where both nodes share a
    place."""
    plan = np.array([(start.x, start.y), *bends, (end.x, end.y)])
    chainage = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(plan, axis=0).T))))
    if chainage[-1] == 0:
        values = {"id": entry.token(0), "start": entry.token(1), "end": entry.token(2)}
        draft.report(
            Finding(
                "epanet.no_extent",
                "info",
                "pipe_line",
                place=entry.place,
                point=(start.x, start.y),
                values=values,
            )
        )
        return None
    z = np.interp(chainage, (0.0, chainage[-1]), (start.z, end.z))
    return shapely.LineString(np.column_stack((plan, z)) if np.isfinite(start.z + end.z) else plan)


def _functions() -> ReaderFunctions:
    return ReaderFunctions(recognises_epanet, read_epanet)


READER = Reader("epanet", topic="survey", suffixes=(".inp",), files=alone, load=_functions, version=1)
