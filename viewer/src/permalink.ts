/** The state of the viewer in the address's hash: a copied address shows the same town to someone else. */
import type { CameraState } from "./api";
import type { Identity } from "./pick";
import { asDay } from "./time";
import type { Lang } from "./words";

export interface State {
  camera?: CameraState;
  layers?: string[];
  transparency?: Record<string, number>;
  ground?: number;
  /** Whether a layer lies below the ground: then a closed ground is written too, for it would open by itself. */
  groundNeeded?: boolean;
  selection?: Identity;
  scene?: string;
  /** The day on show; absent is now. */
  day?: string;
  /** The hour of its light by the town's clock, 0 to 24. */
  hour?: number;
  lang?: Lang;
}

const CAMERA: [keyof CameraState, number][] = [
  ["lon", 7], ["lat", 7], ["height", 2], ["heading", 2], ["pitch", 2], ["roll", 2],
];

export function toHash(state: State): string {
  const words = new URLSearchParams();
  if (state.camera) words.set("camera", CAMERA.map(([key, digits]) => Number(state.camera![key].toFixed(digits))).join(","));
  if (state.layers) words.set("layers", state.layers.join(","));
  const transparent = Object.entries(state.transparency ?? {}).filter(([, share]) => share > 0);
  if (transparent.length) words.set("transparency", transparent.map(([id, share]) => `${id}:${Number(share.toFixed(2))}`).join(","));
  if (state.ground !== undefined && (state.ground < 1 || state.groundNeeded)) words.set("ground", String(Number(state.ground.toFixed(2))));
  if (state.selection) words.set("feature", `${state.selection.collectionId}/${state.selection.featureId}`);
  if (state.scene) words.set("scene", state.scene);
  if (state.day) words.set("t", state.day);
  if (state.hour !== undefined) words.set("hour", String(Number(state.hour.toFixed(2))));
  if (state.lang) words.set("lang", state.lang);
  return `#${words.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%2F", "/")}`;
}

/** What a hash says; what it does not say or says wrongly is absent. */
export function fromHash(hash: string): State {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const feature = words.get("feature")?.match(/^([^/]+)\/(.+)$/);
  const lang = words.get("lang");
  const hour = Number(words.get("hour") ?? Number.NaN);
  const ground = Number(words.get("ground") ?? Number.NaN);
  return {
    camera: cameraFrom(words.get("camera")),
    layers: words.get("layers")?.split(",").filter(Boolean),
    transparency: Object.fromEntries(
      (words.get("transparency") ?? "")
        .split(",")
        .map((pair) => pair.split(":"))
        .filter((pair) => pair.length === 2 && Number.isFinite(Number(pair[1])))
        .map(([id, share]) => [id!, Math.min(Math.max(Number(share), 0), 1)]),
    ),
    ground: Number.isFinite(ground) ? ground : undefined,
    selection: feature ? { collectionId: feature[1]!, featureId: feature[2]! } : undefined,
    scene: words.get("scene") ?? undefined,
    day: asDay(words.get("t")),
    hour: hour >= 0 && hour <= 24 ? hour : undefined,
    lang: lang === "zh" || lang === "en" ? lang : undefined,
  };
}

function cameraFrom(text: string | null): CameraState | undefined {
  const numbers = text?.split(",").map(Number) ?? [];
  if (numbers.length !== CAMERA.length || numbers.some((number) => !Number.isFinite(number))) return undefined;
  return Object.fromEntries(CAMERA.map(([key], index) => [key, numbers[index]])) as unknown as CameraState;
}
