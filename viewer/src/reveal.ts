/** Bring a feature into view from wherever it is named: its layer is shown, the ground opens for what lies below it. */
import type { Layers } from "./layers";
import type { Identity } from "./pick";
import type { Selection } from "./selection";
import type { Underground } from "./underground";

export class Reveal {
  constructor(
    private readonly layers: Layers,
    private readonly underground: Underground,
    private readonly selection: Selection,
  ) {}

  /** Select a feature so that it can be seen. */
  feature(identity: Identity): void {
    this.layer(identity.collectionId);
    this.selection.set(identity);
  }

  layer(collectionId: string): void {
    const layer = this.layers.get(collectionId);
    if (!layer?.drawable) return;
    if (!layer.visible) this.layers.setVisible(collectionId, true);
    if (layer.opacity === 0) this.layers.setOpacity(collectionId, 1);
    if (this.underground.hides(layer)) this.underground.open();
  }
}
