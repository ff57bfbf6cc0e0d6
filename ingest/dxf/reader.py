"""Drawings: DXF of every release, ASCII or binary, with CASS codes in XDATA or understood by their layers.

Neighbours: `document` opens the file, `record` reads its entities, `cass` and `layers` decide what they
are, `building`, `contour` and `sheet` know those things of a topographic map.

A record is an entity that the modelspace draws: read = stored + quarantined + decoration counts each of them
once, a block reference as one or as what it stands for (`blocks`).
"""

from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

from ezdxf.enums import InsertUnits
from ezdxf.lldxf.const import DXFError
from ezdxf.units import conversion_factor

from ingest.draft import Draft, ReadOptions
from ingest.dxf.blocks import Blocks
from ingest.dxf.cass import CassSettings, deliver_cass, opened_sheets
from ingest.dxf.document import garbage_later, is_dwg, looks_like_dxf, open_drawing
from ingest.dxf.drawing import Drawing
from ingest.dxf.layers import deliver_layers
from ingest.dxf.own_layers import deliver_own_layers
from ingest.dxf.record import Record
from ingest.mapping import LayerMapping, Mapping
from twin_model.crs import is_projected
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["read_dxf", "recognises_dxf"]

SAGITTA = 0.05
"""Arcs become chords that miss them by no more than this, in metres."""

_UNITS = {"m": 6, "mm": 4, "cm": 5, "dm": 14, "km": 7, "in": 1, "ft": 2, "us-ft": 21}
_METRE = 6


def recognises_dxf(path: Path) -> bool:
    """Say whether a file is a DXF drawing by its first bytes, or a DWG, which is refused with how to convert it."""
    try:
        with path.open("rb") as file:
            head = file.read(8192)
            return looks_like_dxf(head) or is_dwg(head)
    except OSError:
        return False


def read_dxf(path: Path, draft: Draft, options: ReadOptions) -> None:
    """Read a drawing into `draft`.

    With CASS codes (XDATA of application SOUTH) only coded entities are features; without,
    `options.mapping` says which layers become ours, or `options.kind` names one layer for all; without
    either the drawing becomes layers of the town's own, points, lines and areas apart. The
    mapping's `options` may set `cass_table` (path of the office's codes), `storey_height`,
    `contour_interval` and `closing_gap` (metres) and `units` ("mm", "m", ... of a drawing). Raises SourceRefused for what
    is no drawing, a drawing cut short, an empty one, and one of which a mapping names nothing.
    """
    name = draft.source.name
    crs = options.crs or getattr(options.mapping, "crs", None)
    if crs is None and recognises_dxf(path) and not _is_dwg_file(path):
        raise SourceRefused("source.no_crs", source=name, crs=draft.storage_crs)
    with garbage_later():
        opened = open_drawing(path, name, options.encoding)
        for finding in opened.findings:
            draft.report(finding)
        _read_drawing(opened.document, Drawing(draft, str(crs)), options)


def _is_dwg_file(path: Path) -> bool:
    with path.open("rb") as file:
        return is_dwg(file.read(8))


def _read_drawing(document: Any, drawing: Drawing, options: ReadOptions) -> None:
    settings = dict(getattr(options.mapping, "options", None) or {})
    if "closing_gap" in settings:
        drawing.closing_gap = _positive("closing_gap", settings["closing_gap"])
    may_be_cass = any(one.dxf.name.upper() == "SOUTH" for one in document.appids)
    metres = 1.0 if may_be_cass else _metres(document, drawing.crs, settings)
    sagitta = SAGITTA / metres
    blocks = Blocks(document, sagitta, drawing.draft.source.name)
    records = _without_other_drawings(drawing, blocks)
    if not records:
        raise SourceRefused("dxf.empty", source=drawing.draft.source.name, paper=_paper_entities(document))
    _note_geodata(document, drawing)
    _note_paper(document, drawing)
    records = opened_sheets(blocks, records) if may_be_cass else records
    if any(record.code is not None for record in records):
        deliver_cass(drawing, records, _cass_settings(settings, options.storey_height), scale=_drawn_scale(document))
    else:
        metres = _metres(document, drawing.crs, settings)
        drawing.metres = metres
        _note_units(document, drawing, metres)
        mapping = _mapping(options, drawing)
        if mapping is None or not mapping.layers:
            deliver_own_layers(drawing, records, blocks)
        else:
            deliver_layers(drawing, records, mapping, blocks)
    drawing.flush()


def _without_other_drawings(drawing: Drawing, blocks: Blocks) -> list[Record]:
    """Return the records of the modelspace; references to other drawings (xrefs) are counted and named, not followed."""
    records: list[Record] = []
    for record in blocks.records():
        path = blocks.xref_of(record)
        if path is None:
            records.append(record)
        else:
            drawing.pass_over("dxf.xref_not_read", PureWindowsPath(path).name)
    if not records:
        drawing.flush()
    return records


def _mapping(options: ReadOptions, drawing: Drawing) -> Mapping | None:
    """Return the mapping, or one that takes every layer as the one the caller named."""
    given = options.mapping if isinstance(options.mapping, Mapping) else None
    if options.kind in drawing.draft.catalogue and not (given and given.layers):
        everything = LayerMapping(patterns=("*",), to=str(options.kind))
        return replace(given, layers=(everything,)) if given else Mapping("kind", (everything,))
    return given


def _cass_settings(settings: dict[str, Any], storey_height: float) -> CassSettings:
    known: dict[str, Any] = {"storey_height": storey_height}
    if settings.get("cass_table"):
        known["table"] = Path(settings["cass_table"])
    for key, name in (("storey_height", "storey_height"), ("contour_interval", "interval")):
        if key in settings:
            known[name] = _positive(key, settings[key])
    return CassSettings(**known)


def _positive(key: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 0.0 < number < 1000.0:
        raise SourceRefused("dxf.option_invalid", key=key, value=value)
    return number


def _metres(document: Any, crs: str, settings: dict[str, Any]) -> float:
    """Return metres per drawing unit of a drawing without codes; 1.0 where the unit is unknown or no
    length on a map."""
    unit = _UNITS.get(str(settings.get("units", "")).lower())
    if unit is None:
        unit = document.header.get("$INSUNITS", 0)
    if unit in (0, _METRE) or not is_projected(crs):
        return 1.0
    try:
        return float(conversion_factor(InsertUnits(unit), InsertUnits(_METRE)))
    except (DXFError, LookupError, ValueError, TypeError):
        return 1.0


def _note_units(document: Any, drawing: Drawing, metres: float) -> None:
    if metres != 1.0:
        unit = document.header.get("$INSUNITS", 0)
        drawing.draft.report(Finding("dxf.units_scaled", "warning", values={"factor": metres, "unit": unit}))


def _note_paper(document: Any, drawing: Drawing) -> None:
    """Say how many entities stand in paper space, which is a way to print the map and no part of it."""
    count = _paper_entities(document)
    if count:
        drawing.note("dxf.paper_space", "info", count=count)


def _note_geodata(document: Any, drawing: Drawing) -> None:
    """Say that the drawing carries a georeference of its own, which was not applied."""
    try:
        geodata = document.modelspace().get_geodata()
        system = geodata.get_crs()[0] if geodata is not None else None
    except (DXFError, ValueError, TypeError, LookupError, AttributeError):
        system = "?"
    if system is not None:
        shown = f"EPSG:{system}" if isinstance(system, int) else system
        drawing.draft.report(Finding("dxf.geodata", "info", values={"found": shown, "crs": drawing.crs}))


def _drawn_scale(document: Any) -> float | None:
    """Return the scale denominator CASS keeps in `$USERR1`; None where it is not set."""
    try:
        return float(document.header.get("$USERR1", 0.0)) or None
    except (TypeError, ValueError):
        return None


def _paper_entities(document: Any) -> int:
    papers = (layout for layout in document.layouts if layout.is_any_paperspace)
    return sum(entity.dxftype() != "VIEWPORT" for layout in papers for entity in layout)
