/** The flat layers draped over the ground: one canvas a tile, all visible layers painted in order. */
import {
  Event as CesiumEvent, ImageryLayer, type ImageryProvider, Rectangle, WebMercatorTilingScheme,
} from "@cesium/engine";
import type { Extent, LayerConfig } from "./api";
import { paint } from "./painter";
import type { TownScene } from "./scene";
import type { TileAddress, VectorTiles } from "./vectortiles";

const SIZE = 512;
const FIRST_ZOOM = 9;
const LAST_ZOOM = 19;
/** Tiles under way at once: more would only queue in the browser's connections. */
const UNDER_WAY = 12;

export interface Draped {
  layer: LayerConfig;
  opacity: number;
}

export type PaintTile = (canvas: HTMLCanvasElement, address: TileAddress) => Promise<void>;

/** Canvas tiles as CesiumJS asks for them; `paintTile` draws each. */
export class CanvasImagery {
  readonly tilingScheme = new WebMercatorTilingScheme();
  readonly tileWidth = SIZE;
  readonly tileHeight = SIZE;
  readonly minimumLevel = FIRST_ZOOM;
  readonly maximumLevel = LAST_ZOOM;
  readonly hasAlphaChannel = true;
  readonly errorEvent = new CesiumEvent();
  readonly tileDiscardPolicy = undefined;
  readonly credit = undefined;
  readonly proxy = undefined;
  readonly ready = true;
  readonly rectangle: Rectangle;
  private underWay = 0;

  constructor(
    extent: Extent,
    private readonly paintTile: PaintTile,
  ) {
    this.rectangle = Rectangle.fromDegrees(...extent);
  }

  getTileCredits(): [] {
    return [];
  }

  pickFeatures(): undefined {
    return undefined;
  }

  /** Undefined tells CesiumJS to ask again in a later frame. */
  requestImage(col: number, row: number, z: number): Promise<HTMLCanvasElement> | undefined {
    if (this.underWay >= UNDER_WAY) return undefined;
    this.underWay += 1;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIZE;
    return this.paintTile(canvas, { z, row, col })
      .then(() => canvas)
      .finally(() => {
        this.underWay -= 1;
      });
  }
}

/** The one imagery layer of all draped layers; a change puts a new one over the old until it is drawn. */
export class DrapedImagery {
  private current: ImageryLayer | undefined;
  private pending: number | undefined;
  private shown = "";
  private draped: Draped[] = [];

  constructor(
    private readonly town: TownScene,
    private readonly tiles: VectorTiles,
    private readonly extent: Extent,
  ) {}

  /** Paint anew what is shown: parts of it failed. */
  repaint(): void {
    this.shown = "";
    this.show(this.draped);
  }

  /** Show these layers, first at the bottom; changes in quick succession become one. */
  show(draped: Draped[]): void {
    this.draped = draped;
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.replace(draped), 60);
  }

  /** Whether the picture asked for last has replaced the one before. */
  get settled(): boolean {
    return this.pending === undefined && this.leaving.size === 0;
  }

  private readonly leaving = new Set<ImageryLayer>();

  private replace(draped: Draped[]): void {
    this.pending = undefined;
    const wanted = draped.map(({ layer, opacity }) => `${layer.id}:${opacity}:${this.tiles.time.datetimeOf(layer.time)}`).join();
    if (wanted === this.shown) return;
    this.shown = wanted;
    const old = this.current;
    const provider = new CanvasImagery(this.extent, (canvas, address) => this.paintTile(canvas, address, draped));
    this.current = new ImageryLayer(provider as unknown as ImageryProvider);
    this.town.scene.imageryLayers.add(this.current, 0);
    if (old) this.removeWhenCovered(old);
    this.town.scene.requestRender();
  }

  /** The new layer lies below the old one, which goes once every tile is there: no flicker, no double colours. */
  private removeWhenCovered(old: ImageryLayer): void {
    this.leaving.add(old);
    let frames = 0;
    const stop = this.town.scene.postRender.addEventListener(() => {
      frames += 1;
      if (frames < 3 || !this.town.scene.globe.tilesLoaded) {
        if (!this.tiles.waiting) this.town.scene.requestRender();
        return;
      }
      stop();
      this.leaving.delete(old);
      this.town.removeImagery(old);
    });
  }

  private async paintTile(canvas: HTMLCanvasElement, address: TileAddress, draped: Draped[]): Promise<void> {
    // A tile of 512 pixels shows what two tiles of 256 of the next zoom would.
    const drawn = draped.filter(({ layer }) => address.z + 1 >= layer.min_zoom);
    const parts = await Promise.all(drawn.map(({ layer }) => this.tiles.part(layer, address)));
    const context = canvas.getContext("2d")!;
    const detail = Math.min(Math.max((address.z - 12) / 5, 0), 1);
    parts.forEach((part, index) => {
      const { layer, opacity } = drawn[index]!;
      paint(context, part, layer, SIZE, opacity, detail);
    });
    this.town.render();
  }
}
