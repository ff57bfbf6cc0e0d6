/** The pointer over the scene: an active tool has it; without one a click selects a feature. */
import { type Cartesian2, ScreenSpaceEventHandler, ScreenSpaceEventType } from "@cesium/engine";
import { AlsoHere } from "./alsohere";
import type { Parts } from "./parts";

export class Pointer {
  private readonly alsoHere: AlsoHere;

  constructor(private readonly parts: Parts) {
    const { tools, page, panel, picker, selection, layers, language, town } = parts;
    this.alsoHere = new AlsoHere(panel.alsoHere, picker, selection, layers, language, () => JSON.stringify(town.cameraState()));
    const events = new ScreenSpaceEventHandler(parts.town.scene.canvas);
    events.setInputAction((event: ScreenSpaceEventHandler.PositionedEvent) => void this.click(event.position), ScreenSpaceEventType.LEFT_CLICK);
    events.setInputAction((event: ScreenSpaceEventHandler.PositionedEvent) => tools.doubleClick(event.position), ScreenSpaceEventType.LEFT_DOUBLE_CLICK);
    events.setInputAction((event: ScreenSpaceEventHandler.MotionEvent) => this.move(event.endPosition), ScreenSpaceEventType.MOUSE_MOVE);
    tools.changed(() => page.globe.classList.toggle("tool-active", tools.active !== undefined));
  }

  private async click(position: Cartesian2): Promise<void> {
    const { page, tools } = this.parts;
    page.globe.focus({ preventScroll: true });
    if (tools.active) tools.click(position);
    else await this.alsoHere.click(position);
  }

  private move(position: Cartesian2): void {
    this.parts.readout.move(position);
    this.parts.tools.move(position);
  }
}
