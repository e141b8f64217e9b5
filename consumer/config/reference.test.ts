import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { editorSchema } from "#fixtures/json-schema.ts";
import { configSchema } from "./schema.ts";
import { configurationReference } from "./testing/reference.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

test("docs/configuration.md has every option as the schema describes it", async () => {
  await expect(configurationReference()).toMatchFileSnapshot(pathOf("docs/configuration.md"));
});

test("config/config.schema.json is the JSON Schema of the configuration, for editors", async () => {
  const schema = editorSchema(configSchema, "The configuration of the consumer");
  await expect(schema).toMatchFileSnapshot(pathOf("config/config.schema.json"));
});

test.each(["development", "production"])("the %s configuration names its schema", async (kind) => {
  const content = await readFile(pathOf(`config/${kind}-config.yaml`), "utf8");
  expect(content.split("\n")[0]).toBe("# yaml-language-server: $schema=config.schema.json");
});
