import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CHECKERS } from "#e2e/checkers/invariants/index.ts";
import { parseSchedule } from "#e2e/chaos/schedule-schema.ts";
import { jsonSchemaOf, scheduleJsonSchema } from "./testing/json-schema.ts";
import { REGISTERED_KINDS } from "./kinds.ts";
import { environmentOf } from "./schedule-environment.ts";
import { SCHEDULE_SHAPE } from "./shape.ts";
import { checkerTable, faultTable, triggerTable, withSections } from "./testing/tables.ts";
import { TEST_KINDS } from "./testing/test-kinds.ts";

/*
 * These documents are generated from the registered kinds. `npx vitest run
 * e2e/chaos/schedules/documents.test.ts -u` writes them again.
 */

const pathOf = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));

const LOCAL = environmentOf({ target: "local", broker: { kind: "embedded" } });

test("the JSON Schema for editors is up to date", async () => {
  const schema = JSON.stringify(scheduleJsonSchema(REGISTERED_KINDS), null, 2);
  await expect(`${schema}\n`).toMatchFileSnapshot(pathOf("e2e/chaos/schedule.schema.json"));
});

test("the tables of docs/chaos.md are up to date", async () => {
  const path = pathOf("docs/chaos.md");
  const text = withSections(await readFile(path, "utf8"), {
    faults: faultTable(REGISTERED_KINDS),
    triggers: triggerTable(REGISTERED_KINDS),
    checkers: checkerTable(CHECKERS),
  });
  await expect(text).toMatchFileSnapshot(path);
});

test("the schedule in examples/ can be played on the local target", async () => {
  const file = "examples/chaos-schedule.json";
  const text = await readFile(pathOf(file), "utf8");
  const schedule = parseSchedule(text, file, LOCAL);
  expect(schedule.steps.length).toBeGreaterThan(2);
  expect(JSON.parse(text)).toHaveProperty("$schema", "../e2e/chaos/schedule.schema.json");
});

describe("the JSON Schema", () => {
  test("has every field that a schedule has", () => {
    const schema = scheduleJsonSchema(TEST_KINDS);
    const shape = jsonSchemaOf(SCHEDULE_SHAPE);
    expect(Object.keys(schema.properties ?? {})).toEqual(Object.keys(shape.properties ?? {}));
    expect(schema.required).toEqual(shape.required);
    expect(schema).toHaveProperty("additionalProperties", false);
  });

  test("has each kind with its own parameters, and a pod only for a fault of one", () => {
    const schema = scheduleJsonSchema(TEST_KINDS);
    const doing = schema.properties?.steps?.items;
    expect(doing).toHaveProperty(
      "properties.do.oneOf",
      expect.arrayContaining([
        expect.objectContaining({
          title: "pod.freeze",
          properties: expect.objectContaining({
            fault: { const: "pod.freeze", description: "The fault pod.freeze." },
            clientsMax: expect.objectContaining({ minimum: 1, maximum: 3 }),
            pod: expect.anything(),
          }),
          required: ["fault", "clientsMax"],
          additionalProperties: false,
        }),
        expect.objectContaining({
          title: "broker.outage",
          properties: {
            fault: { const: "broker.outage", description: "The fault broker.outage." },
          },
        }),
      ]),
    );
  });
});

describe("the tables", () => {
  test("have a row for each kind", () => {
    const lines = faultTable(TEST_KINDS).split("\n");
    expect(lines[0]).toMatch(/^\| fault +\| what it does +\| scope +\| lasts \| parameters/);
    expect(lines).toHaveLength(2 + TEST_KINDS.faults.length);
    expect(lines[4]).toMatch(/^\| `pod\.freeze` +\| The fault pod\.freeze\. +\| pod +\| yes +\| `/);
    expect(lines[4]).toMatch(/\| `clientsMax`: 1 to 3 \| container-access \| +\|$/);
    const triggers = triggerTable(TEST_KINDS);
    expect(triggers).toMatch(
      /`broker\.commit-held`.*\| yes +\| `side`: request or reply \| fault-rules/,
    );
    expect(triggers).toMatch(/`pod\.started`.*\| near .*\| starts +\|/);
  });

  test("stand between their marks, and nowhere else", () => {
    const text = "a\n\n<!-- t -->\n\nold\n\n<!-- end of t -->\n\nb\n";
    expect(withSections(text, { t: "new" })).toBe(text.replace("old", "new"));
    expect(() => withSections("a\n", { t: "new" })).toThrow("the marks <!-- t --> and its end");
  });
});
