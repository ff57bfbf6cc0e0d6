/** Draws features of vector tiles on a canvas in the style their layer has in the catalogue. */
import type { VectorTileFeature } from "@mapbox/vector-tile";
import type { LayerConfig, LayerStyle } from "./api";
import type { TilePart } from "./vectortiles";

const POINT = 1;
const LINE = 2;
const POLYGON = 3;
const INK = "#55606a";

/** Paint one layer's part of a tile, `size` pixels wide; `detail` 0-1 thins lines and points out at low zooms. */
export function paint(
  context: CanvasRenderingContext2D,
  part: TilePart,
  layer: LayerConfig,
  size: number,
  opacity: number,
  detail: number,
): void {
  const { style } = layer;
  // Words stand upright in the scene (`labels.ts`); on the ground only what has a symbol gets a point.
  const features = part.features.filter((feature) => feature.type !== POINT || style.symbol || !style.label);
  context.save();
  context.lineJoin = "round";
  context.lineCap = "round";
  for (const [color, painted] of byColor(features, style)) {
    const paths = { [POINT]: new Path2D(), [LINE]: new Path2D(), [POLYGON]: new Path2D() };
    for (const feature of painted) trace(paths, feature, part, size, style, detail);
    context.globalAlpha = opacity * (style.opacity ?? 1);
    context.fillStyle = color ?? style.color ?? "transparent";
    context.fill(paths[POLYGON], "evenodd");
    context.globalAlpha = opacity;
    context.lineWidth = (style.line_width ?? 1) * (0.5 + 0.7 * detail);
    context.setLineDash((style.dash ?? []).map((length) => length * 1.5));
    if (style.line_color) {
      context.strokeStyle = style.line_color;
      context.stroke(paths[POLYGON]);
    }
    context.strokeStyle = color ?? style.line_color ?? style.color ?? INK;
    context.stroke(paths[LINE]);
    context.setLineDash([]);
    paintSymbols(context, paths[POINT], color ?? style.color ?? INK);
  }
  context.restore();
}

function paintSymbols(context: CanvasRenderingContext2D, path: Path2D, color: string): void {
  context.lineWidth = 2.5;
  context.strokeStyle = "rgba(255,255,255,0.85)";
  context.stroke(path);
  context.fillStyle = color;
  context.fill(path);
}

/** The colour a feature has by its layer's `by` field; undefined where the layer's own colour holds. */
export function colorOf(style: LayerStyle, properties: Record<string, unknown>): string | undefined {
  return style.by ? style.colors?.[String(properties[style.by])] : undefined;
}

function byColor(features: VectorTileFeature[], style: LayerStyle): Map<string | undefined, VectorTileFeature[]> {
  return Map.groupBy(features, (feature) => colorOf(style, feature.properties));
}

function trace(
  paths: Record<number, Path2D>,
  feature: VectorTileFeature,
  part: TilePart,
  size: number,
  style: LayerStyle,
  detail: number,
): void {
  const path = paths[feature.type];
  if (!path) return;
  for (const ring of feature.loadGeometry()) {
    ring.forEach((vertex, index) => {
      const x = (vertex.x * part.scale - part.left) * size;
      const y = (vertex.y * part.scale - part.top) * size;
      if (feature.type === POINT) symbol(path, style.symbol, x, y, 1.5 + 2.5 * detail);
      else if (index === 0) path.moveTo(x, y);
      else path.lineTo(x, y);
    });
    if (feature.type === POLYGON) path.closePath();
  }
}

function symbol(path: Path2D, name: string | undefined, x: number, y: number, radius: number): void {
  if (name === "square") path.rect(x - radius, y - radius, 2 * radius, 2 * radius);
  else if (name === "triangle") {
    path.moveTo(x, y - 1.3 * radius);
    path.lineTo(x + 1.2 * radius, y + 0.9 * radius);
    path.lineTo(x - 1.2 * radius, y + 0.9 * radius);
    path.closePath();
  } else if (name === "cross") {
    const arm = radius * 0.4;
    path.rect(x - radius, y - arm, 2 * radius, 2 * arm);
    path.rect(x - arm, y - radius, 2 * arm, 2 * radius);
  } else {
    const around = name === "dot" ? radius * 0.7 : radius;
    path.moveTo(x + around, y);
    path.arc(x, y, around, 0, 2 * Math.PI);
  }
}
