"""The catalogue's style of a layer as QML (QGIS) and SLD, for the GeoPackage's `layer_styles`."""

from xml.sax.saxutils import escape, quoteattr

from twin_model.layer import Layer

__all__ = ["qml", "sld"]

_SYMBOL = {0: "marker", 1: "line", 2: "fill"}


def qml(layer: Layer) -> str:
    """Return a QGIS style: one symbol, or one a class where the style goes `by` a field; aliases of the fields."""
    by, colors = layer.style.get("by"), layer.style.get("colors", {})
    if by and colors:
        shown = [*colors.items(), ("", _color(layer))]
        symbols = "".join(_symbol(layer, str(n), color) for n, (_, color) in enumerate(shown))
        classes = "".join(
            f'<category symbol="{n}" value={quoteattr(v)} label={quoteattr(v)} render="true"/>'
            for n, (v, _) in enumerate(shown)
        )
        renderer = f'<renderer-v2 type="categorizedSymbol" attr={quoteattr(by)}><categories>{classes}</categories><symbols>{symbols}</symbols></renderer-v2>'
    else:
        renderer = (
            f'<renderer-v2 type="singleSymbol"><symbols>{_symbol(layer, "0", _color(layer))}</symbols></renderer-v2>'
        )
    aliases = "".join(
        f'<alias field={quoteattr(f.name)} index="{n}" name={quoteattr(f.title("zh"))}/>'
        for n, f in enumerate(layer.fields, 1)
    )
    return f'<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM"><qgis version="3.22.0">{renderer}<aliases>{aliases}</aliases></qgis>'


def _color(layer: Layer) -> str:
    return str(layer.style.get("color") or layer.style.get("line_color") or "#888888")


def _symbol(layer: Layer, name: str, color: str) -> str:
    kind = _SYMBOL[max(layer.dimension, 0)]
    rgb = ",".join(str(int(color[n : n + 2], 16)) for n in (1, 3, 5))
    alpha = round(255 * float(layer.style.get("opacity", 1.0)))
    line = str(layer.style.get("line_color", "#555555"))
    outline = ",".join(str(int(line[n : n + 2], 16)) for n in (1, 3, 5)) + ",255"
    options = {
        "marker": (
            "SimpleMarker",
            {"color": f"{rgb},{alpha}", "name": "circle", "size": "1.6", "outline_style": "no"},
        ),
        "line": (
            "SimpleLine",
            {
                "line_color": f"{rgb},{alpha}",
                "line_width": str(0.26 * float(layer.style.get("line_width", 1))),
            },
        ),
        "fill": (
            "SimpleFill",
            {"color": f"{rgb},{alpha}", "outline_color": outline, "outline_width": "0.2", "style": "solid"},
        ),
    }[kind]
    inner = "".join(f'<Option type="QString" name={quoteattr(k)} value={quoteattr(v)}/>' for k, v in options[1].items())
    return f'<symbol type="{kind}" name="{name}" alpha="1"><layer class="{options[0]}" enabled="1" locked="0" pass="0"><Option type="Map">{inner}</Option></layer></symbol>'


def sld(layer: Layer) -> str:
    """Return a Styled Layer Descriptor 1.0 with the layer's one colour."""
    color, line = _color(layer), str(layer.style.get("line_color", "#555555"))
    symbolizer = {
        0: f'<PointSymbolizer><Graphic><Mark><WellKnownName>circle</WellKnownName><Fill><CssParameter name="fill">{color}</CssParameter></Fill></Mark><Size>5</Size></Graphic></PointSymbolizer>',
        1: f'<LineSymbolizer><Stroke><CssParameter name="stroke">{color}</CssParameter></Stroke></LineSymbolizer>',
        2: f'<PolygonSymbolizer><Fill><CssParameter name="fill">{color}</CssParameter></Fill><Stroke><CssParameter name="stroke">{line}</CssParameter></Stroke></PolygonSymbolizer>',
    }[max(layer.dimension, 0)]
    return (
        f'<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld"><NamedLayer><Name>{escape(layer.id)}</Name><UserStyle>'
        f"<FeatureTypeStyle><Rule>{symbolizer}</Rule></FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>"
    )
