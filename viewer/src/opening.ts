/** What is shown at first: the state in the address, else the first scene, else the base data of the town. */
import type { TownConfig } from "./api";
import type { Parts } from "./parts";
import type { State } from "./permalink";

export function showFirstView(parts: Parts, state: State): void {
  const { config, scenes, layers, underground, time, light, town, selection } = parts;
  const first = config.scenes[0];
  const scene = state.scene ? scenes.get(state.scene) : undefined;
  if (scene) scenes.dress(scene);
  else layers.show(first?.layers ?? baseLayers(config));
  if (state.layers) layers.show(state.layers, state.transparency);
  if (state.ground !== undefined) underground.ground = state.ground;
  if (state.day) time.day = state.day;
  if (state.hour !== undefined) light.hour = state.hour;
  const camera = state.camera ?? scene?.camera ?? first?.camera;
  void (camera ? town.flyTo(camera, 0) : town.goHome(0));
  if (state.selection) selection.set(state.selection);
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
