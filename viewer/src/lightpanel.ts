/** The box of the light: the hour of the day on show, when the sun rises and sets, and how much is drawn. */
import { button, element, icon, name } from "./dom";
import type { Light } from "./light";
import { QUALITY_STEPS, type QualityChoice } from "./quality";
import type { Language } from "./words";

const CHOICES: readonly QualityChoice[] = ["auto", ...QUALITY_STEPS];
/** Hours between two stops of the slider: five minutes. */
const STEP = 1 / 12;

export class LightPanel {
  private readonly box = element("section", { class: "light panel", role: "group", hidden: true });
  private readonly slider = element("input", { type: "range", id: "hour", min: 0, max: 24, step: STEP });
  private readonly massing = element("input", { type: "checkbox", id: "massing" });
  private readonly clock = element("output", { class: "light-clock", for: "hour" });
  private readonly listeners: (() => void)[] = [];

  constructor(
    parent: HTMLElement,
    private readonly light: Light,
    private readonly language: Language,
  ) {
    parent.append(this.box);
    this.slider.addEventListener("input", () => {
      light.hour = this.slider.valueAsNumber;
    });
    this.massing.addEventListener("change", () => {
      light.massing = this.massing.checked;
    });
    light.changed(() => this.renew());
    language.shown(() => this.render());
  }

  get open(): boolean {
    return !this.box.hidden;
  }

  toggle(): void {
    this.box.hidden = !this.box.hidden;
    if (this.open) this.slider.focus();
    this.notify();
  }

  /** Close it; false where it was not open. */
  close(): boolean {
    if (!this.open) return false;
    this.toggle();
    return true;
  }

  changed(listener: () => void): void {
    this.listeners.push(listener);
  }

  private render(): void {
    const { language } = this;
    name(this.box, language.t("light"));
    name(this.slider, language.t("hour"));
    this.box.replaceChildren(
      element(
        "header",
        {},
        element("h2", {}, language.t("light")),
        button("icon-button", language.t("close"), () => this.toggle(), icon("close")),
      ),
      element("div", { class: "light-hour" }, this.slider, this.clock),
      element("p", { class: "light-sun" }),
      element("label", { class: "light-quality" }, language.t("quality"), this.qualities()),
      element("label", { class: "light-massing" }, this.massing, language.t("massing")),
    );
    this.renew();
  }

  private qualities(): HTMLSelectElement {
    const { language, light } = this;
    const list = element("select", { id: "quality" }, ...CHOICES.map((choice) => element("option", { value: choice }, language.t(`quality_${choice}`))));
    list.addEventListener("change", () => {
      light.quality.choice = list.value as QualityChoice;
    });
    return list;
  }

  /** Show the values; the controls stay, for one of them may hold the pointer. */
  private renew(): void {
    const { light, language } = this;
    const clock = clockOf(light.shownHour);
    this.slider.value = String(light.shownHour);
    this.slider.setAttribute("aria-valuetext", clock);
    this.clock.textContent = clock;
    this.massing.checked = light.massing;
    const { rise, set } = light.sunHours;
    const words = this.box.querySelector(".light-sun");
    const hours = rise === undefined || set === undefined ? "" : language.t("sun_hours", clockOf(rise), clockOf(set));
    if (words) words.textContent = hours;
    const list = this.box.querySelector<HTMLSelectElement>("#quality");
    if (list) {
      list.value = light.quality.choice;
      list.options[0]!.textContent = language.t("quality_auto") + (list.value === "auto" ? ` (${language.t(`quality_${light.quality.step}`)})` : "");
    }
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}

/** An hour (13.5) as clocks show it: 13:30. */
export function clockOf(hour: number): string {
  const minutes = Math.round(hour * 60);
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}
