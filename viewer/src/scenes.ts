/** Named states of the town, shown one after the other: play flies through them, arrow keys step, Esc leaves. */
import type { SceneConfig } from "./api";
import { button, element, icon, name } from "./dom";
import type { Layers } from "./layers";
import type { TownScene } from "./scene";
import { type Time, asDay } from "./time";
import type { Underground } from "./underground";
import type { Language } from "./words";

export class Scenes {
  current: SceneConfig | undefined;
  private playing = false;
  private timer: number | undefined;
  private readonly bar = element("nav", { class: "scenes panel" });
  private readonly caption = element("section", { class: "caption panel", hidden: true, "aria-live": "polite" });
  private readonly listeners: (() => void)[] = [];

  constructor(
    parent: HTMLElement,
    private readonly all: SceneConfig[],
    private readonly town: TownScene,
    private readonly layers: Layers,
    private readonly underground: Underground,
    private readonly time: Time,
    private readonly language: Language,
  ) {
    if (!all.length) return;
    parent.append(this.caption, this.bar);
    language.shown(() => this.render());
  }

  changed(listener: () => void): void {
    this.listeners.push(listener);
  }

  get(sceneId: string): SceneConfig | undefined {
    return this.all.find((scene) => scene.id === sceneId);
  }

  /** Set the scene without flying: its layers, transparency, ground and day. */
  dress(scene: SceneConfig): void {
    this.current = scene;
    const show = () => this.layers.show(scene.layers, scene.transparency);
    this.underground.arrange(show, scene.ground < 1 ? scene.ground : undefined);
    this.time.day = asDay(scene.datetime?.slice(0, 10));
    this.render();
    for (const listener of this.listeners) listener();
  }

  /** Show a scene; resolves when its camera has arrived. */
  async show(scene: SceneConfig): Promise<boolean> {
    clearTimeout(this.timer);
    this.dress(scene);
    const arrived = await this.town.flyTo(scene.camera, 2.4);
    if (arrived && this.playing && this.current === scene) {
      this.timer = setTimeout(() => void this.step(1), scene.seconds * 1000);
    }
    return arrived;
  }

  async step(by: number): Promise<void> {
    const at = this.current ? this.all.indexOf(this.current) : by > 0 ? -1 : this.all.length;
    const next = at + by;
    if (this.playing && next >= this.all.length) this.pause();
    else await this.show(this.all[(next + this.all.length) % this.all.length]!);
  }

  async play(): Promise<void> {
    if (!this.all.length) return;
    this.playing = true;
    const last = this.current === this.all.at(-1);
    await this.show(this.current && !last ? this.current : this.all[0]!);
  }

  pause(): void {
    this.playing = false;
    clearTimeout(this.timer);
    this.render();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else void this.play();
  }

  /** Let go of the scene; what it shows stays. */
  leave(): void {
    this.pause();
    this.town.scene.camera.cancelFlight();
    this.current = undefined;
    this.render();
    for (const listener of this.listeners) listener();
  }

  private render(): void {
    const { language } = this;
    name(this.bar, language.t("scenes"));
    const chips = this.all.map((scene) => {
      const title = language.of(scene.title);
      const chip = button("chip", title, () => void this.show(scene), title);
      chip.setAttribute("aria-pressed", String(scene === this.current));
      return chip;
    });
    const play = button("icon-button play", language.t(this.playing ? "pause" : "play"), () => this.toggle(), icon(this.playing ? "pause" : "play"));
    this.bar.replaceChildren(play, element("div", { class: "chips" }, ...chips));
    this.caption.hidden = !this.current;
    if (this.current) this.caption.replaceChildren(...this.captionOf(this.current));
  }

  private captionOf(scene: SceneConfig): HTMLElement[] {
    const { language } = this;
    const withheld = scene.layers_withheld && element("p", { class: "caption-withheld" }, language.t(scene.layers.some((layerId) => this.layers.get(layerId)) ? "scene_partly_closed" : "scene_closed"));
    const count = element("span", { class: "caption-count" }, `${this.all.indexOf(scene) + 1} / ${this.all.length}`);
    const words = element("div", { class: "caption-words" }, element("h2", {}, language.of(scene.title), count), element("p", {}, language.of(scene.text)), withheld);
    const steps = element(
      "div",
      { class: "caption-steps" },
      button("icon-button", language.t("previous"), () => void this.step(-1), icon("previous")),
      button("icon-button", language.t("next"), () => void this.step(1), icon("next")),
      button("icon-button", language.t("leave_scenes"), () => this.leave(), icon("close")),
    );
    return [words, steps];
  }
}
