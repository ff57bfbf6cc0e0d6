/** The ground made see-through, so that what lies below can be seen and reached. */
import { Cartesian2, Cartographic, Color, NearFarScalar } from "@cesium/engine";
import type { Layers } from "./layers";
import { SKY, type TownScene } from "./scene";

const SEE_THROUGH = 0.28;
const EARTH = Color.fromCssColorString("#d5cec1");

export class Underground {
  private opacity = 1;
  private readonly listeners: (() => void)[] = [];

  constructor(
    private readonly town: TownScene,
    private readonly layers: Layers,
  ) {
    const { globe } = town.scene;
    globe.undergroundColor = Color.fromCssColorString("#5b6168");
    globe.undergroundColorAlphaByDistance = new NearFarScalar(50, 0.05, 3000, 0.6);
    town.scene.preRender.addEventListener(() => this.paintBackground());
  }

  /** Opacity of the ground: 1 hides what lies below, 0 is air. */
  get ground(): number {
    return this.opacity;
  }

  set ground(opacity: number) {
    this.opacity = Math.min(Math.max(opacity, 0), 1);
    const { translucency } = this.town.scene.globe;
    const switched = translucency.enabled !== this.opacity < 1;
    translucency.enabled = this.opacity < 1;
    translucency.frontFaceAlpha = this.opacity;
    translucency.backFaceAlpha = this.opacity;
    if (switched) this.renewGround();
    this.town.camera.groundClosed = this.opacity === 1;
    this.town.render();
    for (const listener of this.listeners) listener();
  }

  get on(): boolean {
    return this.opacity < 1;
  }

  /** Open the ground and show what lies below it, or close it again. */
  toggle(): void {
    if (this.on) {
      this.ground = 1;
      return;
    }
    this.ground = SEE_THROUGH;
    for (const layer of this.layers.all) {
      if (layer.config.underground && layer.solid && !layer.visible) this.layers.setVisible(layer.id, true);
    }
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
    const { scene } = this.town;
    const { longitude, latitude, height } = scene.camera.positionCartographic;
    const ground = scene.globe.getHeight(new Cartographic(longitude, latitude));
    scene.backgroundColor = ground !== undefined && height < ground ? EARTH : SKY;
  }

  changed(listener: () => void): void {
    this.listeners.push(listener);
  }
}
