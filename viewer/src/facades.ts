/**
 * Windows, storeys, plinths and shop fronts on the walls of buildings, drawn by the graphics card from where on its wall a
 * pixel lies (`TEXCOORD_0` of the tiles: bays along, storeys up; `tiles/extrude.py`). No picture of a wall is loaded.
 */
import {
  CustomShader, CustomShaderMode, CustomShaderTranslucencyMode, LightingModel, UniformType,
} from "@cesium/engine";

/**
 * A pixel that holds more than half a window gets the wall's mean colour: from afar walls do not flicker.
 * Which windows are lit is a number made of the building's, the storey and the bay: the same every night.
 */
const FRAGMENT = `
float lottery(vec3 seed) {
  return fract(sin(dot(seed, vec3(12.9898, 78.233, 37.719))) * 43758.5453);
}

void fragmentMain(FragmentInput fsInput, inout czm_modelMaterial material) {
  vec2 wall = fsInput.attributes.texCoord_0;
  if (u_detail < 0.5 || wall.y < -0.01) return;
  vec2 cell = floor(wall);
  vec2 within = fract(wall);
  vec2 pixel = fwidth(wall);
  float near = 1.0 - smoothstep(0.3, 0.7, max(pixel.x, pixel.y));
  bool isShop = cell.y < 0.5;
  vec2 low = isShop ? vec2(0.08, 0.12) : vec2(0.2, 0.3);
  vec2 high = isShop ? vec2(0.92, 0.78) : vec2(0.8, 0.82);
  vec2 soft = pixel + 0.01;
  vec2 inside = smoothstep(low - soft, low + soft, within) * (1.0 - smoothstep(high - soft, high + soft, within));
  float share = (high.x - low.x) * (high.y - low.y);
  float glass = mix(share, inside.x * inside.y, near);
  float line = (1.0 - smoothstep(0.03, 0.03 + soft.y, within.y)) * near;
  vec3 wallColor = material.diffuse * (1.0 - 0.18 * line) * (wall.y < 0.16 ? 0.78 : 1.0);
  float number = float(fsInput.featureIds.featureId_0);
  float pane = lottery(vec3(cell, number));
  vec3 glassColor = mix(vec3(0.2, 0.28, 0.34), vec3(0.38, 0.48, 0.55), pane);
  material.diffuse = mix(wallColor, glassColor * (0.6 + 0.4 * dot(material.diffuse, vec3(0.34))), glass * 0.85);
  float lit = step(pane, isShop ? 0.75 : 0.38);
  vec3 lamp = mix(vec3(1.0, 0.78, 0.46), vec3(0.92, 0.94, 1.0), step(0.8, lottery(vec3(number, cell.yx))));
  float shining = mix(share * 0.4, inside.x * inside.y * lit, near);
  material.emissive += lamp * shining * u_lamps * 0.9;
}
`;

export class Facades {
  readonly shader = new CustomShader({
    mode: CustomShaderMode.MODIFY_MATERIAL,
    lightingModel: LightingModel.PBR,
    translucencyMode: CustomShaderTranslucencyMode.INHERIT,
    uniforms: {
      u_detail: { type: UniformType.FLOAT, value: 1 },
      u_lamps: { type: UniformType.FLOAT, value: 0 },
    },
    fragmentShaderText: FRAGMENT,
  });

  /** Whether walls have windows; plain walls are the town as massing. */
  set detailed(on: boolean) {
    this.shader.setUniform("u_detail", on ? 1 : 0);
  }

  /** Share of windows that are lit at night: 0 by day, 1 at night. */
  set lamps(share: number) {
    this.shader.setUniform("u_lamps", share);
  }
}
