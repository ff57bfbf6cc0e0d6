/** The buttons at the right: commands, and the tools of `tools/tool.ts`. */
import { type IconName, button, element, icon, name } from "./dom";
import type { LightPanel } from "./lightpanel";
import type { Tool } from "./tools/tool";
import type { Toolbox } from "./tools/toolbox";
import type { Underground } from "./underground";
import type { Language, Word } from "./words";

/** What the buttons without a state do. */
export interface Commands {
  home: () => void;
  north: () => void;
  fullScreen: () => void;
  screenshot: () => void;
  share: () => void;
  help: () => void;
}

export class Toolbar {
  private readonly bar = element("div", { class: "toolbar", role: "toolbar", "aria-orientation": "vertical" });

  constructor(
    parent: HTMLElement,
    private readonly commands: Commands,
    private readonly tools: Toolbox,
    private readonly underground: Underground,
    private readonly light: LightPanel,
    private readonly language: Language,
  ) {
    parent.append(this.bar);
    language.shown(() => this.render());
    tools.changed(() => this.render());
    underground.changed(() => this.render());
    light.changed(() => this.render());
  }

  private render(): void {
    const focused = document.activeElement?.getAttribute("data-tool");
    name(this.bar, this.language.t("tools"));
    this.bar.replaceChildren(this.views(), this.ground(), this.pointerTools(), this.pageCommands());
    if (focused) this.bar.querySelector<HTMLElement>(`[data-tool="${focused}"]`)?.focus();
  }

  private views(): HTMLElement {
    return group(this.button("home", "home", "home", this.commands.home), this.button("north", "north", "north", this.commands.north));
  }

  private ground(): HTMLElement {
    const { underground, light } = this;
    return group(
      this.button("underground", "underground", "underground", () => underground.toggle(), underground.on),
      this.button("light", "light", "light", () => light.toggle(), light.open),
    );
  }

  private pointerTools(): HTMLElement {
    const { tools } = this;
    const clear = this.button("clear", "measure_clear", "clear", () => tools.clear());
    return group(...tools.tools.map((tool) => this.toolButton(tool)), tools.active || tools.hasResults ? clear : "");
  }

  private toolButton(tool: Tool): HTMLElement {
    const { tools } = this;
    return this.button(tool.id, tool.title, tool.icon, () => tools.toggle(tool), tools.active === tool);
  }

  private pageCommands(): HTMLElement {
    const { commands } = this;
    return group(
      this.button("screenshot", "screenshot", "screenshot", commands.screenshot),
      this.button("share", "share", "share", commands.share),
      this.button("full_screen", "full_screen", "full_screen", commands.fullScreen),
      this.button("help", "help", "help", commands.help),
    );
  }

  private button(id: string, word: Word, which: IconName, run: () => void, pressed?: boolean): HTMLElement {
    const control = button("tool", this.language.t(word), run, icon(which));
    control.dataset.tool = id;
    if (pressed !== undefined) control.setAttribute("aria-pressed", String(pressed));
    return control;
  }
}

function group(...controls: (HTMLElement | string)[]): HTMLElement {
  return element("div", { class: "tools panel" }, ...controls);
}
