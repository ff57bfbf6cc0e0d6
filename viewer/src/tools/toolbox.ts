/** Starts and stops tools, one at a time, and passes the pointer's events to the active one. */
import type { Cartesian2 } from "@cesium/engine";
import type { Tool, ToolContext, ToolHandle } from "./tool";

interface Running {
  tool: Tool;
  handle: ToolHandle;
}

export class Toolbox {
  private running: Running | undefined;
  private readonly listeners: (() => void)[] = [];

  constructor(
    readonly tools: readonly Tool[],
    private readonly context: ToolContext,
  ) {
    context.panel.changed(() => this.notify());
  }

  /** Call the listener when a tool starts or stops and when results come or go. */
  changed(listener: () => void): void {
    this.listeners.push(listener);
  }

  get active(): Tool | undefined {
    return this.running?.tool;
  }

  get hasResults(): boolean {
    return this.context.panel.results.length > 0;
  }

  get(toolId: string): Tool | undefined {
    return this.tools.find((tool) => tool.id === toolId);
  }

  /** Start a tool in place of the active one; the active tool itself begins anew. */
  start(tool: Tool): void {
    this.end();
    try {
      const handle = tool.start(this.context);
      this.running = { tool, handle };
      this.context.panel.open(tool.hint, handle.panel && (() => handle.panel!()));
    } catch (cause) {
      this.end();
      this.report(tool, cause);
    }
    this.notify();
  }

  stop(): void {
    this.end();
    this.notify();
  }

  /** What a press of the tool's button does. */
  toggle(tool: Tool): void {
    if (this.active === tool) this.stop();
    else this.start(tool);
  }

  /** Stop the active tool and remove the results of all. */
  clear(): void {
    this.end();
    this.context.panel.clear();
  }

  click(position: Cartesian2): void {
    void this.pass((handle) => handle.click?.(position));
  }

  doubleClick(position: Cartesian2): void {
    void this.pass((handle) => handle.doubleClick?.(position));
  }

  move(position: Cartesian2): void {
    void this.pass((handle) => handle.move?.(position));
  }

  /** Give an event to the active tool; one that fails is stopped, so that the rest of the viewer goes on. */
  private async pass(event: (handle: ToolHandle) => void | Promise<void>): Promise<void> {
    const { running } = this;
    if (!running) return;
    try {
      await event(running.handle);
    } catch (cause) {
      if (this.running === running) this.stop();
      this.report(running.tool, cause);
    }
  }

  private end(): void {
    const { running } = this;
    if (!running) return;
    this.running = undefined;
    this.context.panel.close();
    try {
      running.handle.stop();
    } catch (cause) {
      this.report(running.tool, cause);
    }
  }

  private report(tool: Tool, cause: unknown): void {
    const { language, notice } = this.context;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = language.t("tool_failed", language.t(tool.title), reason);
    notice.problem(message, { label: language.t("retry"), run: () => this.start(tool) });
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}
