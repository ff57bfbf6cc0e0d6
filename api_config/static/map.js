// Pan and zoom for the maps of the pages. The server has drawn everything; this moves the inner viewBox and
// draws graticule, labels and scale bar anew. Without it the map stands still and its links still work.
"use strict";

const METRES = 111320;
const SVG = "http://www.w3.org/2000/svg";
const MOST = 400;

function nice(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return [5, 2, 1].map((step) => step * power).find((step) => step <= length * (1 + 1e-9));
}

function ticks(start, span, names) {
  const step = nice(span / 3);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let n = Math.ceil(start / step); n * step <= start + span; n += 1) {
    const value = n * step;
    found.push([value, `${Math.abs(value).toFixed(decimals)}°${value >= 0 ? names[0] : names[1]}`]);
  }
  return found;
}

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function movable(canvas) {
  const outer = canvas.querySelector("svg");
  const content = outer.querySelector(".content");
  const [, , width, height] = outer.getAttribute("viewBox").split(" ").map(Number);
  const { west, north, sx, sy } = Object.fromEntries(Object.entries(canvas.dataset).map(([key, value]) => [key, Number(value)]));
  let view = { x: 0, y: 0, zoom: 1 };

  function drawGrid() {
    const grid = outer.querySelector(".grid");
    const labels = outer.querySelector(".labels");
    grid.replaceChildren();
    labels.replaceChildren();
    const left = west + view.x / sx;
    const top = north - view.y / sy;
    for (const [lon, label] of ticks(left, width / view.zoom / sx, "EW")) {
      const x = (lon - left) * sx * view.zoom;
      grid.append(element("path", { d: `M${x} 0V${height}` }));
      if (x < width * 0.8 - 110) labels.append(element("text", { x: x + 4, y: height - 8 }, label));
    }
    const down = height / view.zoom / sy;
    for (const [lat, label] of ticks(top - down, down, "NS")) {
      const y = (top - lat) * sy * view.zoom;
      grid.append(element("path", { d: `M0 ${y}H${width}` }));
      labels.append(element("text", { x: 6, y: y - 4 }, label));
    }
  }

  function drawScale() {
    const metres = nice((width * 0.2) / view.zoom / sy * METRES);
    const length = metres / METRES * sy * view.zoom;
    const scale = outer.querySelector(".scale");
    scale.setAttribute("transform", `translate(${width - 16 - length} ${height - 16})`);
    scale.querySelector("path").setAttribute("d", `M0 -5V0H${length}V-5`);
    const text = scale.querySelector("text");
    text.setAttribute("x", length / 2);
    text.textContent = metres >= 1000 ? `${metres / 1000} km` : `${Number(metres.toPrecision(3))} m`;
  }

  function show(next) {
    view = next;
    content.setAttribute("viewBox", `${view.x} ${view.y} ${width / view.zoom} ${height / view.zoom}`);
    drawGrid();
    drawScale();
  }

  function zoomAt(factor, x = width / 2, y = height / 2) {
    const zoom = Math.min(MOST, Math.max(0.5, view.zoom * factor));
    show({ zoom, x: view.x + x / view.zoom - x / zoom, y: view.y + y / view.zoom - y / zoom });
  }

  function at(event) {
    const box = outer.getBoundingClientRect();
    return [(event.clientX - box.left) * width / box.width, (event.clientY - box.top) * height / box.height];
  }

  let drag = null;
  outer.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch" && event.button === 0) drag = { from: at(event), view, moved: false };
  });
  addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = at(event);
    const [dx, dy] = [x - drag.from[0], y - drag.from[1]];
    if (Math.hypot(dx, dy) > 4) drag.moved = true;
    if (drag.moved) show({ zoom: drag.view.zoom, x: drag.view.x - dx / drag.view.zoom, y: drag.view.y - dy / drag.view.zoom });
  });
  let dragged = false;
  addEventListener("pointerup", () => {
    dragged = Boolean(drag && drag.moved);
    drag = null;
  });
  outer.addEventListener("click", (event) => {
    if (dragged) event.preventDefault();
    dragged = false;
  }, true);
  outer.addEventListener("mousedown", (event) => event.preventDefault()); // else a drag selects the words around
  outer.addEventListener("dragstart", (event) => event.preventDefault());
  outer.addEventListener("dblclick", (event) => zoomAt(2, ...at(event)));
  outer.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomAt(Math.exp(-event.deltaY / 300), ...at(event));
  }, { passive: false });

  const buttons = canvas.querySelector(".zoom");
  buttons.hidden = false;
  buttons.addEventListener("click", (event) => {
    const kind = event.target.dataset.zoom;
    if (kind === "reset") show({ x: 0, y: 0, zoom: 1 });
    else if (kind) zoomAt(kind === "in" ? 1.6 : 1 / 1.6);
  });
}

function linkRows() {
  const shapes = new Map([...document.querySelectorAll("[data-feature]")].map((one) => [one.dataset.feature, one]));
  const rows = new Map([...document.querySelectorAll("[data-row]")].map((one) => [one.dataset.row, one]));
  for (const [mine, theirs] of [[rows, shapes], [shapes, rows]]) {
    for (const [id, node] of mine) {
      const other = theirs.get(id);
      if (!other) continue;
      for (const name of ["pointerenter", "focusin"]) node.addEventListener(name, () => { node.classList.add("lit"); other.classList.add("lit"); });
      for (const name of ["pointerleave", "focusout"]) node.addEventListener(name, () => { node.classList.remove("lit"); other.classList.remove("lit"); });
    }
  }
}

for (const canvas of document.querySelectorAll("[data-map]")) movable(canvas);
linkRows();
