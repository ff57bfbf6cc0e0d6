/** What could not be loaded or drawn, as notices that each offer one thing to do. */
import type { LayerConfig } from "./api";
import type { Notice, Remedy } from "./notice";
import { causeInWords } from "./outage";
import type { Language } from "./words";

export class Failures {
  constructor(
    private readonly notice: Notice,
    private readonly language: Language,
  ) {}

  tileset(layer: LayerConfig, again: () => void): void {
    this.notice.problem(this.language.t("tileset_failed", this.language.of(layer.title)), this.retry(again));
  }

  vectorTiles(layer: LayerConfig, again: () => void): void {
    this.notice.problem(this.language.t("tiles_failed", this.language.of(layer.title)), this.retry(again));
  }

  terrain(again: () => void): void {
    this.notice.problem(this.language.t("terrain_failed"), this.retry(again));
  }

  /** A part of the viewer did not start; the others did. */
  part(cause: Error): void {
    console.error(cause);
    this.notice.problem(this.language.t("part_failed", cause.message), this.reload());
  }

  graphics(cause: Error): void {
    this.notice.problem(this.language.t("graphics_failed", cause.message), this.reload());
  }

  config(cause: Error): void {
    this.notice.problem(this.language.t("config_failed", causeInWords(cause, this.language)), this.reload());
  }

  private retry(run: () => void): Remedy {
    return { label: this.language.t("retry"), run };
  }

  private reload(): Remedy {
    return { label: this.language.t("reload"), run: () => location.reload() };
  }
}
