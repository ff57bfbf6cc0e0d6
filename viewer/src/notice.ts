/** What went wrong, on screen, with one thing to do about it. */
import { button, element } from "./dom";

export interface Remedy {
  label: string;
  run: () => void;
}

export class Notice {
  private readonly list = element("div", { class: "notices" });
  private readonly shown = new Map<string, HTMLElement>();

  constructor(parent: HTMLElement) {
    parent.append(this.list);
  }

  /** Show a problem once, however often it happens, until its remedy is taken. */
  problem(message: string, remedy: Remedy): void {
    if (this.shown.has(message)) return;
    const card = element("div", { class: "notice problem", role: "alert" }, element("p", {}, message));
    card.append(
      button("notice-remedy", remedy.label, () => {
        this.remove(message);
        remedy.run();
      }, remedy.label),
    );
    this.shown.set(message, card);
    this.list.append(card);
  }

  /** Say something that needs no answer; it goes by itself. */
  say(message: string): void {
    const card = element("div", { class: "notice", role: "status" }, element("p", {}, message));
    this.list.append(card);
    setTimeout(() => card.remove(), 2500);
  }

  private remove(message: string): void {
    this.shown.get(message)?.remove();
    this.shown.delete(message);
  }
}
