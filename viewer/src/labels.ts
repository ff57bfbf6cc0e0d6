/** Names and spot heights standing on the ground, facing the reader; as many as there is room for. */
import {
  Cartesian2, Cartesian3, Cartographic, Color, HorizontalOrigin, LabelCollection, LabelStyle, Math as CesiumMath,
  SceneTransforms, VerticalOrigin,
} from "@cesium/engine";
import type { Layers, TownLayer } from "./layers";
import { zoomOf } from "./pick";
import type { TownScene } from "./scene";
import { type VectorTiles, lonLat, tileOf } from "./vectortiles";

const FONT = '"PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", system-ui, sans-serif';
const MOST_LABELS = 160;

interface Word {
  text: string;
  lon: number;
  lat: number;
  layer: TownLayer;
}

export class Labels {
  private readonly collection: LabelCollection;
  private turn = 0;
  private timer: number | undefined;

  constructor(
    private readonly town: TownScene,
    private readonly layers: Layers,
    private readonly tiles: VectorTiles,
  ) {
    this.collection = town.scene.primitives.add(new LabelCollection({ scene: town.scene })) as LabelCollection;
    town.scene.camera.moveEnd.addEventListener(() => this.later());
    layers.changed(() => this.later());
    // The ground's height is known once its tiles are there.
    town.scene.globe.tileLoadProgressEvent.addEventListener((waiting: number) => {
      if (waiting === 0) this.later();
    });
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.place(), 150);
  }

  /** Choose anew what to write: from the tiles around the place looked at, nearest first. */
  private async place(): Promise<void> {
    this.turn += 1;
    const { turn } = this;
    const target = this.town.camera.target();
    const layers = this.layers.visible.filter((layer) => layer.config.style.label && layer.config.mvt);
    const { scene } = this.town;
    const range = Cartesian3.distance(scene.camera.positionWC, Cartographic.toCartesian(target));
    const z = zoomOf(this.town.metresPerPixel(range), target.latitude);
    const shown = layers.filter((layer) => z + 1 >= layer.config.min_zoom);
    const words = (await Promise.all(shown.map((layer) => this.words(layer, target, z)))).flat();
    if (turn !== this.turn) return;
    this.collection.removeAll();
    for (const word of this.uncrowded(words, target)) this.write(word);
    this.town.render();
  }

  private async words(layer: TownLayer, target: Cartographic, z: number): Promise<Word[]> {
    const middle = tileOf(CesiumMath.toDegrees(target.longitude), CesiumMath.toDegrees(target.latitude), z);
    const around = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => ({ z, row: middle.row + down, col: middle.col + right })));
    const parts = await Promise.all(around.map(async (address) => ({ address, part: await this.tiles.part(layer.config, address) })));
    return parts.flatMap(({ address, part }) =>
      part.features.flatMap((feature) => {
        const text = feature.properties[layer.config.style.label!];
        const at = feature.loadGeometry()[0]?.[0];
        if (text === undefined || text === "" || !at || feature.type !== 1) return [];
        const [x, y] = [at.x * part.scale - part.left, at.y * part.scale - part.top];
        if (x < 0 || x >= 1 || y < 0 || y >= 1) return [];
        const [lon, lat] = lonLat((address.col + x) / 2 ** z, (address.row + y) / 2 ** z);
        return [{ text: typeof text === "number" ? text.toFixed(1) : String(text), lon, lat, layer }];
      }),
    );
  }

  private uncrowded(words: Word[], target: Cartographic): Word[] {
    const { scene } = this.town;
    const far = (word: Word) => (CesiumMath.toRadians(word.lon) - target.longitude) ** 2 + (CesiumMath.toRadians(word.lat) - target.latitude) ** 2;
    // Names before numbers, then what is near.
    const rank = (word: Word) => (word.layer.config.style.symbol ? 1 : 0);
    const taken: [left: number, top: number, right: number, bottom: number][] = [];
    const chosen: Word[] = [];
    for (const word of words.sort((a, b) => rank(a) - rank(b) || far(a) - far(b))) {
      if (chosen.length >= MOST_LABELS) break;
      const at = SceneTransforms.worldToWindowCoordinates(scene, Cartesian3.fromDegrees(word.lon, word.lat, this.town.groundHeight(word.lon, word.lat)));
      if (!at) continue;
      const half = widthOf(word.text) / 2 + 8;
      const box = [at.x - half, at.y - 16, at.x + half, at.y + 10] as const;
      if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      taken.push([...box]);
      chosen.push(word);
    }
    return chosen;
  }

  private write({ text, lon, lat, layer }: Word): void {
    const number = layer.config.style.symbol !== undefined;
    this.collection.add({
      position: Cartesian3.fromDegrees(lon, lat, this.town.groundHeight(lon, lat) + 0.5),
      text,
      font: `${number ? "12px" : "600 14px"} ${FONT}`,
      style: LabelStyle.FILL_AND_OUTLINE,
      fillColor: Color.fromCssColorString(layer.config.style.color ?? "#333333").withAlpha(layer.opacity),
      outlineColor: Color.WHITE.withAlpha(0.9 * layer.opacity),
      outlineWidth: 4,
      horizontalOrigin: HorizontalOrigin.CENTER,
      verticalOrigin: VerticalOrigin.BOTTOM,
      pixelOffset: new Cartesian2(0, number ? -5 : 0),
      disableDepthTestDistance: 900,
    });
  }
}

function widthOf(text: string): number {
  return [...text].reduce((width, letter) => width + (letter.charCodeAt(0) > 255 ? 14 : 8), 0);
}
