import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { anEntry, createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";
import { ATTEMPT_OUTCOMES } from "#consumer/history/base/entry.ts";

const url = new URL("automation_action_history.schema.json", import.meta.url);
const document: Record<string, unknown> = JSON.parse(await readFile(url, "utf8"));
const schema = z.fromJSONSchema(document);

/** Publishes a view as a pod does, with one entry for each outcome. */
async function publishedView(): Promise<unknown> {
  const { open, clock, volume } = createHistoryTestBed();
  await using pod = await open();
  for (const outcome of ATTEMPT_OUTCOMES) await pod.record(anEntry(outcome, { outcome }));
  await clock.advance(2000);
  return JSON.parse(volume.text("automation_action_history.json"));
}

const viewShape = z.looseObject({
  format: z.number(),
  entries: z.record(z.string(), z.looseObject({})),
});

test("what is published is what the schema says, and the schema says all of it", async () => {
  const view = await publishedView();
  expect(schema.safeParse(view).error).toBeUndefined();
  const { entries, ...head } = viewShape.parse(view);
  const described = z
    .looseObject({
      properties: z.looseObject({}),
      $defs: z.object({ entry: z.looseObject({ properties: z.looseObject({}) }) }),
    })
    .parse(document);
  expect(Object.keys(described.properties)).toEqual([...Object.keys(head), "entries"]);
  expect(Object.keys(entries)).toHaveLength(ATTEMPT_OUTCOMES.length);
  for (const entry of Object.values(entries)) {
    expect(Object.keys(described.$defs.entry.properties)).toEqual(Object.keys(entry));
  }
});

test.each([
  ["another format", { format: 2 }],
  ["no entries", { entries: undefined }],
  ["a key that is no sha256", { entries: { key: {} } }],
  ["an entry without its fields", { entries: { ["ab".repeat(32)]: {} } }],
])("the schema refuses %s", async (_name, change) => {
  expect(schema.safeParse({ ...viewShape.parse(await publishedView()), ...change }).success).toBe(
    false,
  );
});

test("the schema refuses an outcome that does not exist", async () => {
  const view = viewShape.parse(await publishedView());
  for (const entry of Object.values(view.entries)) entry["outcome"] = "maybe";
  expect(schema.safeParse(view).success).toBe(false);
});
