/**
 * Soft shadows of the sun without moiré.
 *
 * CesiumJS keeps the biases of its shadow map in private fields: this is the only file that touches them, and a test holds
 * that they are there and have an effect. Its own values let walls and roofs of a town shade themselves in stripes.
 */
import { ShadowMode } from "@cesium/engine";
import type { TownScene } from "./scene";

/** Of `ShadowMap`, engine 26.3: offsets are in texels along the normal, `depthBias` in shares of the map's depth. */
interface Biases {
  _primitiveBias: { normalOffsetScale: number; depthBias: number };
  _terrainBias: { normalOffsetScale: number; depthBias: number };
  dirty: boolean;
}

const NORMAL_OFFSET = 2;
const DEPTH_BIAS = 0.0006;
/** Metres: shadows end so many times the camera's height above the ground away, within bounds. */
const REACH = 6;
const [NEAREST_END, FARTHEST_END] = [600, 6_000];

export class Shadows {
  constructor(private readonly town: TownScene) {
    const { scene } = town;
    const { shadowMap } = scene;
    shadowMap.softShadows = true;
    shadowMap.fadingEnabled = false;
    const biases = shadowMap as unknown as Biases;
    for (const bias of [biases._primitiveBias, biases._terrainBias]) {
      bias.normalOffsetScale = NORMAL_OFFSET;
      bias.depthBias = DEPTH_BIAS;
    }
    biases.dirty = true;
    // A relief that casts shadows on itself is what flickers; in a town the buildings cast those one sees.
    scene.globe.shadows = ShadowMode.RECEIVE_ONLY;
    scene.preRender.addEventListener(() => this.reach());
  }

  /** Draw shadows on a map of so many pixels a side; 0 draws none. */
  set size(pixels: number) {
    const { shadowMap } = this.town.scene;
    shadowMap.enabled = pixels > 0;
    if (pixels > 0) shadowMap.size = pixels;
  }

  /** How dark they are: 0 black, 1 none. */
  set darkness(share: number) {
    this.town.scene.shadowMap.darkness = share;
  }

  private reach(): void {
    const { scene } = this.town;
    if (!scene.shadowMap.enabled) return;
    const above = Math.abs(this.town.camera.aboveGround() ?? scene.camera.positionCartographic.height);
    scene.shadowMap.maximumDistance = Math.min(Math.max(above * REACH, NEAREST_END), FARTHEST_END);
  }
}
