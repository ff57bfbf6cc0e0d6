"""The station as IFC4: georeferenced by IfcMapConversion to EPSG:4548, turned to the railway, in metres."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from math import cos, radians, sin
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.api.context
import ifcopenshell.api.georeference
import ifcopenshell.api.pset
import ifcopenshell.api.root
import ifcopenshell.api.system
import ifcopenshell.api.unit
import ifcopenshell.guid
from ifcopenshell import entity_instance

from data_samples.plan.frame import EPSG, TOWN_ZH
from data_samples.plan.rail import STATION_EN, STATION_ZH, Station
from data_samples.plan.solids import Shape
from data_samples.plan.station_frame import Values
from data_samples.plan.station_parts import STOREYS, STOREYS_EN, Part, station_parts
from data_samples.plan.town import Town
from data_samples.writers.ifc_shapes import ShapeStore

NAMESPACE = uuid.UUID("6f1f8d52-4548-5a10-9c2e-3f0a61850000")
WRITTEN = "2024-06-30T09:00:00"


def global_id(key: str) -> str:
    """Return the GlobalId that belongs to a name, the same on every run."""
    return str(ifcopenshell.guid.compress(uuid.uuid5(NAMESPACE, key).hex))


def write_station(town: Town, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Write `hsr_station.ifc`."""
    folder.mkdir(parents=True, exist_ok=True)
    tell("station, spatial structure")
    model = build_model(town.station, station_parts(), tell)
    model.write(str(folder / "hsr_station.ifc"))


def build_model(
    station: Station, parts: tuple[Part, ...], tell: Callable[[str], None] = lambda _: None
) -> ifcopenshell.file:
    """Return the model of the station."""
    model = ifcopenshell.file(schema="IFC4")
    body = _begin(model, station)
    shapes = ShapeStore(model, body, _shared(parts))
    storeys = _spatial(model, shapes)
    tell("station, parts")
    products = {part.key: _product(model, shapes, part, storeys[part.storey]) for part in parts}
    _relate(model, parts, products, storeys)
    tell("station, property sets")
    _properties(model, parts, products)
    _fixed(model, {products[key].id(): key for key in products})
    return model


def _begin(model: ifcopenshell.file, station: Station) -> entity_instance:
    """Make project, units, contexts and the map conversion; return the body context."""
    project = ifcopenshell.api.root.create_entity(model, ifc_class="IfcProject", name=f"{TOWN_ZH} {STATION_ZH}")
    project.LongName = STATION_EN
    units: Any = ifcopenshell.api.unit.assign_unit(model, length={"is_metric": True, "raw": "METERS"})
    units.Units = sorted(units.Units, key=lambda unit: unit.id())  # the library takes them from a set
    context = ifcopenshell.api.context.add_context(model, context_type="Model")
    body = ifcopenshell.api.context.add_context(
        model, context_type="Model", context_identifier="Body", target_view="MODEL_VIEW", parent=context
    )
    ifcopenshell.api.georeference.add_georeferencing(model)
    turn = radians(station.angle_deg)
    ifcopenshell.api.georeference.edit_georeferencing(
        model,
        projected_crs={
            "Name": f"EPSG:{EPSG}",
            "Description": "CGCS2000 / 3-degree Gauss-Kruger CM 117E",
            "GeodeticDatum": "CGCS2000",
            "VerticalDatum": "1985 National Height Datum",
            "MapProjection": "Gauss-Kruger",
            "MapZone": "CM 117E",
        },
        coordinate_operation={
            "Eastings": station.east,
            "Northings": station.north,
            "OrthogonalHeight": station.ground,
            "XAxisAbscissa": cos(turn),
            "XAxisOrdinate": sin(turn),
            "Scale": 1.0,
        },
    )
    return body


def _shared(parts: tuple[Part, ...]) -> set[tuple[Shape, str]]:
    """Return the shapes, with their style, that several parts have."""
    counts = Counter((p.shape, p.style) for p in parts if p.shape is not None)
    return {(shape, style) for (shape, style), count in counts.items() if shape is not None and count > 1}


def _spatial(model: ifcopenshell.file, shapes: ShapeStore) -> dict[str, entity_instance]:
    """Make site, building and storeys; return the storeys by name."""
    project = model.by_type("IfcProject")[0]
    site = ifcopenshell.api.root.create_entity(model, ifc_class="IfcSite", name=f"{STATION_ZH}站区")
    building = ifcopenshell.api.root.create_entity(model, ifc_class="IfcBuilding", name=STATION_ZH)
    building.LongName = STATION_EN
    site.CompositionType = building.CompositionType = "ELEMENT"
    site.ObjectPlacement = model.create_entity("IfcLocalPlacement", RelativePlacement=shapes.axes((0.0, 0.0, 0.0)))
    building.ObjectPlacement = model.create_entity(
        "IfcLocalPlacement",
        PlacementRelTo=site.ObjectPlacement,
        RelativePlacement=shapes.axes((0.0, 0.0, 0.0)),
    )
    storeys = {}
    for name, elevation in STOREYS.items():
        storey = ifcopenshell.api.root.create_entity(model, ifc_class="IfcBuildingStorey", name=name)
        storey.LongName, storey.Elevation, storey.CompositionType = STOREYS_EN[name], elevation, "ELEMENT"
        storey.ObjectPlacement = model.create_entity(
            "IfcLocalPlacement",
            PlacementRelTo=building.ObjectPlacement,
            RelativePlacement=shapes.axes((0.0, 0.0, elevation)),
        )
        storeys[name] = storey
    _aggregate(model, project, [site])
    _aggregate(model, site, [building])
    _aggregate(model, building, list(storeys.values()))
    return storeys


def _aggregate(model: ifcopenshell.file, whole: entity_instance, parts: list[entity_instance]) -> None:
    """Make a whole of parts in their order; the library's own call keeps them in a set, in any order."""
    model.create_entity(
        "IfcRelAggregates", GlobalId=ifcopenshell.guid.new(), RelatingObject=whole, RelatedObjects=parts
    )


def _product(model: ifcopenshell.file, shapes: ShapeStore, part: Part, storey: entity_instance) -> entity_instance:
    product = model.create_entity(part.ifc_class, GlobalId=global_id(part.key), Name=part.name)
    if part.name_en:
        setattr(product, "LongName" if part.ifc_class == "IfcSpace" else "Description", part.name_en)
    if part.predefined:
        product.PredefinedType = part.predefined
    if part.predefined == "USERDEFINED":
        product.ObjectType = part.name_en
    s, t, z = part.place
    local = shapes.turned((s, t, z - STOREYS[part.storey]), part.turn_deg)
    product.ObjectPlacement = model.create_entity(
        "IfcLocalPlacement", PlacementRelTo=storey.ObjectPlacement, RelativePlacement=local
    )
    if part.shape is not None:
        style = "" if part.ifc_class == "IfcOpeningElement" else part.style
        product.Representation = shapes.product_shape(part.shape, style)
    return product


def _relate(
    model: ifcopenshell.file,
    parts: tuple[Part, ...],
    products: dict[str, entity_instance],
    storeys: dict[str, entity_instance],
) -> None:
    """Put parts into storeys, spaces and roof panels under their wholes, openings into walls."""
    contained: defaultdict[str, list[entity_instance]] = defaultdict(list)
    spaces: defaultdict[str, list[entity_instance]] = defaultdict(list)
    panels: list[entity_instance] = []
    for part in parts:
        product = products[part.key]
        if part.ifc_class == "IfcOpeningElement":
            model.create_entity(
                "IfcRelVoidsElement",
                GlobalId=ifcopenshell.guid.new(),
                RelatingBuildingElement=products[part.host],
                RelatedOpeningElement=product,
            )
        elif part.ifc_class == "IfcSpace":
            spaces[part.storey].append(product)
        elif part.host == "roof":
            panels.append(product)
        else:
            contained[part.storey].append(product)
            if part.host:
                model.create_entity(
                    "IfcRelFillsElement",
                    GlobalId=ifcopenshell.guid.new(),
                    RelatingOpeningElement=products[part.host],
                    RelatedBuildingElement=product,
                )
    for name, inside in contained.items():
        model.create_entity(
            "IfcRelContainedInSpatialStructure",
            GlobalId=ifcopenshell.guid.new(),
            RelatedElements=inside,
            RelatingStructure=storeys[name],
        )
    for name, inside in spaces.items():
        _aggregate(model, storeys[name], inside)
    _aggregate(model, products["roof"], panels)
    _fire_system(model, [products[p.key] for p in parts if p.ifc_class in ("IfcPipeSegment", "IfcPipeFitting")])


def _fire_system(model: ifcopenshell.file, pipes: list[entity_instance]) -> None:
    system = ifcopenshell.api.system.add_system(model, ifc_class="IfcDistributionSystem")
    system.Name, system.PredefinedType = "消防给水系统", "FIREPROTECTION"
    model.create_entity(
        "IfcRelAssignsToGroup", GlobalId=ifcopenshell.guid.new(), RelatedObjects=pipes, RelatingGroup=system
    )


def _properties(model: ifcopenshell.file, parts: tuple[Part, ...], products: dict[str, entity_instance]) -> None:
    """Give parts their property sets; parts with equal ones share a set."""
    holders: defaultdict[tuple[str, Values], list[entity_instance]] = defaultdict(list)
    for part in parts:
        for name, values in part.properties:
            holders[name, values].append(products[part.key])
    for (name, values), sharing in holders.items():
        pset = ifcopenshell.api.pset.add_pset(model, product=sharing[0], name=name)
        ifcopenshell.api.pset.edit_pset(model, pset=pset, properties=dict(values))
        pset.DefinesOccurrence[0].RelatedObjects = sharing


def _fixed(model: ifcopenshell.file, keyed: dict[int, str]) -> None:
    """Replace random GlobalIds by ones made from the entity's place in the file; fix the header's date."""
    for entity in model.by_type("IfcRoot"):
        key = keyed.get(entity.id())
        entity.GlobalId = global_id(key if key is not None else f"{type_name(entity)} {entity.id()}")
    header = model.header
    header.file_name.name = "hsr_station.ifc"
    header.file_name.time_stamp = WRITTEN
    header.file_name.author = ["琅琊建筑设计院"]
    header.file_name.organization = ["琅琊建筑设计院"]
    header.file_name.authorization = ""


def type_name(entity: entity_instance) -> str:
    """Return the entity's class, such as IfcWall."""
    known: Any = entity
    return str(known.is_a())
