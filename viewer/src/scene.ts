/** Globe, terrain, light and camera; nothing is requested from another host. */
import {
  CameraEventType, Cartesian2, Cartesian3, Cartographic, CesiumWidget, Color, Credit, CreditDisplay,
  CustomHeightmapTerrainProvider, EasingFunction, GeographicTilingScheme, HeadingPitchRange, type ImageryLayer, JulianDate,
  KeyboardEventModifier, Math as CesiumMath, Matrix4, type PerspectiveFrustum, Rectangle, type Scene, SceneTransforms, Transforms, buildModuleUrl,
} from "@cesium/engine";
import type { CameraState, Extent, TownConfig } from "./api";
import { Drawings } from "./drawings";

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
  /** Storage CRS of the town, the coordinates that users read. */
  readonly crs: string;
  /** Metres to add to an elevation of the town to get its height above the ellipsoid. */
  readonly heightOffset: number;
  /** Longitude, latitude and ellipsoidal height of the town's centre. */
  readonly center: TownConfig["town"]["center"];
  /** Colour behind all that is drawn, above ground. */
  sky = Color.fromCssColorString("#dbe6ec");

  constructor(container: HTMLElement, credits: HTMLElement, private readonly config: TownConfig, readonly test: boolean) {
    keepAttribution();
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
      creditContainer: credits,
      creditViewport: container,
      contextOptions: { requestWebgl1: false },
    });
    this.widget.resolutionScale = test ? 1 / devicePixelRatio : 1;
    this.widget.clock.shouldAnimate = false;
    this.widget.clock.currentTime = INSTANT;
    this.drawings = new Drawings(this.scene);
    this.dress();
    this.steer();
  }

  get scene(): Scene {
    return this.widget.scene;
  }

  render(): void {
    this.scene.requestRender();
  }

  cameraState(): CameraState {
    const { camera } = this.scene;
    const place = camera.positionCartographic;
    return {
      lon: CesiumMath.toDegrees(place.longitude),
      lat: CesiumMath.toDegrees(place.latitude),
      height: place.height,
      heading: CesiumMath.toDegrees(camera.heading),
      pitch: CesiumMath.toDegrees(camera.pitch),
      roll: CesiumMath.toDegrees(CesiumMath.negativePiToPi(camera.roll)),
    };
  }

  /** Fly to a camera state; zero seconds (and any test) jumps. Resolves true on arrival, false if interrupted. */
  flyTo(state: CameraState, seconds = 1.6): Promise<boolean> {
    const view = {
      destination: Cartesian3.fromDegrees(state.lon, state.lat, state.height),
      orientation: {
        heading: CesiumMath.toRadians(state.heading),
        pitch: CesiumMath.toRadians(state.pitch),
        roll: CesiumMath.toRadians(state.roll),
      },
    };
    if (this.test || seconds === 0) {
      this.scene.camera.setView(view);
      this.render();
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      this.scene.camera.flyTo({
        ...view,
        duration: seconds,
        easingFunction: EasingFunction.QUADRATIC_IN_OUT,
        complete: () => resolve(true),
        cancel: () => resolve(false),
      });
    });
  }

  /** Look at an extent from the south; `nearest` keeps small things at a distance that shows where they are. */
  flyToExtent(extent: Extent, seconds = 1.6, nearest = 120): Promise<boolean> {
    const [west, south, east, north] = extent;
    const lon = (west + east) / 2;
    const lat = (south + north) / 2;
    const metres = 111_320;
    const width = (east - west) * metres * Math.cos(CesiumMath.toRadians(lat));
    const size = Math.max(Math.hypot(width, (north - south) * metres), 1);
    const range = Math.max(size * 0.95, nearest);
    const pitch = CesiumMath.toRadians(-42);
    const centre = Cartesian3.fromDegrees(lon, lat, this.groundHeight(lon, lat));
    const frame = Transforms.eastNorthUpToFixedFrame(centre);
    const eye = Matrix4.multiplyByPoint(
      frame,
      new Cartesian3(0, -range * Math.cos(pitch), -range * Math.sin(pitch)),
      new Cartesian3(),
    );
    const place = Cartographic.fromCartesian(eye);
    return this.flyTo(
      {
        lon: CesiumMath.toDegrees(place.longitude),
        lat: CesiumMath.toDegrees(place.latitude),
        height: place.height,
        heading: 0,
        pitch: CesiumMath.toDegrees(pitch),
        roll: 0,
      },
      seconds,
    );
  }

  goHome(seconds = 1.6): Promise<boolean> {
    return this.flyToExtent(this.config.town.extent, seconds);
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
    const { fovy } = this.scene.camera.frustum as PerspectiveFrustum;
    return (distance * 2 * Math.tan(fovy! / 2)) / this.scene.canvas.clientHeight;
  }

  /** What the camera looks at: the ground in the middle of the window, or below the camera. */
  target(): Cartographic {
    const { canvas, camera } = this.scene;
    const ground = this.groundAt(new Cartesian2(canvas.clientWidth / 2, canvas.clientHeight * 0.55));
    return ground ? Cartographic.fromCartesian(ground) : camera.positionCartographic.clone();
  }

  /** Turn about the place looked at, by degrees; or move by shares of the distance to it. */
  nudge(step: { turn?: number; tilt?: number; right?: number; forward?: number; closer?: number }): void {
    const { camera } = this.scene;
    const target = this.target();
    const centre = Cartographic.toCartesian(target);
    const range = Math.max(Cartesian3.distance(camera.positionWC, centre), 5);
    const frame = Transforms.eastNorthUpToFixedFrame(centre);
    const heading = camera.heading + CesiumMath.toRadians(step.turn ?? 0);
    const pitch = CesiumMath.clamp(camera.pitch + CesiumMath.toRadians(step.tilt ?? 0), -CesiumMath.PI_OVER_TWO, 0.5);
    const right = (step.right ?? 0) * range;
    const forward = (step.forward ?? 0) * range;
    const moved = Matrix4.multiplyByPoint(
      frame,
      new Cartesian3(
        right * Math.cos(heading) + forward * Math.sin(heading),
        forward * Math.cos(heading) - right * Math.sin(heading),
        0,
      ),
      new Cartesian3(),
    );
    camera.cancelFlight();
    camera.lookAtTransform(
      Transforms.eastNorthUpToFixedFrame(moved),
      new HeadingPitchRange(heading, pitch, range * (1 - (step.closer ?? 0))),
    );
    camera.lookAtTransform(Matrix4.IDENTITY);
    this.render();
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

  private steer(): void {
    const control = this.scene.screenSpaceCameraController;
    control.enableCollisionDetection = false;
    control.minimumZoomDistance = 0.5;
    control.maximumZoomDistance = 60_000;
    control.zoomEventTypes = [CameraEventType.WHEEL, CameraEventType.PINCH];
    control.tiltEventTypes = [
      CameraEventType.RIGHT_DRAG,
      CameraEventType.MIDDLE_DRAG,
      CameraEventType.PINCH,
      { eventType: CameraEventType.LEFT_DRAG, modifier: KeyboardEventModifier.CTRL },
    ];
  }
}

/** CesiumJS's attribution as it is, but without the inline style that `style-src 'self'` forbids. */
function keepAttribution(): void {
  const logo = buildModuleUrl("Assets/Images/ion-credit.png");
  CreditDisplay.cesiumCredit = new Credit(
    `<a href="https://cesium.com/" target="_blank" rel="noopener"><img src="${logo}" title="Cesium" alt="Cesium"/></a>`,
    true,
  );
}

function levelSurface(height: number): CustomHeightmapTerrainProvider {
  return new CustomHeightmapTerrainProvider({
    width: 4,
    height: 4,
    tilingScheme: new GeographicTilingScheme({ rectangle: Rectangle.MAX_VALUE }),
    callback: () => new Float32Array(16).fill(height),
  });
}
