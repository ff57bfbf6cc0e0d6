/** The one selected feature, brought out in the scene: solid ones by an outline and colour, others on the ground. */
import { type Cesium3DTile, type Cesium3DTileFeature, type Cesium3DTileContent, Color, ImageryLayer, type ImageryProvider } from "@cesium/engine";
import type { Feature, Geometry, Position } from "./api";
import { extentOf, pathsOf } from "./geometry";
import { CanvasImagery } from "./imagery";
import type { Layers, TownLayer } from "./layers";
import { Outline } from "./outline";
import type { Identity } from "./pick";
import type { TownScene } from "./scene";
import { type TileAddress, mercator } from "./vectortiles";

const OUTLINE = Color.fromCssColorString("#ff6d00");
const TINT = Color.fromCssColorString("#ffd180");

export class Selection {
  identity: Identity | undefined;
  private readonly outline: Outline;
  private ground: ImageryLayer | undefined;
  private marked: { feature: Cesium3DTileFeature; content: Cesium3DTileContent }[] = [];
  private searched = new WeakSet<Cesium3DTileContent>();
  private readonly watched = new Set<TownLayer>();
  private readonly listeners: ((identity: Identity | undefined) => void)[] = [];

  constructor(
    private readonly town: TownScene,
    private readonly layers: Layers,
  ) {
    const { scene } = town;
    scene.postRender.addEventListener(() => this.tint());
    this.outline = new Outline(scene, OUTLINE);
  }

  changed(listener: (identity: Identity | undefined) => void): void {
    this.listeners.push(listener);
  }

  set(identity: Identity | undefined): void {
    this.clearMarks();
    this.identity = identity;
    const layer = identity && this.layers.get(identity.collectionId);
    if (layer?.solid) void this.watch(layer);
    for (const listener of this.listeners) listener(identity);
    this.town.render();
  }

  /** Look for the selected feature again: another day may have another state of it. */
  renew(): void {
    if (this.identity) this.set({ ...this.identity });
  }

  /** Draw the feature's geometry on the ground, for layers that have no solid of their own. */
  mark(feature: Feature): void {
    if (!feature.geometry || (this.identity && this.layers.get(this.identity.collectionId)?.solid)) return;
    const extent = extentOf(feature.geometry);
    const around = 0.0004;
    const { geometry } = feature;
    const provider = new CanvasImagery(
      [extent[0] - around, extent[1] - around, extent[2] + around, extent[3] + around],
      async (canvas, address) => draw(canvas, address, geometry),
    );
    this.removeGround();
    this.ground = new ImageryLayer(provider as unknown as ImageryProvider);
    this.town.scene.imageryLayers.add(this.ground);
    this.town.render();
  }

  /** Whether a tile that is drawn holds the selected solid feature. */
  get drawn(): boolean {
    return this.marked.length > 0;
  }

  private async watch(layer: TownLayer): Promise<void> {
    await this.layers.load(layer);
    const { tileset } = layer;
    if (!tileset) return;
    if (!this.watched.has(layer)) {
      this.watched.add(layer);
      tileset.tileVisible.addEventListener((tile: Cesium3DTile) => this.search(layer, tile.content));
      tileset.tileUnload.addEventListener((tile: Cesium3DTile) => this.lose(tile.content));
    }
    this.town.render();
  }

  /** Tiles come and go: each is looked through once a selection, when it is first drawn. */
  private search(layer: TownLayer, content: Cesium3DTileContent | undefined): void {
    if (!content || this.identity?.collectionId !== layer.id || this.searched.has(content)) return;
    this.searched.add(content);
    for (const part of content.innerContents ?? [content]) {
      for (let index = 0; index < part.featuresLength; index += 1) {
        const feature = part.getFeature(index);
        if (String(feature.getProperty("id")) === this.identity.featureId) this.bringOut(feature, content);
      }
    }
  }

  private bringOut(feature: Cesium3DTileFeature, content: Cesium3DTileContent): void {
    this.marked.push({ feature, content });
    this.tint();
    this.outlineMarked();
  }

  /** A tile's style is applied after the tile has been seen here, and colours everything its way: so look again. */
  private tint(): void {
    const faded = this.marked.filter(({ feature }) => !Color.equals(feature.color, TINT));
    for (const { feature } of faded) feature.color = TINT;
    if (faded.length) this.town.render();
  }

  private lose(content: Cesium3DTileContent | undefined): void {
    if (!content) return;
    this.searched.delete(content);
    this.marked = this.marked.filter((mark) => mark.content !== content);
    this.outlineMarked();
  }

  private outlineMarked(): void {
    this.outline.set(this.marked.map(({ feature }) => feature));
    this.town.render();
  }

  private clearMarks(): void {
    for (const { feature } of this.marked) {
      feature.color = Color.WHITE;
      feature.tileset.makeStyleDirty();
    }
    this.marked = [];
    this.searched = new WeakSet();
    this.outlineMarked();
    this.removeGround();
  }

  private removeGround(): void {
    if (this.ground) this.town.removeImagery(this.ground);
    this.ground = undefined;
  }
}

function draw(canvas: HTMLCanvasElement, { z, row, col }: TileAddress, geometry: Geometry): void {
  const context = canvas.getContext("2d")!;
  const place = ([lon, lat]: Position): [number, number] => {
    const [x, y] = mercator(lon!, lat!);
    return [(x * 2 ** z - col) * canvas.width, (y * 2 ** z - row) * canvas.height];
  };
  const path = new Path2D();
  for (const positions of pathsOf(geometry)) {
    if (positions.length === 1) {
      const [x, y] = place(positions[0]!);
      path.moveTo(x + 11, y);
      path.arc(x, y, 11, 0, 2 * Math.PI);
    } else {
      positions.forEach((position, index) => {
        const [x, y] = place(position);
        if (index === 0) path.moveTo(x, y);
        else path.lineTo(x, y);
      });
    }
  }
  context.lineJoin = "round";
  if (geometry.type.includes("Polygon")) {
    context.fillStyle = "rgba(255,145,0,0.28)";
    context.fill(path, "evenodd");
  }
  context.strokeStyle = "rgba(255,255,255,0.9)";
  context.lineWidth = 7;
  context.stroke(path);
  context.strokeStyle = "#ff6d00";
  context.lineWidth = 4;
  context.stroke(path);
}
