"""Drawings: DXF of every release, ASCII or binary, with CASS codes in XDATA or understood by their layers.

Neighbours: `document` opens the file, `record` reads its entities, `cass` and `layers` decide what they
are, `building`, `contour` and `sheet` know those things of a topographic map.

A record is an entity that the modelspace draws: read = stored + quarantined + decoration counts each of them
once, a block reference as one or as what it stands for (`blocks`).
"""

from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
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
from ingest.dxf.texts import texts_of
from ingest.mapping import LayerMapping, Mapping
from ingest.margin_text import margin_of
from ingest.place import lie_in_town
from ingest.source_crs import source_crs
from twin_model.crs import is_projected
from twin_model.errors import CatalogueError, SourceRefused
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
    with garbage_later():
        opened = open_drawing(path, draft.source.name, options.text_encoding)
        for finding in opened.findings:
            draft.report(finding)
        margin = margin_of(texts_of(opened.document))
        crs = source_crs(draft, options, lambda: _places(opened.document, draft.source.name), margin=margin)
        _read_drawing(opened.document, Drawing(draft, crs), options)


def _places(document: Any, source: str) -> tuple[Any, Any]:
    """Return x and y of a drawing's points, in its own unit."""
    points = [record.xyz[:, :2] for record in Blocks(document, SAGITTA, source).records() if len(record.xyz)]
    return tuple(np.concatenate(points or [np.empty((0, 2))]).T)


def _read_drawing(document: Any, drawing: Drawing, options: ReadOptions) -> None:
    settings = dict(getattr(options.mapping, "options", None) or {})
    if "closing_gap" in settings:
        drawing.closing_gap = _positive("closing_gap", settings["closing_gap"])
    _ensure_unit(settings, options)
    may_be_cass = any(application.dxf.name.upper() == "SOUTH" for application in document.appids)
    metres = 1.0 if may_be_cass else _metres(document, drawing.crs, settings)
    blocks = Blocks(document, SAGITTA / metres, drawing.draft.source.name)
    records = _without_other_drawings(drawing, blocks)
    if not records:
        raise SourceRefused("dxf.empty", source=drawing.draft.source.name, paper=_paper_entities(document))
    _note_geodata(document, drawing)
    _note_paper(document, drawing)
    records = opened_sheets(blocks, records) if may_be_cass else records
    if any(record.code is not None for record in records):
        deliver_cass(drawing, records, _cass_settings(settings, options.storey_height), scale=_drawn_scale(document))
    else:
        declared = _metres(document, drawing.crs, settings)
        drawing.metres = _believed(declared, records, document, drawing, settings)
        if drawing.metres != metres:
            blocks = Blocks(document, SAGITTA / drawing.metres, drawing.draft.source.name)
            records = [record for record in blocks.records() if blocks.xref_of(record) is None]
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


def _ensure_unit(settings: dict[str, Any], options: ReadOptions) -> None:
    """Refuse a unit of the mapping that no drawing is in."""
    unit = settings.get("units", "m")
    if str(unit).lower() not in _UNITS:
        raise CatalogueError(
            "mapping.invalid", path=options.mapping.name, key=f"options.units = {unit}", expected=list(_UNITS)
        )


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


def _believed(metres: float, records: list[Record], document: Any, drawing: Drawing, settings: dict[str, Any]) -> float:
    """Return metres per drawing unit; the header's unit is not believed where only the bare numbers lie in the town.

    `$INSUNITS` is often what a template left there. Then the numbers stay as they are (nothing is moved by a guess) and
    a finding says both readings.
    """
    if metres == 1.0:
        return metres
    unit = document.header.get("$INSUNITS", 0)
    middle = np.median(
        np.concatenate([record.xyz[:, :2] for record in records if len(record.xyz)] or [np.zeros((1, 2))]), axis=0
    )
    draft, values = drawing.draft, {"factor": metres, "unit": unit, "crs": drawing.crs}
    scaled, bare = (
        bool(lie_in_town(*draft.coordinates.read_xy(*(middle * factor).reshape(2, 1)), drawing.crs, draft.town)[0])
        for factor in (metres, 1.0)
    )
    if "units" in settings or scaled or not bare:
        draft.report(Finding("dxf.units_scaled", "warning", values=values))
        return metres
    shown = {"x": middle[0], "y": middle[1], "scaled_x": middle[0] * metres, "scaled_y": middle[1] * metres}
    values |= {name: round(float(number), 3) for name, number in shown.items()}
    draft.report(Finding("dxf.units_not_believed", "warning", values=values))
    return 1.0


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
