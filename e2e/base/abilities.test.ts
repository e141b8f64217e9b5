import { expect, test } from "vitest";
import { reasonToSkip } from "./abilities.ts";

test("a scenario is left out for the first ability that the place lacks, in words", () => {
  expect(reasonToSkip(["api-server", "memory-limits"], new Set(["api-server"]), "here")).toBe(
    "here has no memory-limits: memory limits that a kernel enforces",
  );
});

test("one that needs nothing, or nothing that is lacking, runs", () => {
  expect(reasonToSkip(undefined, new Set(), "here")).toBeUndefined();
  expect(reasonToSkip(["api-server"], new Set(["api-server"]), "here")).toBeUndefined();
});
