/** The box at the top of the window: hint and controls of the active tool, and the results that tools left. */
import { button, element, icon } from "../dom";
import type { Language, Word } from "../words";

/** What a tool leaves behind when it is done. */
export interface Result {
  /** Its words in the language on show. */
  text(): string;
  /** Draw it again with the words of another language. */
  translate?(): void;
  /** Dispose of its drawing in the scene. */
  dispose(): void;
}

export class ToolPanel {
  /** Newest last. */
  readonly results: Result[] = [];
  private readonly box = element("div", { class: "hint panel", role: "status", hidden: true });
  private hint: Word | undefined;
  private controls: (() => HTMLElement) | undefined;
  private readonly listeners: (() => void)[] = [];

  constructor(
    parent: HTMLElement,
    private readonly language: Language,
  ) {
    parent.append(this.box);
    language.shown(() => {
      for (const result of this.results) result.translate?.();
      this.render();
    });
  }

  /** Call the listener when results come or go. */
  changed(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Show the hint of a tool, and below it the controls, if it has any. */
  open(hint: Word, controls?: () => HTMLElement): void {
    this.hint = hint;
    this.controls = controls;
    this.render();
  }

  /** Take hint and controls away; the results stay. */
  close(): void {
    this.hint = undefined;
    this.controls = undefined;
    this.render();
  }

  /** Keep a result until the user clears all. */
  add(result: Result): void {
    this.results.push(result);
    this.render();
    this.notify();
  }

  /** Delete one result; the focus goes to the next, so that keys may go on deleting. */
  private remove(result: Result): void {
    const index = this.results.indexOf(result);
    this.results.splice(index, 1);
    result.dispose();
    this.render();
    this.notify();
    const deletes = this.box.querySelectorAll<HTMLElement>(".measured button");
    deletes[Math.min(index, deletes.length - 1)]?.focus();
  }

  clear(): void {
    for (const result of this.results.splice(0)) result.dispose();
    this.render();
    this.notify();
  }

  private render(): void {
    this.box.hidden = !this.hint && !this.results.length;
    this.box.replaceChildren(
      this.hint ? this.language.t(this.hint) : "",
      this.controls?.() ?? "",
      element("ol", { class: "measured" }, ...this.results.map((result) => this.row(result))),
    );
  }

  private row(result: Result): HTMLElement {
    const text = result.text().replaceAll("\n", " · ");
    const label = `${this.language.t("measure_delete")}: ${text}`;
    return element("li", {}, text, button("icon-button", label, () => this.remove(result), icon("close")));
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}
