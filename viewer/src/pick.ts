/** What lies under a place of the window: an identity, collection and feature id. `panel.ts` shows what it is. */
import { Cartesian2, Cartesian3, Cartographic, Cesium3DTileFeature, Math as CesiumMath } from "@cesium/engine";
import type { VectorTileFeature } from "@mapbox/vector-tile";
import type { Layers, TownLayer } from "./layers";
import type { TownScene } from "./scene";
import { type TilePart, type VectorTiles, mercator, tileOf } from "./vectortiles";

export interface Identity {
  collectionId: string;
  featureId: string;
}

/** A feature under the pointer, and its title where the tile knows it. */
export interface Hit {
  identity: Identity;
  title: string | undefined;
}

/** Below this opacity a solid layer lets a click through to what lies behind it. */
const SEE_THROUGH = 0.45;
/** Solids looked for behind each other. */
const MOST_SOLIDS = 6;
/** Pixels a click may miss a line or point by. */
const REACH = 7;

export class Picker {
  constructor(
    private readonly town: TownScene,
    private readonly layers: Layers,
    private readonly tiles: VectorTiles,
  ) {}

  async at(position: Cartesian2): Promise<Identity | undefined> {
    const solid = this.town.drawings.hiddenDuring(() => this.solidAt(position));
    return solid ?? (await this.drapedAt(this.town.groundAt(position), true))[0]?.identity;
  }

  /** Everything under the pointer: `first`, the other solids from the nearest on, then what lies on the ground from top to bottom. */
  async allAt(position: Cartesian2, first: Identity): Promise<Hit[]> {
    const [solids, place] = this.town.drawings.hiddenDuring(() => [this.solidsAt(position), this.surfaceAt(position)] as const);
    const all = [...solids, ...(await this.drapedAt(place, false))];
    const isFirst = ({ identity }: Hit) => identity.collectionId === first.collectionId && identity.featureId === first.featureId;
    const own = all.find(isFirst) ?? { identity: first, title: undefined };
    return distinct([own, ...all]);
  }

  private solidsAt(position: Cartesian2): Hit[] {
    return this.town.scene.drillPick(position, MOST_SOLIDS, REACH, REACH).flatMap((picked: unknown) => {
      const identity = this.identify(picked);
      if (!identity) return [];
      const labels = this.layers.get(identity.collectionId)?.config.label ?? [];
      return [{ identity, title: titleOf(labels, (field) => (picked as Cesium3DTileFeature).getProperty(field)) }];
    });
  }

  /** The solid feature drawn there: the first one in the way that is not see-through, else the first. */
  solidAt(position: Cartesian2): Identity | undefined {
    const first = this.identify(this.town.scene.pick(position, REACH, REACH));
    if (!first || this.opacity(first) >= SEE_THROUGH) return first;
    const behind = this.town.scene.drillPick(position, 8, REACH, REACH).map((hit) => this.identify(hit));
    return behind.find((identity) => identity && this.opacity(identity) >= SEE_THROUGH) ?? first;
  }

  /** The place a click means: on a solid feature where there is one, else on the ground. */
  placeAt(position: Cartesian2): Cartesian3 | undefined {
    return this.town.drawings.hiddenDuring(() => this.surfaceAt(position));
  }

  /** The layer whose solid is the surface there; undefined is the ground. It draws the place once more. */
  surfaceLayer(position: Cartesian2): TownLayer | undefined {
    const identity = this.town.drawings.hiddenDuring(() => this.identify(this.town.scene.pick(position)));
    return identity && this.layers.get(identity.collectionId);
  }

  private surfaceAt(position: Cartesian2): Cartesian3 | undefined {
    const { scene } = this.town;
    if (scene.pickPositionSupported && scene.pick(position) instanceof Cesium3DTileFeature) {
      const place = scene.pickPosition(position);
      if (place) return place;
    }
    return this.town.groundAt(position);
  }

  private identify(hit: unknown): Identity | undefined {
    if (!(hit instanceof Cesium3DTileFeature)) return undefined;
    const layer = this.layers.of(hit.tileset);
    const featureId = hit.getProperty("id") as string | number | undefined;
    return layer && featureId !== undefined ? { collectionId: layer.id, featureId: String(featureId) } : undefined;
  }

  private opacity(identity: Identity): number {
    return this.layers.get(identity.collectionId)?.opacity ?? 1;
  }

  /** What lies on the ground at a place or plumb below it, from top to bottom; `oneOnly` stops at the first. */
  private async drapedAt(place: Cartesian3 | undefined, oneOnly: boolean): Promise<Hit[]> {
    if (!place) return [];
    const { longitude, latitude } = Cartographic.fromCartesian(place);
    const [lon, lat] = [CesiumMath.toDegrees(longitude), CesiumMath.toDegrees(latitude)];
    const metresPerPixel = this.town.metresPerPixel(Cartesian3.distance(this.town.scene.camera.positionWC, place));
    const z = zoomOf(metresPerPixel, latitude);
    const hits: Hit[] = [];
    for (const layer of this.layers.draped.toReversed().filter(({ config }) => config.min_zoom <= z + 1)) {
      hits.push(...(await this.inLayer(layer, lon, lat, z, metresPerPixel / Math.cos(latitude))));
      if (oneOnly && hits.length) break;
    }
    return hits;
  }

  private async inLayer(layer: TownLayer, lon: number, lat: number, z: number, reach: number): Promise<Hit[]> {
    const address = tileOf(lon, lat, z);
    const part = await this.tiles.part(layer.config, address);
    const [x, y] = mercator(lon, lat);
    const share = { x: x * 2 ** z - address.col, y: y * 2 ** z - address.row };
    const limit = (REACH * reach * 2 ** z) / 40_075_016.7;
    return part.features
      .filter((feature) => contains(feature, part, share, limit))
      .reverse()
      .flatMap((feature) => {
        const featureId = feature.properties.id ?? feature.id;
        if (featureId === undefined) return [];
        const identity = { collectionId: layer.id, featureId: String(featureId) };
        return [{ identity, title: titleOf(layer.config.label, (field) => feature.properties[field]) }];
      });
  }
}

function titleOf(fields: string[], value: (field: string) => unknown): string | undefined {
  const title = fields.map(value).find(Boolean);
  return title === undefined ? undefined : String(title);
}

/** Each feature once, at its first place: tiles repeat what lies on their borders. */
function distinct(hits: Hit[]): Hit[] {
  return [...new Map(hits.toReversed().map((hit) => [`${hit.identity.collectionId}/${hit.identity.featureId}`, hit])).values()].reverse();
}

/** The zoom whose 512-pixel tiles have this resolution, within what the drape draws. */
export function zoomOf(metresPerPixel: number, latitude: number): number {
  const z = Math.log2((40_075_016.7 * Math.cos(latitude)) / (512 * metresPerPixel));
  return Math.min(Math.max(Math.round(z), 9), 19);
}

/** Whether a feature of a tile lies at a share (0-1) of the tile, within `limit` for points and lines. */
export function contains(
  feature: VectorTileFeature,
  part: TilePart,
  at: { x: number; y: number },
  limit: number,
): boolean {
  const rings = feature
    .loadGeometry()
    .map((ring) => ring.map((vertex) => [vertex.x * part.scale - part.left, vertex.y * part.scale - part.top] as const));
  if (feature.type === 1) return rings.flat().some(([x, y]) => Math.hypot(x - at.x, y - at.y) <= limit);
  if (feature.type === 3) return rings.reduce((inside, ring) => inside !== crossesOdd(ring, at), false);
  return rings.some((ring) => ring.some((b, index) => index > 0 && distance(ring[index - 1]!, b, at) <= limit));
}

type Vertex = readonly [x: number, y: number];

function crossesOdd(ring: readonly Vertex[], at: { x: number; y: number }): boolean {
  let inside = false;
  ring.forEach(([x, y], index) => {
    const [px, py] = ring[(index + ring.length - 1) % ring.length]!;
    if (y > at.y !== py > at.y && at.x < ((px - x) * (at.y - y)) / (py - y) + x) inside = !inside;
  });
  return inside;
}

function distance([ax, ay]: Vertex, [bx, by]: Vertex, at: { x: number; y: number }): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(Math.max(((at.x - ax) * dx + (at.y - ay) * dy) / length, 0), 1);
  return Math.hypot(ax + t * dx - at.x, ay + t * dy - at.y);
}

