import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { tmpdir } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { findAbandoned, makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";

test("finds the directories of dead processes, and no others", async () => {
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
  // Only Linux tells when a process started, by which a reused process id is recognized.
  const expected = process.platform === "linux" ? [left, reused] : [left];
  expect((await findAbandoned(parent)).toSorted()).toEqual(expected.toSorted());
});

test.runIf(process.platform === "linux")(
  "a process that was killed is gone although nobody has asked for its end",
  async () => {
    const parent = await mkdtemp(join(tmpdir(), "kafka-consumer-clean-"));
    onTestFinished(() => rm(parent, { recursive: true }));
    // The shell becomes a program that never reaps its child.
    const careless = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    onTestFinished(() => void careless.kill("SIGKILL"));
    const [line] = await once(careless.stdout, "data");
    const pid = Number(line);
    const stat = () => readFile(`/proc/${pid}/stat`, "utf8");
    const startTicks = (await stat()).split(" ")[21];
    const directory = await mkdtemp(join(parent, "kafka-consumer-e2e-"));
    await writeFile(join(directory, "owner.json"), JSON.stringify({ pid, startTicks }));
    expect(await findAbandoned(parent)).toEqual([]);
    process.kill(pid, "SIGKILL");
    while (!(await stat()).includes(") Z ")) await readdir(parent);
    expect(await findAbandoned(parent)).toEqual([directory]);
  },
);

test("a directory of this process is not abandoned", async () => {
  const directory = await makeOwnedDirectory();
  onTestFinished(() => removeDirectory(directory));
  expect(await readdir(tmpdir())).toContain(basename(directory));
  expect(await findAbandoned()).not.toContain(directory);
});
