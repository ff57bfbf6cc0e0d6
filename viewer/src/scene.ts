/** Globe, terrain and light; nothing is requested from another host. `camera.ts` flies and steers. */
import {
  type Cartesian2, Cartesian3, Cartographic, CesiumWidget, Color, Credit, CreditDisplay, CustomHeightmapTerrainProvider, GeographicTilingScheme,
  type ImageryLayer, JulianDate, Rectangle, type Scene, SceneTransforms,
} from "@cesium/engine";
import type { CameraState, Extent, Feature, LayerConfig, TownConfig } from "./api";
import { TownCamera } from "./camera";
import { Drawings } from "./drawings";
import { type Heights, boxOf, flatBox } from "./framing";

// Beside this page, under whatever prefix it lies: CesiumJS asks for its folder when it first needs a worker.
Object.assign(globalThis, { CESIUM_BASE_URL: new URL(`${CESIUM_FOLDER}/`, document.baseURI).href });

/** The folder that holds what CesiumJS fetches by itself, named by the build (`vite.config.js`). */
declare const CESIUM_FOLDER: string;

const LAND = Color.fromCssColorString("#e2e7da");
/** Degrees of land around the town, to the horizon of its highest views. */
const AROUND = 1.5;
/** Nothing in the twin moves with the sun or the stars, so one instant serves all frames. */
const INSTANT = JulianDate.fromIso8601("2026-06-21T04:00:00Z");

export class TownScene {
  readonly widget: CesiumWidget;
  readonly drawings: Drawings;
  readonly camera: TownCamera;
  /** Storage CRS of the town, the coordinates that users read. */
  readonly crs: string;
  /** Metres to add to an elevation of the town to get its height above the ellipsoid. */
  readonly heightOffset: number;
  /** Longitude, latitude and ellipsoidal height of the town's centre. */
  readonly center: TownConfig["town"]["center"];
  /** Colour behind all that is drawn, above ground. */
  sky = Color.fromCssColorString("#dbe6ec");

  constructor(container: HTMLElement, private readonly config: TownConfig, readonly test: boolean) {
    // Without ion nothing asks for its logo; the help page and NOTICE name CesiumJS.
    CreditDisplay.cesiumCredit = new Credit("CesiumJS");
    this.crs = config.town.storage_crs;
    this.heightOffset = config.town.height_offset;
    this.center = config.town.center;
    this.widget = new CesiumWidget(container, {
      baseLayer: false,
      terrainProvider: levelSurface(config.town.center[2]),
      skyBox: false,
      skyAtmosphere: false,
      scene3DOnly: true,
      requestRenderMode: true,
      maximumRenderTimeChange: Number.POSITIVE_INFINITY,
      msaaSamples: test ? 1 : 4,
      useBrowserRecommendedResolution: false,
      showRenderLoopErrors: false,
      creditContainer: document.createElement("div"),
      creditViewport: container,
      contextOptions: { requestWebgl1: false },
    });
    this.widget.resolutionScale = test ? 1 / devicePixelRatio : 1;
    this.widget.clock.shouldAnimate = false;
    this.widget.clock.currentTime = INSTANT;
    this.drawings = new Drawings(this.scene);
    this.dress();
    this.camera = new TownCamera(this.scene, test);
  }

  get scene(): Scene {
    return this.widget.scene;
  }

  private get heights(): Heights {
    return { offset: this.heightOffset, ground: (lon, lat) => this.groundHeight(lon, lat) };
  }

  render(): void {
    this.scene.requestRender();
  }

  cameraState(): CameraState {
    return this.camera.state();
  }

  flyTo(state: CameraState, seconds = 1.6): Promise<boolean> {
    return this.camera.flyTo(state, seconds);
  }

  /** Look at an extent on the ground, such as that of a layer. */
  flyToExtent(extent: Extent, seconds = 1.6): Promise<boolean> {
    return this.camera.frame(flatBox(extent, this.heights), seconds);
  }

  /** Look at a feature with its height and surroundings. */
  async flyToFeature(feature: Feature, layer: LayerConfig, seconds = 1.6): Promise<boolean> {
    const box = boxOf(feature, layer, this.heights);
    return box ? this.camera.frame(box, seconds) : false;
  }

  goHome(seconds = 1.6): Promise<boolean> {
    return this.camera.frame(flatBox(this.config.town.extent, this.heights), seconds, 0);
  }

  /** Height of the ground above the ellipsoid where it is loaded, else that of the town's centre. */
  groundHeight(lon: number, lat: number): number {
    return this.scene.globe.getHeight(Cartographic.fromDegrees(lon, lat)) ?? this.config.town.center[2];
  }

  /**
   * Take an imagery layer away. Picking draws the last frame's tiles again, with their textures: so the layer first
   * leaves the picture, and its textures go a frame later.
   */
  removeImagery(layer: ImageryLayer): void {
    layer.alpha = 0;
    const stop = this.scene.postRender.addEventListener(() => {
      stop();
      this.scene.imageryLayers.remove(layer, true);
      this.render();
    });
    this.render();
  }

  /** The ground under a place of the window; undefined beside the globe. */
  groundAt(position: Cartesian2): Cartesian3 | undefined {
    const ray = this.scene.camera.getPickRay(position);
    return ray && this.scene.globe.pick(ray, this.scene);
  }

  /** Where in the window a place of the town is drawn; `elevation` as in the town's maps. */
  windowPositionOf(lon: number, lat: number, elevation: number): { x: number; y: number } | undefined {
    const place = Cartesian3.fromDegrees(lon, lat, elevation + this.heightOffset);
    const at = SceneTransforms.worldToWindowCoordinates(this.scene, place);
    return at && { x: at.x, y: at.y };
  }

  /** Metres a pixel covers at a distance from the camera. */
  metresPerPixel(distance: number): number {
    return this.camera.metresPerPixel(distance);
  }

  nudge(step: Parameters<TownCamera["nudge"]>[0]): void {
    this.camera.nudge(step);
  }

  /** The picture on screen as PNG. */
  async screenshot(): Promise<Blob> {
    // The browser forgets a frame once it is shown: the picture is taken in the same turn as it is drawn.
    this.scene.requestRender();
    this.scene.render();
    return new Promise((resolve, reject) => {
      this.scene.canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("canvas is empty"))), "image/png");
    });
  }

  private dress(): void {
    const { scene } = this;
    scene.backgroundColor = this.sky;
    scene.fog.enabled = false;
    scene.highDynamicRange = false;
    const { globe } = scene;
    globe.baseColor = LAND;
    // A town needs no antipodes: through see-through ground the far side of the earth would shine up.
    const [west, south, east, north] = this.config.town.extent;
    globe.cartographicLimitRectangle = Rectangle.fromDegrees(west - AROUND, south - AROUND, east + AROUND, north + AROUND);
    globe.showGroundAtmosphere = false;
    globe.depthTestAgainstTerrain = true;
    globe.maximumScreenSpaceError = this.test ? 4 : 2;
  }
}

function levelSurface(height: number): CustomHeightmapTerrainProvider {
  return new CustomHeightmapTerrainProvider({
    width: 4,
    height: 4,
    tilingScheme: new GeographicTilingScheme({ rectangle: Rectangle.MAX_VALUE }),
    callback: () => new Float32Array(16).fill(height),
  });
}
