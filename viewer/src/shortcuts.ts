/** What each key does; `keys.ts` listens for them and shows them on the help page. */
import type { Key } from "./keys";
import type { Parts } from "./parts";
import type { Commands } from "./toolbar";
import type { Tool } from "./tools/tool";
import type { Toolbox } from "./tools/toolbox";

export function shortcuts(parts: Parts, commands: Commands): Key[] {
  const { underground, lightPanel, search, scenes, timeline, tools, legend } = parts;
  return [
    ...cameraKeys(parts),
    { shown: "H", word: "key_home", keys: { h: commands.home } },
    { shown: "U", word: "key_underground", keys: { u: () => underground.toggle() } },
    { shown: "L", word: "key_light", keys: { l: () => lightPanel.toggle() } },
    { shown: "K", word: "key_layers", keys: { k: () => legend.toggle() } },
    { shown: "/", word: "key_search", keys: { "/": () => search.focus() } },
    ...toolKeys(tools),
    { shown: "P", word: "key_play", keys: { p: () => scenes.toggle() } },
    { shown: "T N", word: "key_time", keys: { t: () => timeline.focus(), n: () => timeline.now() } },
    { shown: "F", word: "key_full", keys: { f: commands.fullScreen } },
    { shown: "Esc", word: "key_escape", keys: { Escape: () => escape(parts) } },
    { shown: "?", word: "key_help", keys: { "?": commands.help } },
  ];
}

function cameraKeys({ town, scenes }: Parts): Key[] {
  const sideways = (step: 1 | -1) => (scenes.current ? void scenes.step(step) : town.nudge({ right: step * 0.12 }));
  const ahead = (step: 1 | -1) => town.nudge({ forward: step * 0.12 });
  const closer = () => town.nudge({ closer: 0.25 });
  return [
    { shown: "← ↑ ↓ →", word: "key_arrows", keys: { ArrowLeft: () => sideways(-1), ArrowRight: () => sideways(1), ArrowUp: () => ahead(1), ArrowDown: () => ahead(-1) } },
    { shown: "+ −", word: "key_zoom", keys: { "+": closer, "=": closer, "-": () => town.nudge({ closer: -0.33 }) } },
    { shown: "Q E", word: "key_turn", keys: { q: () => town.nudge({ turn: 15 }), e: () => town.nudge({ turn: -15 }) } },
    { shown: "PgUp PgDn", word: "key_tilt", keys: { PageUp: () => town.nudge({ tilt: -8 }), PageDown: () => town.nudge({ tilt: 8 }) } },
  ];
}

/** One row for all tools with the same words of help. */
function toolKeys(tools: Toolbox): Key[] {
  const withKey = tools.tools.filter((tool): tool is Tool & Required<Pick<Tool, "shortcut">> => tool.shortcut !== undefined);
  return [...Map.groupBy(withKey, (tool) => tool.shortcut.help)].map(([word, group]) => ({
    shown: group.map((tool) => tool.shortcut.key.toUpperCase()).join(" "),
    word,
    keys: Object.fromEntries(group.map((tool) => [tool.shortcut.key, () => tools.start(tool)])),
  }));
}

/** End what is nearest to the user: the active tool, else the scene, else the selection, else the results. */
function escape({ tools, scenes, selection, lightPanel }: Parts): void {
  if (lightPanel.close()) return;
  if (tools.active) tools.stop();
  else if (scenes.current) scenes.leave();
  else if (selection.identity) selection.set(undefined);
  else if (tools.hasResults) tools.clear();
}
