/** The slider over the town's time: drag, step from change to change, play, and back to now. */
import { button, element, icon, name } from "./dom";
import { type Time, dayOf, numberOf } from "./time";
import type { Language } from "./words";

/** Seconds for the whole way when playing, and the least and most that one step of it takes. */
const WHOLE_WAY = 30;
const [BRIEFEST, LONGEST] = [0.5, 1.8];

export class Timeline {
  private readonly bar = element("section", { class: "time panel", role: "group" });
  private readonly slider: HTMLInputElement;
  private readonly ticks: HTMLDataListElement;
  private readonly date = element("output", { class: "time-date", for: "time" });
  private timer: number | undefined;

  constructor(
    parent: HTMLElement,
    private readonly time: Time,
    private readonly language: Language,
  ) {
    const { first, last, changes } = time.config;
    this.slider = element("input", { type: "range", id: "time", min: numberOf(first), max: numberOf(last), step: 1, list: "time-changes" });
    this.slider.addEventListener("input", () => {
      const day = dayOf(this.slider.valueAsNumber);
      this.pause();
      time.day = day;
    });
    const marks = changes.map((day) => element("option", { value: numberOf(day) }));
    this.ticks = element("datalist", { id: "time-changes" }, ...marks);
    this.bar.hidden = first === last;
    parent.append(this.bar);
    time.changed(() => this.render());
    language.shown(() => this.render());
  }

  focus(): void {
    this.slider.focus();
  }

  now(): void {
    this.pause();
    this.time.day = undefined;
  }

  private step(by: 1 | -1): void {
    this.pause();
    this.time.day = this.time.neighbour(by) ?? this.time.day;
  }

  /** Go from change to change; from the last one, from the beginning. */
  private play(): void {
    const seconds = Math.min(Math.max(WHOLE_WAY / this.time.config.changes.length, BRIEFEST), LONGEST);
    this.timer = setInterval(() => this.advance(), 1000 * seconds);
    if (this.time.neighbour(1) === undefined) this.time.day = this.time.config.first;
    else this.advance();
    this.render();
  }

  private advance(): void {
    const next = this.time.neighbour(1);
    if (next === undefined) this.pause();
    else this.time.day = next;
  }

  private pause(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.render();
  }

  private render(): void {
    const { language, time } = this;
    const playing = this.timer !== undefined;
    const focused = document.activeElement?.getAttribute("data-time");
    const date = language.date(time.shown);
    name(this.bar, language.t("time"));
    name(this.slider, language.t("time"));
    this.slider.value = String(time.number);
    this.slider.setAttribute("aria-valuetext", date);
    this.date.textContent = date;
    const now = this.control("now", "chip time-now", language.t("now"), () => this.now(), language.t("now"));
    now.setAttribute("aria-pressed", String(time.day === undefined));
    const controls = [
      this.control("play", "icon-button", language.t(playing ? "pause_time" : "play_time"), () => (playing ? this.pause() : this.play()), icon(playing ? "pause" : "play")),
      this.control("previous", "icon-button", language.t("previous_change"), () => this.step(-1), icon("previous")),
      this.control("next", "icon-button", language.t("next_change"), () => this.step(1), icon("next")),
    ];
    // The slider stays where it is: taken out of the page it would let go of the pointer that drags it.
    if (!this.slider.isConnected) this.bar.replaceChildren(element("div", { class: "time-steps" }), this.slider, this.ticks, this.date, element("div", { class: "time-end" }));
    this.bar.querySelector(".time-steps")!.replaceChildren(...controls);
    this.bar.querySelector(".time-end")!.replaceChildren(now);
    if (focused) this.bar.querySelector<HTMLElement>(`[data-time="${focused}"]`)?.focus();
  }

  private control(which: string, className: string, label: string, run: () => void, ...children: (Node | string)[]): HTMLButtonElement {
    const control = button(className, label, run, ...children);
    control.dataset.time = which;
    return control;
  }
}
