/** The day of the town that is on show: now, or one that was chosen. Drawing and requests follow it. */
import type { LayerTime, TimeConfig } from "./api";

const DAY = 86_400_000;

export class Time {
  private chosen: string | undefined;
  private readonly listeners: (() => void)[] = [];

  constructor(readonly config: TimeConfig, readonly zone: string) {}

  /** The day chosen ("2024-06-01"), the town's own; undefined is now. */
  get day(): string | undefined {
    return this.chosen;
  }

  /** Choose a day; one beyond the town's time becomes its first or last, today becomes now. */
  set day(day: string | undefined) {
    const { first, last, today } = this.config;
    const within = day && (day < first ? first : day > last ? last : day);
    const chosen = within === today ? undefined : within || undefined;
    if (chosen === this.chosen) return;
    this.chosen = chosen;
    for (const listener of this.listeners) listener();
  }

  /** The day on show, today for now. */
  get shown(): string {
    return this.chosen ?? this.config.today;
  }

  /** The day on show as 3D Tiles count days: from 1970-01-01. */
  get number(): number {
    return numberOf(this.shown);
  }

  /**
   * What to ask the service for: the end of the day chosen, by the town's clock, so that what changed on it has changed.
   * That is what 3D Tiles, which know days only, show of it too. Undefined asks for now.
   */
  get datetime(): string | undefined {
    return this.chosen && endOf(this.chosen);
  }

  /**
   * What to ask the service for a layer by: the end of the last day, on or before the one on show, on which it changed. All days
   * until the next change share it, and with it what was fetched; null where the layer has not yet begun.
   *
   * Undefined asks for now, where the layer changes today: then now may still come before the change.
   */
  datetimeOf(layer: LayerTime | null): string | undefined | null {
    if (!layer) return null;
    if (!layer.changes) return this.datetime;
    const last = layer.changes.findLast((change) => change <= this.number);
    if (last === undefined) return null;
    return this.chosen === undefined && last === numberOf(this.config.today) ? undefined : endOf(dayOf(last));
  }

  /** The nearest day after (1) or before (-1) the one on show on which something changed; today counts as one. */
  neighbour(by: 1 | -1): string | undefined {
    const days = [...this.config.changes, this.config.today];
    const ahead = days.filter((day) => (by > 0 ? day > this.shown : day < this.shown)).sort();
    return by > 0 ? ahead[0] : ahead.at(-1);
  }

  changed(listener: () => void): void {
    this.listeners.push(listener);
  }
}

function endOf(day: string): string {
  return `${day}T23:59:59.999`;
}

export function numberOf(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) / DAY;
}

export function dayOf(number: number): string {
  return new Date(number * DAY).toISOString().slice(0, 10);
}

/** The text if it is a valid day, else undefined. */
export function asDay(text: string | null | undefined): string | undefined {
  const number = /^\d{4}-\d{2}-\d{2}$/.test(text ?? "") ? numberOf(text!) : Number.NaN;
  return Number.isFinite(number) && dayOf(number) === text ? text : undefined;
}
