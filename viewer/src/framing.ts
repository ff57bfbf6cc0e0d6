/** The box that a feature fills in space, and the direction from which it is looked at. `camera.ts` flies there. */
import { Cartesian3, Math as CesiumMath } from "@cesium/engine";
import type { Extent, Feature, LayerConfig, Position } from "./api";
import { extentOfAll, pathsOf } from "./geometry";

/** An extent with its heights above the ellipsoid. */
export interface Box {
  extent: Extent;
  bottom: number;
  top: number;
  /** Whether it lies below the ground. */
  buried: boolean;
}

/** What turns elevations of the town's maps into heights. */
export interface Heights {
  offset: number;
  ground: (lon: number, lat: number) => number;
}

const METRES_PER_DEGREE = 111_320;
/** Metres of surroundings on each side of a small feature. */
const SURROUNDINGS = 22;

/** The box of a feature: its corners' own heights, its roof, or its depth; else it lies on the ground. */
export function boxOf(feature: Feature, layer: LayerConfig, heights: Heights): Box | undefined {
  const places = feature.geometry ? pathsOf(feature.geometry).flat() : cornersOfBbox(feature.bbox);
  if (!places.length) return undefined;
  const extent = extentOfAll(places);
  const ground = heights.ground((extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2);
  const elevations = [...places.flatMap(([, , z]) => (z === undefined ? [] : [z])), ...limitsOf(feature.properties, layer)];
  const levels = elevations.filter((z) => Number.isFinite(z)).map((z) => z + heights.offset);
  const height = layer.model?.height ? feature.properties[layer.model.height] : undefined;
  if (typeof height === "number") levels.push((levels.length ? Math.min(...levels) : ground) + height);
  if (!layer.underground) levels.push(ground);
  if (!levels.length) levels.push(ground);
  return { extent, bottom: Math.min(...levels), top: Math.max(...levels), buried: layer.underground };
}

/** The box of an extent on the ground: a layer, the town. */
export function flatBox(extent: Extent, heights: Heights): Box {
  const ground = heights.ground((extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2);
  return { extent, bottom: ground, top: ground, buried: false };
}

/** Heading and pitch: a tower from the side so that all of it is seen, flat and buried things from above. */
export function viewOf(box: Box, heading: number): { heading: number; pitch: number } {
  const { width, depth } = sizeOf(box);
  const rise = box.top - box.bottom;
  const slender = rise > 0.6 * Math.max(width, depth) && rise > 8;
  const pitch = box.buried ? -62 : slender ? -32 : rise > 3 ? -42 : -52;
  return { heading: rise > 3 ? cornerwards(heading) : heading, pitch: CesiumMath.toRadians(pitch) };
}

/** The heading nearest to the present one that shows two sides of a house and not one facing slab. */
function cornerwards(heading: number): number {
  const quarter = CesiumMath.PI_OVER_TWO;
  return (Math.floor(CesiumMath.zeroToTwoPi(heading) / quarter) + 0.4) * quarter;
}

/** The eight corners of a box with its surroundings; the first and the last lie opposite each other. */
export function cornersOf(box: Box): Cartesian3[] {
  const { width, depth, metresPerLon } = sizeOf(box);
  const around = Math.max(SURROUNDINGS, 0.06 * Math.max(width, depth));
  const [west, south, east, north] = box.extent;
  const [x, y] = [around / metresPerLon, around / METRES_PER_DEGREE];
  return [box.bottom, box.top].flatMap((height) =>
    [[west - x, south - y], [west - x, north + y], [east + x, south - y], [east + x, north + y]].map(([lon, lat]) =>
      Cartesian3.fromDegrees(lon!, lat!, height),
    ),
  );
}

function sizeOf({ extent: [west, south, east, north] }: Box) {
  const metresPerLon = METRES_PER_DEGREE * Math.cos(CesiumMath.toRadians((south + north) / 2));
  return { width: (east - west) * metresPerLon, depth: (north - south) * METRES_PER_DEGREE, metresPerLon };
}

/** Elevations that a feature gives as attributes: the foot of what is extruded, lowest and highest point of a mesh. */
function limitsOf(properties: Record<string, unknown>, { model }: LayerConfig): number[] {
  const names = model?.kind === "mesh" ? ["bottom", "top"] : [model?.base ?? ""];
  return names.map((name) => properties[name]).filter((value): value is number => typeof value === "number");
}

function cornersOfBbox(bbox: number[] | undefined): Position[] {
  if (!bbox) return [];
  const half = bbox.length / 2;
  return [bbox.slice(0, half), bbox.slice(half)];
}
