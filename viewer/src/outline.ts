/** A line around solid features, drawn from the mask of their pixels: the features themselves keep their colour. */
import { type Cesium3DTileFeature, Color, PostProcessStage, PostProcessStageLibrary, type Scene } from "@cesium/engine";

/** Pixels beside the features, whose ids CesiumJS gives to a stage with `selected`; it adds `czm_selected`. */
const SHADER = `
uniform sampler2D colorTexture;
uniform vec4 color;
in vec2 v_textureCoordinates;
void main() {
  vec4 drawn = texture(colorTexture, v_textureCoordinates);
  bool beside = false;
#ifdef CZM_SELECTED_FEATURE
  if (!czm_selected()) {
    vec2 pixel = czm_pixelRatio / czm_viewport.zw;
    for (int x = -1; x <= 1; ++x) {
      for (int y = -1; y <= 1; ++y) {
        beside = beside || czm_selected(vec2(float(x), float(y)) * pixel) || czm_selected(vec2(float(x), float(y)) * 2.0 * pixel);
      }
    }
  }
#endif
  out_FragColor = beside ? vec4(color.rgb, drawn.a) : drawn;
}`;

export class Outline {
  private stage: PostProcessStage | undefined;
  private unnumbered = false;

  constructor(
    private readonly scene: Scene,
    private readonly color: Color,
  ) {
    scene.postRender.addEventListener(() => this.renew());
  }

  /** Outline exactly these features; none takes the stage out of the scene and disposes of it. */
  set(features: Cesium3DTileFeature[]): void {
    if (!PostProcessStageLibrary.isSilhouetteSupported(this.scene)) return;
    const stages = this.scene.postProcessStages;
    if (!features.length) {
      if (this.stage) stages.remove(this.stage);
      this.stage = undefined;
      return;
    }
    this.stage ??= stages.add(new PostProcessStage({ fragmentShader: SHADER, uniforms: { color: this.color } })) as PostProcessStage;
    this.stage.selected = features;
    this.unnumbered = true;
  }

  /**
   * CesiumJS numbers the features of a tile while it draws a frame for a stage with `selected`; a stage that was given
   * them before found no numbers and looks for them only when it gets another list.
   */
  private renew(): void {
    if (!this.stage || !this.unnumbered) return;
    // Private to CesiumJS: the number of a feature, undefined until there is one.
    this.unnumbered = this.stage.selected.some((feature: { pickId?: unknown }) => feature.pickId === undefined);
    if (!this.unnumbered) this.stage.selected = [...this.stage.selected];
    this.scene.requestRender();
  }
}
