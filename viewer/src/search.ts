/** The search box: names, ids, addresses and point numbers of the whole town; a result is flown to and selected. */
import type { Api, Feature } from "./api";
import { element, icon, name } from "./dom";
import type { Layers } from "./layers";
import type { Notice } from "./notice";
import { causeInWords } from "./outage";
import type { Reveal } from "./reveal";
import type { TownScene } from "./scene";
import type { Language } from "./words";

const PAUSE = 220;

export class Search {
  private readonly box = element("input", {
    type: "search", id: "search", autocomplete: "off", role: "combobox", "aria-expanded": "false",
    "aria-controls": "results", "aria-autocomplete": "list",
  });
  private readonly list = element("ul", { class: "results", id: "results", role: "listbox", hidden: true });
  private results: Feature[] = [];
  private active = -1;
  private timer: number | undefined;
  private asked = new AbortController();

  constructor(
    parent: HTMLElement,
    private readonly api: Api,
    private readonly layers: Layers,
    private readonly reveal: Reveal,
    private readonly town: TownScene,
    private readonly notice: Notice,
    private readonly language: Language,
  ) {
    const form = element("form", { class: "search panel", role: "search" }, icon("search"), this.box, this.list);
    parent.append(form);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("focusout", (event) => {
      if (!form.contains(event.relatedTarget as Node | null)) this.close();
    });
    this.box.addEventListener("input", () => this.wait());
    this.box.addEventListener("focus", () => this.results.length && this.open());
    this.box.addEventListener("keydown", (event) => this.key(event));
    language.shown(() => {
      this.box.placeholder = language.t("search");
      name(this.box, language.t("search_label"));
      this.box.title = "";
    });
  }

  focus(): void {
    this.box.focus();
    this.box.select();
  }

  private wait(): void {
    clearTimeout(this.timer);
    this.asked.abort();
    const text = this.box.value.trim();
    if (!text) {
      this.results = [];
      this.close();
    } else this.timer = setTimeout(() => void this.ask(text), PAUSE);
  }

  private async ask(text: string): Promise<void> {
    this.asked = new AbortController();
    this.say(this.language.t("searching"));
    try {
      const { signal } = this.asked;
      this.results = await this.api.connection.retrying(() => this.api.search(text, this.language.code, signal));
      this.active = -1;
      if (this.results.length) this.render();
      else this.say(this.language.t("nothing_found", text));
    } catch (cause) {
      if ((cause as Error).name === "AbortError") return;
      this.close();
      const message = this.language.t("search_failed", causeInWords(cause, this.language));
      this.notice.problem(message, { label: this.language.t("retry"), run: () => void this.ask(text) });
    }
  }

  private say(words: string): void {
    this.list.replaceChildren(element("li", { class: "results-note" }, words));
    this.open();
  }

  private render(): void {
    this.list.replaceChildren(
      ...this.results.map((feature, index) => {
        const layer = this.layers.get(String(feature.properties.collection));
        const { title, kind, place, collection } = feature.properties;
        const called = String(title ?? feature.id);
        const collectionTitle = layer ? this.language.of(layer.config.title) : String(collection);
        const words = [collectionTitle, kind, place].filter(Boolean).join(" · ");
        const item = element(
          "li",
          { role: "option", title: `${called}\n${words}`, id: `result-${index}`, "aria-selected": index === this.active },
          element("span", { class: "results-title" }, called),
          element("span", { class: "results-kind" }, words),
        );
        // The box keeps the focus: pointer down must not take it before the click arrives.
        item.addEventListener("pointerdown", (event) => event.preventDefault());
        item.addEventListener("click", () => this.choose(index));
        return item;
      }),
    );
    this.open();
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      if (!this.list.hidden) event.stopPropagation();
      this.close();
    } else if (event.key === "Enter") this.choose(Math.max(this.active, 0));
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.point(event.key === "ArrowDown" ? 1 : -1);
    }
  }

  private point(step: number): void {
    if (!this.results.length) return;
    this.active = (this.active + step + this.results.length) % this.results.length;
    this.render();
    this.box.setAttribute("aria-activedescendant", `result-${this.active}`);
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  private choose(index: number): void {
    const feature = this.results[index];
    if (!feature) return;
    this.close();
    this.box.blur();
    const collectionId = String(feature.properties.collection);
    this.reveal.feature({ collectionId, featureId: String(feature.id ?? feature.properties.id) });
    void this.flyTo(feature, collectionId);
  }

  /** A result has no heights: its item is asked for them, and the result itself does where there is no answer. */
  private async flyTo(result: Feature, collectionId: string): Promise<void> {
    const config = this.layers.get(collectionId)?.config;
    if (!config) return;
    const item = await this.api.item(collectionId, String(result.id ?? result.properties.id), this.language.code).catch(() => result);
    await this.town.flyToFeature(item, config);
  }

  private open(): void {
    this.list.hidden = false;
    this.box.setAttribute("aria-expanded", "true");
  }

  private close(): void {
    this.list.hidden = true;
    this.box.setAttribute("aria-expanded", "false");
    this.box.removeAttribute("aria-activedescendant");
  }
}
