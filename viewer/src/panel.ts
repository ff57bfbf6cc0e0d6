/** The attributes of the selected feature, as the service has them for the day on show, with the catalogue's titles and codes. */
import { type Api, type Feature, type FieldConfig, type LayerConfig, itemPath } from "./api";
import { button, element, icon, name } from "./dom";
import { swatch } from "./legend";
import type { Layers } from "./layers";
import type { Notice } from "./notice";
import type { Identity } from "./pick";
import type { TownScene } from "./scene";
import type { Selection } from "./selection";
import type { Time } from "./time";
import type { Language } from "./words";

/** What the service says of every state of a feature, beside the fields of its layer. */
const OF_A_STATE: FieldConfig[] = [
  { name: "valid_from", type: "datetime", unit: "", title: { zh: "有效自", en: "Valid from" } },
  { name: "valid_to", type: "datetime", unit: "", title: { zh: "有效至", en: "Valid until" } },
  { name: "version", type: "integer", unit: "", title: { zh: "版本", en: "Version" } },
];
/** Bytes and matrices: nothing to read. */
const UNREADABLE = new Set(["mesh", "matrix", "properties"]);
/** What a source said and no field takes: an object by the names of the source. */
const ATTRIBUTES = "attributes";

export class Panel {
  readonly element = element("aside", { class: "attributes panel", id: "attributes", hidden: true, tabindex: -1, "aria-live": "polite" });
  /** `alsohere.ts` fills it. */
  readonly alsoHere = element("nav", { class: "also-here", hidden: true });
  feature: Feature | undefined;
  private asked: Identity | undefined;

  constructor(
    parent: HTMLElement,
    private readonly api: Api,
    private readonly layers: Layers,
    private readonly selection: Selection,
    private readonly town: TownScene,
    private readonly time: Time,
    private readonly notice: Notice,
    private readonly language: Language,
  ) {
    parent.append(this.element);
    language.shown(() => this.feature && this.render(this.feature));
    selection.changed((identity) => void this.show(identity));
  }

  get open(): boolean {
    return !this.element.hidden;
  }

  private async show(identity: Identity | undefined): Promise<void> {
    this.asked = identity;
    this.feature = undefined;
    this.element.hidden = !identity;
    if (!identity) return;
    this.element.replaceChildren(element("p", { class: "attributes-wait" }, this.language.t("loading")));
    const { day, datetime } = this.time;
    try {
      const feature = await this.ask(identity, datetime);
      if (this.asked !== identity) return;
      if (!feature) return this.absent(identity, day!);
      this.feature = feature;
      this.selection.mark(feature);
      this.render(feature);
    } catch (cause) {
      if (this.asked !== identity) return;
      this.element.hidden = true;
      const message = this.language.t("item_failed", (cause as Error).message);
      this.notice.problem(message, { label: this.language.t("retry"), run: () => this.selection.set(identity) });
    }
  }

  private ask({ collectionId, featureId }: Identity, datetime: string | undefined): Promise<Feature | undefined> {
    const lang = this.language.code;
    return datetime ? this.api.itemAt(collectionId, featureId, lang, datetime) : this.api.item(collectionId, featureId, lang);
  }

  /** Say that the feature is not there on the day on show; it stays selected for the days on which it is. */
  private absent(identity: Identity, day: string): void {
    const { language } = this;
    const config = this.layers.get(identity.collectionId)?.config;
    if (!config) return;
    const nothing: Feature = { type: "Feature", geometry: null, properties: {} };
    const words = element("p", { class: "attributes-wait" }, language.t("not_there", language.date(day)));
    this.element.replaceChildren(this.header(config, identity, nothing), words);
  }

  private render(feature: Feature): void {
    const identity = this.asked;
    const config = identity && this.layers.get(identity.collectionId)?.config;
    if (!identity || !config) return;
    const sets = propertySets(feature.properties.properties);
    this.element.replaceChildren(
      this.header(config, identity, feature),
      element("div", { class: "attributes-body" }, this.table(config, feature), ...this.attributeTable(feature), ...this.setTables(sets)),
      this.alsoHere,
      this.footer(identity, feature),
    );
  }

  private header(config: LayerConfig, identity: Identity, feature: Feature): HTMLElement {
    const { language } = this;
    const title = config.label.map((field) => feature.properties[field]).find(Boolean) ?? identity.featureId;
    const close = button("icon-button", language.t("close"), () => this.selection.set(undefined), icon("close"));
    const day = this.time.day && element("span", { class: "attributes-day" }, language.t("as_of", language.date(this.time.day)));
    const kind = element("p", { class: "attributes-kind" }, swatch(config), language.of(config.title), day);
    const words = element("div", {}, kind, element("h2", {}, String(title)), element("p", { class: "attributes-id" }, identity.featureId));
    return element("header", {}, words, close);
  }

  private table(config: LayerConfig, feature: Feature): HTMLElement {
    const fields = [...config.fields, ...OF_A_STATE].filter((field) => !UNREADABLE.has(field.name));
    const known = new Set([...fields.map((field) => field.name), ...UNREADABLE, ATTRIBUTES, "id", "collection"]);
    const others = Object.keys(feature.properties)
      .filter((key) => !known.has(key))
      .map((key): FieldConfig => ({ name: key, type: "string", unit: "", title: { zh: key, en: key } }));
    const rows = [...fields, ...others]
      .filter((field) => filled(feature.properties[field.name]))
      .map((field) => {
        const term = element("th", { scope: "row", title: field.name }, this.language.of(field.title));
        return element("tr", { "data-field": field.name }, term, element("td", {}, this.value(field, feature.properties[field.name])));
      });
    return element("table", {}, element("tbody", {}, ...rows));
  }

  /** A table of what the source said and no field takes. */
  private attributeTable(feature: Feature): HTMLElement[] {
    const values = feature.properties[ATTRIBUTES];
    if (!values || typeof values !== "object" || Array.isArray(values)) return [];
    const rows = Object.entries(values).map(([key, value]) =>
      element("tr", { "data-attribute": key }, element("th", { scope: "row" }, key), element("td", {}, this.plain(value))),
    );
    return [element("h3", {}, this.language.t("other_attributes")), element("table", {}, element("tbody", {}, ...rows))];
  }

  private setTables(sets: Record<string, Record<string, unknown>>): HTMLElement[] {
    const names = Object.keys(sets);
    if (!names.length) return [];
    const tables = names.map((set, index) => {
      const rows = Object.entries(sets[set]!).map(([key, value]) =>
        element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, this.plain(value))),
      );
      const table = element("table", {}, element("tbody", {}, ...rows));
      return element("details", { class: "property-set", open: index < 3 }, element("summary", {}, icon("chevron"), set), table);
    });
    return [element("h3", {}, this.language.t("property_sets")), ...tables];
  }

  private footer(identity: Identity, feature: Feature): HTMLElement {
    const { language } = this;
    const config = feature.geometry && this.layers.get(identity.collectionId)?.config;
    const fly = button("quiet", language.t("fly_to"), () => void (config && this.town.flyToFeature(feature, config)), icon("target"), language.t("fly_to"));
    const copy = button("quiet", language.t("copy_id"), () => void this.copy(identity.featureId), icon("copy"), language.t("copy_id"));
    const query = new URLSearchParams({ f: "html", lang: language.code });
    if (this.time.datetime) query.set("datetime", this.time.datetime);
    const href = `${itemPath(identity.collectionId, identity.featureId)}?${query}`;
    const page = element("a", { class: "quiet", href, target: "_blank", rel: "noopener" }, icon("open"), language.t("item_page"));
    name(page, language.t("item_page"));
    return element("footer", {}, config && fly, copy, page);
  }

  private async copy(text: string): Promise<void> {
    await navigator.clipboard.writeText(text);
    this.notice.say(this.language.t("copied"));
  }

  private value(field: FieldConfig, value: unknown): string {
    const meaning = field.codes?.[String(value)];
    if (meaning) return `${this.language.of(meaning)}（${String(value)}）`;
    if (field.type === "datetime" && typeof value === "string") return this.language.instant(value, this.time.zone);
    const text = this.plain(value, field.type === "number" ? 3 : 0);
    return field.unit ? `${text} ${UNITS[field.unit] ?? field.unit}` : text;
  }

  private plain(value: unknown, digits = 6): string {
    if (typeof value === "boolean") return value ? "✓" : "✗";
    if (typeof value === "number") {
      return value.toLocaleString(this.language.code === "zh" ? "zh-CN" : "en", { maximumFractionDigits: digits, useGrouping: false });
    }
    if (!filled(value)) return this.language.t("no_value");
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  }
}

const UNITS: Record<string, string> = { m2: "m²", m3: "m³", deg: "°", percent: "%" };

function filled(value: unknown): boolean {
  return value !== null && value !== undefined && value !== "";
}

/** Property sets come as an object or as its JSON text; anything else holds none. */
export function propertySets(value: unknown): Record<string, Record<string, unknown>> {
  const sets = typeof value === "string" ? parsed(value) : value;
  if (!sets || typeof sets !== "object") return {};
  return Object.fromEntries(
    Object.entries(sets).filter((entry): entry is [string, Record<string, unknown>] => typeof entry[1] === "object" && entry[1] !== null),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
