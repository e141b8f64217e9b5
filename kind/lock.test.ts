import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { takeLock, tryLock } from "./lock.ts";

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-lock-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

test("one process holds a lock at a time, and nothing of it remains", async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, "a.lock");
  let holders = 0;
  let holdersMax = 0;
  const hold = async (): Promise<void> => {
    await using _ = await takeLock(path);
    holders += 1;
    holdersMax = Math.max(holdersMax, holders);
    await readdir(directory);
    holders -= 1;
  };
  await Promise.all(Array.from({ length: 6 }, hold));
  expect(holdersMax).toBe(1);
  expect(await readdir(directory)).toEqual([]);
});

test("a waiting process is told the holder, and stops when its signal aborts", async () => {
  const path = join(await temporaryDirectory(), "a.lock");
  await using _ = await takeLock(path);
  const stop = new AbortController();
  const told: number[] = [];
  const onWait = (pid: number): void => {
    told.push(pid);
    stop.abort(new Error("interrupted"));
  };
  await expect(takeLock(path, { signal: stop.signal, onWait })).rejects.toThrow("interrupted");
  expect(told).toEqual([process.pid]);
});

test.each([
  [
    "a process that ended",
    { pid: spawnSync(process.execPath, ["--version"]).pid, startTicks: "1" },
  ],
  ["an earlier process of an id that lives", { pid: process.pid, startTicks: "1" }],
])("a lock of %s is taken by exactly one process", async (_what, holder) => {
  if (holder.pid === process.pid && process.platform !== "linux") return;
  const directory = await temporaryDirectory();
  const path = join(directory, "a.lock");
  await writeFile(path, JSON.stringify({ ...holder, nonce: "dead" }));
  let holders = 0;
  let holdersMax = 0;
  const hold = async (): Promise<void> => {
    await using _ = await takeLock(path);
    holders += 1;
    holdersMax = Math.max(holdersMax, holders);
    await readdir(directory);
    holders -= 1;
  };
  await Promise.all(Array.from({ length: 6 }, hold));
  expect(holdersMax).toBe(1);
  expect(await readdir(directory)).toEqual([]);
});

test("a lock of a killed process is free at once", async () => {
  const path = join(await temporaryDirectory(), "a.lock");
  const program = `
    import { takeLock } from ${JSON.stringify(import.meta.resolve("./lock.ts"))};
    await takeLock(${JSON.stringify(path)});
    console.log("held");
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  expect(await tryLock(path)).toEqual({ pid: child.pid });
  child.kill("SIGKILL");
  await once(child, "exit");
  await (await takeLock(path))[Symbol.asyncDispose]();
});
