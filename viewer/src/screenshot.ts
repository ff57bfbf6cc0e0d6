/** The picture on screen as a file. */
import { element } from "./dom";
import type { Marking } from "./marking";
import type { TownScene } from "./scene";

/** Pixels of the strip under a picture that says how it is marked. */
const STRIP = 28;

/** Offer the picture as a download named after the town; picture and name carry the marking of what is shown. */
export async function saveScreenshot(town: TownScene, townId: string, marking: Marking): Promise<void> {
  const picture = await town.screenshot();
  const url = URL.createObjectURL(marking.text ? await stamped(picture, marking.text) : picture);
  element("a", { href: url, download: `${townId}${marking.name}.png` }).click();
  URL.revokeObjectURL(url);
}

async function stamped(picture: Blob, text: string): Promise<Blob> {
  const bitmap = await createImageBitmap(picture);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height + STRIP);
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  context.fillStyle = "#22343a";
  context.font = "15px sans-serif";
  context.textBaseline = "middle";
  context.fillText(text, 10, bitmap.height + STRIP / 2, canvas.width - 20);
  return canvas.convertToBlob({ type: "image/png" });
}
