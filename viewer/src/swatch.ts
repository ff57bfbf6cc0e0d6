/** Small pictures of how a layer is drawn, for the layer tree and the attributes. */
import type { LayerConfig, LayerStyle } from "./api";

/** A small picture of how a layer is drawn. Presentation attributes, since inline styles are not allowed. */
export function swatch(config: LayerConfig, color?: string): SVGSVGElement {
  const { style } = config;
  const kind = config.model?.kind ?? config.geometry;
  const svg = shape("svg", { viewBox: "0 0 20 20", class: "swatch", "aria-hidden": "true" }) as SVGSVGElement;
  svg.append(...marks(kind, style, color ?? firstColor(style)));
  return svg;
}

/** A patch of one colour. */
export function colorSwatch(color: string): SVGSVGElement {
  const svg = shape("svg", { viewBox: "0 0 20 20", class: "swatch", "aria-hidden": "true" }) as SVGSVGElement;
  svg.append(shape("rect", { x: 2, y: 2, width: 16, height: 16, rx: 3, fill: color, stroke: "#0004" }));
  return svg;
}

function marks(kind: string, style: LayerStyle, color: string): SVGElement[] {
  const line = style.line_color ?? color;
  if (kind === "extrude" || kind === "mesh") {
    return [
      shape("path", { d: "M3 7 10 3.5 17 7 10 10.5Z", fill: color, stroke: "#0003" }),
      shape("path", { d: "M3 7v7l7 3.5v-7Z", fill: color, stroke: "#0003" }),
      shape("path", { d: "M17 7v7l-7 3.5v-7Z", fill: color, stroke: "#0003" }),
      shape("path", { d: "M17 7v7l-7 3.5v-7Z", fill: "#0002" }),
    ];
  }
  if (kind === "sweep" || kind.includes("Line")) {
    const dash = style.dash ? "3 2" : "none";
    const width = kind === "sweep" ? 4 : Math.min((style.line_width ?? 1) + 0.8, 4);
    return [shape("path", { d: "M2 15 8 7l4 5 6-8", fill: "none", stroke: color, "stroke-width": width, "stroke-dasharray": dash, "stroke-linejoin": "round" })];
  }
  if (kind.includes("Polygon")) {
    return [shape("rect", { x: 2.5, y: 3.5, width: 15, height: 13, rx: 2, fill: color, "fill-opacity": Math.max(style.opacity ?? 1, 0.12), stroke: line, "stroke-width": 1.3 })];
  }
  if (style.symbol === "triangle") return [shape("path", { d: "M10 3.5 17 16H3Z", fill: color })];
  if (style.symbol === "square") return [shape("rect", { x: 5, y: 5, width: 10, height: 10, fill: color })];
  if (style.symbol === "cross") return [shape("path", { d: "M8 4h4v4h4v4h-4v4H8v-4H4V8h4Z", fill: color })];
  if (style.label && !style.symbol) return [text("文", color)];
  return [shape("circle", { cx: 10, cy: 10, r: style.symbol === "dot" ? 3.5 : 5, fill: color })];
}

function text(word: string, color: string): SVGElement {
  const node = shape("text", { x: 10, y: 15, "text-anchor": "middle", "font-size": 14, fill: color });
  node.textContent = word;
  return node;
}

function firstColor(style: LayerStyle): string {
  return style.color ?? style.line_color ?? Object.values(style.colors ?? {})[0] ?? "#78909c";
}

function shape(tag: string, attributes: Record<string, string | number>): SVGElement {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}
