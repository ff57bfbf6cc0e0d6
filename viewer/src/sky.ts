/** Sky above the horizon and haze that grows with distance: one pass over the picture. */
import { Cartesian3, type Color, PostProcessStage } from "@cesium/engine";
import type { TownScene } from "./scene";

/**
 * Behind all that is drawn: a gradient from horizon to zenith and a glow around the sun. Over what is drawn: the horizon's
 * colour, by distance, thinner the higher the camera stands and never before `hazeFrom` metres.
 */
const SHADER = `
uniform sampler2D colorTexture;
uniform sampler2D depthTexture;
uniform vec3 up;
uniform vec3 sun;
uniform vec3 zenith;
uniform vec3 horizon;
uniform vec3 glow;
uniform float hazeFrom;
uniform float hazeLength;
uniform float strength;
in vec2 v_textureCoordinates;

void main() {
  vec4 drawn = texture(colorTexture, v_textureCoordinates);
  float depth = czm_readDepth(depthTexture, v_textureCoordinates);
  // Not czm_windowToEyeCoordinates: that takes a depth as it is stored, and this one is linear again.
  vec4 eye = czm_inverseProjection * vec4(2.0 * v_textureCoordinates - 1.0, depth, 1.0);
  vec3 place = eye.xyz / eye.w;
  vec3 ray = normalize((czm_inverseView * vec4(place, 0.0)).xyz);
  float height = dot(ray, up);
  float nearSun = max(dot(ray, sun), 0.0);
  vec3 air = mix(horizon, zenith, pow(clamp(height, 0.0, 1.0), 0.55));
  air += glow * (0.35 * pow(nearSun, 12.0) + 0.5 * pow(nearSun, 180.0)) * smoothstep(-0.05, 0.1, height);
  if (depth >= 1.0) {
    out_FragColor = vec4(mix(drawn.rgb, air, strength), 1.0);
    return;
  }
  float away = max(length(place) - hazeFrom, 0.0);
  float haze = (1.0 - exp(-away / hazeLength)) * strength;
  out_FragColor = vec4(mix(drawn.rgb, horizon, haze), drawn.a);
}
`;

export interface SkyColors {
  zenith: Color;
  horizon: Color;
  /** Light around the sun; black by night. */
  glow: Color;
}

export class Sky {
  private readonly stage: PostProcessStage;
  private readonly vectors = { up: new Cartesian3(), zenith: new Cartesian3(), horizon: new Cartesian3(), glow: new Cartesian3() };
  /** Towards the sun, in the earth's frame. */
  readonly sun = new Cartesian3();

  constructor(private readonly town: TownScene) {
    const { scene } = town;
    this.stage = new PostProcessStage({
      name: "town_sky",
      fragmentShader: SHADER,
      uniforms: {
        up: () => scene.globe.ellipsoid.geodeticSurfaceNormal(scene.camera.positionWC, this.vectors.up),
        sun: () => this.sun,
        zenith: () => this.vectors.zenith,
        horizon: () => this.vectors.horizon,
        glow: () => this.vectors.glow,
        hazeFrom: () => this.hazeFrom(),
        hazeLength: () => 6 * this.hazeFrom() + 12_000,
        strength: () => ((town.camera.aboveGround() ?? 0) < 0 ? 0 : 1),
      },
    });
    scene.postProcessStages.add(this.stage);
  }

  set enabled(on: boolean) {
    this.stage.enabled = on;
  }

  paint(colors: SkyColors): void {
    for (const part of ["zenith", "horizon", "glow"] as const) {
      const { red, green, blue } = colors[part];
      Cartesian3.fromElements(red, green, blue, this.vectors[part]);
    }
  }

  /** What lies near, as seen from so high above the ground, stays clear. */
  private hazeFrom(): number {
    const { camera, scene } = this.town;
    return Math.max(1_500, 2.2 * (camera.aboveGround() ?? scene.camera.positionCartographic.height));
  }
}
