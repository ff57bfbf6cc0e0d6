/** What flies and steers: flights, views that frame a box, the mouse's manners, and the ground that stops the camera. */
import {
  CameraEventType, Cartesian2, Cartesian3, Cartographic, EasingFunction, HeadingPitchRange, KeyboardEventModifier,
  Math as CesiumMath, Matrix4, type PerspectiveFrustum, type Scene, Transforms,
} from "@cesium/engine";
import type { CameraState } from "./api";
import { type Box, cornersOf, viewOf } from "./framing";
import { freeArea } from "./freearea";

/** Metres between closed ground and the camera: less, and the ground fills the window. */
const CLEARANCE = 1.7;
/** Height and pitch of the view to which the camera rises when the ground closes over it. */
const SURFACED = { height: 40, pitch: CesiumMath.toRadians(-35) };

export class TownCamera {
  private closed = true;
  private flying = false;
  /** Whether the ground around the camera is drawn as fine as it will be: coarse tiles lie metres beside it. */
  private groundKnown = false;

  constructor(
    private readonly scene: Scene,
    private readonly test: boolean,
  ) {
    this.steer();
    scene.terrainProviderChanged.addEventListener(() => this.forgetGround());
    scene.postRender.addEventListener(() => this.keepAbove());
  }

  state(): CameraState {
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

  /** Fly to a state; zero seconds (and any test) jumps. Resolves true on arrival, false if interrupted. */
  flyTo(state: CameraState, seconds = 1.6): Promise<boolean> {
    return this.fly(
      Cartesian3.fromDegrees(state.lon, state.lat, state.height),
      {
        heading: CesiumMath.toRadians(state.heading),
        pitch: CesiumMath.toRadians(state.pitch),
        roll: CesiumMath.toRadians(state.roll),
      },
      seconds,
    );
  }

  /** Fly to where the whole box is seen in the part of the window that no panel covers. */
  frame(box: Box, seconds = 1.6, from = this.scene.camera.heading): Promise<boolean> {
    const { heading, pitch } = viewOf(box, from);
    const corners = cornersOf(box);
    const middle = Cartesian3.midpoint(corners[0]!, corners.at(-1)!, new Cartesian3());
    const toWorld = Transforms.eastNorthUpToFixedFrame(middle);
    const eye = this.eyeFor(corners, middle, toWorld, heading, pitch);
    return this.fly(eye, { heading, pitch, roll: 0 }, seconds);
  }

  /** Let the ground stop the camera, or let the camera pass. Closing the ground above the camera brings it up. */
  set groundClosed(closed: boolean) {
    const closing = closed && !this.closed;
    this.closed = closed;
    this.watchGround();
    if (closing && this.lowest() > this.height) void this.surface();
  }

  /** Metres over the ground, below it less than none; undefined while the ground is not known. */
  aboveGround(): number | undefined {
    const ground = this.scene.globe.getHeight(this.scene.camera.positionCartographic);
    return ground === undefined ? undefined : this.height - ground;
  }

  /** Metres a pixel covers at a distance from the camera. */
  metresPerPixel(distance: number): number {
    const { fovy } = this.scene.camera.frustum as PerspectiveFrustum;
    return (distance * 2 * Math.tan(fovy! / 2)) / this.scene.canvas.clientHeight;
  }

  /** What the camera looks at: the ground in the middle of the window, or below the camera. */
  target(): Cartographic {
    const { canvas, camera, globe } = this.scene;
    const ray = camera.getPickRay(new Cartesian2(canvas.clientWidth / 2, canvas.clientHeight * 0.55));
    const ground = ray && globe.pick(ray, this.scene);
    return ground ? Cartographic.fromCartesian(ground) : camera.positionCartographic.clone();
  }

  /** Turn about the place looked at, by degrees; or move by shares of the distance to it. */
  nudge(step: { turn?: number; tilt?: number; right?: number; forward?: number; closer?: number }): void {
    const { camera } = this.scene;
    const centre = Cartographic.toCartesian(this.target());
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
    if (this.closed) this.raise();
    this.scene.requestRender();
  }

  /** Place of an eye that sees all corners within the free part of the window, as near as that allows. */
  private eyeFor(corners: Cartesian3[], middle: Cartesian3, toWorld: Matrix4, heading: number, pitch: number): Cartesian3 {
    const ahead = vector(Math.sin(heading) * Math.cos(pitch), Math.cos(heading) * Math.cos(pitch), Math.sin(pitch), toWorld);
    const right = vector(Math.cos(heading), -Math.sin(heading), 0, toWorld);
    const up = Cartesian3.cross(right, ahead, new Cartesian3());
    const offsets = corners.map((corner) => Cartesian3.subtract(corner, middle, new Cartesian3()));
    const depths = offsets.map((offset) => Cartesian3.dot(offset, ahead));
    const { fovy, aspectRatio } = this.scene.camera.frustum as PerspectiveFrustum;
    const tall = Math.tan(fovy! / 2);
    const area = freeArea(this.scene.canvas);
    const across = side(offsets.map((offset) => Cartesian3.dot(offset, right)), depths, area.left, area.right, tall * aspectRatio!);
    const along = side(offsets.map((offset) => Cartesian3.dot(offset, up)), depths, area.bottom, area.top, tall);
    const back = Math.min(across.back, along.back);
    const eye = Cartesian3.multiplyByScalar(ahead, back, new Cartesian3());
    Cartesian3.add(eye, Cartesian3.multiplyByScalar(right, across.shift(back), new Cartesian3()), eye);
    Cartesian3.add(eye, Cartesian3.multiplyByScalar(up, along.shift(back), new Cartesian3()), eye);
    return Cartesian3.add(middle, eye, eye);
  }

  private fly(destination: Cartesian3, orientation: { heading: number; pitch: number; roll: number }, seconds: number): Promise<boolean> {
    const { camera } = this.scene;
    camera.cancelFlight();
    if (this.test || seconds === 0) {
      camera.setView({ destination, orientation });
      this.forgetGround();
      this.scene.requestRender();
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const end = (arrived: boolean) => {
        this.flying = false;
        this.forgetGround();
        resolve(arrived);
      };
      this.flying = true;
      this.watchGround();
      camera.flyTo({
        destination, orientation, duration: seconds,
        easingFunction: EasingFunction.QUADRATIC_IN_OUT,
        complete: () => end(true),
        cancel: () => end(false),
      });
    });
  }

  private steer(): void {
    const control = this.scene.screenSpaceCameraController;
    control.minimumZoomDistance = CLEARANCE;
    control.maximumZoomDistance = 60_000;
    control.zoomEventTypes = [CameraEventType.WHEEL, CameraEventType.PINCH];
    control.tiltEventTypes = [
      CameraEventType.RIGHT_DRAG,
      CameraEventType.MIDDLE_DRAG,
      CameraEventType.PINCH,
      { eventType: CameraEventType.LEFT_DRAG, modifier: KeyboardEventModifier.CTRL },
    ];
    this.watchGround();
  }

  private get height(): number {
    return this.scene.camera.positionCartographic.height;
  }

  /** The least height of the camera here while the ground is closed. */
  private lowest(): number {
    return this.height - (this.aboveGround() ?? Number.POSITIVE_INFINITY) + CLEARANCE;
  }

  private forgetGround(): void {
    this.groundKnown = false;
    this.watchGround();
  }

  /** CesiumJS's own collision: it stops wheel, drag and tilt before the frame is drawn; flights know their way. */
  private watchGround(): void {
    this.scene.screenSpaceCameraController.enableCollisionDetection = this.closed && this.groundKnown && !this.flying;
  }

  /** Bring the camera above closed ground, however it came below: by an address, a scene or a finer tile. */
  private keepAbove(): void {
    if (this.scene.globe.tilesLoaded && !this.groundKnown) {
      this.groundKnown = true;
      this.watchGround();
    }
    if (this.closed && this.groundKnown && !this.flying) this.raise();
  }

  private raise(): void {
    const lowest = this.lowest();
    if (this.height >= lowest - 0.01) return;
    const { camera } = this.scene;
    const { longitude, latitude } = camera.positionCartographic;
    const { heading, pitch, roll } = camera;
    camera.setView({ destination: Cartesian3.fromRadians(longitude, latitude, lowest), orientation: { heading, pitch, roll } });
    this.scene.requestRender();
  }

  private surface(): Promise<boolean> {
    const { camera } = this.scene;
    const { longitude, latitude } = camera.positionCartographic;
    const pitch = Math.min(camera.pitch, SURFACED.pitch);
    return this.fly(
      Cartesian3.fromRadians(longitude, latitude, this.lowest() + SURFACED.height),
      { heading: camera.heading, pitch, roll: 0 },
      1.2,
    );
  }
}

function vector(east: number, north: number, up: number, toWorld: Matrix4): Cartesian3 {
  return Matrix4.multiplyByPointAsVector(toWorld, new Cartesian3(east, north, up), new Cartesian3());
}

/**
 * How far back an eye must be for all points to lie between two limits of the picture, and its shift to their middle.
 * A point at (across, depth) is seen at (across - shift) / (depth - back): each limit is a straight line of shift and
 * back, so that the points that touch it first decide.
 */
function side(across: number[], depths: number[], low: number, high: number, slope: number) {
  const [a, b] = [low * slope, high * slope];
  const least = Math.min(...across.map((value, index) => value - a * depths[index]!));
  const most = Math.max(...across.map((value, index) => value - b * depths[index]!));
  return { back: (most - least) / (a - b), shift: (back: number) => (least + a * back + most + b * back) / 2 };
}
