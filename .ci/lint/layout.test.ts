import { globSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";

const SOURCES_MAX = 15;

/** One file for each API key of the protocol, as franz-go's kfake has it. */
const EXEMPT = new Set(["simulator/kafka/apis"]);

test("no folder has more than fifteen sources", () => {
  const sources = globSync(
    "{.ci,bench,consumer,e2e,examples,fixtures,kind,simulator}/**/*.{ts,mts,mjs}",
  );
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
