/** The keyboard: one table of keys, which the help page shows as well. */
import { button, element, icon } from "./dom";
import type { Language, Word } from "./words";

export interface Key {
  shown: string;
  word: Word;
  /** `KeyboardEvent.key` values and what each does; letters in lower case. */
  keys: Record<string, () => void>;
}

export class Keys {
  private readonly help = element("dialog", { class: "help panel" });

  constructor(
    parent: HTMLElement,
    private readonly table: Key[],
    private readonly language: Language,
  ) {
    parent.append(this.help);
    language.shown(() => this.render());
    document.addEventListener("keydown", (event) => this.press(event));
  }

  get helpOpen(): boolean {
    return this.help.open;
  }

  toggleHelp(): void {
    if (this.help.open) this.help.close();
    else this.help.showModal();
  }

  private press(event: KeyboardEvent): void {
    // An open dialog keeps the keys; it closes itself by Esc.
    if (document.querySelector("dialog:modal") && !(this.help.open && event.key === "?")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target, event.key)) return;
    const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const run = this.table.map(({ keys }) => keys[pressed]).find(Boolean);
    if (!run) return;
    event.preventDefault();
    run();
  }

  private render(): void {
    const { language } = this;
    const mouse: Word[] = ["help_drag", "help_wheel", "help_tilt", "help_click"];
    const rows = this.table.map(({ shown, word }) =>
      element("tr", {}, element("th", { scope: "row" }, ...shown.split(" ").flatMap((cap) => [element("kbd", {}, cap), " "])), element("td", {}, language.t(word))),
    );
    this.help.replaceChildren(
      element("header", {}, element("h2", {}, language.t("help_title")), button("icon-button", language.t("close"), () => this.help.close(), icon("close"))),
      element("ul", {}, ...mouse.map((word) => element("li", {}, language.t(word)))),
      element("table", {}, element("tbody", {}, ...rows)),
      element("p", { class: "help-about" }, language.t("about")),
    );
  }
}

const SLIDER_KEYS = /^(Arrow.*|Home|End|PageUp|PageDown)$/;

/** Whether a key belongs to the control that has the focus. */
function typing(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLSelectElement) return key !== "Escape";
  if (target instanceof HTMLInputElement && target.type === "range") return SLIDER_KEYS.test(key);
  if (target instanceof HTMLInputElement && target.type !== "checkbox") return key !== "Escape";
  const operated = target.closest("button, a, summary, input, dialog");
  return operated !== null && (key === "Enter" || key === " " || (key.startsWith("Arrow") && operated instanceof HTMLInputElement));
}
