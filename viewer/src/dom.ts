/** Elements of the page. Text goes in as text, never as markup: attribute values are other people's words. */
type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | undefined>;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child): child is Node | string => Boolean(child) || child === ""));
  return node;
}

export function button(className: string, label: string, clicked: () => void, ...children: Child[]): HTMLButtonElement {
  const control = element("button", { type: "button", class: className }, ...children);
  name(control, label);
  control.addEventListener("click", clicked);
  return control;
}

/** Give a control its accessible name and tooltip. */
export function name(control: HTMLElement, label: string): void {
  control.setAttribute("aria-label", label);
  control.title = label;
}

const PATHS = {
  layers: "M12 3 3 8l9 5 9-5-9-5ZM3 12l9 5 9-5M3 16l9 5 9-5",
  home: "M4 11 12 4l8 7M6 10v10h12V10M10 20v-6h4v6",
  north: "M12 3v18M12 3l5 8M12 3 7 11",
  underground: "M3 9h18M6 9V4h5v5M14 9V6h4v3M5 14h9a3 3 0 0 1 3 3v4M5 18h6",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5 19 19M19 5l-1.5 1.5M6.5 17.5 5 19",
  length: "M4 17 17 4l3 3L7 20ZM8 13l2 2M11 10l2 2M14 7l2 2",
  height: "M12 3v18M8 7l4-4 4 4M8 17l4 4 4-4",
  area: "M5 6 18 4l2 12-9 5-7-6ZM9 12h6M12 9v6",
  point: "M12 21s-6-6-6-11a6 6 0 0 1 12 0c0 5-6 11-6 11ZM12 8v4M10 10h4",
  clear: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  play: "M8 5v14l11-7Z",
  pause: "M8 5v14M16 5v14",
  previous: "M15 5 8 12l7 7",
  next: "M9 5l7 7-7 7",
  scenes: "M4 6h16v12H4ZM10 9v6l5-3Z",
  full_screen: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  screenshot: "M4 8h4l2-3h4l2 3h4v11H4ZM12 17a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z",
  share: "M9 15l6-6M11 7l2-2a4 4 0 0 1 6 6l-2 2M13 17l-2 2a4 4 0 0 1-6-6l2-2",
  help: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M12 16.5v.5",
  close: "M6 6l12 12M18 6 6 18",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM16 16l5 5",
  target: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v4M12 18v4M2 12h4M18 12h4",
  chevron: "M9 6l6 6-6 6",
  copy: "M9 9h11v11H9ZM5 15H4V4h11v1",
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
} as const;

export type IconName = keyof typeof PATHS;

export function icon(which: IconName): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[which]);
  svg.append(path);
  return svg;
}

export function toggleFullScreen(): void {
  void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
}
