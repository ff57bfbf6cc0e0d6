/** The light of an hour on the day on show: sun or moon, shadows, sky and haze, as the chosen quality bears them. */
import {
  Cartesian3, Cartographic, Color, DirectionalLight, Math as CesiumMath, Matrix4, Transforms,
} from "@cesium/engine";
import { type Daylight, daylight } from "./daylight";
import type { Layers } from "./layers";
import { QUALITY, type Quality } from "./quality";
import type { TownScene } from "./scene";
import { Shadows } from "./shadows";
import { Sky } from "./sky";
import { type SunPosition, instantOf, sunHours, sunPosition } from "./sun";
import type { Time } from "./time";

/** The hour of a town that nobody chose one for. */
export const MORNING = 10;
/** Where the light comes from by night, when the sun is below: a moon high in the south. */
const MOON: SunPosition = { azimuth: 200, elevation: 50 };
/** Light that comes in flatter than so many degrees throws shadows without end. */
const FLATTEST = 4;

export class Light {
  private chosen: number | undefined;
  private plain = false;
  private readonly shadows: Shadows;
  private readonly sky: Sky;
  private readonly light = new DirectionalLight({ direction: Cartesian3.UNIT_X });
  private readonly listeners: (() => void)[] = [];

  constructor(
    private readonly town: TownScene,
    private readonly layers: Layers,
    private readonly time: Time,
    readonly quality: Quality,
  ) {
    const { scene } = town;
    this.shadows = new Shadows(town);
    this.sky = new Sky(town);
    scene.light = this.light;
    const occlusion = scene.postProcessStages.ambientOcclusion;
    Object.assign(occlusion.uniforms, { intensity: 2.4, lengthCap: 0.35, bias: 0.12, directionCount: 6, stepCount: 12 });
    scene.postRender.addEventListener(() => quality.frame(performance.now()));
    quality.changed(() => this.apply());
    time.changed(() => this.apply());
    this.apply();
  }

  /** Hour of the day by the town's clock, 0 to 24; undefined where nobody chose one. */
  get hour(): number | undefined {
    return this.chosen;
  }

  set hour(hour: number | undefined) {
    this.chosen = hour === undefined ? undefined : Math.min(Math.max(hour, 0), 24);
    this.apply();
  }

  /** Whether buildings are shown as plain solids, without windows. */
  get massing(): boolean {
    return this.plain;
  }

  set massing(on: boolean) {
    this.plain = on;
    this.apply();
  }

  get shownHour(): number {
    return this.chosen ?? MORNING;
  }

  /** Where the sun stands over the town's centre. */
  get sun(): SunPosition {
    const [lon, lat] = this.town.center;
    return sunPosition(instantOf(this.time.shown, this.shownHour, this.time.zone), lon, lat);
  }

  /** Hours of sunrise and sunset on the day on show. */
  get sunHours(): { rise?: number; set?: number } {
    const [lon, lat] = this.town.center;
    return sunHours(this.time.shown, lon, lat, this.time.zone);
  }

  /** Share of windows and lamps that are lit. */
  get lamps(): number {
    return daylight(this.sun.elevation).lamps;
  }

  changed(listener: () => void): void {
    this.listeners.push(listener);
  }

  private apply(): void {
    const settings = QUALITY[this.quality.step];
    const { scene } = this.town;
    const { sun } = this;
    const day = daylight(sun.elevation);
    this.shine(sun, day);
    this.shadows.size = settings.shadowMap;
    this.shadows.darkness = day.shadow;
    this.sky.enabled = settings.sky;
    this.layers.facades.detailed = settings.facades && !this.plain;
    this.layers.facades.lamps = day.lamps;
    scene.postProcessStages.ambientOcclusion.enabled = settings.ambientOcclusion;
    scene.msaaSamples = this.town.test ? 1 : settings.msaaSamples;
    this.town.sky = colorOf(day.horizon);
    this.town.render();
    for (const listener of this.listeners) listener();
  }

  private shine(sun: SunPosition, day: Daylight): void {
    const { globe } = this.town.scene;
    const source = sun.elevation > -3 ? sun : MOON;
    const towards = this.direction({ azimuth: source.azimuth, elevation: Math.max(source.elevation, FLATTEST) });
    Cartesian3.negate(towards, this.light.direction);
    this.light.color = colorOf(day.direct);
    this.light.intensity = day.strength;
    this.layers.ambient = day.ambient;
    globe.lambertDiffuseMultiplier = 0.8;
    globe.vertexShadowDarkness = day.groundShade;
    Cartesian3.clone(this.direction(sun), this.sky.sun);
    this.sky.paint({
      zenith: colorOf(day.zenith),
      horizon: colorOf(day.horizon),
      glow: sun.elevation > -6 ? colorOf(day.direct) : Color.BLACK,
    });
  }

  /** Towards a place of the sky over the town's centre, in the earth's frame. */
  private direction({ azimuth, elevation }: SunPosition): Cartesian3 {
    const [lon, lat, height] = this.town.center;
    const [turn, lift] = [CesiumMath.toRadians(azimuth), CesiumMath.toRadians(elevation)];
    const local = new Cartesian3(Math.sin(turn) * Math.cos(lift), Math.cos(turn) * Math.cos(lift), Math.sin(lift));
    const frame = Transforms.eastNorthUpToFixedFrame(Cartographic.toCartesian(Cartographic.fromDegrees(lon, lat, height)));
    return Matrix4.multiplyByPointAsVector(frame, local, new Cartesian3());
  }
}

function colorOf([red, green, blue]: readonly [number, number, number]): Color {
  return new Color(red, green, blue);
}
