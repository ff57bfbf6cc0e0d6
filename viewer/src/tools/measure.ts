/** Lengths, height differences, areas and coordinates, measured in three dimensions on what is drawn. */
import {
  ArcType, Cartesian2, Cartesian3, Cartographic, Color, ColorGeometryInstanceAttribute, GeometryInstance, HorizontalOrigin,
  LabelCollection, LabelStyle, Math as CesiumMath, Matrix4, PointPrimitiveCollection, PolylineColorAppearance,
  PolylineGeometry, Primitive, PrimitiveCollection, Transforms, VerticalOrigin,
} from "@cesium/engine";
import type { Word } from "../words";
import type { Tool, ToolContext, ToolHandle } from "./tool";

type MeasureKind = "length" | "height" | "area" | "point";

export const LENGTH: Tool = {
  id: "length",
  title: "measure_length",
  hint: "measure_hint_length",
  icon: "length",
  shortcut: { key: "1", help: "key_measure" },
  start: (context) => new Measure("length", context),
};

export const HEIGHT: Tool = {
  id: "height",
  title: "measure_height",
  hint: "measure_hint_height",
  icon: "height",
  shortcut: { key: "2", help: "key_measure" },
  start: (context) => new Measure("height", context),
};

export const AREA: Tool = {
  id: "area",
  title: "measure_area",
  hint: "measure_hint_area",
  icon: "area",
  shortcut: { key: "3", help: "key_measure" },
  start: (context) => new Measure("area", context),
};

export const POINT: Tool = {
  id: "point",
  title: "measure_point",
  hint: "measure_hint_point",
  icon: "point",
  shortcut: { key: "4", help: "key_measure" },
  start: (context) => new Measure("point", context),
};

const INK = Color.fromCssColorString("#d84315");
const FAINT = INK.withAlpha(0.75);
/** How many places a measure needs. */
const ENOUGH: Record<MeasureKind, number> = { length: 2, height: 2, area: 3, point: 1 };

/** The place that ends a measure by itself; lengths and areas end by a double click. */
const LAST: Partial<Record<MeasureKind, number>> = { height: 2, point: 1 };
const MARK = { pixelSize: 8, color: Color.WHITE, outlineColor: INK, outlineWidth: 2.5, disableDepthTestDistance: Number.POSITIVE_INFINITY };

/** Metres along a path, in space and on the level (east and north only). */
function lengths(places: Cartesian3[]): { space: number; level: number } {
  const steps = places.slice(1).map((place, index) => {
    const space = Cartesian3.distance(places[index]!, place);
    const up = heightOf(place) - heightOf(places[index]!);
    return { space, level: Math.sqrt(Math.max(space * space - up * up, 0)) };
  });
  return { space: sum(steps.map((step) => step.space)), level: sum(steps.map((step) => step.level)) };
}

/**
 * Square metres of a polygon, in its own plane and on the level.
 *
 * The vector area (half the sum of cross products) is exact for a plane polygon; of a warped one it is the
 * area seen along its mean normal.
 */
function areas(places: Cartesian3[]): { space: number; level: number } {
  const toLocal = Matrix4.inverseTransformation(Transforms.eastNorthUpToFixedFrame(places[0]!), new Matrix4());
  const local = places.map((place) => Matrix4.multiplyByPoint(toLocal, place, new Cartesian3()));
  const vector = new Cartesian3();
  local.forEach((a, index) => {
    const b = local[(index + 1) % local.length]!;
    Cartesian3.add(vector, Cartesian3.cross(a, b, new Cartesian3()), vector);
  });
  return { space: Cartesian3.magnitude(vector) / 2, level: Math.abs(vector.z) / 2 };
}

/** One of the four measures while it is active: a sketch follows the pointer, and each finished measure is a result. */
class Measure implements ToolHandle {
  private places: Cartesian3[] = [];
  private hover: Cartesian3 | undefined;
  private pointer = new Cartesian2();
  private frame: number | undefined;
  private readonly sketch = new PrimitiveCollection();

  constructor(
    private readonly kind: MeasureKind,
    private readonly context: ToolContext,
  ) {
    context.town.drawings.add(this.sketch);
  }

  stop(): void {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.context.town.drawings.remove(this.sketch);
  }

  click(position: Cartesian2): void | Promise<void> {
    const place = this.context.picker.placeAt(position);
    if (!place) return;
    this.places.push(place);
    if (this.places.length === LAST[this.kind]) return this.finish();
    this.redraw();
  }

  doubleClick(): Promise<void> {
    return this.finish();
  }

  /** Follow the pointer on what is drawn, once a frame: looking below the sketch draws the town again. */
  move(position: Cartesian2): void {
    if (!this.places.length) return;
    this.pointer = Cartesian2.clone(position);
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      if (!this.places.length) return;
      this.hover = this.context.picker.placeAt(this.pointer);
      this.redraw();
    });
  }

  /** End the measure under way and wait for the next; one with too few places is dropped. */
  private async finish(): Promise<void> {
    const places = distinct(this.places);
    this.places = [];
    this.hover = undefined;
    this.redraw();
    if (places.length >= ENOUGH[this.kind]) await this.keep(places);
  }

  private async keep(places: Cartesian3[]): Promise<void> {
    const coordinates = this.kind === "point" ? await this.coordinates(places[0]!) : undefined;
    const text = () => coordinates ?? this.words(places);
    const { drawings } = this.context.town;
    const drawing = new PrimitiveCollection();
    drawings.add(drawing);
    const draw = () => {
      drawing.removeAll();
      this.draw(drawing, places, shortened(text()));
    };
    draw();
    this.context.panel.add({ text, translate: draw, dispose: () => drawings.remove(drawing) });
  }

  /** The values of a finished measure in the language on show. */
  private words(places: Cartesian3[]): string {
    if (this.kind === "area") {
      const { space, level } = areas(places);
      return `${this.value("area_3d", space, "m²")}\n${this.value("area_flat", level, "m²")}`;
    }
    const { space, level } = lengths(places);
    const flat = this.value("length_flat", level, "m");
    if (this.kind === "length") return `${this.value("length_3d", space, "m")}\n${flat}`;
    return `${this.value("height_difference", rise(places), "m")}\n${flat}`;
  }

  private value(word: Word, value: number, unit: string): string {
    const { language } = this.context;
    return `${language.t(word)} ${language.number(value, 2)} ${unit}`;
  }

  private async coordinates(place: Cartesian3): Promise<string> {
    const { api, town } = this.context;
    const { longitude, latitude, height } = Cartographic.fromCartesian(place);
    const [lon, lat] = [CesiumMath.toDegrees(longitude), CesiumMath.toDegrees(latitude)];
    const elevation = `H ${(height - town.heightOffset).toFixed(2)}`;
    try {
      const { x_north, y_east } = await api.coordinates(lon, lat, town.crs);
      return `X ${x_north.toFixed(3)}\nY ${y_east.toFixed(3)}\n${elevation}`;
    } catch {
      // The place is outside the town's system, or the service does not answer.
      return `${lat.toFixed(7)}°N\n${lon.toFixed(7)}°E\n${elevation}`;
    }
  }

  private redraw(): void {
    this.sketch.removeAll();
    const places = this.hover ? [...this.places, this.hover] : this.places;
    if (places.length) this.draw(this.sketch, places, this.running(places));
    this.context.town.render();
  }

  /** The value so far, beside the pointer. */
  private running(places: Cartesian3[]): string {
    const { language } = this.context;
    if (places.length < 2 || this.kind === "point") return "";
    if (this.kind === "height") return `${language.number(rise(places), 2)} m`;
    if (this.kind === "area" && places.length > 2) return `${language.number(areas(places).space, 2)} m²`;
    return `${language.number(lengths(places).space, 2)} m`;
  }

  private draw(drawing: PrimitiveCollection, places: Cartesian3[], text: string): void {
    const { town } = this.context;
    const path = outline(this.kind, places);
    if (path.length > 1) drawing.add(polyline(path));
    const points = drawing.add(new PointPrimitiveCollection()) as PointPrimitiveCollection;
    for (const position of places) points.add({ position, ...MARK });
    if (text) (drawing.add(new LabelCollection({ scene: town.scene })) as LabelCollection).add(label(places.at(-1)!, text));
    town.render();
  }
}

/** The places without repetition: a double click adds its place twice. */
function distinct(places: Cartesian3[]): Cartesian3[] {
  return places.filter((place, index) => index === 0 || Cartesian3.distance(place, places[index - 1]!) > 0.02);
}

/** The first value alone: the whole stands in the list, and short labels leave room for each other. */
function shortened(text: string): string {
  return text.startsWith("X ") ? text : text.split("\n")[0]!;
}

/** Metres from the height of the first place up to that of the second. */
function rise(places: Cartesian3[]): number {
  return heightOf(places[1]!) - heightOf(places[0]!);
}

/** The line to draw: an area is closed, a height has a corner. */
function outline(kind: MeasureKind, places: Cartesian3[]): Cartesian3[] {
  if (kind === "area" && places.length > 2) return [...places, places[0]!];
  return kind === "height" && places.length === 2 ? corners(places[0]!, places[1]!) : places;
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
