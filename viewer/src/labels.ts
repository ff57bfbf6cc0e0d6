/** Names and spot heights standing on the ground, facing the reader; as many as there is room for, none behind a solid. */
import {
  BlendOption, Cartesian2, Cartesian3, Cartographic, Color, HorizontalOrigin, LabelCollection, LabelStyle, Math as CesiumMath,
  SceneTransforms, VerticalOrigin,
} from "@cesium/engine";
import type { Layers, TownLayer } from "./layers";
import { zoomOf } from "./pick";
import type { TownScene } from "./scene";
import { type VectorTiles, lonLat, tileOf } from "./vectortiles";

const FONT = '"PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", system-ui, sans-serif';
const MOST_LABELS = 160;
/** Metres above the ground at which a label stands. */
const LIFT = 1.5;
/** What is drawn in front of a label hides it if it is nearer by more than so many metres, or by this share of the distance. */
const [SLACK, SLACK_SHARE] = [3, 0.01];

interface FrameState {
  passes: { pick: boolean };
}

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
  private readonly watched = new Set<TownLayer>();

  constructor(
    private readonly town: TownScene,
    private readonly layers: Layers,
    private readonly tiles: VectorTiles,
  ) {
    // Translucent ones write no depth: what lies behind a label can be measured.
    this.collection = new LabelCollection({ scene: town.scene, blendOption: BlendOption.TRANSLUCENT });
    town.scene.primitives.add(unpickable(this.collection));
    town.scene.camera.moveEnd.addEventListener(() => this.later());
    layers.changed(() => {
      this.watch();
      this.later();
    });
    // The ground's height is known once its tiles are there.
    town.scene.globe.tileLoadProgressEvent.addEventListener((waiting: number) => {
      if (waiting === 0) this.later();
    });
  }

  /** The labels as they are drawn. */
  get drawn(): { text: string; position: Cartesian3 }[] {
    return Array.from({ length: this.collection.length }, (_, index) => this.collection.get(index));
  }

  /** A solid that arrives late may hide a label. */
  private watch(): void {
    for (const layer of this.layers.visible) {
      if (!layer.tileset || this.watched.has(layer)) continue;
      this.watched.add(layer);
      layer.tileset.allTilesLoaded.addEventListener(() => this.later());
    }
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
    this.watch();
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
      const at = SceneTransforms.worldToWindowCoordinates(scene, this.anchor(word));
      if (!at) continue;
      const half = widthOf(word.text) / 2 + 8;
      const box = [at.x - half, at.y - 16, at.x + half, at.y + 10] as const;
      if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      if (this.isHidden(word, at)) continue;
      taken.push([...box]);
      chosen.push(word);
    }
    return chosen;
  }

  private anchor({ lon, lat }: Word): Cartesian3 {
    return Cartesian3.fromDegrees(lon, lat, this.town.groundHeight(lon, lat) + LIFT);
  }

  /** Whether something is drawn in front of a label's place, by the depth of the last frame. */
  private isHidden(word: Word, at: Cartesian2): boolean {
    const { scene } = this.town;
    const { clientWidth, clientHeight } = scene.canvas;
    if (at.x < 0 || at.y < 0 || at.x >= clientWidth || at.y >= clientHeight || !scene.pickPositionSupported) return false;
    const drawn = scene.pickPosition(at);
    if (!drawn) return false;
    const camera = scene.camera.positionWC;
    const distance = Cartesian3.distance(camera, this.anchor(word));
    return Cartesian3.distance(camera, drawn) < distance - Math.max(SLACK, SLACK_SHARE * distance);
  }

  private write(word: Word): void {
    const { text, layer } = word;
    const number = layer.config.style.symbol !== undefined;
    this.collection.add({
      position: this.anchor(word),
      text,
      font: `${number ? "12px" : "600 14px"} ${FONT}`,
      style: LabelStyle.FILL_AND_OUTLINE,
      fillColor: Color.fromCssColorString(layer.config.style.color ?? "#333333").withAlpha(layer.opacity),
      outlineColor: Color.WHITE.withAlpha(0.9 * layer.opacity),
      outlineWidth: 4,
      horizontalOrigin: HorizontalOrigin.CENTER,
      verticalOrigin: VerticalOrigin.BOTTOM,
      pixelOffset: new Cartesian2(0, number ? -5 : 0),
      // Whole or not at all: where a solid stands in front, `isHidden` has left it out.
      disableDepthTestDistance: Number.POSITIVE_INFINITY,
    });
  }
}

/** A collection that is drawn and not picked: a name over a roof is not in the way of a click on it. */
function unpickable(collection: LabelCollection): object {
  const drawing = collection as unknown as { update(state: FrameState): void };
  return {
    update: (state: FrameState) => {
      if (!state.passes.pick) drawing.update(state);
    },
    isDestroyed: () => collection.isDestroyed(),
    destroy: () => collection.destroy(),
  };
}

function widthOf(text: string): number {
  return [...text].reduce((width, letter) => width + (letter.charCodeAt(0) > 255 ? 14 : 8), 0);
}
