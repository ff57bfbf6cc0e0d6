/** How much is drawn: low, middle or high, as the user chose or as the machine bears it. */

export type QualityStep = "low" | "middle" | "high";
export const QUALITY_STEPS: readonly QualityStep[] = ["low", "middle", "high"];
export type QualityChoice = QualityStep | "auto";

export interface QualitySettings {
  /** Pixels a side of the shadow map, 0 without shadows. */
  shadowMap: number;
  ambientOcclusion: boolean;
  sky: boolean;
  /** Windows and storeys on walls. */
  facades: boolean;
  msaaSamples: number;
}

export const QUALITY: Record<QualityStep, QualitySettings> = {
  low: { shadowMap: 0, ambientOcclusion: false, sky: false, facades: false, msaaSamples: 1 },
  middle: { shadowMap: 2048, ambientOcclusion: false, sky: true, facades: true, msaaSamples: 2 },
  high: { shadowMap: 4096, ambientOcclusion: true, sky: true, facades: true, msaaSamples: 4 },
};

/** The text if it is a step, else undefined. */
export function asStep(text: string | null): QualityStep | undefined {
  return QUALITY_STEPS.find((step) => step === text);
}

const STORED = "twin-quality";
/** Frames of movement that are looked at before a step is taken. */
const FRAMES = 24;
/** Milliseconds a frame: above, a step down; below, a step up. Between two frames further apart, nothing moved. */
const [TOO_SLOW, QUICK, NO_MOVEMENT] = [50, 14, 1_000];

export class Quality {
  private chosen: QualityChoice;
  private measured: QualityStep = "middle";
  private times: number[] = [];
  private before = 0;
  /** A step that was too slow is not tried again. */
  private best = QUALITY_STEPS.length - 1;
  private readonly listeners: (() => void)[] = [];

  /** `first` is the step to begin with, whatever was chosen on another visit. */
  constructor(first?: QualityStep) {
    this.chosen = first ?? asStep(localStorage.getItem(STORED)) ?? "auto";
  }

  get choice(): QualityChoice {
    return this.chosen;
  }

  /** Choose a step, or leave the choice to what frames take. It is remembered by this browser. */
  set choice(choice: QualityChoice) {
    this.chosen = choice;
    localStorage.setItem(STORED, choice);
    this.times = [];
    this.notify();
  }

  get step(): QualityStep {
    return this.choice === "auto" ? this.measured : this.choice;
  }

  changed(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Take note of a frame drawn at a time (milliseconds); frames in quick succession tell what the machine bears. */
  frame(at: number): void {
    const took = at - this.before;
    this.before = at;
    if (this.choice !== "auto" || took > NO_MOVEMENT) return;
    this.times.push(took);
    if (this.times.length < FRAMES) return;
    const middle = this.times.sort((a, b) => a - b)[FRAMES / 2]!;
    this.times = [];
    const step = QUALITY_STEPS.indexOf(this.measured);
    if (middle > TOO_SLOW && step > 0) {
      this.best = step - 1;
      this.measure(step - 1);
    } else if (middle < QUICK && step < this.best) this.measure(step + 1);
  }

  private measure(step: number): void {
    this.measured = QUALITY_STEPS[step]!;
    this.notify();
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}
