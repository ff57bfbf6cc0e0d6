/** Opens the viewer: makes its parts and connects them; what each does stands in its own module. */
import "@cesium/engine/Source/Widget/CesiumWidget.css";
import "./style.css";
import { Address } from "./address";
import { Api } from "./api";
import { element, name, toggleFullScreen } from "./dom";
import { Failures } from "./failures";
import { addLanguageSwitch, addTitle } from "./header";
import { DrapedImagery } from "./imagery";
import { Hints } from "./hints";
import { Keys } from "./keys";
import { Labels } from "./labels";
import { Layers, type TownLayer } from "./layers";
import { Legend } from "./legend";
import { Light } from "./light";
import { LightPanel } from "./lightpanel";
import { markingOf } from "./marking";
import { Notice } from "./notice";
import { showFirstView } from "./opening";
import { showOutages } from "./outage";
import { Panel } from "./panel";
import type { Controls, Model, Page, Parts, Services } from "./parts";
import { type State, fromHash } from "./permalink";
import { Picker } from "./pick";
import { Pointer } from "./pointer";
import { addProbe } from "./probe";
import { Quality, asStep } from "./quality";
import { Readout } from "./readout";
import { Reveal } from "./reveal";
import { TownScene } from "./scene";
import { Scenes } from "./scenes";
import { saveScreenshot } from "./screenshot";
import { Search } from "./search";
import { Selection } from "./selection";
import { shortcuts } from "./shortcuts";
import { Terrain } from "./terrain";
import { Time } from "./time";
import { Timeline } from "./timeline";
import { type Commands, Toolbar } from "./toolbar";
import { TOOLS } from "./tools/tool";
import { Toolbox } from "./tools/toolbox";
import { ToolPanel } from "./tools/toolpanel";
import { Underground } from "./underground";
import { VectorTiles } from "./vectortiles";
import { Language } from "./words";

/** Milliseconds to wait for further days before the selected feature is asked for again. */
const RENEWAL_PAUSE = 200;

const query = new URLSearchParams(location.search);
const test = query.get("test") === "1";

void open();

async function open(): Promise<void> {
  const state = fromHash(location.hash);
  const page = { globe: byId("globe"), interface: byId("interface") };
  const language = new Language(state.lang ?? (query.get("lang") === "en" ? "en" : "zh"));
  const notice = new Notice(page.interface, language);
  const failures = new Failures(notice, language);
  try {
    ensureWebgl(language);
    const api = new Api();
    showOutages(api.connection, notice, language);
    const config = await api.connection.retrying(() => api.config(language.code));
    build({ page, config, api, notice, language }, failures, state);
  } catch (cause) {
    failures.config(cause as Error);
  } finally {
    byId("opening").remove();
  }
}

function build(services: Services, failures: Failures, state: State): void {
  const model = makeModel(services, failures);
  const parts: Parts = { ...services, ...model, ...makeControls(services, model) };
  const { town } = parts;
  town.scene.renderError.addEventListener((_, cause: Error) => failures.graphics(cause));
  const terrain = new Terrain(town, services.config.terrain, services.api.connection, () => failures.terrain(() => void terrain.load()));
  const starts = [
    () => showFirstView(parts, state),
    () => void terrain.load(),
    () => new Pointer(parts),
    () => addCommands(parts),
    () => renewSelection(parts),
    () => {
      const labels = new Labels(town, parts.layers, parts.tiles);
      if (test) addProbe(parts, labels);
    },
  ];
  for (const start of starts) attempt(start, failures);
}

/** Start a part of the viewer; where it throws, that is told, and the others start all the same. */
function attempt(start: () => unknown, failures: Failures): void {
  try {
    start();
  } catch (cause) {
    failures.part(cause as Error);
  }
}

function makeModel({ page, config, api, notice, language }: Services, failures: Failures): Model {
  const town = new TownScene(page.globe, config, test);
  const time = new Time(config.time, config.town.timezone);
  const tiles = new VectorTiles(api, time, (layer) => failures.vectorTiles(layer, () => drape.repaint()));
  const drape: DrapedImagery = new DrapedImagery(town, tiles, config.town.extent);
  const failed = (layer: TownLayer) => failures.tileset(layer.config, () => layers.retry(layer));
  const layers: Layers = new Layers(config, town.scene, drape, time, api.connection, failed, test);
  const light = new Light(town, layers, time, new Quality(asStep(query.get("quality")) ?? (test ? "low" : undefined)));
  const underground = new Underground(town, layers, () => notice.say(language.t("ground_opened")));
  const picker = new Picker(town, layers, tiles);
  const selection = new Selection(town, layers);
  const reveal = new Reveal(layers, underground, selection);
  return { town, time, tiles, drape, layers, light, underground, picker, selection, reveal };
}

function makeControls(services: Services, model: Model): Controls {
  const { page, config, api, notice, language } = services;
  const { town, time, layers, underground, selection, reveal } = model;
  const { search, legend } = addFrame(services, model);
  const panel = new Panel(page.interface, api, layers, selection, reveal, town, time, notice, language);
  const scenes = new Scenes(page.interface, config.scenes, town, layers, underground, time, language);
  const timeline = new Timeline(page.interface, time, language);
  const readout = new Readout(page.interface, town, api, underground, model.picker, language);
  const lightPanel = new LightPanel(page.interface, model.light, language);
  const tools = makeToolbox(services, model);
  return { search, legend, panel, scenes, timeline, readout, lightPanel, tools };
}

/** The top of the window and its left side: title, search, language, layer tree. */
function addFrame({ page, config, api, notice, language }: Services, { town, time, layers, underground, reveal }: Model): Pick<Controls, "search" | "legend"> {
  const top = element("header", { class: "top" });
  const left = element("div", { class: "left" });
  page.interface.append(top, left);
  addTitle(top, config, language);
  const search = new Search(top, api, layers, reveal, town, notice, language);
  addLanguageSwitch(top, language);
  const legend = new Legend(left, layers, town, new Hints(layers, town, underground, time), language);
  language.shown(() => name(page.globe, language.t("view")));
  return { search, legend };
}

function makeToolbox({ page, api, notice, language }: Services, { town, picker }: Model): Toolbox {
  const panel = new ToolPanel(page.interface, language);
  return new Toolbox(TOOLS, { town, picker, language, panel, notice, api });
}

/** Toolbar, keyboard and address: what gives commands to the other parts. */
function addCommands(parts: Parts): void {
  const { page, config, town, layers, tools, underground, lightPanel, language } = parts;
  const address = new Address(parts);
  const commands: Commands = {
    home: () => void town.goHome(),
    north: () => void town.flyTo({ ...town.cameraState(), heading: 0, roll: 0 }, 0.8),
    fullScreen: toggleFullScreen,
    screenshot: () => void saveScreenshot(town, config.town.id, markingOf(layers.visible.map((layer) => layer.config), language)),
    share: () => void address.share(),
    help: () => keys.toggleHelp(),
  };
  new Toolbar(page.interface, commands, tools, underground, lightPanel, language);
  const keys = new Keys(page.interface, shortcuts(parts, commands), language);
}

/** Look for the selected feature again on another day, once the day stays. */
function renewSelection({ time, selection }: Parts): void {
  let timer: number | undefined;
  time.changed(() => {
    clearTimeout(timer);
    timer = setTimeout(() => selection.renew(), RENEWAL_PAUSE);
  });
}

function ensureWebgl(language: Language): void {
  if (!document.createElement("canvas").getContext("webgl2")) throw new Error(language.t("no_webgl"));
}

function byId(id: keyof Page | "opening"): HTMLElement {
  return document.getElementById(id)!;
}
