/** Vector tiles of the layers, fetched once and kept while they are likely to be drawn again. */
import { VectorTileFeature, type VectorTileLayer } from "@mapbox/vector-tile";
import type { Api, LayerConfig } from "./api";
import type { Time } from "./time";

const MOST_TILES = 1500;

export interface TileAddress {
  z: number;
  row: number;
  col: number;
}

/** A tile's features and the part of it that an address beyond the layer's last zoom shows. */
export interface TilePart {
  features: VectorTileFeature[];
  /** Multiply tile units by `scale` and take off `left`, `top` to get the part's share of 0-1. */
  scale: number;
  left: number;
  top: number;
}

export class VectorTiles {
  private readonly tiles = new Map<string, Promise<VectorTileFeature[]>>();

  constructor(
    private readonly api: Api,
    readonly time: Time,
    private readonly failed: (layer: LayerConfig, cause: unknown) => void,
  ) {}

  /** The features of a layer at an address, as of the day on show, from the layer's last zoom where that ends earlier. */
  async part(layer: LayerConfig, address: TileAddress): Promise<TilePart> {
    const beyond = Math.max(address.z - layer.max_zoom, 0);
    const source = { z: address.z - beyond, row: address.row >> beyond, col: address.col >> beyond };
    const datetime = this.time.datetimeOf(layer.time);
    const features = datetime !== null && meets(layer, source) ? await this.features(layer, source, datetime) : [];
    const times = 2 ** beyond;
    const extent = features[0]?.extent ?? 4096;
    return {
      features,
      scale: times / extent,
      left: address.col - source.col * times,
      top: address.row - source.row * times,
    };
  }

  /** Whether tiles wait for the service. */
  get waiting(): boolean {
    return this.api.connection.lost;
  }

  private features(layer: LayerConfig, { z, row, col }: TileAddress, datetime: string | undefined): Promise<VectorTileFeature[]> {
    const key = `${layer.id}/${z}/${row}/${col}/${datetime ?? "now"}`;
    const known = this.tiles.get(key);
    if (known) {
      this.tiles.delete(key);
      this.tiles.set(key, known);
      return known;
    }
    // An empty tile that came of an outage would be taken for the truth: so it waits until the service is back.
    const asked = this.api.connection.retrying(() => this.api.vectorTile(layer, z, row, col, datetime));
    const tile = asked.then(featuresOf, (cause) => {
      this.tiles.delete(key);
      this.failed(layer, cause);
      return [];
    });
    this.tiles.set(key, tile);
    if (this.tiles.size > MOST_TILES) this.tiles.delete(this.tiles.keys().next().value!);
    return tile;
  }
}

export function tileOf(lon: number, lat: number, z: number): TileAddress {
  const [x, y] = mercator(lon, lat);
  const last = 2 ** z - 1;
  return {
    z,
    row: Math.min(Math.max(Math.floor(y * 2 ** z), 0), last),
    col: Math.min(Math.max(Math.floor(x * 2 ** z), 0), last),
  };
}

/** Web Mercator as shares of the world: x eastward, y southward, both 0-1. */
export function mercator(lon: number, lat: number): [x: number, y: number] {
  const phi = (lat * Math.PI) / 180;
  return [lon / 360 + 0.5, 0.5 - Math.log(Math.tan(Math.PI / 4 + phi / 2)) / (2 * Math.PI)];
}

export function lonLat(x: number, y: number): [lon: number, lat: number] {
  return [(x - 0.5) * 360, (Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) * 360) / Math.PI - 90];
}

function featuresOf(tile: VectorTileLayer | null): VectorTileFeature[] {
  return tile ? Array.from({ length: tile.length }, (_, index) => tile.feature(index)) : [];
}

function meets(layer: LayerConfig, { z, row, col }: TileAddress): boolean {
  if (!layer.extent) return false;
  const low = tileOf(layer.extent[0], layer.extent[3], z);
  const high = tileOf(layer.extent[2], layer.extent[1], z);
  return col >= low.col && col <= high.col && row >= low.row && row <= high.row;
}
