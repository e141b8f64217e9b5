import { expect, test } from "vitest";
import { reasonToSkip } from "./abilities.ts";

test("a scenario is skipped with the first ability that the place lacks", () => {
  expect(reasonToSkip(["api-server", "memory-limits"], new Set(["api-server"]), "here")).toBe(
    "here has no memory-limits: memory limits that a kernel enforces",
  );
});

test("a scenario runs when it needs no ability that is lacking", () => {
  expect(reasonToSkip(undefined, new Set(), "here")).toBeUndefined();
  expect(reasonToSkip(["api-server"], new Set(["api-server"]), "here")).toBeUndefined();
});
