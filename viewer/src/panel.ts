/** The attributes of the selected feature, as the service has them for the day on show, with the catalogue's titles and codes. */
import { type Api, type Feature, type FieldConfig, type LayerConfig, ServiceProblem, itemPath } from "./api";
import { copyText } from "./clipboard";
import { button, element, icon, name } from "./dom";
import { History } from "./history";
import type { Layers } from "./layers";
import type { Notice } from "./notice";
import { causeInWords } from "./outage";
import type { Identity } from "./pick";
import { type Relation, nearest } from "./relations";
import type { Reveal } from "./reveal";
import type { TownScene } from "./scene";
import type { Selection } from "./selection";
import { swatch } from "./swatch";
import type { Time } from "./time";
import { Values, filled, propertySets } from "./values";
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

/** Answers for what does not exist or is not open to this reader. */
const WITHHELD = new Set([401, 403, 404, 410]);

export class Panel {
  readonly element = element("aside", { class: "attributes panel", id: "attributes", hidden: true, tabindex: -1, "aria-live": "polite" });
  /** `alsohere.ts` fills it. */
  readonly alsoHere = element("nav", { class: "also-here", hidden: true });
  feature: Feature | undefined;
  private asked: Identity | undefined;
  private readonly values: Values;
  private readonly history: History;

  constructor(
    parent: HTMLElement,
    private readonly api: Api,
    private readonly layers: Layers,
    private readonly selection: Selection,
    private readonly reveal: Reveal,
    private readonly town: TownScene,
    private readonly time: Time,
    private readonly notice: Notice,
    private readonly language: Language,
  ) {
    this.values = new Values(language, time.zone, (relation) => void this.follow(relation));
    this.history = new History(api, time, language);
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
    if (!this.layers.get(identity.collectionId)) return this.withheld();
    this.element.replaceChildren(element("p", { class: "attributes-wait" }, this.language.t("loading")));
    const { day, datetime } = this.time;
    try {
      const feature = await this.api.connection.retrying(() => this.ask(identity, datetime));
      if (this.asked !== identity) return;
      if (!feature) return this.absent(identity, day!);
      this.feature = feature;
      this.selection.mark(feature);
      this.render(feature);
    } catch (cause) {
      if (this.asked !== identity) return;
      if (cause instanceof ServiceProblem && WITHHELD.has(cause.status)) return this.withheld();
      this.element.hidden = true;
      const message = this.language.t("item_failed", causeInWords(cause, this.language));
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

  /** Say that the feature, or its layer, does not exist or is closed; asking again would not help. */
  private withheld(): void {
    const close = button("icon-button", this.language.t("close"), () => this.selection.set(undefined), icon("close"));
    this.element.replaceChildren(element("header", {}, element("p", {}, this.language.t("feature_withheld")), close));
  }

  /** Select the feature that a field names. */
  private async follow({ collectionId, field, value, at }: Relation): Promise<void> {
    const { language } = this;
    try {
      const features = await this.api.itemsWhere(collectionId, field, value, language.code, this.time.datetime);
      const feature = nearest(features, at);
      if (feature) this.reveal.feature({ collectionId, featureId: String(feature.id) });
      else this.notice.say(language.t("nothing_found", value));
    } catch {
      this.notice.say(language.t("nothing_found", value));
    }
  }

  private render(feature: Feature): void {
    const identity = this.asked;
    const config = identity && this.layers.get(identity.collectionId)?.config;
    if (!identity || !config) return;
    const sets = propertySets(feature.properties.properties);
    this.element.replaceChildren(
      this.header(config, identity, feature),
      element("div", { class: "attributes-body" }, this.table(config, identity, feature), ...this.attributeTable(feature), ...this.setTables(sets), this.history.of(identity)),
      this.alsoHere,
      this.footer(identity, feature),
    );
  }

  private header(config: LayerConfig, identity: Identity, feature: Feature): HTMLElement {
    const { language } = this;
    const title = String(config.label.map((field) => feature.properties[field]).find(Boolean) ?? identity.featureId);
    const close = button("icon-button", language.t("close"), () => this.selection.set(undefined), icon("close"));
    const day = this.time.day && element("span", { class: "attributes-day" }, language.t("as_of", language.date(this.time.day)));
    const kind = element("p", { class: "attributes-kind" }, swatch(config), language.of(config.title), day);
    const called = title !== identity.featureId;
    const heading = element("h2", { class: called ? undefined : "attributes-id" }, title);
    const words = element("div", {}, kind, heading, called && element("p", { class: "attributes-id" }, identity.featureId));
    return element("header", {}, words, close);
  }

  private table(config: LayerConfig, identity: Identity, feature: Feature): HTMLElement {
    const fields = [...config.fields, ...OF_A_STATE].filter((field) => !UNREADABLE.has(field.name));
    const known = new Set([...fields.map((field) => field.name), ...UNREADABLE, ATTRIBUTES, "id", "collection"]);
    const others = Object.keys(feature.properties)
      .filter((key) => !known.has(key))
      .map((key): FieldConfig => ({ name: key, type: "string", unit: "", title: { zh: key, en: key } }));
    const rows = [...fields, ...others]
      .filter((field) => filled(feature.properties[field.name]) && String(feature.properties[field.name]) !== identity.featureId)
      .map((field) => {
        const term = element("th", { scope: "row", title: field.name }, this.language.of(field.title));
        return element("tr", { "data-field": field.name }, term, element("td", {}, this.values.cell(config.id, field, feature)));
      });
    return element("table", {}, element("tbody", {}, ...rows));
  }

  /** A table of what the source said and no field takes. */
  private attributeTable(feature: Feature): HTMLElement[] {
    const values = feature.properties[ATTRIBUTES];
    if (!values || typeof values !== "object" || Array.isArray(values)) return [];
    const rows = Object.entries(values).map(([key, value]) =>
      element("tr", { "data-attribute": key }, element("th", { scope: "row" }, key), element("td", {}, this.values.plain(value))),
    );
    return [element("h3", {}, this.language.t("other_attributes")), element("table", {}, element("tbody", {}, ...rows))];
  }

  private setTables(sets: Record<string, Record<string, unknown>>): HTMLElement[] {
    const names = Object.keys(sets);
    if (!names.length) return [];
    const tables = names.map((set, index) => {
      const rows = Object.entries(sets[set]!).map(([key, value]) =>
        element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, this.values.plain(value))),
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
    const copy = button("quiet", language.t("copy_id"), () => void copyText(identity.featureId, "copied", this.notice, language), icon("copy"), language.t("copy_id"));
    const query = new URLSearchParams({ f: "html", lang: language.code });
    if (this.time.datetime) query.set("datetime", this.time.datetime);
    const href = `${itemPath(identity.collectionId, identity.featureId)}?${query}`;
    const page = element("a", { class: "quiet", href, target: "_blank", rel: "noopener" }, icon("open"), language.t("item_page"));
    name(page, language.t("item_page"));
    return element("footer", {}, config && fly, copy, page);
  }
}
