/** What went wrong, on screen, with one thing to do about it. */
import { button, element, icon } from "./dom";
import type { Language } from "./words";

export interface Remedy {
  label: string;
  run: () => void;
}

export class Notice {
  private readonly list = element("div", { class: "notices" });
  private readonly shown = new Map<string, HTMLElement>();

  constructor(
    parent: HTMLElement,
    private readonly language: Language,
  ) {
    parent.append(this.list);
  }

  /** Show a problem once, however often it happens, until its remedy, if it has one, is taken or it is closed; a calm one mends itself. */
  problem(message: string, remedy?: Remedy, calm = false): void {
    if (this.shown.has(message)) return;
    const kind = calm ? { class: "notice calm", role: "status" } : { class: "notice problem", role: "alert" };
    const card = element("div", kind, element("p", {}, message));
    if (remedy) card.append(button("notice-remedy", remedy.label, () => this.take(message, remedy), remedy.label));
    card.append(button("icon-button", this.language.t("close"), () => this.solved(message), icon("close")));
    this.shown.set(message, card);
    this.list.append(card);
  }

  /** Take a problem away that is none any more. */
  solved(message: string): void {
    this.shown.get(message)?.remove();
    this.shown.delete(message);
  }

  private take(message: string, remedy: Remedy): void {
    this.solved(message);
    remedy.run();
  }

  /** Say something that needs no answer; it goes by itself. */
  say(message: string): void {
    const card = element("div", { class: "notice", role: "status" }, element("p", {}, message));
    this.list.append(card);
    setTimeout(() => card.remove(), 2500);
  }
}
