/** What else lies where the user clicked, offered below the attributes; a further click there goes to the next. */
import { Cartesian2 } from "@cesium/engine";
import { button, element, name } from "./dom";
import type { Layers } from "./layers";
import type { Hit, Identity, Picker } from "./pick";
import type { Selection } from "./selection";
import type { Language } from "./words";

/** Pixels within which two clicks are at the same place. */
const SAME_PLACE = 4;

export class AlsoHere {
  private hits: Hit[] = [];
  private place = new Cartesian2(Number.NaN, Number.NaN);
  private view = "";

  constructor(
    private readonly list: HTMLElement,
    private readonly picker: Picker,
    private readonly selection: Selection,
    private readonly layers: Layers,
    private readonly language: Language,
    private readonly viewNow: () => string,
  ) {
    language.shown(() => this.render());
    selection.changed((identity) => {
      if (!identity || this.indexOf(identity) < 0) this.hits = [];
      this.render();
    });
  }

  /** Select what a click at a place of the window means. */
  async click(position: Cartesian2): Promise<void> {
    const next = this.nextAt(position);
    if (next) return this.selection.set(next);
    this.place = Cartesian2.clone(position);
    this.view = this.viewNow();
    this.hits = [];
    const first = await this.picker.at(position);
    this.selection.set(first);
    if (!first) return;
    const hits = await this.picker.allAt(position, first);
    if (this.selection.identity !== first || !Cartesian2.equals(this.place, position)) return;
    this.hits = hits;
    this.render();
  }

  /** The one after the selected feature, where the click repeats the last one. */
  private nextAt(position: Cartesian2): Identity | undefined {
    const { identity } = this.selection;
    const repeated = Cartesian2.distance(position, this.place) <= SAME_PLACE && this.view === this.viewNow();
    if (!repeated || !identity || this.hits.length < 2) return undefined;
    return this.hits[(this.indexOf(identity) + 1) % this.hits.length]!.identity;
  }

  private indexOf({ collectionId, featureId }: Identity): number {
    return this.hits.findIndex(({ identity }) => identity.collectionId === collectionId && identity.featureId === featureId);
  }

  private render(): void {
    const { language, selection } = this;
    const at = selection.identity ? this.indexOf(selection.identity) : -1;
    const others = this.hits.filter((_, index) => index !== at);
    this.list.hidden = at < 0 || !others.length;
    name(this.list, language.t("also_here"));
    this.list.replaceChildren(element("h3", {}, language.t("also_here")), element("ul", {}, ...others.map((hit) => this.row(hit))));
  }

  private row({ identity, title }: Hit): HTMLElement {
    const config = this.layers.get(identity.collectionId)?.config;
    const kind = config ? this.language.of(config.title) : identity.collectionId;
    const words = title ?? identity.featureId;
    return element("li", {}, button("quiet", `${kind}: ${words}`, () => this.selection.set(identity), `${kind} · ${words}`));
  }
}
