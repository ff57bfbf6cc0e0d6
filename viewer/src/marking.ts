/** How what is shown is marked: its highest class (密级), and the numbers under which its maps were approved (审图号). */
import type { LayerConfig } from "./api";
import type { Language } from "./words";

/** The classes as the service names them, the most open first. */
const CLASSES = ["公开", "内部", "秘密", "机密"];

export interface Marking {
  /** One line for under a picture; "" where there is nothing to say. */
  text: string;
  /** What the name of a file carries behind the town's. */
  name: string;
}

export function markingOf(layers: readonly LayerConfig[], language: Language): Marking {
  const classed = layers.flatMap((layer) => layer.classification ?? []);
  const highest = classed.toSorted((a, b) => CLASSES.indexOf(b.zh) - CLASSES.indexOf(a.zh))[0];
  const approvals = [...new Set(layers.flatMap((layer) => layer.map_approval ?? []))];
  const facts = [
    ...(highest ? [language.t("classification_is", language.of(highest))] : []),
    ...(approvals.length ? [language.t("approval_is", approvals.join(", "))] : []),
  ];
  return { text: facts.join("　"), name: highest ? `_${highest.zh}` : "" };
}
