"""Geometry of the station in IFC: extrusions, tubes and triangle meshes, shared where parts are equal."""

from math import cos, radians, sin

import ifcopenshell
from ifcopenshell import entity_instance

from data_samples.plan.solids import Extrusion, Mesh, Shape, Tube

COLOURS = {
    "concrete": (0.78, 0.77, 0.74, 0.0),
    "steel": (0.72, 0.75, 0.78, 0.0),
    "stone": (0.86, 0.80, 0.70, 0.0),
    "plaster": (0.95, 0.94, 0.91, 0.0),
    "glass": (0.55, 0.74, 0.84, 0.55),
    "roof": (0.93, 0.94, 0.95, 0.0),
    "paving": (0.66, 0.65, 0.62, 0.0),
    "red": (0.80, 0.16, 0.12, 0.0),
    "space": (0.6, 0.85, 0.6, 0.85),
}


class ShapeStore:
    """Representations of one model; a shape used twice becomes a mapped item of one geometry."""

    def __init__(self, model: ifcopenshell.file, body: entity_instance, shared: set[tuple[Shape, str]]) -> None:
        """Keep the model, its body context, and which (shape, style) pairs several parts have."""
        self.model = model
        self.body = body
        self.shared = shared
        self._maps: dict[tuple[Shape, str], entity_instance] = {}
        self._styles: dict[str, entity_instance] = {}

    def product_shape(self, shape: Shape, style: str) -> entity_instance:
        """Return the IfcProductDefinitionShape of a part."""
        representation = self._mapped(shape, style) if (shape, style) in self.shared else self._own(shape, style)
        return self.model.create_entity("IfcProductDefinitionShape", Representations=[representation])

    def _own(self, shape: Shape, style: str) -> entity_instance:
        item = self._item(shape)
        if style:
            self.model.create_entity("IfcStyledItem", Item=item, Styles=[self._style(style)])
        kind = "Tessellation" if isinstance(shape, Mesh) else "SweptSolid"
        return self.model.create_entity(
            "IfcShapeRepresentation",
            ContextOfItems=self.body,
            RepresentationIdentifier="Body",
            RepresentationType=kind,
            Items=[item],
        )

    def _mapped(self, shape: Shape, style: str) -> entity_instance:
        if (shape, style) not in self._maps:
            self._maps[shape, style] = self.model.create_entity(
                "IfcRepresentationMap",
                MappingOrigin=self.axes((0.0, 0.0, 0.0)),
                MappedRepresentation=self._own(shape, style),
            )
        origin = self.model.create_entity("IfcCartesianPoint", Coordinates=(0.0, 0.0, 0.0))
        target = self.model.create_entity("IfcCartesianTransformationOperator3D", LocalOrigin=origin)
        item = self.model.create_entity("IfcMappedItem", MappingSource=self._maps[shape, style], MappingTarget=target)
        return self.model.create_entity(
            "IfcShapeRepresentation",
            ContextOfItems=self.body,
            RepresentationIdentifier="Body",
            RepresentationType="MappedRepresentation",
            Items=[item],
        )

    def _item(self, shape: Shape) -> entity_instance:
        if isinstance(shape, Mesh):
            points = self.model.create_entity("IfcCartesianPointList3D", CoordList=shape.vertices)
            faces = [[i + 1 for i in face] for face in shape.faces]
            return self.model.create_entity("IfcTriangulatedFaceSet", Coordinates=points, Closed=True, CoordIndex=faces)
        return self._tube(shape) if isinstance(shape, Tube) else self._extrusion(shape)

    def _extrusion(self, shape: Extrusion) -> entity_instance:
        ring = [*shape.profile, shape.profile[0]]
        points = self.model.create_entity("IfcCartesianPointList2D", CoordList=[(float(x), float(y)) for x, y in ring])
        curve = self.model.create_entity("IfcIndexedPolyCurve", Points=points)
        profile = self.model.create_entity("IfcArbitraryClosedProfileDef", ProfileType="AREA", OuterCurve=curve)
        upright = shape.direction == "upright"
        position = (
            self.axes((0.0, 0.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0)) if upright else self.axes((0.0, 0.0, 0.0))
        )
        return self._swept(profile, position, shape.depth)

    def _tube(self, shape: Tube) -> entity_instance:
        kind, more = (
            ("IfcCircleHollowProfileDef", {"WallThickness": shape.wall}) if shape.wall else ("IfcCircleProfileDef", {})
        )
        profile = self.model.create_entity(kind, ProfileType="AREA", Radius=shape.radius, **more)
        lying = self.axes((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
        return self._swept(profile, lying if shape.lying else self.axes((0.0, 0.0, 0.0)), shape.length)

    def _swept(self, profile: entity_instance, position: entity_instance, depth: float) -> entity_instance:
        return self.model.create_entity(
            "IfcExtrudedAreaSolid",
            SweptArea=profile,
            Position=position,
            Depth=float(depth),
            ExtrudedDirection=self.model.create_entity("IfcDirection", DirectionRatios=(0.0, 0.0, 1.0)),
        )

    def axes(
        self,
        place: tuple[float, float, float],
        axis: tuple[float, float, float] | None = None,
        along: tuple[float, float, float] | None = None,
    ) -> entity_instance:
        """Return an IfcAxis2Placement3D."""
        point = self.model.create_entity("IfcCartesianPoint", Coordinates=tuple(float(c) for c in place))
        given = [self.model.create_entity("IfcDirection", DirectionRatios=d) if d else None for d in (axis, along)]
        return self.model.create_entity("IfcAxis2Placement3D", Location=point, Axis=given[0], RefDirection=given[1])

    def turned(self, place: tuple[float, float, float], turn_deg: float) -> entity_instance:
        """Return axes turned about z."""
        angle = radians(turn_deg)
        return (
            self.axes(place, (0.0, 0.0, 1.0), (round(cos(angle), 12), round(sin(angle), 12), 0.0))
            if turn_deg
            else self.axes(place)
        )

    def _style(self, name: str) -> entity_instance:
        if name not in self._styles:
            red, green, blue, transparency = COLOURS[name]
            colour = self.model.create_entity("IfcColourRgb", Red=red, Green=green, Blue=blue)
            shading = self.model.create_entity(
                "IfcSurfaceStyleRendering",
                SurfaceColour=colour,
                Transparency=transparency,
                ReflectanceMethod="NOTDEFINED",
            )
            self._styles[name] = self.model.create_entity("IfcSurfaceStyle", Name=name, Side="BOTH", Styles=[shading])
        return self._styles[name]
