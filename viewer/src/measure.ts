/** Lengths, height differences, areas and coordinates, measured in three dimensions on what is drawn. */
import {
  ArcType, Cartesian2, Cartesian3, Cartographic, Color, ColorGeometryInstanceAttribute, GeometryInstance, HorizontalOrigin,
  LabelCollection, LabelStyle, Math as CesiumMath, Matrix4, PointPrimitiveCollection, PolylineColorAppearance,
  PolylineGeometry, Primitive, PrimitiveCollection, Transforms, VerticalOrigin,
} from "@cesium/engine";
import type { Api } from "./api";
import type { Language, Word } from "./i18n";
import type { Picker } from "./pick";
import type { TownScene } from "./scene";

export const MEASURES = ["length", "height", "area", "point"] as const;
export type MeasureKind = (typeof MEASURES)[number];

const INK = Color.fromCssColorString("#d84315");
const FAINT = INK.withAlpha(0.75);
const ENOUGH: Record<MeasureKind, number> = { length: 2, height: 2, area: 3, point: 1 };

/** Metres along a path, in space and on the level (east and north only). */
export function lengths(places: Cartesian3[]): { space: number; level: number } {
  const steps = places.slice(1).map((place, index) => {
    const space = Cartesian3.distance(places[index]!, place);
    const rise = heightOf(place) - heightOf(places[index]!);
    return { space, level: Math.sqrt(Math.max(space * space - rise * rise, 0)) };
  });
  return { space: sum(steps.map((step) => step.space)), level: sum(steps.map((step) => step.level)) };
}

/**
 * Square metres of a polygon, in its own plane and on the level.
 *
 * The vector area (half the sum of cross products) is exact for a plane polygon; of a warped one it is the
 * area seen along its mean normal.
 */
export function areas(places: Cartesian3[]): { space: number; level: number } {
  const toLocal = Matrix4.inverseTransformation(Transforms.eastNorthUpToFixedFrame(places[0]!), new Matrix4());
  const local = places.map((place) => Matrix4.multiplyByPoint(toLocal, place, new Cartesian3()));
  const vector = new Cartesian3();
  local.forEach((a, index) => {
    const b = local[(index + 1) % local.length]!;
    Cartesian3.add(vector, Cartesian3.cross(a, b, new Cartesian3()), vector);
  });
  return { space: Cartesian3.magnitude(vector) / 2, level: Math.abs(vector.z) / 2 };
}

export class Measure {
  kind: MeasureKind | undefined;
  /** What has been measured, newest last, one line each. */
  readonly results: string[] = [];
  private places: Cartesian3[] = [];
  private hover: Cartesian3 | undefined;
  private readonly drawn = new PrimitiveCollection();
  private readonly sketch = new PrimitiveCollection();
  private readonly listeners: (() => void)[] = [];

  constructor(
    private readonly town: TownScene,
    private readonly picker: Picker,
    private readonly api: Api,
    private readonly crs: string,
    private readonly language: Language,
  ) {
    town.scene.primitives.add(this.drawn);
    town.scene.primitives.add(this.sketch);
  }

  changed(listener: () => void): void {
    this.listeners.push(listener);
  }

  get active(): boolean {
    return this.kind !== undefined;
  }

  /** Whether any measure stays on screen. */
  get any(): boolean {
    return this.drawn.length > 0;
  }

  get hint(): string {
    return this.kind ? this.language.t(`measure_hint_${this.kind}` as Word) : "";
  }

  start(kind: MeasureKind | undefined): void {
    this.places = [];
    this.hover = undefined;
    this.kind = kind;
    this.redraw();
    this.tell();
  }

  clear(): void {
    this.drawn.removeAll();
    this.results.length = 0;
    this.start(undefined);
  }

  click(position: Cartesian2): void {
    const place = this.kind && this.picker.placeAt(position);
    if (!place) return;
    this.places.push(place);
    if (this.kind === "point" || (this.kind === "height" && this.places.length === 2)) this.finish();
    else this.redraw();
  }

  move(position: Cartesian2): void {
    if (!this.places.length) return;
    this.hover = this.town.groundAt(position);
    this.redraw();
  }

  /** End the measure under way; too few points and it is dropped. */
  finish(): void {
    const { kind, places } = this;
    if (!kind) return;
    // A double click adds its place twice.
    const distinct = places.filter((place, index) => index === 0 || Cartesian3.distance(place, places[index - 1]!) > 0.02);
    if (distinct.length >= ENOUGH[kind]) void this.keep(kind, distinct);
    this.places = [];
    this.hover = undefined;
    this.redraw();
    this.tell();
  }

  private async keep(kind: MeasureKind, places: Cartesian3[]): Promise<void> {
    const text = await this.result(kind, places);
    this.draw(this.drawn, kind, places, text);
    this.results.push(text.replaceAll("\n", " · "));
    this.tell();
  }

  private async result(kind: MeasureKind, places: Cartesian3[]): Promise<string> {
    const { language } = this;
    const words = (word: Word, value: number, unit: string) => `${language.t(word)} ${language.number(value, 2)} ${unit}`;
    if (kind === "area") {
      const area = areas(places);
      return `${words("area_3d", area.space, "m²")}\n${words("area_flat", area.level, "m²")}`;
    }
    if (kind === "point") return this.coordinates(places[0]!);
    const length = lengths(places);
    if (kind === "length") return `${words("length_3d", length.space, "m")}\n${words("length_flat", length.level, "m")}`;
    const rise = heightOf(places[1]!) - heightOf(places[0]!);
    return `${words("height_difference", rise, "m")}\n${words("length_flat", length.level, "m")}`;
  }

  private async coordinates(place: Cartesian3): Promise<string> {
    const { longitude, latitude, height } = Cartographic.fromCartesian(place);
    const [lon, lat] = [CesiumMath.toDegrees(longitude), CesiumMath.toDegrees(latitude)];
    const elevation = `H ${(height - this.town.heightOffset).toFixed(2)}`;
    try {
      const { x_north, y_east } = await this.api.coordinates(lon, lat, this.crs);
      return `X ${x_north.toFixed(3)}\nY ${y_east.toFixed(3)}\n${elevation}`;
    } catch {
      return `${lat.toFixed(7)}°N\n${lon.toFixed(7)}°E\n${elevation}`;
    }
  }

  private redraw(): void {
    this.sketch.removeAll();
    const places = this.hover ? [...this.places, this.hover] : this.places;
    if (this.kind && places.length) this.draw(this.sketch, this.kind, places, this.running(places));
    this.town.render();
  }

  private running(places: Cartesian3[]): string {
    if (places.length < 2 || this.kind === "point") return "";
    if (this.kind === "height") return `${this.language.number(heightOf(places[1]!) - heightOf(places[0]!), 2)} m`;
    if (this.kind === "area" && places.length > 2) return `${this.language.number(areas(places).space, 2)} m²`;
    return `${this.language.number(lengths(places).space, 2)} m`;
  }

  private draw(into: PrimitiveCollection, kind: MeasureKind, places: Cartesian3[], text: string): void {
    const corner = kind === "height" && places.length === 2 ? corners(places[0]!, places[1]!) : places;
    const closed = kind === "area" && places.length > 2 ? [...places, places[0]!] : corner;
    if (closed.length > 1) into.add(polyline(closed));
    const points = into.add(new PointPrimitiveCollection()) as PointPrimitiveCollection;
    for (const position of places) {
      points.add({ position, pixelSize: 8, color: Color.WHITE, outlineColor: INK, outlineWidth: 2.5, disableDepthTestDistance: Number.POSITIVE_INFINITY });
    }
    if (text) (into.add(new LabelCollection({ scene: this.town.scene })) as LabelCollection).add(label(places.at(-1)!, text));
    this.town.render();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

/** Up or down from the first place to the second's height, then across: both legs of a height. */
function corners(low: Cartesian3, high: Cartesian3): Cartesian3[] {
  const foot = Cartographic.fromCartesian(low);
  const above = Cartesian3.fromRadians(foot.longitude, foot.latitude, heightOf(high));
  return Cartesian3.distance(above, high) < 0.01 ? [low, high] : [low, above, high];
}

function polyline(positions: Cartesian3[]): Primitive {
  const instance = (color: Color) =>
    new GeometryInstance({
      geometry: new PolylineGeometry({ positions, width: 3, arcType: ArcType.NONE, vertexFormat: PolylineColorAppearance.VERTEX_FORMAT }),
      attributes: { color: ColorGeometryInstanceAttribute.fromColor(color), depthFailColor: ColorGeometryInstanceAttribute.fromColor(FAINT) },
    });
  return new Primitive({
    geometryInstances: instance(INK),
    appearance: new PolylineColorAppearance({ translucent: false }),
    depthFailAppearance: new PolylineColorAppearance({ translucent: true }),
    asynchronous: false,
    allowPicking: false,
  });
}

function label(position: Cartesian3, text: string) {
  return {
    position, text,
    font: '600 15px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif',
    style: LabelStyle.FILL,
    fillColor: Color.fromCssColorString("#3b1a0e"),
    showBackground: true,
    backgroundColor: Color.WHITE.withAlpha(0.92),
    backgroundPadding: new Cartesian2(9, 7),
    horizontalOrigin: HorizontalOrigin.LEFT,
    verticalOrigin: VerticalOrigin.BOTTOM,
    pixelOffset: new Cartesian2(12, -10),
    disableDepthTestDistance: Number.POSITIVE_INFINITY,
  };
}

function heightOf(place: Cartesian3): number {
  return Cartographic.fromCartesian(place).height;
}

function sum(values: number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
