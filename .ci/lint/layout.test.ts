import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { expect, test } from "vitest";

const SOURCES_MAX = 15;

/** One file for each API key of the protocol, as franz-go's kfake has it. */
const EXEMPT = new Set(["simulator/kafka/apis"]);

const sources = globSync(
  "{.ci,bench,consumer,e2e,examples,fixtures,kind,simulator}/**/*.{ts,mts,mjs}",
);

test("no folder has more than fifteen sources", () => {
  const counts = new Map<string, number>();
  for (const source of sources) {
    if (source.endsWith(".test.ts")) continue;
    const folder = dirname(source);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  expect(counts.size).toBeGreaterThan(50);
  const tooFull = [...counts].filter(
    ([folder, count]) => count > SOURCES_MAX && !EXEMPT.has(folder),
  );
  expect(tooFull, "split these folders by theme").toEqual([]);
});

test("no source imports a test, or the support of tests from a testing folder", async () => {
  const found: string[] = [];
  for (const file of sources.filter(
    (path) => !/\.test\.ts$|\/testing\/|^(?:examples|bench)\//.test(path),
  )) {
    const text = await readFile(file, "utf8");
    for (const [, path = ""] of text.matchAll(/\b(?:from|import)\s*\(?\s*"([#.][^"]+)"/g)) {
      if (/\/testing\/|\.test\.ts$/.test(path)) found.push(`${file} imports ${path}`);
    }
  }
  expect(found).toEqual([]);
});
