/** Words for colours that come as numbers (#c7c4bd): the nearest one that people use. */
import type { Word } from "./words";

export const HEX = /^#[0-9a-f]{6}$/i;
/** Up to which hue, in degrees, a colour is called so. */
const HUES: [until: number, word: Word][] = [
  [15, "color_red"], [40, "color_orange"], [70, "color_yellow"], [165, "color_green"], [195, "color_cyan"], [255, "color_blue"], [330, "color_purple"], [361, "color_red"],
];

export function colorWord(hex: string): Word {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255) as [number, number, number];
  const [least, most] = [Math.min(red, green, blue), Math.max(red, green, blue)];
  const spread = most - least;
  if (most < 0.15) return "color_black";
  if (spread < 0.12) return most > 0.92 ? "color_white" : "color_grey";
  const sixth = most === red ? ((green - blue) / spread + 6) % 6 : most === green ? (blue - red) / spread + 2 : (red - green) / spread + 4;
  const hue = sixth * 60;
  if (hue >= 15 && hue < 50 && most < 0.65) return "color_brown";
  return HUES.find(([until]) => hue < until)![1];
}
