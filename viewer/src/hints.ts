/** Why a layer that is ticked shows nothing, and the one thing to do about it. */
import { Cartesian3, Cartographic } from "@cesium/engine";
import type { IconName } from "./dom";
import type { Layers, TownLayer } from "./layers";
import { zoomOf } from "./pick";
import type { TownScene } from "./scene";
import type { Time } from "./time";
import type { Underground } from "./underground";
import type { Language, Word } from "./words";

export interface Hint {
  reason: string;
  remedy?: { word: Word; icon: IconName; run: () => void };
}

export class Hints {
  constructor(
    private readonly layers: Layers,
    private readonly town: TownScene,
    private readonly underground: Underground,
    private readonly time: Time,
  ) {}

  /** Call the listener whenever a hint may have changed. */
  changed(listener: () => void): void {
    this.layers.changed(listener);
    this.underground.changed(listener);
    this.town.scene.camera.moveEnd.addEventListener(listener);
  }

  of(layer: TownLayer, language: Language): Hint | undefined {
    if (!layer.visible) return undefined;
    if (!layer.drawable) return { reason: language.t("hint_empty") };
    return this.transparent(layer, language) ?? this.anotherDay(layer, language) ?? this.closedGround(layer, language) ?? this.tooFar(layer, language);
  }

  private transparent(layer: TownLayer, language: Language): Hint | undefined {
    if (layer.opacity > 0) return undefined;
    return { reason: language.t("hint_transparent"), remedy: { word: "make_opaque", icon: "layers", run: () => this.layers.setOpacity(layer.id, 1) } };
  }

  private anotherDay(layer: TownLayer, language: Language): Hint | undefined {
    const { first, last } = layer.config.time!;
    const { shown } = this.time;
    const goTo = (day: string) => () => {
      this.time.day = day;
    };
    if (shown < first) return { reason: language.t("hint_not_yet", language.date(first)), remedy: { word: "go_to_first_day", icon: "next", run: goTo(first) } };
    if (last && shown > last) return { reason: language.t("hint_no_longer", language.date(last)), remedy: { word: "go_to_last_day", icon: "previous", run: goTo(last) } };
    return undefined;
  }

  private closedGround(layer: TownLayer, language: Language): Hint | undefined {
    if (!this.underground.hides(layer)) return undefined;
    return { reason: language.t("hint_ground"), remedy: { word: "open_ground", icon: "underground", run: () => this.underground.open() } };
  }

  /** What is draped is drawn from the layer's first zoom on; what is solid at any distance. */
  private tooFar(layer: TownLayer, language: Language): Hint | undefined {
    if (!layer.draped) return undefined;
    const target = this.town.camera.target();
    const range = Cartesian3.distance(this.town.scene.camera.positionWC, Cartographic.toCartesian(target));
    const missing = layer.config.min_zoom - 1 - zoomOf(this.town.metresPerPixel(range), target.latitude);
    if (missing <= 0) return undefined;
    // One zoom halves the distance; a little more, so that rounding does not stop short of it.
    const closer = 1 - 0.8 / 2 ** missing;
    return { reason: language.t("hint_too_far"), remedy: { word: "zoom_in", icon: "target", run: () => this.town.nudge({ closer }) } };
  }
}
