/** The layer tree: layers of the catalogue by CIM class with swatches, counts, transparency and legend. */
import type { LayerConfig } from "./api";
import { button, element, icon, name } from "./dom";
import type { Hints } from "./hints";
import type { Layers, TownLayer } from "./layers";
import type { TownScene } from "./scene";
import { swatch } from "./swatch";
import type { Language, Text } from "./words";

/** Windows in which the tree folds by itself. */
const NARROW = "(max-width: 699px)";

export class Legend {
  private readonly body = element("div", { class: "tree-body" });
  private readonly heading = element("h2");
  private readonly fold = button("tree-fold", "", () => this.toggle());
  private readonly tree = element("section", { class: "tree panel", id: "layers" });
  private readonly opened = new Set<string>();
  private readonly closedGroups = new Set<string>();
  private readonly rows = new Map<string, (layer: TownLayer) => void>();
  private emptyShown = false;

  constructor(
    parent: HTMLElement,
    private readonly layers: Layers,
    private readonly town: TownScene,
    private readonly hints: Hints,
    private readonly language: Language,
  ) {
    this.heading.append(this.fold);
    this.tree.append(element("header", {}, this.heading), this.body);
    parent.append(this.tree);
    const narrow = matchMedia(NARROW);
    narrow.addEventListener("change", () => this.setFolded(narrow.matches));
    language.shown(() => this.render());
    this.setFolded(narrow.matches);
    hints.changed(() => this.update());
  }

  /** Hide the tree but for its heading, or show it again. */
  toggle(): void {
    this.setFolded(this.body.hidden === false);
  }

  private setFolded(folded: boolean): void {
    this.body.hidden = folded;
    this.tree.classList.toggle("folded", folded);
    this.fold.setAttribute("aria-expanded", String(!folded));
    name(this.fold, this.language.t(folded ? "show_layers" : "hide_layers"));
  }

  private render(): void {
    const { language } = this;
    const top = this.body.scrollTop;
    this.fold.replaceChildren(icon("layers"), language.t("layers"), icon("chevron"));
    this.setFolded(this.body.hidden !== false);
    this.rows.clear();
    const groups = Map.groupBy(this.listed, (layer) => layer.config.cim_class.id);
    this.body.replaceChildren(...[...groups.values()].map((layers) => this.group(layers)), this.emptySwitch() ?? "");
    this.update();
    this.body.scrollTop = top;
  }

  private get listed(): TownLayer[] {
    return this.layers.all.filter((layer) => layer.drawable || layer.visible || this.emptyShown);
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
      this.hint(layer, item);
    });
    if (this.opened.has(layer.id)) this.expand(layer, item, more);
    return item;
  }

  /** Under the row of a ticked layer that shows nothing: why, and what to do about it. */
  private hint(layer: TownLayer, row: HTMLElement): void {
    const hint = this.hints.of(layer, this.language);
    const shown = row.querySelector(":scope > .tree-hint");
    if ((shown?.firstChild?.textContent ?? undefined) === hint?.reason) return;
    shown?.remove();
    if (!hint) return;
    const { remedy } = hint;
    const words = remedy && this.language.t(remedy.word);
    const control = remedy && button("quiet", words!, remedy.run, icon(remedy.icon), words!);
    row.querySelector(".tree-line")!.after(element("div", { class: "tree-hint", role: "status" }, element("span", {}, hint.reason), control));
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
