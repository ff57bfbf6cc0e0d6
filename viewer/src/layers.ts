/** The town's layers as shown: which are visible, how transparent, and what draws them (3D Tiles or the drape). */
import {
  Cartesian3, Cesium3DTileset, Cesium3DTileStyle, type Scene,
} from "@cesium/engine";
import type { LayerConfig, TownConfig } from "./api";
import type { Connection } from "./connection";
import { Facades } from "./facades";
import type { DrapedImagery } from "./imagery";
import type { Time } from "./time";
import { requestFailedTiles } from "./tileretry";

/** How often, and after how many milliseconds, failed tiles are asked for again before the user is told. */
const [QUIET_TRIES, QUIET_PAUSE] = [2, 1500];

export class TownLayer {
  visible = false;
  opacity = 1;
  tileset: Cesium3DTileset | undefined;
  loading: Promise<void> | undefined;
  /** Whether tiles of its tileset are missing, and how often they were asked for again. */
  incomplete = false;
  tries = 0;
  /** The style its tileset has. */
  dressed = "{}";

  constructor(readonly config: LayerConfig) {}

  get id(): string {
    return this.config.id;
  }

  get solid(): boolean {
    return this.config.tileset !== null;
  }

  /** Drawn on the ground: whatever has tiles of its own and nothing solid to show. */
  get draped(): boolean {
    return !this.solid && this.config.mvt !== null;
  }

  /** Whether there is anything to show at all, on whatever day. */
  get drawable(): boolean {
    return (this.solid || this.draped) && this.config.time !== null;
  }
}

export class Layers {
  readonly all: TownLayer[];
  private readonly byId: Map<string, TownLayer>;
  private readonly listeners: (() => void)[] = [];
  readonly facades = new Facades();
  /** Spherical harmonics of the light from all sides. Tiles that are loaded hold this very array: it is changed, not replaced. */
  private readonly evenLight = Array.from({ length: 9 }, () => new Cartesian3());

  constructor(
    config: TownConfig,
    private readonly scene: Scene,
    private readonly drape: DrapedImagery,
    private readonly time: Time,
    private readonly connection: Connection,
    private readonly failed: (layer: TownLayer) => void,
    private readonly test: boolean,
  ) {
    this.all = config.layers.filter((layer) => layer.kind === "feature").map((layer) => new TownLayer(layer));
    this.byId = new Map(this.all.map((layer) => [layer.id, layer]));
    time.changed(() => this.apply());
    connection.changed(() => {
      if (!connection.lost) for (const layer of this.all.filter(({ incomplete }) => incomplete)) this.retry(layer);
    });
  }

  get(collectionId: string): TownLayer | undefined {
    return this.byId.get(collectionId);
  }

  get visible(): TownLayer[] {
    return this.all.filter((layer) => layer.visible && layer.drawable);
  }

  /** Layers on the ground, those that shall lie on top last: areas, then lines, then points. */
  get draped(): TownLayer[] {
    const rank = (layer: TownLayer) => (layer.config.geometry.includes("Polygon") ? 0 : layer.config.geometry.includes("Line") ? 1 : 2);
    return this.visible.filter((layer) => layer.draped).sort((a, b) => rank(a) - rank(b));
  }

  /** The layer a 3D tileset shows. */
  of(tileset: unknown): TownLayer | undefined {
    return this.all.find((layer) => layer.tileset === tileset);
  }

  changed(listener: () => void): void {
    this.listeners.push(listener);
  }

  setVisible(collectionId: string, visible: boolean): void {
    const layer = this.byId.get(collectionId);
    if (layer) layer.visible = visible;
    this.apply();
  }

  setOpacity(collectionId: string, opacity: number): void {
    const layer = this.byId.get(collectionId);
    if (layer) layer.opacity = opacity;
    this.apply();
  }

  /** Show exactly these layers, with a transparency (0 solid, 1 gone) for some of them. */
  show(collectionIds: Iterable<string>, transparency: Record<string, number> = {}): void {
    const shown = new Set(collectionIds);
    for (const layer of this.all) {
      layer.visible = shown.has(layer.id);
      layer.opacity = 1 - (transparency[layer.id] ?? 0);
    }
    this.apply();
  }

  /** Even light from all sides; without it walls turned from the sun would be black. */
  set ambient([red, green, blue]: readonly [number, number, number]) {
    Cartesian3.fromElements(red, green, blue, this.evenLight[0]);
  }

  /** Whether all that is visible has been loaded for this camera. */
  get loaded(): boolean {
    return this.visible.every((layer) => !layer.solid || (layer.tileset?.tilesLoaded ?? false));
  }

  load(layer: TownLayer): Promise<void> {
    layer.loading ??= this.connection.fetching(() => this.addTileset(layer)).catch(() => {
      layer.loading = undefined;
      this.failed(layer);
    });
    return layer.loading;
  }

  /** Ask again for what did not come of a layer. */
  retry(layer: TownLayer): void {
    layer.incomplete = false;
    if (layer.tileset) requestFailedTiles(layer.tileset);
    else void this.load(layer);
    this.scene.requestRender();
  }

  /** A tile failed: wait for the service where it is gone, else try a few times quietly before the user is told. */
  private async lose(layer: TownLayer): Promise<void> {
    if (layer.incomplete) return;
    layer.incomplete = true;
    if (!(await this.connection.check())) return;
    layer.tries += 1;
    if (layer.tries > QUIET_TRIES) this.failed(layer);
    else setTimeout(() => this.retry(layer), QUIET_PAUSE);
  }

  private apply(): void {
    for (const layer of this.all.filter(({ solid, drawable }) => solid && drawable)) {
      if (layer.visible) void this.load(layer);
      if (layer.tileset) dress(layer, layer.tileset, this.time);
    }
    this.drape.show(this.draped.map((layer) => ({ layer: layer.config, opacity: layer.opacity })));
    this.scene.requestRender();
    for (const listener of this.listeners) listener();
  }

  private async addTileset(layer: TownLayer): Promise<void> {
    const tileset = await Cesium3DTileset.fromUrl(layer.config.tileset!, {
      maximumScreenSpaceError: this.test ? 24 : 12,
      cacheBytes: 256 * 2 ** 20,
      maximumCacheOverflowBytes: 256 * 2 ** 20,
      enableCollision: false,
    });
    tileset.environmentMapManager.enabled = false;
    tileset.imageBasedLighting.sphericalHarmonicCoefficients = this.evenLight;
    if (layer.config.model?.kind === "extrude") tileset.customShader = this.facades.shader;
    tileset.tileFailed.addEventListener(() => void this.lose(layer));
    layer.tileset = tileset;
    dress(layer, tileset, this.time);
    this.scene.primitives.add(tileset);
    this.scene.requestRender();
  }
}

function dress(layer: TownLayer, tileset: Cesium3DTileset, time: Time): void {
  tileset.show = layer.visible && layer.opacity > 0;
  const color = layer.opacity < 1 ? { color: `color("white", ${layer.opacity.toFixed(3)})` } : {};
  const style = { ...color, ...dayFilter(layer, time) };
  const wanted = JSON.stringify(style);
  if (wanted === layer.dressed) return;
  layer.dressed = wanted;
  tileset.style = wanted === "{}" ? undefined : new Cesium3DTileStyle(style);
}

/**
 * The part of a style that shows only what is true on the day; its tiles hold all that ever was and is planned.
 * Now, in a layer without a past and plans, no feature needs to be asked.
 */
function dayFilter(layer: TownLayer, { day, number }: Time): { show?: string } {
  if (day === undefined && layer.config.time?.steady) return {};
  return { show: `\${valid_from} <= ${number} && \${valid_to} > ${number}` };
}
