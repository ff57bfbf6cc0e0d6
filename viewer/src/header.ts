/** The town's name and the language switch, at the top of the window. */
import type { TownConfig } from "./api";
import { element } from "./dom";
import type { Language } from "./words";

export function addTitle(parent: HTMLElement, config: TownConfig, language: Language): void {
  const title = element("h1", { class: "panel" });
  parent.append(title);
  language.shown(() => {
    const town = language.of(config.town.name);
    title.textContent = town;
    document.title = `${town} · ${language.t("view")}`;
  });
}

export function addLanguageSwitch(parent: HTMLElement, language: Language): void {
  const control = element("button", { type: "button", class: "language panel" });
  parent.append(control);
  control.addEventListener("click", () => {
    language.code = language.code === "zh" ? "en" : "zh";
  });
  language.shown(() => {
    control.textContent = language.t("language");
  });
}
