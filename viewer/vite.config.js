// Builds the twin into dist/, served under /viewer/ of the service, which may lie under any prefix: no address in it begins
// with a slash. CesiumJS is bundled from its published modules; its workers
// and the few assets a town needs are copied as they are: nothing is fetched from another host, ever. MapLibre is not part
// of the twin: Python puts it into the flat maps of a notebook (tiles/flat_map.py).
import { cpSync, createReadStream, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig } from "vite";

const ENGINE = resolve(import.meta.dirname, "node_modules/@cesium/engine");
const MAPLIBRE = resolve(import.meta.dirname, "node_modules/maplibre-gl");
const BASE = "/viewer/";
// Named by its version, so that browsers may keep what is in it for good (`api_config/web/viewer_files.py`).
const CESIUM = `cesium-${JSON.parse(readFileSync(join(ENGINE, "package.json"), "utf-8")).version}`;
const COPIED = {
  [`${CESIUM}/Workers`]: join(ENGINE, "Build/Workers"),
  // Orientation of the earth, asked for with every frame's sun direction.
  [`${CESIUM}/Assets/IAU2006_XYS`]: join(ENGINE, "Source/Assets/IAU2006_XYS"),
  [`${CESIUM}/Assets/approximateTerrainHeights.json`]: join(ENGINE, "Source/Assets/approximateTerrainHeights.json"),
  [`${CESIUM}/ThirdParty/draco_decoder.wasm`]: join(ENGINE, "Source/ThirdParty/draco_decoder.wasm"),
  "cesium/LICENSE.md": join(ENGINE, "LICENSE.md"),
  "maplibre/maplibre-gl.js": join(MAPLIBRE, "dist/maplibre-gl.js"),
  "maplibre/maplibre-gl.css": join(MAPLIBRE, "dist/maplibre-gl.css"),
  "maplibre/LICENSE.txt": join(MAPLIBRE, "LICENSE.txt"),
};

function copiedFiles() {
  let folder = "dist";
  return {
    name: "copied-files",
    configResolved: (config) => {
      folder = resolve(config.root, config.build.outDir);
    },
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = (request.url ?? "").split("?")[0].replace(BASE, "");
        const name = Object.keys(COPIED).find((key) => path === key || path.startsWith(`${key}/`));
        const file = name && join(COPIED[name], path.slice(name.length));
        if (!file || !existsSync(file)) return next();
        if (file.endsWith(".js")) response.setHeader("Content-Type", "text/javascript");
        createReadStream(file).pipe(response);
      });
    },
    closeBundle() {
      for (const [name, source] of Object.entries(COPIED)) {
        const target = join(folder, name);
        mkdirSync(dirname(target), { recursive: true });
        cpSync(source, target, { recursive: true });
      }
      compress(folder);
    },
  };
}

const COMPRESSED = new Set([".js", ".css", ".html", ".svg", ".json", ".wasm"]);
/** Bytes below which compressing saves no packet. */
const WORTH_COMPRESSING = 1400;

/** Write each file that can be smaller a second and third time, compressed: the service sends those. */
function compress(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (!entry.isFile() || !COMPRESSED.has(extname(path))) continue;
    const content = readFileSync(path);
    if (content.length < WORTH_COMPRESSING) continue;
    writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
    writeFileSync(`${path}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }));
  }
}

// What CesiumJS styles in ways that `style-src 'self'` forbids, said in ways it allows.
const STYLED = [
  {
    file: "/Scene/CreditDisplay.js",
    forbidden: `  const styleElem = document.createElement("style");
  styleElem.innerHTML = style;
  shadowRootOrDocumentHead.appendChild(styleElem);`,
    allowed: `  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  const styled = getShadowRoot(container) ?? document;
  styled.adoptedStyleSheets = [...styled.adoptedStyleSheets, sheet];`,
  },
  {
    file: "/Core/FeatureDetection.js",
    forbidden: `    canvas.setAttribute(
      "style",
      "image-rendering: -moz-crisp-edges;" + "image-rendering: pixelated;",
    );`,
    allowed: `    canvas.style.imageRendering = "pixelated";`,
  },
];

function strictStyle() {
  return {
    name: "strict-style",
    transform(code, id) {
      const place = STYLED.find(({ file }) => id.endsWith(file));
      if (!place) return undefined;
      if (!code.includes(place.forbidden)) throw new Error(`${place.file} changed: check how CesiumJS styles there.`);
      return code.replace(place.forbidden, place.allowed);
    },
  };
}

export default defineConfig(({ command }) => ({
  base: command === "serve" ? BASE : "./",
  plugins: [copiedFiles(), strictStyle()],
  define: { CESIUM_FOLDER: JSON.stringify(CESIUM) },
  build: { target: "es2022", chunkSizeWarningLimit: 6000, modulePreload: { polyfill: false } },
  // `npm run dev` shows the service of TWIN_URL (default: a service on this machine) with the sources of this folder.
  server:
    command === "serve"
      ? {
          proxy: {
            "^/(collections|search|crs|terrain|viewer/config.json)": process.env.TWIN_URL ?? "http://127.0.0.1:8000",
          },
        }
      : undefined,
}));
