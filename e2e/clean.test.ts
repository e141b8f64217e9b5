import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { tmpdir } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { findAbandoned, makeOwnedDirectory, removeDirectory } from "./owned-directory.ts";

test("finds what a dead process left, and nothing else", async () => {
  const parent = await mkdtemp(join(tmpdir(), "kafka-consumer-clean-"));
  onTestFinished(() => rm(parent, { recursive: true }));
  const dead = spawnSync(process.execPath, ["--version"]).pid;
  const make = async (name: string, owner: object | null): Promise<string> => {
    const directory = await mkdtemp(join(parent, name));
    if (owner !== null) await writeFile(join(directory, "owner.json"), JSON.stringify(owner));
    return directory;
  };
  const left = await make("kafka-consumer-e2e-", { pid: dead, startTicks: "1" });
  const reused = await make("kafka-consumer-e2e-", { pid: process.pid, startTicks: "1" });
  await make("kafka-consumer-e2e-", { pid: process.pid, startTicks: null });
  await make("kafka-consumer-e2e-", null);
  await make("somebody-elses-", { pid: dead, startTicks: "1" });
  // Only Linux tells when a process started, which is how a reused id is recognised.
  const expected = process.platform === "linux" ? [left, reused] : [left];
  expect((await findAbandoned(parent)).toSorted()).toEqual(expected.toSorted());
});

test("a directory of this process is not abandoned", async () => {
  const directory = await makeOwnedDirectory();
  onTestFinished(() => removeDirectory(directory));
  expect(await readdir(tmpdir())).toContain(basename(directory));
  expect(await findAbandoned()).not.toContain(directory);
});
