import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { UsageError } from "#e2e/errors.ts";
import { findSchedule } from "./find-schedule.ts";

/** Creates files in a directory of its own; each holds its own path. */
async function directoryWith(...names: readonly string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "find-schedule-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const name of names) {
    await mkdir(join(directory, name, ".."), { recursive: true });
    await writeFile(join(directory, name), name);
  }
  return directory;
}

test("a schedule is a file, or the only one of a run", async () => {
  const directory = await directoryWith("run/1/schedule.json", "run/1/shrunk.json");
  const file = join(directory, "run/1/schedule.json");
  expect(await findSchedule(directory)).toEqual({ file, text: "run/1/schedule.json" });
  const shrunk = join(directory, "run/1/shrunk.json");
  expect(await findSchedule(shrunk)).toEqual({ file: shrunk, text: "run/1/shrunk.json" });
});

test("several are refused with their names", async () => {
  const directory = await directoryWith("b/schedule.json", "a/schedule.json");
  const names = ["a", "b"].map((name) => `  ${join(directory, name, "schedule.json")}`).join("\n");
  const found = findSchedule(directory);
  await expect(found).rejects.toThrow(UsageError);
  await expect(found).rejects.toThrow(
    `replay ${directory}: there are 2 schedules in it; name one of them:\n${names}`,
  );
});

test("none is refused", async () => {
  const directory = await directoryWith("run/events.ndjson", "a/b/c/d/schedule.json");
  await expect(findSchedule(directory)).rejects.toThrow("there is no schedule.json in it");
  const missing = join(directory, "missing");
  await expect(findSchedule(missing)).rejects.toThrow(UsageError);
  await expect(findSchedule(missing)).rejects.toThrow(`replay ${missing}: ENOENT`);
});
