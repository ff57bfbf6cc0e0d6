/**
 * All requests to the service; names and shapes are those of the API.
 *
 * CesiumJS alone fetches by itself, and only the tilesets and terrain that the configuration names.
 */
import { VectorTile, type VectorTileLayer } from "@mapbox/vector-tile";
import { PbfReader } from "pbf";
import { Connection } from "./connection";
import type { Lang, Text } from "./words";

/** Milliseconds within which a service that is there gives a sign of life. */
const SIGN_OF_LIFE = 4000;
/** Where the service is: one folder above this page. A proxy may have put a prefix before it ("/town"); none is "". */
const SERVICE = new URL("..", document.baseURI).pathname.replace(/\/$/, "");
export type Extent = [west: number, south: number, east: number, north: number];
export interface FieldConfig {
  name: string;
  type: string;
  unit: string;
  title: Text;
  codes?: Record<string, Text>;
}
export interface LayerStyle {
  color?: string;
  line_color?: string;
  line_width?: number;
  opacity?: number;
  symbol?: string;
  label?: string;
  dash?: number[];
  by?: string;
  colors?: Record<string, string>;
}
export interface LayerTime {
  /** Whether all that the layer's tileset holds is true today. */
  steady: boolean;
  /** Every day on which something begins or ends, counted from 1970-01-01, earliest first; null where they are too many to tell. */
  changes: number[] | null;
  /** From the first day to the last something of the layer is there; `last` is null where something stays. */
  first: string;
  last: string | null;
}
export interface LayerConfig {
  id: string;
  title: Text;
  description: Text;
  kind: string;
  geometry: string;
  cim_class: Text & { id: string };
  underground: boolean;
  features: number;
  extent: Extent | null;
  min_zoom: number;
  max_zoom: number;
  style: LayerStyle;
  /** How the layer becomes solid, and which fields say its foot and its height where it is extruded. */
  model: { kind: string; base?: string; height?: string } | null;
  fields: FieldConfig[];
  /** The fields that a feature is called by, the best first. */
  label: string[];
  mvt: string | null;
  tileset: string | null;
  /** Null where the layer never held anything. */
  time: LayerTime | null;
  /** Number under which the layer's map was approved for publication. */
  map_approval?: string | null;
  /** How the layer is classed (密级), null where nobody has said it. */
  classification?: Text | null;
}
export interface CameraState {
  lon: number;
  lat: number;
  height: number;
  heading: number;
  pitch: number;
  roll: number;
}
export interface SceneConfig {
  id: string;
  title: Text;
  text: Text;
  camera: CameraState;
  layers: string[];
  /** Whether the scene names layers that are closed to this reader. */
  layers_withheld?: boolean;
  transparency: Record<string, number>;
  ground: number;
  /** The day on show ("2024-06-01"); none is now. */
  datetime?: string | null;
  seconds: number;
}
/** Days of the town ("2024-06-01"): from the first on which something began to the last that is known, or today. */
export interface TimeConfig {
  first: string;
  last: string;
  today: string;
  /** Days on which something begins or ends; of very many the first of their months or years. */
  changes: string[];
}
export interface TownConfig {
  town: {
    id: string;
    name: Text;
    version: number;
    storage_crs: string;
    timezone: string;
    extent: Extent;
    /** Longitude, latitude, height above the ellipsoid. */
    center: [number, number, number];
    /** Metres to add to an elevation of the town to get its height above the ellipsoid. */
    height_offset: number;
  };
  time: TimeConfig;
  layers: LayerConfig[];
  terrain: string | null;
  scenes: SceneConfig[];
}
export type Position = number[];
export type Geometry =
  | { type: "Point"; coordinates: Position }
  | { type: "MultiPoint" | "LineString"; coordinates: Position[] }
  | { type: "MultiLineString" | "Polygon"; coordinates: Position[][] }
  | { type: "MultiPolygon"; coordinates: Position[][][] }
  | { type: "GeometryCollection"; geometries: Geometry[] };
export interface Feature {
  type: "Feature";
  id?: string | number;
  bbox?: number[];
  geometry: Geometry | null;
  properties: Record<string, unknown>;
}
export interface TownCoordinates {
  x_north: number;
  y_east: number;
}

/** An error response of the service; `detail` is the sentence of the service. */
export class ServiceProblem extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
  ) {
    super(detail);
  }
}

export class Api {
  readonly connection = new Connection(isAlive);

  async config(lang: Lang): Promise<TownConfig> {
    const config = await this.json<TownConfig>(`${SERVICE}/viewer/config.json?lang=${lang}`);
    const layers = config.layers.map((layer) => ({ ...layer, mvt: reached(layer.mvt), tileset: reached(layer.tileset) }));
    return { ...config, layers, terrain: reached(config.terrain) };
  }

  item(collectionId: string, featureId: string, lang: Lang): Promise<Feature> {
    return this.json(`${itemPath(collectionId, featureId)}?lang=${lang}`, "application/geo+json");
  }

  /** The feature as of `datetime`; undefined, not an error, where it does not exist at that time. */
  async itemAt(collectionId: string, featureId: string, lang: Lang, datetime: string): Promise<Feature | undefined> {
    const filter = `id = '${featureId.replaceAll("'", "''")}'`;
    const query = new URLSearchParams({ filter, "filter-lang": "cql2-text", datetime, lang });
    const path = `${SERVICE}/collections/${encodeURIComponent(collectionId)}/items?${query}`;
    return (await this.json<{ features: Feature[] }>(path, "application/geo+json")).features[0];
  }

  /** A few features that have a value in a field, as of `datetime`, undefined for now. */
  async itemsWhere(collectionId: string, field: string, value: string, lang: Lang, datetime?: string): Promise<Feature[]> {
    const filter = `${field} = '${value.replaceAll("'", "''")}'`;
    const query = new URLSearchParams({ filter, "filter-lang": "cql2-text", limit: "20", lang, ...(datetime ? { datetime } : {}) });
    const path = `${SERVICE}/collections/${encodeURIComponent(collectionId)}/items?${query}`;
    return (await this.json<{ features: Feature[] }>(path, "application/geo+json")).features;
  }

  /** All states of a feature, the earliest first. */
  async versions(collectionId: string, featureId: string, lang: Lang): Promise<Feature[]> {
    return (await this.json<{ features: Feature[] }>(`${itemPath(collectionId, featureId)}/versions?lang=${lang}`, "application/geo+json")).features;
  }

  async search(text: string, lang: Lang, signal: AbortSignal): Promise<Feature[]> {
    const query = new URLSearchParams({ q: text, limit: "20", lang });
    return (await this.json<{ features: Feature[] }>(`${SERVICE}/search?${query}`, "application/geo+json", signal)).features;
  }

  coordinates(lon: number, lat: number, crs: string, signal?: AbortSignal): Promise<TownCoordinates> {
    const query = new URLSearchParams({ lon: lon.toFixed(9), lat: lat.toFixed(9), to: crs });
    return this.json(`${SERVICE}/crs/transform?${query}`, "application/json", signal);
  }

  /** The features of one layer in one tile at `datetime`, undefined for now; null where the layer has none. */
  async vectorTile(layer: LayerConfig, z: number, row: number, col: number, datetime?: string): Promise<VectorTileLayer | null> {
    const path = layer.mvt!.replace("{z}", `${z}`).replace("{row}", `${row}`).replace("{col}", `${col}`);
    const address = datetime ? `${path}${path.includes("?") ? "&" : "?"}${new URLSearchParams({ datetime })}` : path;
    const answer = await this.connection.answer((signal) => fetch(address, { signal }));
    if (answer.status === 204 || answer.status === 404) return null;
    if (!answer.ok) throw await problem(answer);
    const layers = new VectorTile(new PbfReader(await answer.arrayBuffer())).layers;
    return layers[layer.id] ?? Object.values(layers)[0] ?? null;
  }

  private async json<T>(path: string, accept = "application/json", signal?: AbortSignal): Promise<T> {
    const answer = await this.connection.answer((ending) => fetch(path, { headers: { Accept: accept }, signal: ending }), signal);
    if (!answer.ok) throw await problem(answer);
    return parseExactly(await answer.text()) as T;
  }
}

/** What JSON means, but whole numbers that JavaScript cannot hold come as their digits: an id of 19 digits stays that id. */
export function parseExactly(text: string): unknown {
  return /[0-9]{16}/.test(text) ? JSON.parse(text, exactly) : JSON.parse(text);
}

function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = typeof value === "number" && !Number.isSafeInteger(value) ? context?.source : undefined;
  return source && /^-?\d+$/.test(source) ? source : value;
}

/** The page of a feature for people: the same address as its data. */
export function itemPath(collectionId: string, featureId: string): string {
  return `${SERVICE}/collections/${encodeURIComponent(collectionId)}/items/${encodeURIComponent(featureId)}`;
}

/** Whether the service gives a sign of life, whatever it is busy with. */
async function isAlive(): Promise<boolean> {
  try {
    return (await fetch(`${SERVICE}/healthz`, { cache: "no-store", signal: AbortSignal.timeout(SIGN_OF_LIFE) })).ok;
  } catch {
    return false;
  }
}

/** An address that the service names from its own root, as this page reaches it. */
function reached(address: string | null): string | null {
  return address && SERVICE + address;
}

async function problem(answer: Response): Promise<ServiceProblem> {
  const { detail, title }: { detail?: string; title?: string } = await answer.json().catch(() => ({}));
  return new ServiceProblem(answer.status, detail ?? title ?? `${answer.status} ${answer.statusText}`);
}
