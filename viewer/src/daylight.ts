/** What the light of an hour is like: colours and strengths by the height of the sun, from deep night to noon. */

type Rgb = readonly [red: number, green: number, blue: number];

export interface Daylight {
  /** Colour of the sun's (at night the moon's) direct light, and its strength on walls and roofs. */
  direct: Rgb;
  strength: number;
  /** Even light from all sides. */
  ambient: Rgb;
  zenith: Rgb;
  /** Sky and haze at the horizon. */
  horizon: Rgb;
  /** Share of its own brightness that the ground keeps in shadow. */
  groundShade: number;
  /** How dark a shadow is: 0 black, 1 none. */
  shadow: number;
  /** Share of lit windows and lamps, 0 by day to 1 at night. */
  lamps: number;
}

/** Values at heights of the sun in degrees; between them is mixed. Chosen by eye on the sample town, not measured. */
const BY_ELEVATION: readonly [elevation: number, light: Daylight][] = [
  [-18, {
    direct: [0.52, 0.62, 0.9], strength: 0.42, ambient: [0.12, 0.15, 0.24], zenith: [0.02, 0.035, 0.085],
    horizon: [0.09, 0.12, 0.2], groundShade: 0.3, shadow: 0.8, lamps: 1,
  }],
  [-6, {
    direct: [0.66, 0.68, 0.88], strength: 0.6, ambient: [0.22, 0.25, 0.36], zenith: [0.1, 0.15, 0.32],
    horizon: [0.5, 0.42, 0.46], groundShade: 0.45, shadow: 0.85, lamps: 1,
  }],
  [0, {
    direct: [1, 0.8, 0.64], strength: 1, ambient: [0.4, 0.39, 0.45], zenith: [0.26, 0.38, 0.6],
    horizon: [0.93, 0.7, 0.54], groundShade: 0.62, shadow: 0.72, lamps: 0.7,
  }],
  [8, {
    direct: [1, 0.91, 0.8], strength: 1.75, ambient: [0.49, 0.5, 0.55], zenith: [0.35, 0.54, 0.8],
    horizon: [0.88, 0.86, 0.82], groundShade: 0.68, shadow: 0.58, lamps: 0,
  }],
  [30, {
    direct: [1, 0.97, 0.92], strength: 2.1, ambient: [0.55, 0.57, 0.6], zenith: [0.36, 0.58, 0.86],
    horizon: [0.84, 0.9, 0.94], groundShade: 0.6, shadow: 0.52, lamps: 0,
  }],
  [90, {
    direct: [1, 0.985, 0.95], strength: 2.15, ambient: [0.56, 0.57, 0.6], zenith: [0.33, 0.57, 0.88],
    horizon: [0.85, 0.91, 0.95], groundShade: 0.58, shadow: 0.5, lamps: 0,
  }],
];

/** Return the light under a sun so many degrees above (or below) the horizon. */
export function daylight(elevation: number): Daylight {
  const last = BY_ELEVATION.length - 1;
  const above = BY_ELEVATION.findIndex(([height]) => height >= elevation);
  if (above === 0) return BY_ELEVATION[0]![1];
  if (above < 0) return BY_ELEVATION[last]![1];
  const [[low, from], [high, to]] = [BY_ELEVATION[above - 1]!, BY_ELEVATION[above]!];
  const share = (elevation - low) / (high - low);
  const number = (a: number, b: number) => a + (b - a) * share;
  const color = (a: Rgb, b: Rgb): Rgb => [number(a[0], b[0]), number(a[1], b[1]), number(a[2], b[2])];
  return {
    direct: color(from.direct, to.direct),
    strength: number(from.strength, to.strength),
    ambient: color(from.ambient, to.ambient),
    zenith: color(from.zenith, to.zenith),
    horizon: color(from.horizon, to.horizon),
    groundShade: number(from.groundShade, to.groundShade),
    shadow: number(from.shadow, to.shadow),
    lamps: number(from.lamps, to.lamps),
  };
}
