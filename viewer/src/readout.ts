/** The line at the foot: coordinates of what is under the pointer as X north, Y east, H, and the ground's opacity. */
import { Cartesian2, type Cartesian3, Cartographic, Math as CesiumMath } from "@cesium/engine";
import type { Api } from "./api";
import { element, name } from "./dom";
import type { Picker } from "./pick";
import type { TownScene } from "./scene";
import type { Underground } from "./underground";
import type { Language } from "./words";

const PAUSE = 140;

export class Readout {
  private readonly place = element("output", { class: "readout-place" });
  private readonly crsName = element("span", { class: "readout-crs" });
  private readonly slider = element("input", { type: "range", min: 0, max: 100, step: 1, id: "ground" });
  private last: Cartesian2 | undefined;
  private timer: number | undefined;
  private asked = new AbortController();
  private frame: number | undefined;

  constructor(
    parent: HTMLElement,
    private readonly town: TownScene,
    private readonly api: Api,
    underground: Underground,
    private readonly picker: Picker,
    private readonly language: Language,
  ) {
    const label = element("label", { for: "ground" });
    const value = element("output", { for: "ground" });
    parent.append(
      element("footer", { class: "readout" }, element("span", { class: "readout-ground" }, label, this.slider, value), this.crsName, this.place),
    );
    this.slider.addEventListener("input", () => {
      underground.ground = Number(this.slider.value) / 100;
    });
    const show = () => {
      this.slider.value = String(Math.round(underground.ground * 100));
      value.textContent = `${this.slider.value}%`;
    };
    underground.changed(show);
    language.shown(() => {
      label.textContent = language.t("ground");
      name(this.slider, language.t("ground_opacity"));
      show();
      if (this.last) this.show(this.last);
    });
  }

  /** Show the place under the pointer: longitude and latitude at once, the town's own coordinates when they arrive. */
  move(position: Cartesian2): void {
    if (this.frame !== undefined) return;
    const at = Cartesian2.clone(position);
    this.frame = requestAnimationFrame(() => {
      this.frame = undefined;
      this.show(at);
    });
  }

  /** The ground at once, which costs little; what stands on it when the pointer rests, since that is drawn to be picked. */
  private show(position: Cartesian2): void {
    this.last = position;
    clearTimeout(this.timer);
    this.asked.abort();
    this.crsName.textContent = "";
    const ground = this.town.groundAt(position);
    this.place.textContent = ground ? this.geographic(ground) : "";
    this.timer = setTimeout(() => this.showSurface(position), PAUSE);
  }

  private showSurface(position: Cartesian2): void {
    const place = this.picker.placeAt(position);
    if (!place) return;
    const layer = this.picker.surfaceLayer(position);
    const surface = layer ? this.language.of(layer.config.title) : this.language.t("ground");
    this.place.textContent = `${this.geographic(place)} ${surface}`;
    void this.showTown(place, surface);
  }

  private geographic(place: Cartesian3): string {
    const { longitude, latitude } = Cartographic.fromCartesian(place);
    const [lon, lat] = [CesiumMath.toDegrees(longitude), CesiumMath.toDegrees(latitude)];
    return `${this.language.t("longitude")} ${lon.toFixed(6)}°   ${this.language.t("latitude")} ${lat.toFixed(6)}°   ${this.elevation(place)}`;
  }

  private elevation(place: Cartesian3): string {
    return `H ${(Cartographic.fromCartesian(place).height - this.town.heightOffset).toFixed(2)} m`;
  }

  private async showTown(place: Cartesian3, surface: string): Promise<void> {
    this.asked = new AbortController();
    const { longitude, latitude } = Cartographic.fromCartesian(place);
    try {
      const [lon, lat] = [CesiumMath.toDegrees(longitude), CesiumMath.toDegrees(latitude)];
      const { x_north, y_east } = await this.api.coordinates(lon, lat, this.town.crs, this.asked.signal);
      this.crsName.textContent = this.town.crs;
      this.place.textContent = `X ${x_north.toFixed(2)}   Y ${y_east.toFixed(2)}   ${this.elevation(place)} ${surface}`;
    } catch {
      // Longitude and latitude stay on show: the pointer has moved on, or the place is outside the town's system.
    }
  }
}
