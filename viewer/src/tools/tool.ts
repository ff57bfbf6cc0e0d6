/**
 * What a tool is, and the list of all tools.
 *
 * A tool takes the pointer while it is active: measuring is one; underground, time and screenshot are not. `toolbox.ts`
 * starts and stops tools, `toolpanel.ts` shows what they say, the toolbar and the help page are made from `TOOLS`.
 *
 * To add a tool: write `tools/<noun>.ts` with a `Tool` and a class that implements `ToolHandle`, add its words to
 * `words.ts` and its icon to `dom.ts`, and put it into `TOOLS`. The next tools, and what each needs:
 *
 * - process: `panel` with the form of an analysis, `click` for its places; draws the answer as a result.
 * - section: `click` for two ends; shows the drawing of the service in `panel`.
 * - excavation: `click` for corners, depth in `panel`; `stop` takes the clipping off the globe again.
 * - storeys: `click` on a building, a slider in `panel`; `stop` gives the tileset its style back.
 * - annotation: `click` for a place, its text in `panel`; a note is a result until the service stores it.
 * - proposals: `click` on a feature, its fields in `panel`; sends a proposed change through `api`.
 *
 * What a tool draws goes into `town.drawings`, which picking does not see, and comes out by `stop` or by `dispose`.
 * A tool that needs another part of the viewer (a layer's style, the day on show) gets it as a new field of
 * `ToolContext`; it never imports one. All tools come in one script: together they weigh little beside CesiumJS.
 */
import type { Cartesian2 } from "@cesium/engine";
import type { Api } from "../api";
import type { IconName } from "../dom";
import type { Notice } from "../notice";
import type { Picker } from "../pick";
import type { TownScene } from "../scene";
import type { Language, Word } from "../words";
import { AREA, HEIGHT, LENGTH, POINT } from "./measure";
import type { ToolPanel } from "./toolpanel";

/** Everything a tool may use. */
export interface ToolContext {
  readonly town: TownScene;
  readonly picker: Picker;
  readonly language: Language;
  readonly panel: ToolPanel;
  readonly notice: Notice;
  readonly api: Api;
}

/** A tool while it is active. An error in any of these stops the tool and is shown; promises are awaited for it. */
export interface ToolHandle {
  /** Dispose of everything the tool added to the scene; results it put into the panel stay. */
  stop(): void;
  click?(position: Cartesian2): void | Promise<void>;
  doubleClick?(position: Cartesian2): void | Promise<void>;
  move?(position: Cartesian2): void;
  /** The controls of the tool, shown below its hint; called again after a change of language. */
  panel?(): HTMLElement;
}

/** A key that starts the tool. Tools with the same `help` share a row of the help page. */
export interface Shortcut {
  readonly key: string;
  readonly help: Word;
}

export interface Tool {
  readonly id: string;
  /** Name of its button. */
  readonly title: Word;
  /** What to do with the pointer, shown while it is active. */
  readonly hint: Word;
  readonly icon: IconName;
  readonly shortcut?: Shortcut;
  /** Begin; a second call comes only after `stop`. */
  start(context: ToolContext): ToolHandle;
}

/** All tools, in the order of the toolbar. */
export const TOOLS: readonly Tool[] = [LENGTH, HEIGHT, AREA, POINT];
