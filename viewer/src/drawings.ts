/** What tools draw over the town. It is never picked: a tool measures the town, not its own sketch. */
import { type Primitive, PrimitiveCollection, type Scene } from "@cesium/engine";

export type Drawing = Primitive | PrimitiveCollection;

export class Drawings {
  private readonly collection = new PrimitiveCollection();

  constructor(private readonly scene: Scene) {
    scene.primitives.add(this.collection);
  }

  get count(): number {
    return this.collection.length;
  }

  add(drawing: Drawing): void {
    this.collection.add(drawing);
    this.scene.requestRender();
  }

  /** Take a drawing out of the scene and dispose of it. */
  remove(drawing: Drawing): void {
    this.collection.remove(drawing);
    this.scene.requestRender();
  }

  /**
   * Return what `look` returns while the drawings are hidden.
   *
   * A picked position comes from the depth of the last frame: so a frame is drawn without them, and another with them.
   */
  hiddenDuring<T>(look: () => T): T {
    if (!this.count) return look();
    this.show(false);
    try {
      return look();
    } finally {
      this.show(true);
    }
  }

  private show(visible: boolean): void {
    this.collection.show = visible;
    this.scene.requestRender();
    this.scene.render();
  }
}
