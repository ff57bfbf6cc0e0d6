/** Values of a feature as a reader sees them: codes by their words, units, days, colours, and links to other features. */
import type { Feature, FieldConfig } from "./api";
import { HEX, colorWord } from "./colors";
import { button, element } from "./dom";
import { type Relation, relationOf } from "./relations";
import { colorSwatch } from "./swatch";
import type { Language } from "./words";

export class Values {
  constructor(
    private readonly language: Language,
    private readonly zone: string,
    private readonly follow: (relation: Relation) => void,
  ) {}

  /** The value of a field: text, or a link where it names another feature. */
  cell(collectionId: string, field: FieldConfig, feature: Feature): Node | string {
    const value = feature.properties[field.name];
    const text = this.value(field, value);
    const relation = relationOf(collectionId, field.name, feature);
    if (!relation) return text;
    const words = typeof text === "string" ? text : (text.textContent ?? "");
    return button("attributes-link", `${words}: ${this.language.t("show_feature")}`, () => this.follow(relation), text);
  }

  plain(value: unknown, digits = 6): string {
    if (typeof value === "boolean") return value ? "✓" : "✗";
    if (typeof value === "number") {
      return value.toLocaleString(this.language.code === "zh" ? "zh-CN" : "en", { maximumFractionDigits: digits, useGrouping: false });
    }
    if (!filled(value)) return this.language.t("no_value");
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  }

  private value(field: FieldConfig, value: unknown): Node | string {
    const meaning = field.codes?.[String(value)];
    if (meaning) return element("span", { title: String(value) }, this.language.of(meaning));
    if (typeof value === "string" && HEX.test(value)) return element("span", { class: "attributes-color", title: value }, colorSwatch(value), this.language.t(colorWord(value)));
    if (field.type === "datetime" && typeof value === "string") return this.language.instant(value, this.zone);
    const text = this.plain(value, field.type === "number" ? 3 : 0);
    return field.unit ? `${text} ${UNITS[field.unit] ?? field.unit}` : text;
  }
}

const UNITS: Record<string, string> = { m2: "m²", m3: "m³", deg: "°", percent: "%" };

export function filled(value: unknown): boolean {
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
