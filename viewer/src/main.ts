/** Introduces the parts of the viewer to each other; what each does stands in its own module. */
import "@cesium/engine/Source/Widget/CesiumWidget.css";
import "./style.css";
import { Cartesian2, ScreenSpaceEventHandler, ScreenSpaceEventType } from "@cesium/engine";
import { Api, type CameraState, type TownConfig } from "./api";
import { element, name } from "./dom";
import { type Lang, Language } from "./i18n";
import { DrapedImagery } from "./imagery";
import { Keys } from "./keys";
import { Labels } from "./labels";
import { Layers } from "./layers";
import { Legend } from "./legend";
import { Measure } from "./measure";
import { Notice } from "./notice";
import { Panel } from "./panel";
import { type State, fromHash, toHash } from "./permalink";
import { type Identity, Picker } from "./pick";
import { Readout } from "./readout";
import { TownScene } from "./scene";
import { Scenes } from "./scenes";
import { Search } from "./search";
import { Selection } from "./selection";
import { Time } from "./time";
import { Timeline } from "./timeline";
import { Toolbar } from "./toolbar";
import { Underground } from "./underground";
import { VectorTiles } from "./vectortiles";

const globe = document.getElementById("globe")!;
const ui = document.getElementById("interface")!;
const query = new URLSearchParams(location.search);
const test = query.get("test") === "1";

/** What a test may ask and do; there only with `?test=1`. */
export interface Twin {
  viewer: TownScene["widget"];
  config: TownConfig;
  ready: () => boolean;
  waiting: () => string[];
  pickAt: (x: number, y: number) => Promise<Identity | undefined>;
  windowPositionOf: (lon: number, lat: number, elevation: number) => { x: number; y: number } | undefined;
  showFeature: (collectionId: string, featureId: string) => void;
  showScene: (sceneId: string) => Promise<boolean>;
  flyTo: (camera: CameraState) => Promise<boolean>;
  camera: () => CameraState;
  selectionFound: () => boolean;
  layers: Layers;
  underground: Underground;
  measure: Measure;
  time: Time;
}

declare global {
  interface Window {
    twin?: Twin;
  }
}

void open();

async function open(): Promise<void> {
  const state = fromHash(location.hash);
  const language = new Language(state.lang ?? ((query.get("lang") === "en" ? "en" : "zh") satisfies Lang));
  const notice = new Notice(ui);
  const api = new Api();
  const reload = { label: language.t("reload"), run: () => location.reload() };
  try {
    if (!document.createElement("canvas").getContext("webgl2")) throw new Error(language.t("no_webgl"));
    const config = await api.config(language.code);
    introduce(config, state, api, notice, language);
  } catch (cause) {
    notice.problem(language.t("config_failed", (cause as Error).message), reload);
  } finally {
    document.getElementById("opening")?.remove();
  }
}

function introduce(config: TownConfig, state: State, api: Api, notice: Notice, language: Language): void {
  const retry = (run: () => void) => ({ label: language.t("retry"), run });
  const credits = element("span", { class: "credits" });
  const town = new TownScene(globe, credits, config, test);
  const { scene } = town;
  const time = new Time(config.time, config.town.timezone);
  const tiles: VectorTiles = new VectorTiles(api, time, (layer) =>
    notice.problem(language.t("tiles_failed", language.of(layer.title)), retry(() => location.reload())),
  );
  const drape = new DrapedImagery(town, tiles, config.town.extent);
  const layers = new Layers(
    config, scene, drape, time,
    (layer) => notice.problem(language.t("tileset_failed", language.of(layer.config.title)), retry(() => location.reload())),
    test,
  );
  const underground = new Underground(town, layers);
  const picker = new Picker(town, layers, tiles);
  const selection = new Selection(town, layers);
  const measure = new Measure(town, picker, api, config.town.storage_crs, language);
  new Labels(town, layers, tiles);

  const left = element("div", { class: "left" });
  const top = element("header", { class: "top" });
  const title = element("h1", { class: "panel" });
  const languageSwitch = element("button", { type: "button", class: "language panel" });
  languageSwitch.addEventListener("click", () => {
    language.code = language.code === "zh" ? "en" : "zh";
  });
  ui.append(top, left);
  top.append(title);
  const search = new Search(top, api, layers, selection, town, notice, language);
  top.append(languageSwitch);
  new Legend(left, layers, town, language);
  const panel = new Panel(ui, api, layers, selection, town, time, notice, language);
  const scenes = new Scenes(ui, config.scenes, town, layers, underground, time, language);
  const timeline = new Timeline(ui, time, language);
  const readout = new Readout(ui, credits, town, api, config.town.storage_crs, underground, language);
  new Toolbar(
    ui,
    {
      home: () => void town.goHome(),
      north: () => void town.flyTo({ ...town.cameraState(), heading: 0, roll: 0 }, 0.8),
      full_screen: fullScreen,
      screenshot: () => void save(),
      share: () => void share(),
      help: () => keys.toggleHelp(),
    },
    measure, underground, language,
  );
  const keys = new Keys(
    ui,
    [
      { shown: "← ↑ ↓ →", word: "key_arrows", keys: { ArrowLeft: () => arrow(-1, 0), ArrowRight: () => arrow(1, 0), ArrowUp: () => arrow(0, 1), ArrowDown: () => arrow(0, -1) } },
      { shown: "+ −", word: "key_zoom", keys: { "+": () => town.nudge({ closer: 0.25 }), "=": () => town.nudge({ closer: 0.25 }), "-": () => town.nudge({ closer: -0.33 }) } },
      { shown: "Q E", word: "key_turn", keys: { q: () => town.nudge({ turn: 15 }), e: () => town.nudge({ turn: -15 }) } },
      { shown: "PgUp PgDn", word: "key_tilt", keys: { PageUp: () => town.nudge({ tilt: -8 }), PageDown: () => town.nudge({ tilt: 8 }) } },
      { shown: "H", word: "key_home", keys: { h: () => void town.goHome() } },
      { shown: "U", word: "key_underground", keys: { u: () => underground.toggle() } },
      { shown: "/", word: "key_search", keys: { "/": () => search.focus() } },
      { shown: "1 2 3 4", word: "key_measure", keys: { "1": () => measure.start("length"), "2": () => measure.start("height"), "3": () => measure.start("area"), "4": () => measure.start("point") } },
      { shown: "P", word: "key_play", keys: { p: () => scenes.toggle() } },
      { shown: "T N", word: "key_time", keys: { t: () => timeline.focus(), n: () => timeline.now() } },
      { shown: "F", word: "key_full", keys: { f: fullScreen } },
      { shown: "Esc", word: "key_escape", keys: { Escape: escape } },
      { shown: "?", word: "key_help", keys: { "?": () => keys.toggleHelp() } },
    ],
    language,
  );

  language.shown(() => {
    title.textContent = language.of(config.town.name);
    document.title = `${language.of(config.town.name)} · ${language.code === "zh" ? "三维场景" : "3D scene"}`;
    languageSwitch.textContent = language.t("language");
    name(globe, language.t("view"));
    remember();
  });
  listen();
  restore();

  function arrow(right: number, forward: number): void {
    if (scenes.current && right) void scenes.step(right);
    else town.nudge({ right: right * 0.12, forward: forward * 0.12 });
  }

  function escape(): void {
    if (measure.active) measure.start(undefined);
    else if (scenes.current) scenes.leave();
    else if (selection.identity) selection.set(undefined);
    else if (measure.any) measure.clear();
  }

  function listen(): void {
    const pointer = new ScreenSpaceEventHandler(scene.canvas);
    pointer.setInputAction(({ position }: ScreenSpaceEventHandler.PositionedEvent) => void click(position), ScreenSpaceEventType.LEFT_CLICK);
    pointer.setInputAction(() => measure.finish(), ScreenSpaceEventType.LEFT_DOUBLE_CLICK);
    pointer.setInputAction(({ endPosition }: ScreenSpaceEventHandler.MotionEvent) => {
      readout.move(endPosition);
      if (measure.active) measure.move(endPosition);
    }, ScreenSpaceEventType.MOUSE_MOVE);
    scene.camera.moveEnd.addEventListener(remember);
    layers.changed(remember);
    underground.changed(remember);
    selection.changed(remember);
    scenes.changed(remember);
    time.changed(() => {
      remember();
      clearTimeout(renewing);
      renewing = setTimeout(() => selection.renew(), 200);
    });
    measure.changed(() => globe.classList.toggle("measuring", measure.active));
    scene.renderError.addEventListener((_, cause: Error) => {
      notice.problem(language.t("graphics_failed", cause.message), { label: language.t("reload"), run: () => location.reload() });
    });
    addEventListener("hashchange", () => location.reload());
  }

  async function click(position: Cartesian2): Promise<void> {
    globe.focus({ preventScroll: true });
    if (measure.active) measure.click(position);
    else selection.set(await picker.at(position));
  }

  function restore(): void {
    const first = config.scenes[0];
    const scene = state.scene ? scenes.get(state.scene) : undefined;
    if (scene) scenes.dress(scene);
    else layers.show(first?.layers ?? usual(config));
    if (state.layers) layers.show(state.layers, state.transparency);
    if (state.ground !== undefined) underground.ground = state.ground;
    if (state.day) time.day = state.day;
    const camera = state.camera ?? scene?.camera ?? first?.camera;
    void (camera ? town.flyTo(camera, 0) : town.goHome(0));
    void town.loadTerrain().catch(() => notice.problem(language.t("terrain_failed"), retry(() => location.reload())));
    if (state.selection) selection.set(state.selection);
    if (test) window.twin = twin();
  }

  function currentState(): State {
    return {
      camera: town.cameraState(),
      layers: layers.all.filter((layer) => layer.visible).map((layer) => layer.id),
      transparency: Object.fromEntries(layers.all.map((layer) => [layer.id, 1 - layer.opacity])),
      ground: underground.ground,
      selection: selection.identity,
      scene: scenes.current?.id,
      day: time.day,
      lang: language.code,
    };
  }

  function remember(): void {
    clearTimeout(remembering);
    remembering = setTimeout(() => history.replaceState(null, "", toHash(currentState())), 250);
  }

  async function share(): Promise<void> {
    history.replaceState(null, "", toHash(currentState()));
    await navigator.clipboard.writeText(location.href);
    notice.say(language.t("link_copied"));
  }

  async function save(): Promise<void> {
    const url = URL.createObjectURL(await town.screenshot());
    element("a", { href: url, download: `${config.town.id}.png` }).click();
    URL.revokeObjectURL(url);
  }

  /** What has not arrived or is not yet drawn as it should be. */
  function waiting(): string[] {
    const arrived = { terrain: scene.globe.tilesLoaded, tilesets: layers.loaded, drape: drape.settled };
    return Object.entries(arrived).flatMap(([part, there]) => (there ? [] : [part]));
  }

  function twin(): Twin {
    return {
      viewer: town.widget,
      config,
      ready: () => waiting().length === 0,
      waiting,
      pickAt: (x, y) => picker.at(new Cartesian2(x, y)),
      windowPositionOf: (lon, lat, elevation) => town.windowPositionOf(lon, lat, elevation),
      showFeature: (collectionId, featureId) => selection.set({ collectionId, featureId }),
      showScene: (sceneId) => scenes.show(scenes.get(sceneId)!),
      flyTo: (camera) => town.flyTo(camera, 0),
      camera: () => town.cameraState(),
      selectionFound: () => selection.found && panel.open,
      layers, underground, measure, time,
    };
  }
}

let remembering: number | undefined;
let renewing: number | undefined;

/** What a town without scenes shows at first: areas, lines and names of its base data above ground. */
function usual(config: TownConfig): string[] {
  return config.layers
    .filter((layer) => layer.cim_class.id === "base" && !layer.underground)
    // A frame that covers everything hides nothing and colours all.
    .filter((layer) => (layer.style.opacity ?? 1) > 0.1)
    .filter((layer) => !layer.geometry.startsWith("Point") || (layer.style.label && !layer.style.symbol))
    .map((layer) => layer.id);
}

function fullScreen(): void {
  void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
}
