/** What could not be loaded or drawn, as notices that each offer one thing to do. */
import type { LayerConfig } from "./api";
import type { Notice, Remedy } from "./notice";
import type { Language } from "./words";

export class Failures {
  constructor(
    private readonly notice: Notice,
    private readonly language: Language,
  ) {}

  tileset(layer: LayerConfig): void {
    this.notice.problem(this.language.t("tileset_failed", this.language.of(layer.title)), this.reload("retry"));
  }

  vectorTiles(layer: LayerConfig): void {
    this.notice.problem(this.language.t("tiles_failed", this.language.of(layer.title)), this.reload("retry"));
  }

  terrain(): void {
    this.notice.problem(this.language.t("terrain_failed"), this.reload("retry"));
  }

  graphics(cause: Error): void {
    this.notice.problem(this.language.t("graphics_failed", cause.message), this.reload("reload"));
  }

  config(cause: Error): void {
    this.notice.problem(this.language.t("config_failed", cause.message), this.reload("reload"));
  }

  private reload(word: "retry" | "reload"): Remedy {
    return { label: this.language.t(word), run: () => location.reload() };
  }
}
