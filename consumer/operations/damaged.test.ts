import { expect, test } from "vitest";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import type { Files, SendResult } from "#consumer/ports.ts";
import type { Options } from "./command-line.ts";
import { runHistory } from "./history-command.ts";
import { resolve } from "./resolve-command.ts";
import { attemptPath } from "#consumer/history/base/layout.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const IN_DOUBT: SendResult = { outcome: "in-doubt", detail: "500" };
const PLANNED = plannedAction();
const { key: KEY } = PLANNED;
const OTHER = { ...PLANNED, key: "ab".repeat(32) };
const SAID = { as: "done", by: "eve", reason: "the ticket is there" } as const;

type TestBed = ReturnType<typeof createExecutionTestBed>;

async function history(
  { volume }: TestBed,
  name: string,
  options: Options = {},
  key?: string,
  files: Files = volume.mount(),
) {
  const lines: string[] = [];
  const context = {
    environment: {},
    print: (line: string) => void lines.push(line),
    stop: new AbortController().signal,
  };
  const exitCode = await runHistory(name, key, options, { files, directory: "/data" }, context);
  return { lines, text: lines.join("\n"), exitCode };
}

function resolveIn({ volume, clock }: TestBed) {
  const system = { clock, random: createSeededRandom(5) };
  return resolve(KEY, SAID, { files: volume.mount(), directory: "/data" }, system);
}

test("a damaged claim ends no command: it is listed, counted, shown, and a fault", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(OTHER));
  testBed.volume.put(plannedPath("claim"), "");

  const { text } = await history(testBed, "list");
  expect(text).toContain(`${OTHER.key}  done`);
  expect(text).toMatch(new RegExp(`${KEY}  open .* unknown/unknown .*damaged: claims/`));
  const stats = await history(testBed, "stats", { json: true });
  expect(JSON.parse(stats.text)).toMatchObject({
    keys: 2,
    states: { done: 1, open: 1 },
    damaged: 1,
  });
  const shown = await history(testBed, "show", {}, KEY);
  expect(shown.text).toContain("attempt 1: claimed, but its claim cannot be read");
  expect(shown.text).toContain(`damaged: ${plannedPath("claim")}`);
  await expect(resolveIn(testBed)).rejects.toThrow(/is open/);
  const verified = await history(testBed, "verify");
  expect(verified.exitCode).toBe(70);
  expect(verified.text).toContain(`fault: ${plannedPath("claim")}`);

  await testBed.clock.runUntil(pod.execute(PLANNED));
  expect((await history(testBed, "list")).text).toMatch(
    new RegExp(`${KEY}  in-doubt .* restart-web/open-ticket .*damaged: claims/`),
  );
  expect(await resolveIn(testBed)).toMatchObject({ key: KEY, attempt: 1, ...SAID });
  expect((await history(testBed, "show", {}, KEY)).text).toContain("resolved as done");
});

test("what a damaged outcome said is in doubt for the commands too, and can be resolved", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  testBed.volume.put(plannedPath("outcome"), "{");
  const shown = await history(testBed, "show", {}, KEY);
  expect(shown.text).toContain("in-doubt: its outcome cannot be read");
  expect(shown.text).toContain(`damaged: ${plannedPath("outcome")}`);
  await resolveIn(testBed);
});

test("a damaged resolution is named, and resolved again once it is moved away", async () => {
  const testBed = createExecutionTestBed(IN_DOUBT);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  testBed.volume.put(attemptPath(KEY, 1, "resolution"), "");
  expect((await history(testBed, "list")).text).toContain("in-doubt");
  await expect(resolveIn(testBed)).rejects.toThrow(
    `move ${attemptPath(KEY, 1, "resolution")} away`,
  );
  await testBed.volume.mount().unlink(attemptPath(KEY, 1, "resolution"));
  await resolveIn(testBed);
});

test("an outcome of a newer version is unreadable, which ends no command and permits no resolution", async () => {
  const testBed = createExecutionTestBed(IN_DOUBT);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  testBed.volume.put(plannedPath("outcome"), '{"format":9}');
  expect((await history(testBed, "list", { outcome: "unreadable" })).text).toContain(KEY);
  await expect(resolveIn(testBed)).rejects.toThrow(/newer version/);
});

test("a file that only its owner may read is a complaint, and the rest is shown", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  await testBed.clock.runUntil(pod.execute(OTHER));
  const denied = testBed.volume.mount(({ operation, path }) => {
    if (operation === "read" && path === plannedPath("outcome")) {
      throw failure("EACCES", "open", path);
    }
    if (operation === "list" && path === "claims/ab") throw failure("EACCES", "scandir", path);
  });
  const { text, exitCode } = await history(testBed, "list", {}, undefined, denied);
  expect(exitCode).toBe(0);
  expect(text).toContain(KEY);
  expect(text).toContain(OTHER.key);
  expect(text).toContain("1 complaints");
  expect((await history(testBed, "verify", {}, undefined, denied)).text).toContain("EACCES");
});

test("names that do not belong in a directory are ignored, counted and named, by every command", async () => {
  const testBed = createExecutionTestBed(IN_DOUBT);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  const shard = plannedPath("claim").slice(0, 9);
  const strays = [
    "claims/notes.txt",
    "claims/.nfs000000000001",
    "claims/lost+found/inside",
    "claims/.snapshot/hourly",
    "claims/cd",
    `${shard}/${KEY}.1.claim~`,
    `${shard}/.nfs0001`,
    `${shard}/${OTHER.key}.1.claim`,
    `${shard}/${KEY}.0.claim`,
    "journal/.nfs0002",
    "journal/journal.log.bak",
    "journal/lost+found/inside",
    "snapshot/1.tmp",
    "snapshot/lost+found/inside",
    "imported/notes.txt",
    "limits/notes.txt",
    "temporary/lost+found/inside",
    "lost+found/inside",
  ];
  for (const path of strays) testBed.volume.put(path, "stray");
  expect((await history(testBed, "list")).text).toContain("1 of 1, newest first");
  expect((await history(testBed, "show", {}, KEY.slice(0, 8))).text).toContain(KEY);
  const stats = await history(testBed, "stats", { json: true });
  expect(JSON.parse(stats.text)).toMatchObject({ keys: 1, ignored: 15 });
  const { text, exitCode } = await history(testBed, "verify");
  expect(text).toContain("ignored: claims/notes.txt is not a file of the history");
  expect(text).toContain("1 keys, 0 faults");
  expect(exitCode).toBe(0);
  await resolveIn(testBed);
});
