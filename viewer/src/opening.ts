/** What is shown at first: the state in the address, else the first scene, else the base data of the town. */
import type { SceneConfig, TownConfig } from "./api";
import type { Parts } from "./parts";
import type { State } from "./permalink";

export function showFirstView(parts: Parts, state: State): void {
  const { config, scenes, layers, underground, time, light, town, selection, reveal } = parts;
  const first = config.scenes[0];
  const scene = state.scene ? scenes.get(state.scene) : undefined;
  if (scene) scenes.dress(scene);
  else if (!state.layers) underground.arrange(() => layers.show(first?.layers ?? baseLayers(config)), state.ground);
  if (state.layers) underground.arrange(() => layers.show(state.layers!, state.transparency), state.ground ?? openGroundOf(scene));
  else if (state.ground !== undefined) underground.ground = state.ground;
  if (state.day) time.day = state.day;
  if (state.hour !== undefined) light.hour = state.hour;
  const camera = state.camera ?? scene?.camera ?? first?.camera;
  void (camera ? town.flyTo(camera, 0) : town.goHome(0));
  sayMissing(parts, state);
  if (!state.selection) return;
  if (state.ground === undefined) reveal.feature(state.selection);
  else selection.set(state.selection);
}

/** A link that names layers or a scene that this reader does not get says so; a feature's panel does that itself. */
function sayMissing({ layers, scenes, notice, language }: Parts, state: State): void {
  const missing = (state.layers ?? []).filter((layerId) => !layers.get(layerId));
  if (missing.length) notice.problem(language.t("link_layers_missing", missing.join(language.t("comma"))));
  if (state.scene && !scenes.get(state.scene)) notice.problem(language.t("link_scene_missing"));
}

function openGroundOf(scene: SceneConfig | undefined): number | undefined {
  return scene && scene.ground < 1 ? scene.ground : undefined;
}

/** The layers of a town without scenes: areas, lines and names of its base data above ground. */
function baseLayers(config: TownConfig): string[] {
  return config.layers
    .filter((layer) => layer.cim_class.id === "base" && !layer.underground)
    // A nearly transparent area over the whole town would only tint everything.
    .filter((layer) => (layer.style.opacity ?? 1) > 0.1)
    .filter((layer) => !layer.geometry.startsWith("Point") || (layer.style.label && !layer.style.symbol))
    .map((layer) => layer.id);
}
