import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { configurationReference } from "./testing/reference.ts";

test("docs/configuration.md has every option as the schema describes it", async () => {
  const file = fileURLToPath(new URL("../../docs/configuration.md", import.meta.url));
  await expect(configurationReference()).toMatchFileSnapshot(file);
});
