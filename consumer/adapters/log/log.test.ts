import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";

import { afterEach, beforeEach, describe, expect, vi, test } from "vitest";

import { repeatedKeys } from "#fixtures/json-keys.ts";

import { ConsumerError } from "#consumer/errors.ts";
import { createLog, LOG_FILE } from "./log.ts";
import type { LogOptions } from "./log.ts";
import { createRecordedMetrics } from "#fixtures/ports/observers.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "log-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function start(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({
    directory,
    level: "info",
    fileBytesMax: 1_048_576,
    filesMax: 3,
    base: { pod: "kafka-consumer-0" },
    stdout: new Writable({
      decodeStrings: false,
      write(line: string, _encoding, done) {
        lines.push(line);
        done();
      },
    }),
    ...options,
  });
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line) as unknown) };
}

/** Waits as long as a test may take: how fast the disk is does not matter here. */
const until = (condition: () => unknown) => vi.waitFor(condition, { timeout: 20_000 });

const readLog = async () => readFile(join(directory, LOG_FILE), "utf8").catch(() => "");

describe("log", () => {
  test("writes the same JSON line to stdout and to the file", async () => {
    const { log, lines, parsed } = start();
    log.info("broker.joined", { group: "sre", offset: 3n });
    log.debug("not.shown");
    await log.flush();
    expect(parsed()).toStrictEqual([
      {
        level: "info",
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        pod: "kafka-consumer-0",
        event: "broker.joined",
        group: "sre",
        offset: 3,
      },
    ]);
    expect(await readFile(join(directory, LOG_FILE), "utf8")).toBe(lines.join(""));
  });

  test("holds no key twice, whatever a field is called", async () => {
    const { log, lines, parsed } = start();
    const taken = {
      level: 7,
      time: "then",
      pod: "another",
      event: "other",
      fields: 1,
      message: "m",
    };
    log.info("action.ended", {
      ...taken,
      msg: "n",
      err: new Error("e"),
      error: new Error("f"),
      hostname: "h",
    });
    log.info("action.ended", { pod: "kafka-consumer-0" });
    await log.flush();
    expect(lines.flatMap(repeatedKeys)).toEqual([]);
    expect(parsed()).toMatchObject([
      {
        level: "info",
        time: expect.stringMatching(/^\d{4}-/),
        pod: "kafka-consumer-0",
        event: "action.ended",
        fields: { level: 7, time: "then", pod: "another", event: "other", fields: 1 },
        message: "m",
      },
      { pod: "kafka-consumer-0", event: "action.ended" },
    ]);
    expect(parsed()[1]).not.toHaveProperty("fields");
  });

  test("shows an error with its code and causes, and a stack only when it is not one of ours", async () => {
    const { log, parsed } = start();
    const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    log.error("broker.failed", {
      error: new ConsumerError("broker-unavailable", "broker: away", { cause }),
    });
    await log.flush();
    expect(parsed()[0]).toMatchObject({
      error: {
        type: "ConsumerError",
        code: "broker-unavailable",
        message: "broker: away",
        cause: { type: "Error", code: "ECONNREFUSED", stack: expect.stringContaining("refused") },
      },
    });
    expect(parsed()[0]).not.toHaveProperty("error.stack");
  });

  test("never writes what stands in a field of a secret's name", async () => {
    const { log, lines } = start();
    log.info("credentials", {
      password: "hunter2",
      sasl: { username: "sre-consumer", password: "hunter2" },
      request: { authorization: "Bearer hunter2" },
      identity: { privateKey: "hunter2" },
      secret: "hunter2",
    });
    await log.flush();
    expect(lines.join("")).toContain("sre-consumer");
    expect(lines.join("")).not.toContain("hunter2");
  });

  test("masks a credential in the message of an error and of its causes", async () => {
    const { log, lines } = start();
    const cause = new Error('Headers.set: "Bearer hunter2" is an invalid header value');
    log.error("failed", {
      error: new Error("at https://me:hunter2@x.test/?token=hunter2", { cause }),
    });
    await log.flush();
    expect(lines.join("")).toContain("invalid header value");
    expect(lines.join("")).not.toContain("hunter2");
  });

  test("rotates by size and keeps a bounded number of files, losing no line that still fits", async () => {
    const { log } = start({ fileBytesMax: 4096, filesMax: 2 });
    for (let index = 0; index < 400; index += 1) {
      log.info("line", { index, padding: "x".repeat(50) });
      // The stream rotates between writes: let it.
      if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await log.flush();
    const files = (await readdir(directory)).toSorted();
    expect(files).toStrictEqual([LOG_FILE, `${LOG_FILE}.1`, `${LOG_FILE}.2`]);
    const sizes = await Promise.all(
      files.map(async (file) => (await stat(join(directory, file))).size),
    );
    for (const size of sizes) expect(size).toBeLessThan(16_384);
    const kept = await Promise.all(files.map((file) => readFile(join(directory, file), "utf8")));
    expect(kept.join("")).toContain('"index":399');
    expect(kept.join("")).not.toContain('"index":0,');
  });

  test("goes on at stdout, with one warning, when the directory cannot be written", async () => {
    const file = join(directory, "file");
    await writeFile(file, "");
    const unusable = join(file, "logs");
    const { log, lines, parsed } = start({ directory: unusable });
    log.info("first");
    await until(() => expect(lines).toHaveLength(2));
    log.info("second");
    await log.flush();
    expect(parsed()).toMatchObject([
      { event: "first" },
      { level: "warn", event: "log.file-unusable", directory: unusable },
      { event: "second" },
    ]);
  });

  test("goes on at the file while nobody reads stdout, counts what it drops, and says so", async () => {
    let release: (() => void) | undefined;
    const taken: string[] = [];
    const stdout = new Writable({
      decodeStrings: false,
      write(line: string, _encoding, done) {
        taken.push(line);
        if (release === undefined) release = done;
        else done();
      },
    });
    const metrics = createRecordedMetrics();
    const { log } = start({ stdout, metrics, fileBytesMax: 104_857_600 });
    const padding = "x".repeat(10_000);
    for (let index = 0; index < 1000; index += 1) {
      log.info("line", { index, padding });
      // The file keeps up: only stdout stands still.
      if (index % 100 !== 99) continue;
      const isWritten = async () => (await readLog()).includes(`"index":${index},`);
      await until(async () => expect(await isWritten()).toBe(true));
    }
    const dropped = metrics.total("log_lines_dropped", { destination: "stdout" });
    expect(dropped).toBeGreaterThan(400);
    release?.();
    await until(() => expect(taken.at(-1)).toContain("log.resumed"));
    expect(JSON.parse(taken.at(-1) ?? "")).toMatchObject({ destination: "stdout", dropped });
    expect(taken).toHaveLength(1000 - dropped + 1);
    await log.flush();
    expect((await readLog()).match(/"event":"line"/g)).toHaveLength(1000);
  });

  test("writes to the file again once it can, with the number of lines that it missed", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const file = join(directory, "logs");
      await writeFile(file, "");
      const { log, lines } = start({ directory: file });
      log.info("missed");
      await until(() => expect(lines).toHaveLength(2));
      await rm(file);
      await vi.advanceTimersByTimeAsync(5000);
      log.info("written");
      const content = () => readFile(join(file, LOG_FILE), "utf8");
      await until(async () => expect(await content()).toContain("log.resumed"));
      expect(await content()).toMatch(
        /"written".*\n.*"log.resumed","destination":"file","dropped":2/,
      );
      await log.flush();
    } finally {
      vi.useRealTimers();
    }
  });

  test("still writes to stdout after the flush", async () => {
    const { log, parsed } = start();
    await log.flush();
    log.info("late");
    expect(parsed()).toMatchObject([{ event: "late" }]);
  });
});
