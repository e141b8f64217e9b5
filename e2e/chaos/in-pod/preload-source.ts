import { readFileSync } from "node:fs";

const MAIN = new URL("preload/main.mjs", import.meta.url);
const RELATIVE_IMPORT = /(?<=from ")\.\/[a-z-]+\.mjs(?=";)/g;

/**
 * Returns the preload as one option of Node. It carries its own text, each module within the one
 * that imports it, so that no image and no volume has to hold a file.
 */
export function preloadOption(): string {
  return `--import=${moduleUrl(MAIN)}`;
}

function moduleUrl(file: URL): string {
  const text = readFileSync(file, "utf8").replaceAll(RELATIVE_IMPORT, (specifier) =>
    moduleUrl(new URL(specifier, file)),
  );
  return `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`;
}
