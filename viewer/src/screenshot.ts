/** The picture on screen as a file. */
import { element } from "./dom";
import type { TownScene } from "./scene";

/** Offer the picture as a download named after the town. */
export async function saveScreenshot(town: TownScene, townId: string): Promise<void> {
  const url = URL.createObjectURL(await town.screenshot());
  element("a", { href: url, download: `${townId}.png` }).click();
  URL.revokeObjectURL(url);
}
