/** Positions, paths and extents of GeoJSON geometries, longitude and latitude. */
import type { Extent, Geometry, Position } from "./api";

/** West, south, east, north of all positions of a geometry. */
export function extentOf(geometry: Geometry): Extent {
  return extentOfAll(pathsOf(geometry).flat());
}

export function extentOfAll(positions: Position[]): Extent {
  const lons = positions.map(([lon]) => lon!);
  const lats = positions.map(([, lat]) => lat!);
  const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = (values: number[]) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return [least(lons), least(lats), most(lons), most(lats)];
}

/** Rings and lines of a geometry; a point is a path of one position. */
export function pathsOf(geometry: Geometry): Position[][] {
  switch (geometry.type) {
    case "Point":
      return [[geometry.coordinates]];
    case "MultiPoint":
      return geometry.coordinates.map((position) => [position]);
    case "LineString":
      return [geometry.coordinates];
    case "MultiLineString":
    case "Polygon":
      return geometry.coordinates;
    case "MultiPolygon":
      return geometry.coordinates.flat();
    case "GeometryCollection":
      return geometry.geometries.flatMap(pathsOf);
  }
}
