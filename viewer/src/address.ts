/** Keeps the address of the page in step with what is shown; `permalink.ts` knows how the state is written. */
import { copyText } from "./clipboard";
import type { Parts } from "./parts";
import { type State, toHash } from "./permalink";

/** Milliseconds to wait for further changes before the address is written. */
const PAUSE = 250;

export class Address {
  private timer: number | undefined;

  constructor(private readonly parts: Parts) {
    const { town, layers, underground, selection, scenes, time, light, language } = parts;
    const remember = () => this.remember();
    town.scene.camera.moveEnd.addEventListener(remember);
    for (const part of [layers, underground, selection, scenes, time, light]) part.changed(remember);
    language.shown(remember);
    addEventListener("hashchange", () => location.reload());
  }

  /** Copy the address of what is shown now. */
  async share(): Promise<void> {
    const { notice, language } = this.parts;
    this.write();
    await copyText(location.href, "link_copied", notice, language);
  }

  private remember(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), PAUSE);
  }

  private write(): void {
    history.replaceState(null, "", toHash(stateOf(this.parts)));
  }
}

function stateOf({ town, layers, underground, selection, scenes, time, light, language }: Parts): State {
  return {
    camera: town.cameraState(),
    layers: layers.all.filter((layer) => layer.visible).map((layer) => layer.id),
    transparency: Object.fromEntries(layers.all.map((layer) => [layer.id, 1 - layer.opacity])),
    ground: underground.ground,
    groundNeeded: underground.needed,
    selection: selection.identity,
    scene: scenes.current?.id,
    day: time.day,
    hour: light.hour,
    lang: language.code,
  };
}
