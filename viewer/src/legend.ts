/** The layer tree: layers of the catalogue by CIM class with swatches, counts, transparency and legend. */
import type { LayerConfig, LayerStyle } from "./api";
import { button, element, icon, name } from "./dom";
import type { Layers, TownLayer } from "./layers";
import type { TownScene } from "./scene";
import type { Language, Text } from "./words";

export class Legend {
  private readonly body = element("div", { class: "tree-body" });
  private readonly heading = element("h2");
  private readonly opened = new Set<string>();
  private readonly closedGroups = new Set<string>();
  private readonly rows = new Map<string, (layer: TownLayer) => void>();
  private emptyShown = false;

  constructor(
    parent: HTMLElement,
    private readonly layers: Layers,
    private readonly town: TownScene,
    private readonly language: Language,
  ) {
    const tree = element("section", { class: "tree panel", id: "layers" }, element("header", {}, this.heading), this.body);
    parent.append(tree);
    language.shown(() => this.render());
    layers.changed(() => this.update());
  }

  private render(): void {
    const { language } = this;
    const top = this.body.scrollTop;
    this.heading.textContent = language.t("layers");
    this.rows.clear();
    const groups = Map.groupBy(this.listed, (layer) => layer.config.cim_class.id);
    this.body.replaceChildren(...[...groups.values()].map((layers) => this.group(layers)), this.emptySwitch() ?? "");
    this.update();
    this.body.scrollTop = top;
  }

  private get listed(): TownLayer[] {
    return this.layers.all.filter((layer) => layer.drawable || this.emptyShown);
  }

  private update(): void {
    for (const layer of this.layers.all) this.rows.get(layer.id)?.(layer);
  }

  private group(layers: TownLayer[]): HTMLElement {
    const title: Text & { id: string } = layers[0]!.config.cim_class;
    const rows = element("ul", { class: "tree-rows" }, ...layers.map((layer) => this.row(layer)));
    const details = element(
      "details",
      { class: "tree-group", open: !this.closedGroups.has(title.id) },
      element("summary", {}, icon("chevron"), element("span", {}, this.language.of(title))),
      rows,
    );
    details.addEventListener("toggle", () => {
      if (details.open) this.closedGroups.delete(title.id);
      else this.closedGroups.add(title.id);
    });
    return details;
  }

  private row(layer: TownLayer): HTMLElement {
    const { language } = this;
    const { config } = layer;
    const title = language.of(config.title);
    const box = element("input", { type: "checkbox", id: `layer-${layer.id}`, disabled: !layer.drawable });
    box.addEventListener("change", () => this.layers.setVisible(layer.id, box.checked));
    const label = element("label", { for: box.id, title: language.of(config.description) }, swatch(config), element("span", { class: "tree-title" }, title));
    const classed = config.classification && element("span", { class: "tree-class", title: language.t("classification") }, language.of(config.classification));
    const count = element("span", { class: "tree-count" }, language.number(config.features, 0));
    name(count, `${language.number(config.features, 0)} ${language.t("features")}`);
    const more = button("tree-more", `${language.t("more")}: ${title}`, () => this.open(layer, item, more), icon("chevron"));
    const item = element("li", { class: "tree-row" }, element("div", { class: "tree-line" }, box, label, classed, count, more));
    more.setAttribute("aria-expanded", "false");
    this.rows.set(layer.id, () => {
      box.checked = layer.visible && layer.drawable;
      item.classList.toggle("shown", box.checked);
    });
    if (this.opened.has(layer.id)) this.expand(layer, item, more);
    return item;
  }

  private open(layer: TownLayer, item: HTMLElement, more: HTMLElement): void {
    const details = item.querySelector(".tree-details");
    if (details) {
      details.remove();
      this.opened.delete(layer.id);
      more.setAttribute("aria-expanded", "false");
    } else {
      this.opened.add(layer.id);
      this.expand(layer, item, more);
    }
  }

  private expand(layer: TownLayer, item: HTMLElement, more: HTMLElement): void {
    const { language } = this;
    const { config } = layer;
    const slider = element("input", { type: "range", min: 0, max: 100, step: 1, value: Math.round((1 - layer.opacity) * 100) });
    name(slider, `${language.t("transparency")}: ${language.of(config.title)}`);
    const value = element("output", {}, `${slider.value}%`);
    slider.addEventListener("input", () => {
      value.textContent = `${slider.value}%`;
      this.layers.setOpacity(layer.id, 1 - Number(slider.value) / 100);
    });
    const zoom = button("quiet", language.t("zoom_to"), () => void (config.extent && this.town.flyToExtent(config.extent)), icon("target"), language.t("zoom_to"));
    item.append(
      element(
        "div",
        { class: "tree-details" },
        element("p", {}, language.of(config.description)),
        config.map_approval && element("p", {}, `${language.t("map_approval")} ${config.map_approval}`),
        element("div", { class: "tree-slider" }, element("span", {}, language.t("transparency")), slider, value),
        this.entries(config),
        config.extent && zoom,
      ),
    );
    more.setAttribute("aria-expanded", "true");
  }

  /** The meaning of each colour, by the codes of the field that decides it. */
  private entries(config: LayerConfig): HTMLElement | undefined {
    const { by, colors } = config.style;
    if (!by || !colors) return undefined;
    const codes = config.fields.find((field) => field.name === by)?.codes ?? {};
    const entries = Object.entries(colors).map(([value, color]) =>
      element("li", {}, swatch(config, color), codes[value] ? `${this.language.of(codes[value])}` : value),
    );
    return element("ul", { class: "tree-legend", "aria-label": this.language.t("legend") }, ...entries);
  }

  private emptySwitch(): HTMLElement | undefined {
    const empty = this.layers.all.filter((layer) => !layer.drawable).length;
    if (!empty) return undefined;
    const words = `${this.language.t(this.emptyShown ? "hide_empty" : "show_empty")} (${empty})`;
    const toggle = () => {
      this.emptyShown = !this.emptyShown;
      this.render();
    };
    return button("quiet tree-empty", words, toggle, words);
  }
}

/** A small picture of how a layer is drawn. Presentation attributes, since inline styles are not allowed. */
export function swatch(config: LayerConfig, color?: string): SVGSVGElement {
  const { style } = config;
  const kind = config.model?.kind ?? config.geometry;
  const svg = shape("svg", { viewBox: "0 0 20 20", class: "swatch", "aria-hidden": "true" }) as SVGSVGElement;
  svg.append(...marks(kind, style, color ?? firstColor(style)));
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
