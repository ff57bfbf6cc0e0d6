/** Asks again for tiles of a tileset that did not come; CesiumJS itself never does. */
import type { Cesium3DTile, Cesium3DTileset } from "@cesium/engine";

/** Members of a tile that CesiumJS 1.145 has and does not document. */
type FailingTile = Cesium3DTile & { contentFailed: boolean; unloadContent: () => void; children: FailingTile[] };

export function requestFailedTiles(tileset: Cesium3DTileset): void {
  const waiting = [tileset.root as FailingTile];
  for (let tile = waiting.pop(); tile; tile = waiting.pop()) {
    // Without content a tile is asked for when it is next in sight.
    if (tile.contentFailed) tile.unloadContent();
    waiting.push(...tile.children);
  }
}
