/** Opens the viewer: makes its parts and connects them; what each does stands in its own module. */
import "@cesium/engine/Source/Widget/CesiumWidget.css";
import "./style.css";
import { Address } from "./address";
import { Api } from "./api";
import { element, name, toggleFullScreen } from "./dom";
import { Failures } from "./failures";
import { addLanguageSwitch, addTitle } from "./header";
import { DrapedImagery } from "./imagery";
import { Keys } from "./keys";
import { Labels } from "./labels";
import { Layers } from "./layers";
import { Legend } from "./legend";
import { markingOf } from "./marking";
import { Notice } from "./notice";
import { showFirstView } from "./opening";
import { Panel } from "./panel";
import type { Controls, Model, Page, Parts, Services } from "./parts";
import { type State, fromHash } from "./permalink";
import { Picker } from "./pick";
import { Pointer } from "./pointer";
import { addProbe } from "./probe";
import { Readout } from "./readout";
import { TownScene } from "./scene";
import { Scenes } from "./scenes";
import { saveScreenshot } from "./screenshot";
import { Search } from "./search";
import { Selection } from "./selection";
import { shortcuts } from "./shortcuts";
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
  const page = { globe: byId("globe"), interface: byId("interface"), credits: element("span", { class: "credits" }) };
  const language = new Language(state.lang ?? (query.get("lang") === "en" ? "en" : "zh"));
  const notice = new Notice(page.interface);
  const failures = new Failures(notice, language);
  try {
    ensureWebgl(language);
    const api = new Api();
    const config = await api.config(language.code);
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
  new Labels(parts.town, parts.layers, parts.tiles);
  addCommands(parts);
  new Pointer(parts);
  renewSelection(parts);
  parts.town.scene.renderError.addEventListener((_, cause: Error) => failures.graphics(cause));
  showFirstView(parts, state);
  void parts.town.loadTerrain().catch(() => failures.terrain());
  if (test) addProbe(parts);
}

function makeModel({ page, config, api }: Services, failures: Failures): Model {
  const town = new TownScene(page.globe, page.credits, config, test);
  const time = new Time(config.time, config.town.timezone);
  const tiles = new VectorTiles(api, time, (layer) => failures.vectorTiles(layer));
  const drape = new DrapedImagery(town, tiles, config.town.extent);
  const layers = new Layers(config, town.scene, drape, time, (layer) => failures.tileset(layer.config), test);
  const underground = new Underground(town, layers);
  const picker = new Picker(town, layers, tiles);
  const selection = new Selection(town, layers);
  return { town, time, tiles, drape, layers, underground, picker, selection };
}

function makeControls(services: Services, model: Model): Controls {
  const { page, config, api, notice, language } = services;
  const { town, time, layers, underground, selection } = model;
  const search = addFrame(services, model);
  const panel = new Panel(page.interface, api, layers, selection, town, time, notice, language);
  const scenes = new Scenes(page.interface, config.scenes, town, layers, underground, time, language);
  const timeline = new Timeline(page.interface, time, language);
  const readout = new Readout(page.interface, page.credits, town, api, underground, model.picker, language);
  const tools = makeToolbox(services, model);
  return { search, panel, scenes, timeline, readout, tools };
}

/** The top of the window and its left side: title, search, language, layer tree. */
function addFrame({ page, config, api, notice, language }: Services, { town, layers, selection }: Model): Search {
  const top = element("header", { class: "top" });
  const left = element("div", { class: "left" });
  page.interface.append(top, left);
  addTitle(top, config, language);
  const search = new Search(top, api, layers, selection, town, notice, language);
  addLanguageSwitch(top, language);
  new Legend(left, layers, town, language);
  language.shown(() => name(page.globe, language.t("view")));
  return search;
}

function makeToolbox({ page, api, notice, language }: Services, { town, picker }: Model): Toolbox {
  const panel = new ToolPanel(page.interface, language);
  return new Toolbox(TOOLS, { town, picker, language, panel, notice, api });
}

/** Toolbar, keyboard and address: what gives commands to the other parts. */
function addCommands(parts: Parts): void {
  const { page, config, town, layers, tools, underground, language } = parts;
  const address = new Address(parts);
  const commands: Commands = {
    home: () => void town.goHome(),
    north: () => void town.flyTo({ ...town.cameraState(), heading: 0, roll: 0 }, 0.8),
    fullScreen: toggleFullScreen,
    screenshot: () => void saveScreenshot(town, config.town.id, markingOf(layers.visible.map((layer) => layer.config), language)),
    share: () => void address.share(),
    help: () => keys.toggleHelp(),
  };
  new Toolbar(page.interface, commands, tools, underground, language);
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
