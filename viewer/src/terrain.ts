/** The town's relief: loaded under it, and again where a part of it did not come. */
import { CesiumTerrainProvider } from "@cesium/engine";
import type { Connection } from "./connection";
import type { TownScene } from "./scene";

export class Terrain {
  private incomplete = false;

  /** `failed` is told where the relief cannot be had though the service is there. */
  constructor(
    private readonly town: TownScene,
    private readonly address: string | null,
    private readonly connection: Connection,
    private readonly failed: () => void,
  ) {
    connection.changed(() => {
      if (!connection.lost && this.incomplete) void this.load();
    });
  }

  /** Put the relief under the town; without one a level surface stays. */
  async load(): Promise<void> {
    const { address } = this;
    if (!address) return;
    this.incomplete = false;
    try {
      const provider = await this.connection.fetching(() => CesiumTerrainProvider.fromUrl(address, { requestVertexNormals: true }));
      provider.errorEvent.addEventListener(() => void this.lose());
      this.town.scene.terrainProvider = provider;
      this.town.scene.globe.enableLighting = provider.hasVertexNormals;
      this.town.render();
    } catch {
      this.failed();
    }
  }

  /** A tile did not come, and CesiumJS stretches a coarser one in its place for good. */
  private async lose(): Promise<void> {
    if (this.incomplete) return;
    this.incomplete = true;
    if (await this.connection.check()) this.failed();
  }
}
