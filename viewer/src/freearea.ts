/** The part of the window that no panel covers, where a feature is shown. */

/** Limits from -1 (left, bottom) to 1 (right, top). */
export interface Area {
  left: number;
  right: number;
  bottom: number;
  top: number;
}

interface Covered {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Smaller than this in pixels, nothing is shown well there. */
const LEAST = 120;
/** Share of the free part that stays empty on each side. */
const MARGIN = 0.06;
const WHOLE: Area = { left: -0.8, right: 0.8, bottom: -0.8, top: 0.8 };

/** The largest rectangle of the canvas without a panel; the whole of it where panels leave too little. */
export function freeArea(canvas: HTMLCanvasElement): Area {
  const { width, height } = canvas.getBoundingClientRect();
  const covered = coveredParts(height);
  const columns = edges(covered.flatMap(({ left, right }) => [left, right]), width);
  const rows = edges(covered.flatMap(({ top, bottom }) => [top, bottom]), height);
  let best: Covered | undefined;
  for (const [left, right] of pairs(columns)) {
    const between = covered.filter((part) => part.left < right && part.right > left);
    for (const [top, bottom] of pairs(rows)) {
      if (best && (right - left) * (bottom - top) <= (best.right - best.left) * (best.bottom - best.top)) continue;
      if (between.every((part) => part.top >= bottom || part.bottom <= top)) best = { left, right, top, bottom };
    }
  }
  return best ? share(best, width, height) : WHOLE;
}

function coveredParts(height: number): Covered[] {
  const panels = [...document.querySelectorAll<HTMLElement>("#interface .panel, #interface .readout")];
  return panels
    .map((panel) => {
      const { left, right, top, bottom } = panel.getBoundingClientRect();
      // Attributes are still on their way when the flight begins: the panel will be longer.
      return { left, right, top, bottom: panel.id === "attributes" && bottom > top ? height : bottom };
    })
    .filter(({ left, right, top, bottom }) => right > left && bottom > top);
}

function edges(values: number[], limit: number): number[] {
  return [...new Set([0, limit, ...values.map((value) => Math.min(Math.max(value, 0), limit))])].sort((a, b) => a - b);
}

/** Pairs of edges that are far enough apart. */
function pairs(sorted: number[]): [number, number][] {
  return sorted.flatMap((low, index) => sorted.slice(index + 1).filter((high) => high - low >= LEAST).map((high): [number, number] => [low, high]));
}

function share({ left, right, top, bottom }: Covered, width: number, height: number): Area {
  const [x, y] = [MARGIN * (right - left), MARGIN * (bottom - top)];
  return {
    left: (2 * (left + x)) / width - 1,
    right: (2 * (right - x)) / width - 1,
    bottom: 1 - (2 * (bottom - y)) / height,
    top: 1 - (2 * (top + y)) / height,
  };
}
