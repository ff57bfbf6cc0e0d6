"""Building information models (IFC, ISO 16739-1) -> bim_model, bim_storey, bim_space, bim_element, bim_alignment.

A *record* is the IfcProject or one IfcProduct. Elements, spaces, storeys, alignments and the project become features;
products that only carry others or cut them (sites and buildings without a body, openings, ports, grids, annotations,
parts of alignments) are counted as decoration. So products = shapes + without representation + findings.

    file       unpacked, schema, opened    file.py, text.py, syntax.py
    place      read, then judged           georeference.py, placement.py
    relations  storeys, types, materials   relations.py, properties.py
    shapes     meshes and footprints       shapes.py, openings.py, footprint.py
    axes       alignments as lines         alignment.py
    rows       frames of the layers        rows.py

A model without usable placement is stored with placement "none": geometry NULL, `matrix`, `bottom` and `top` in model
metres, so that it can be viewed alone and placed later.
"""

import math
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import ifcopenshell
import numpy as np
import orjson
from numpy.typing import NDArray

from ingest.draft import Draft, ReadOptions
from ingest.ifc.alignment import alignment_line
from ingest.ifc.attribute import attribute
from ingest.ifc.file import IfcFile, opened_ifc, recognises_ifc
from ingest.ifc.georeference import Georeference, georeference_of
from ingest.ifc.losses import Losses
from ingest.ifc.placement import Placement, place
from ingest.ifc.products import Products, mend_products, products_of
from ingest.ifc.relations import Relations, read_relations
from ingest.ifc.rows import ModelRows
from ingest.ifc.shapes import Shape, read_shapes
from ingest.ifc.units import mend_units
from twin_model.building.local_shapes import LocalShapes
from twin_model.building.mesh import digest_of, matrix_of
from twin_model.crs import area_of_use
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["read_ifc", "recognises_ifc"]

Lines = list[tuple[Any, NDArray[np.float64] | None]]

_BATCH = 5_000
_NAME, _LONG_NAME, _PHASE = 2, 5, 6
_SHOWN = 5


def read_ifc(path: Path, draft: Draft, options: ReadOptions) -> None:
    """Read an .ifc or .ifczip file into `draft`: features with footprints, meshes as blobs, property sets as JSON.

    Schemas IFC2X3, IFC4 and IFC4X3_ADD2. SourceRefused with the cause for any other schema, ifcXML, a damaged file or
    one without IfcProject; a product whose shape cannot be made is stored without geometry, with a finding.
    """
    with opened_ifc(path, draft.source.name, options.text_encoding) as file:
        for finding in file.findings:
            draft.report(finding)
        losses = Losses()
        _read_model(file, _outline_of(file.model, draft, losses), draft, options)
        for finding in losses.findings():
            draft.report(finding)


@dataclass(frozen=True)
class _Outline:
    """What is read of a model before its shapes: entities that lack what the schema demands show here."""

    project: Any
    products: Products
    reference: Georeference
    relations: Relations
    lines: Lines
    losses: Losses


def _outline_of(model: Any, draft: Draft, losses: Losses) -> _Outline:
    project = _project(model, draft)
    mend_units(model, project, losses)
    mend_products(model, losses)
    products = products_of(model)
    reference = georeference_of(model, project, losses)
    relations = read_relations(model, losses)
    lines = [
        (alignment, losses.attempt("ifc.axis_lost", alignment, partial(alignment_line, model, alignment), None))
        for alignment in products.alignments
    ]
    return _Outline(project, products, reference, relations, lines, losses)


def _read_model(file: IfcFile, outline: _Outline, draft: Draft, options: ReadOptions) -> None:
    products, reference, lines = outline.products, outline.reference, outline.lines
    further: Counter[str] = Counter()
    shapes = read_shapes(file.model, products.with_body, draft.keep_blob, further)
    first = next(shapes, None)
    key = outline.project.GlobalId
    placing = options.placings.get(key)
    coordinates = draft.take_coordinates()
    if placing is None:
        at = _point_of(first, lines, reference)
        placement = place(reference, options, draft.storage_crs, at, coordinates)
        if options.grid is not None and placement.matrix is not None:
            draft.details["local_grid"] = options.crs_name
    else:
        placement = _placed_by_hand(placing, key)
        draft.follows_edits = ("bim_model", "bim_storey", "bim_space", "bim_element", "bim_alignment")
    is_told_with_size = placement.kind == "none" and bool(products.features or products.alignments)
    for finding in placement.findings:
        if not (is_told_with_size and finding.rule == "ifc.no_placement"):
            draft.report(finding)
    by_hand = None if placing is None else matrix_of(orjson.dumps(orjson.loads(placing)["matrix"]).decode())
    rows = ModelRows(key, products, outline.relations, placement.matrix, draft.storage_crs, outline.losses, by_hand)
    _add_shapes(rows, chain(() if first is None else (first,), shapes), draft)
    _add_shapeless(rows, products, draft)
    _add_alignments(rows, lines, draft)
    _add_storeys(rows, products, draft)
    row = _model_row(file, outline, rows, placement) | {"placing": placing}
    frame = rows.model_frame(row)
    if placement.matrix is None:
        frame["local_shapes"] = _keep_local_shapes(rows.local, draft)
    draft.add("bim_model", frame)
    if is_told_with_size:
        draft.report(_unplaced(outline, rows, row, draft.storage_crs))
    _decorate(products, draft)
    _report_whole(rows, products, draft)
    if further:
        values = {"count": further.total(), "kinds": _kinds(further)}
        draft.report(Finding("ifc.further_shapes", "info", layer="bim_element", values=values))


def _placed_by_hand(placing: str, key: str) -> Placement:
    """Return the placement of a model that the town remembers as placed by hand."""
    values = {"model": key, "reason": orjson.loads(placing).get("reason")}
    return Placement("placed", None, (Finding("ifc.placing_kept", "info", layer="bim_model", values=values),))


def _keep_local_shapes(local: LocalShapes, draft: Draft) -> str:
    content = local.to_bytes()
    digest = digest_of(content)
    draft.keep_blob(digest, content)
    return digest


def _unplaced(outline: _Outline, rows: ModelRows, row: dict[str, Any], storage_crs: str) -> Finding:
    """Return how large a model without place is, and the command that places it."""
    x, y, z = (f"{metres:.1f}" for metres in rows.local.size)
    counts = {"storeys": row["storeys"], "elements": row["elements"]}
    command = f"twin place {shlex.quote(rows.model_key)} {_proposed(outline.reference, storage_crs)}"
    counts |= {"level": outline.reference.level}
    values = {"model": row["name"] or rows.model_key, "x": x, "y": y, "z": z, **counts, "command": command}
    return Finding("ifc.unplaced", "warning", layer="bim_model", place=rows.model_key, values=values)


def _proposed(reference: Georeference, storage_crs: str) -> str:
    """Return the options of `twin place` by what the model says: the site's longitude and latitude, its true north.

    A site outside the area of the town's CRS is that of somebody's office and is not proposed.
    """
    east, north = reference.true_north or (0.0, 1.0)
    rotate = f"--rotate {90.0 - math.degrees(math.atan2(north, east)):.6g}"
    longitude, latitude = reference.longitude, reference.latitude
    if longitude is None or latitude is None or not _lies_in(storage_crs, longitude, latitude):
        return f"--at E,N,H {rotate}"
    return f"--at {longitude:.7f},{latitude:.7f} --crs EPSG:4326 {rotate}"


def _lies_in(crs: str, longitude: float, latitude: float) -> bool:
    west, south, east, north = area_of_use(crs) or (-180.0, -90.0, 180.0, 90.0)
    return west <= longitude <= east and south <= latitude <= north


def _decorate(products: Products, draft: Draft) -> None:
    """Count what is no feature of its own, and list it by class."""
    draft.decorate(len(products.others))
    if products.others:
        kinds = Counter(product.is_a() for product in products.others)
        values = {"count": kinds.total(), "kinds": _kinds(kinds)}
        draft.report(Finding("ifc.decoration", "info", layer="bim_model", values=values))


def _kinds(counts: Counter[str]) -> list[str]:
    return [f"{kind} {count}" for kind, count in counts.most_common()]


def _project(model: Any, draft: Draft) -> Any:
    projects = model.by_type("IfcProject")
    if not projects or not projects[0].GlobalId or not isinstance(projects[0].GlobalId, str):
        raise SourceRefused("ifc.no_project", source=draft.source.name)
    if len(projects) > 1:
        draft.decorate(len(projects) - 1)
        draft.report(Finding("ifc.projects", "warning", values={"count": len(projects), "used": projects[0].GlobalId}))
    return projects[0]


def _point_of(shape: Shape | None, lines: Lines, reference: Georeference) -> Any:
    """Return a point of the model in model metres: the middle of its first shape, else its first axis or its site."""
    if shape is None:
        return next((line[0] for _, line in lines if line is not None), np.array(reference.site))
    middle = shape.footprint.area.centroid
    return shape.frame[:3, :3] @ np.array([middle.x, middle.y, shape.footprint.bottom]) + shape.frame[:3, 3]


def _add_shapes(rows: ModelRows, shapes: Iterator[Shape], draft: Draft) -> None:
    while batch := list(islice(shapes, _BATCH)):
        for layer, frame in rows.of_shapes(batch):
            draft.add(layer, frame)


def _add_shapeless(rows: ModelRows, products: Products, draft: Draft) -> None:
    """Store the features no shape came for; one that has a representation is a finding of its own."""
    missing = [feature for feature in products.features if feature.id() not in rows.shaped]
    for start in range(0, len(missing), _BATCH):
        for layer, frame in rows.without_shape(missing[start : start + _BATCH]):
            draft.add(layer, frame)
    for product in missing:
        if product.Representation is not None:
            values = {"ifc_class": product.is_a(), "name": product.Name, "representations": _representations(product)}
            draft.report(Finding("ifc.no_shape", "warning", layer=products.layer_of(product), place=product.GlobalId or "",
                                 feature_id=f"{rows.model_key}.{product.GlobalId}", values=values))  # fmt: skip


def _representations(product: Any) -> list[str]:
    representation = product.Representation
    shapes = (
        attribute(representation, "Representations") if isinstance(representation, ifcopenshell.entity_instance) else ()
    )
    return [f"{shape.RepresentationIdentifier or '-'}/{shape.RepresentationType or '-'}" for shape in shapes or ()]


def _add_alignments(rows: ModelRows, lines: Lines, draft: Draft) -> None:
    if lines:
        draft.add("bim_alignment", rows.of_alignments(lines))
    for axis, line in lines:
        if line is None:
            draft.report(Finding("ifc.no_axis", "warning", layer="bim_alignment", place=axis.GlobalId or "",
                                 feature_id=f"{rows.model_key}.{axis.GlobalId}", values={"name": axis.Name}))  # fmt: skip


def _add_storeys(rows: ModelRows, products: Products, draft: Draft) -> None:
    if products.storeys:
        draft.add("bim_storey", rows.of_storeys())


def _model_row(file: IfcFile, outline: _Outline, rows: ModelRows, placement: Placement) -> dict[str, Any]:
    project, products, text = outline.project, outline.products, outline.losses.text
    tools = file.model.by_type("IfcApplication")
    return {
        "name": text(project, _LONG_NAME) or text(project, _NAME),
        "schema": file.schema,
        "placement": placement.kind,
        "georeference": outline.reference.level,
        "elements": len(products.elements),
        "storeys": len(products.storeys),
        "without_shape": sum(product.id() not in rows.shaped for product in products.elements),
        "stage": text(project, _PHASE),
        "authoring_tool": f"{text(tools[0], 2) or ''} {text(tools[0], 1) or ''}".strip() or None if tools else None,
    }


def _report_whole(rows: ModelRows, products: Products, draft: Draft) -> None:
    """Report what concerns many elements at once: how many and the first of them."""
    if not products.features and not products.alignments:
        draft.report(Finding("ifc.empty", "warning", layer="bim_model", place=rows.model_key))
    bare = [element for element in products.elements if element.Representation is None]
    no_storey = (
        [element for element in products.elements if element.id() in rows.storeyless] if products.storeys else []
    )
    thin = [feature for feature in products.features if feature.id() in rows.widened]
    for rule, found in (
        ("ifc.without_representation", bare),
        ("ifc.no_storey", no_storey),
        ("ifc.thin_footprint", thin),
    ):
        if found:
            shown = [f"{product.is_a()} {product.GlobalId}" for product in found[:_SHOWN]]
            draft.report(Finding(rule, "info", layer="bim_element", values={"count": len(found), "elements": shown}))
    if products.elements and not products.storeys:
        draft.report(Finding("ifc.no_storeys", "warning", layer="bim_storey", place=rows.model_key))
