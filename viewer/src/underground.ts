/** The ground made see-through, so that what lies below can be seen and reached. */
import { Cartesian2, Color, NearFarScalar } from "@cesium/engine";
import type { Layers, TownLayer } from "./layers";
import type { TownScene } from "./scene";

const SEE_THROUGH = 0.28;
const EARTH = Color.fromCssColorString("#d5cec1");

/**
 * The ground is as the user set it, `chosen`. It opens by itself when a layer that lies below it is newly shown or one of
 * its features is looked for, and goes back to what the user chose once no such layer is shown.
 */
export class Underground {
  private chosen = 1;
  private opened = false;
  private arranging = false;
  private below = new Set<string>();
  private readonly listeners: (() => void)[] = [];

  /** `explain` is called when the ground has opened by itself. */
  constructor(
    private readonly town: TownScene,
    private readonly layers: Layers,
    private readonly explain: () => void,
  ) {
    const { globe } = town.scene;
    globe.undergroundColor = Color.fromCssColorString("#5b6168");
    globe.undergroundColorAlphaByDistance = new NearFarScalar(50, 0.05, 3000, 0.6);
    town.scene.preRender.addEventListener(() => this.paintBackground());
    layers.changed(() => this.follow());
  }

  /** Opacity of the ground: 1 hides what lies below, 0 is air. */
  get ground(): number {
    return this.opened ? SEE_THROUGH : this.chosen;
  }

  /** Set the ground by hand: it stays so until another layer below it is shown. */
  set ground(opacity: number) {
    this.opened = false;
    this.chosen = Math.min(Math.max(opacity, 0), 1);
    this.apply();
  }

  get on(): boolean {
    return this.ground < 1;
  }

  /** Whether a closed ground hides a layer. */
  hides(layer: TownLayer): boolean {
    return !this.on && liesBelow(layer);
  }

  /** Whether a layer that lies below the ground is shown. */
  get needed(): boolean {
    return this.below.size > 0;
  }

  /** Open a closed ground so that what lies below can be seen, and say so. */
  open(): void {
    if (this.on) return;
    this.opened = true;
    this.apply();
    this.explain();
  }

  /** Show the layers of a link or scene with its ground; one that names none is opened for what lies below. */
  arrange(show: () => void, ground?: number): void {
    this.arranging = true;
    show();
    this.arranging = false;
    this.below = this.shownBelow();
    this.ground = ground ?? 1;
    if (ground === undefined && this.needed) this.open();
  }

  /** Open the ground and show what lies below it, or close it again. */
  toggle(): void {
    if (this.on) {
      this.ground = 1;
      return;
    }
    this.ground = SEE_THROUGH;
    for (const layer of this.layers.all) {
      if (liesBelow(layer) && layer.drawable && !layer.visible) this.layers.setVisible(layer.id, true);
    }
  }

  private follow(): void {
    if (this.arranging) return;
    const below = this.shownBelow();
    const more = [...below].some((layerId) => !this.below.has(layerId));
    this.below = below;
    if (more) this.open();
    else if (this.opened && !below.size) this.ground = this.chosen;
  }

  private shownBelow(): Set<string> {
    return new Set(this.layers.visible.filter((layer) => liesBelow(layer) && layer.opacity > 0).map((layer) => layer.id));
  }

  private apply(): void {
    const { translucency } = this.town.scene.globe;
    const switched = translucency.enabled !== this.on;
    translucency.enabled = this.on;
    translucency.frontFaceAlpha = this.ground;
    translucency.backFaceAlpha = this.ground;
    if (switched) this.renewGround();
    this.town.camera.groundClosed = !this.on;
    this.town.render();
    for (const listener of this.listeners) listener();
  }

  /**
   * Draw the switched ground at once. CesiumJS 1.145 may go on drawing the tiles as they were before see-through was
   * switched (their derived commands stay stale) until picking marks them for renewal; and picking without a frame in
   * between fails, since the tiles do not yet have what it asks for.
   */
  private renewGround(): void {
    const { scene } = this.town;
    for (let round = 0; round < 2; round += 1) {
      scene.requestRender();
      scene.render();
      scene.pick(new Cartesian2(0, 0), 1, 1);
    }
  }

  /** Sky above the ground, earth below it. */
  private paintBackground(): void {
    const isBelow = (this.town.camera.aboveGround() ?? 0) < 0;
    this.town.scene.backgroundColor = isBelow ? EARTH : this.town.sky;
  }

  changed(listener: () => void): void {
    this.listeners.push(listener);
  }
}

/** Drawn below the ground; what is draped lies on it. */
function liesBelow(layer: TownLayer): boolean {
  return layer.config.underground && layer.solid;
}
