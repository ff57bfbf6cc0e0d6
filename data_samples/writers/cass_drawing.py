"""A CASS drawing: layers, symbol blocks, GBK text, and entities with a code in XDATA of application SOUTH."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ezdxf._options import options
from ezdxf.document import Drawing
from ezdxf.entities.dxfentity import DXFEntity
from ezdxf.enums import TextEntityAlignment
from ezdxf.filemanagement import new
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

Place = tuple[float, float]

LAYERS = {
    "0": 7,
    "KZD": 1,
    "GCD": 1,
    "JMD": 6,
    "DLDW": 14,
    "DLSS": 4,
    "GXYZ": 2,
    "SXSS": 5,
    "JJ": 2,
    "DGX": 2,
    "DMTZ": 14,
    "ZBTZ": 3,
    "TK": 4,
    "ZJ": 7,
    "ASSIST": 7,
}
LINETYPES = {"X22_L": [4.0, 3.0, -1.0], "X161_L": [6.0, 3.0, -3.0]}
# block name: radius of its circle in millimetres on the map
SYMBOLS = {
    "GC200": 0.25,
    "GC155210": 0.6,
    "GC213801": 0.8,
    "GC213802": 0.8,
    "GC174100": 0.8,
    "GC174200": 0.8,
    "GC174700": 0.8,
    "GC175102": 0.5,
    "GC175200": 0.7,
    "GC133000": 1.2,
    "GC131500": 1.0,
    "GC165631": 0.8,
    "GC181103": 1.0,
}


class CassDrawing:
    """One sheet being drawn; everything added has a code unless it is decoration."""

    def __init__(self, scale: int, *, application: str = "SOUTH") -> None:
        """Begin an empty drawing at a scale; `application` owns the codes."""
        options.write_fixed_meta_data_for_testing = True
        self.millimetre = scale / 1000
        self.application = application
        self.document: Drawing = new("R2000")
        self.document.encoding = "gbk"
        self.document.header["$USERR1"] = float(scale)
        self.document.header["$INSUNITS"] = 6
        self.document.appids.new(application)
        self.document.styles.new("HZ", dxfattribs={"font": "rs.shx", "bigfont": "hztxt.shx"})
        self.space = self.document.modelspace()
        self._prepare()

    def _prepare(self) -> None:
        for name, colour in LAYERS.items():
            if name != "0":
                self.document.layers.new(name, dxfattribs={"color": colour})
        for name, pattern in LINETYPES.items():
            self.document.linetypes.add(name, pattern)
        for name, radius in SYMBOLS.items():
            block = self.document.blocks.new(name)
            block.add_circle((0, 0), radius)
            block.add_point((0, 0))
            if name == "GC200":
                block.add_attdef("HEIGHT", (1.2, -0.8), dxfattribs={"height": 2.0, "style": "HZ"})

    def _coded(self, entity: DXFEntity, code: str, more: Sequence[tuple[int, str | float]] = ()) -> None:
        if code:
            entity.set_xdata(self.application, [(1000, code), *more])

    def line(
        self,
        layer: str,
        code: str,
        places: Iterable[Place],
        *,
        closed: bool = False,
        height: float | None = None,
        linetype: str = "",
        more: Sequence[tuple[int, str | float]] = (),
    ) -> None:
        """Add a polyline; without a code it is decoration."""
        attributes: dict[str, object] = {"layer": layer}
        if height is not None:
            attributes["elevation"] = height
        if linetype:
            attributes["linetype"] = linetype
        rounded = [(round(x, 3), round(y, 3)) for x, y in places]
        entity = self.space.add_lwpolyline(rounded, close=closed, dxfattribs=attributes)
        self._coded(entity, code, more)

    def ring(self, layer: str, code: str, polygon: Polygon, **more: object) -> None:
        """Add the outer ring of a polygon as a closed polyline."""
        places = [(x, y) for x, y in polygon.exterior.coords][:-1]
        self.line(layer, code, places, closed=True, **more)  # type: ignore[arg-type]

    def symbol(self, layer: str, code: str, place: Place, *, z: float = 0.0, block: str = "") -> DXFEntity:
        """Add a point symbol."""
        insert = self.space.add_blockref(
            block or f"GC{code}",
            (round(place[0], 3), round(place[1], 3), z),
            dxfattribs={
                "layer": layer,
                "xscale": self.millimetre,
                "yscale": self.millimetre,
                "zscale": self.millimetre,
            },
        )
        self._coded(insert, code)
        return insert

    def spot_height(self, east: float, north: float, height: float) -> None:
        """Add a spot height: block GC200 whose Z is the height, with a label of the same."""
        insert = self.symbol("GCD", "202101", (east, north), z=height, block="GC200")
        size = 2.0 * self.millimetre
        insert.add_attrib(  # type: ignore[attr-defined]
            "HEIGHT",
            f"{height:.2f}",
            (round(east + 1.2 * self.millimetre, 3), round(north - 0.8 * self.millimetre, 3), height),
            dxfattribs={"height": size, "layer": "GCD", "style": "HZ"},
        )

    def text(
        self,
        layer: str,
        words: str,
        place: Place,
        *,
        size_mm: float = 2.0,
        code: str = "",
        turn_deg: float = 0.0,
    ) -> None:
        """Add a text whose middle lies at a place; sizes are millimetres on the map."""
        entity = self.space.add_text(
            words,
            height=size_mm * self.millimetre,
            rotation=turn_deg,
            dxfattribs={"layer": layer, "style": "HZ"},
        )
        entity.set_placement((round(place[0], 3), round(place[1], 3)), align=TextEntityAlignment.MIDDLE_CENTER)
        self._coded(entity, code)

    def save(self, path: Path, limits: BaseGeometry) -> None:
        """Write the drawing in GBK bytes."""
        west, south, east, north = limits.bounds
        self.document.header["$EXTMIN"] = (west, south, 0.0)
        self.document.header["$EXTMAX"] = (east, north, 0.0)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.document.saveas(path)
