/** The parts of an open viewer, by the names under which `main.ts` gives them to each other. */
import type { Api, TownConfig } from "./api";
import type { DrapedImagery } from "./imagery";
import type { Layers } from "./layers";
import type { Legend } from "./legend";
import type { Light } from "./light";
import type { LightPanel } from "./lightpanel";
import type { Notice } from "./notice";
import type { Panel } from "./panel";
import type { Picker } from "./pick";
import type { Readout } from "./readout";
import type { Reveal } from "./reveal";
import type { TownScene } from "./scene";
import type { Scenes } from "./scenes";
import type { Search } from "./search";
import type { Selection } from "./selection";
import type { Time } from "./time";
import type { Timeline } from "./timeline";
import type { Toolbox } from "./tools/toolbox";
import type { Underground } from "./underground";
import type { VectorTiles } from "./vectortiles";
import type { Language } from "./words";

/** The elements of `index.html` that the viewer fills. */
export interface Page {
  globe: HTMLElement;
  interface: HTMLElement;
}

/** What every part may use. */
export interface Services {
  page: Page;
  config: TownConfig;
  api: Api;
  notice: Notice;
  language: Language;
}

/** What is drawn, and what the user chose of it. */
export interface Model {
  town: TownScene;
  time: Time;
  tiles: VectorTiles;
  drape: DrapedImagery;
  layers: Layers;
  light: Light;
  underground: Underground;
  picker: Picker;
  selection: Selection;
  reveal: Reveal;
}

/** What the user sees around the scene and operates it with. */
export interface Controls {
  search: Search;
  legend: Legend;
  panel: Panel;
  scenes: Scenes;
  timeline: Timeline;
  readout: Readout;
  lightPanel: LightPanel;
  tools: Toolbox;
}

export type Parts = Services & Model & Controls;

