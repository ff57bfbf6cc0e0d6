/** What a test may ask of the viewer and do with it: `window.twin`, present only with `?test=1`. */
import { Cartesian2 } from "@cesium/engine";
import type { CameraState, TownConfig } from "./api";
import type { Labels } from "./labels";
import type { Layers } from "./layers";
import type { Light } from "./light";
import type { Parts } from "./parts";
import type { Identity } from "./pick";
import type { TownScene } from "./scene";
import type { Time } from "./time";
import type { Toolbox } from "./tools/toolbox";
import type { Underground } from "./underground";
import { type TileAddress, tileOf } from "./vectortiles";

export interface Probe {
  viewer: TownScene["widget"];
  config: TownConfig;
  ready: () => boolean;
  waiting: () => string[];
  pickAt: (x: number, y: number) => Promise<Identity | undefined>;
  windowPositionOf: (lon: number, lat: number, elevation: number) => { x: number; y: number } | undefined;
  showFeature: (collectionId: string, featureId: string) => void;
  showScene: (sceneId: string) => Promise<boolean>;
  flyTo: (camera: CameraState) => Promise<boolean>;
  camera: () => CameraState;
  selectionDrawn: () => boolean;
  drawingCount: () => number;
  labels: () => string[];
  layers: Layers;
  light: Light;
  underground: Underground;
  tools: Toolbox;
  time: Time;
  tileOf: typeof tileOf;
  /** Ids of the features of a layer in a tile, as they are painted for the day on show. */
  painted: (collectionId: string, address: TileAddress) => Promise<string[]>;
}

declare global {
  interface Window {
    twin?: Probe;
  }
}

export function addProbe(parts: Parts, labels: Labels): void {
  const { town, config, picker, selection, scenes, panel, layers, light, underground, tools, time, tiles } = parts;
  window.twin = {
    viewer: town.widget,
    config,
    ready: () => waiting(parts).length === 0,
    waiting: () => waiting(parts),
    pickAt: (x, y) => picker.at(new Cartesian2(x, y)),
    windowPositionOf: (lon, lat, elevation) => town.windowPositionOf(lon, lat, elevation),
    showFeature: (collectionId, featureId) => selection.set({ collectionId, featureId }),
    showScene: (sceneId) => scenes.show(scenes.get(sceneId)!),
    flyTo: (camera) => town.flyTo(camera, 0),
    camera: () => town.cameraState(),
    selectionDrawn: () => selection.drawn && panel.open,
    drawingCount: () => town.drawings.count,
    labels: () => labels.drawn.map(({ text }) => text),
    layers, light, underground, tools, time, tileOf,
    painted: async (collectionId, address) => {
      const { features } = await tiles.part(layers.get(collectionId)!.config, address);
      return features.map((feature) => String(feature.properties.id)).sort();
    },
  };
}

/** What has not arrived, or is not yet drawn as it should be. */
function waiting({ town, layers, drape }: Parts): string[] {
  const settled = { terrain: town.scene.globe.tilesLoaded, tilesets: layers.loaded, drape: drape.settled };
  return Object.entries(settled).flatMap(([part, isSettled]) => (isSettled ? [] : [part]));
}
