/** Which fields name another feature: the end points of a pipe, the storey and the model of a part of a building. */
import type { Feature, Position } from "./api";

/** The feature of a collection that has `value` in `field`; of several with one number the one nearest to `at`. */
export interface Relation {
  collectionId: string;
  field: string;
  value: string;
  at?: Position;
}

interface Rule {
  collectionId: string;
  field: string;
  /** The field with the other's key, where the one that is read has its name. */
  key?: string;
  /** The end of the line at which the other lies. */
  end?: "first" | "last";
}

const STOREY: Rule = { collectionId: "bim_storey", field: "global_id", key: "storey_id" };
const MODEL: Rule = { collectionId: "bim_model", field: "model_key" };
const RULES: Record<string, Record<string, Rule>> = {
  pipe_line: {
    start_no: { collectionId: "pipe_point", field: "survey_no", end: "first" },
    end_no: { collectionId: "pipe_point", field: "survey_no", end: "last" },
  },
  bim_element: { storey: STOREY, storey_id: { ...STOREY, key: "storey_id" }, model: MODEL },
  bim_space: { model: MODEL },
  bim_storey: { model: MODEL },
};

export function relationOf(collectionId: string, fieldName: string, feature: Feature): Relation | undefined {
  const rule = RULES[collectionId]?.[fieldName];
  const value = rule && feature.properties[rule.key ?? fieldName];
  if (!rule || value === null || value === undefined || value === "") return undefined;
  const { geometry } = feature;
  const at = rule.end && geometry?.type === "LineString" ? geometry.coordinates.at(rule.end === "first" ? 0 : -1) : undefined;
  return { collectionId: rule.collectionId, field: rule.field, value: String(value), at };
}

/** Of features with the same number the one nearest to a place. */
export function nearest(features: Feature[], at: Position | undefined): Feature | undefined {
  if (!at) return features[0];
  const far = ({ geometry }: Feature) => (geometry?.type === "Point" ? Math.hypot(geometry.coordinates[0]! - at[0]!, geometry.coordinates[1]! - at[1]!) : Infinity);
  return features.toSorted((a, b) => far(a) - far(b))[0];
}
