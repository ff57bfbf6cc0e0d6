/** The buttons at the right: what the viewer can do besides showing layers. */
import { type IconName, button, element, icon, name } from "./dom";
import type { Language, Word } from "./i18n";
import { MEASURES, type Measure } from "./measure";
import type { Underground } from "./underground";

export interface Actions {
  home: () => void;
  north: () => void;
  full_screen: () => void;
  screenshot: () => void;
  share: () => void;
  help: () => void;
}

export class Toolbar {
  private readonly bar = element("div", { class: "toolbar", role: "toolbar", "aria-orientation": "vertical" });
  private readonly hint = element("div", { class: "hint panel", role: "status", hidden: true });

  constructor(
    parent: HTMLElement,
    private readonly actions: Actions,
    private readonly measure: Measure,
    private readonly underground: Underground,
    private readonly language: Language,
  ) {
    parent.append(this.bar, this.hint);
    language.shown(() => this.render());
    measure.changed(() => this.render());
    underground.changed(() => this.render());
  }

  private render(): void {
    const { language } = this;
    const focused = document.activeElement?.getAttribute("data-tool");
    name(this.bar, language.t("tools"));
    this.bar.replaceChildren(
      this.group(this.tool("home", "home", this.actions.home), this.tool("north", "north", this.actions.north)),
      this.group(this.tool("underground", "underground", () => this.underground.toggle(), this.underground.on)),
      this.group(
        ...MEASURES.map((kind) =>
          this.tool(kind, `measure_${kind}`, () => this.measure.start(this.measure.kind === kind ? undefined : kind), this.measure.kind === kind),
        ),
        this.measure.any || this.measure.active ? this.tool("clear", "measure_clear", () => this.measure.clear()) : "",
      ),
      this.group(
        this.tool("screenshot", "screenshot", this.actions.screenshot),
        this.tool("share", "share", this.actions.share),
        this.tool("full_screen", "full_screen", this.actions.full_screen),
        this.tool("help", "help", this.actions.help),
      ),
    );
    this.hint.hidden = !this.measure.active && !this.measure.any;
    this.hint.replaceChildren(
      this.measure.hint,
      element("ol", { class: "measured" }, ...this.measure.results.map((result) => element("li", {}, result))),
    );
    if (focused) this.bar.querySelector<HTMLElement>(`[data-tool="${focused}"]`)?.focus();
  }

  private group(...tools: (HTMLElement | string)[]): HTMLElement {
    return element("div", { class: "tools panel" }, ...tools);
  }

  private tool(which: IconName, word: Word, run: () => void, pressed?: boolean): HTMLElement {
    const made = button("tool", this.language.t(word), run, icon(which));
    made.dataset.tool = which;
    if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
    return made;
  }
}
