import { appendFile, mkdtemp, rename, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually, startSimulator } from "#simulator/process/simulator-process.ts";
import { startCollector } from "./collector.ts";
import type { CollectorControl } from "./collector.ts";

describe("splunk forwarder as a process", () => {
  test("sends each line once, with source, host and client", async () => {
    await using setup = await start();
    await appendFile(setup.log, '{"a":1}\n{"b":2}\n');
    await eventually(async () => expect(await linesOf(setup.control)).toHaveLength(2));
    const [first, second] = await setup.control.events();
    expect(first).toMatchObject({ source: setup.log, host: "pod-1", event: '{"a":1}' });
    expect(second?.fields).toEqual({ client: "omega_kafka-consumer" });
    expect(
      await setup.control.events({ client: "omega_kafka-consumer", source: "app.log" }),
    ).toHaveLength(2);
    expect(await setup.control.events({ client: "another" })).toEqual([]);
  });

  test("loses and repeats no line across rotations by name", async () => {
    await using setup = await start();
    const expected: string[] = [];
    const write = async (path: string, text: string) => {
      const lines = Array.from({ length: 25 }, (_, line) => `${text} line ${line}`);
      expected.push(...lines);
      await appendFile(path, `${lines.join("\n")}\n`);
    };
    for (let file = 0; file < 6; file += 1) {
      await write(setup.log, `file ${file}`);
      // Some files are followed from their first name on, others are found under the second one
      // only.
      if (file % 2 === 0) await collected(setup.control, expected.length);
      await rename(setup.log, `${setup.log}.${file}`);
      // The writer still has the file open.
      await write(`${setup.log}.${file}`, `rotated ${file}`);
    }
    await write(setup.log, "last");
    expect(await setup.forwarder.stop()).toEqual({ code: 0, signal: null });
    expect((await linesOf(setup.control)).map(String).toSorted(compare)).toEqual(
      expected.toSorted(compare),
    );
  });

  test("starts over when a file was truncated, also when it grew past its old size", async () => {
    await using setup = await start();
    await appendFile(setup.log, "one before the truncation\n");
    await eventually(async () => expect(await linesOf(setup.control)).toHaveLength(1));
    await truncate(setup.log, 0);
    await appendFile(setup.log, "two\n");
    await eventually(async () => expect((await linesOf(setup.control)).at(-1)).toBe("two"));
    await writeFile(setup.log, "three is longer than what was there\n");
    await eventually(async () =>
      expect((await linesOf(setup.control)).at(-1)).toBe("three is longer than what was there"),
    );
  });

  test("sends the rest when it is stopped, including an unfinished line", async () => {
    await using setup = await start({ SPLUNK_POLL_SECONDS: "60" });
    await eventually(async () => expect(setup.forwarder.stdout()).toContain("splunk-forwarder"));
    await appendFile(setup.log, "complete\nunfinished");
    expect(await setup.forwarder.stop()).toEqual({ code: 0, signal: null });
    expect(await linesOf(setup.control)).toEqual(["complete", "unfinished"]);
  });

  test("keeps lines while the collector is down and sends them afterwards", async () => {
    await using setup = await start();
    {
      await using _outage = await setup.control.outage();
      await appendFile(setup.log, "kept\n");
      await eventually(async () => expect(setup.forwarder.stdout()).toContain("forwarder.refused"));
      expect(await linesOf(setup.control)).toEqual([]);
    }
    await eventually(async () => expect(await linesOf(setup.control)).toEqual(["kept"]));
  });

  test("sends again what was not acknowledged", async () => {
    await using setup = await start();
    await setup.control.loseNextAcknowledgement();
    await appendFile(setup.log, "twice\n");
    await eventually(async () => expect(await linesOf(setup.control)).toEqual(["twice", "twice"]));
  });

  test("fails with a message when lines are left at its end", async () => {
    await using setup = await start({ SPLUNK_POLL_SECONDS: "60", SPLUNK_DRAIN_SECONDS: "0.1" });
    await eventually(async () => expect(setup.forwarder.stdout()).toContain("splunk-forwarder"));
    await using _outage = await setup.control.outage();
    await appendFile(setup.log, "lost\n");
    expect(await setup.forwarder.stop()).toEqual({ code: 1, signal: null });
    expect(setup.forwarder.stderr()).toContain("lines were left");
  });

  test("continues at the position of an earlier run of the sidecar when it may keep its state", async () => {
    await using setup = await start({ SPLUNK_STATE_DIR: "state" });
    await appendFile(setup.log, "one\n");
    await eventually(async () => expect(await linesOf(setup.control)).toEqual(["one"]));
    await setup.forwarder.stop();
    await appendFile(setup.log, "two\n");
    await using _again = setup.forward();
    await eventually(async () => expect(await linesOf(setup.control)).toEqual(["one", "two"]));
  });

  test("finishes a file that was deleted while it was followed", async () => {
    await using setup = await start();
    await appendFile(setup.log, "first\n");
    await eventually(async () => expect(await linesOf(setup.control)).toHaveLength(1));
    await appendFile(setup.log, "last words");
    await unlink(setup.log);
    await eventually(async () =>
      expect(await linesOf(setup.control)).toEqual(["first", "last words"]),
    );
  });

  test("names the variable that is missing and exits 2", async () => {
    await using forwarder = startSimulator(["splunk-forwarder"], {
      SPLUNK_INSTANCE: "127.0.0.1:1",
    });
    expect(await forwarder.ended).toEqual({ code: 2, signal: null });
    expect(forwarder.stderr()).toContain("SPLUNK_CLIENT_NAME must be set");
  });
});

async function start(env: Readonly<Record<string, string>> = {}) {
  const directory = await mkdtemp(join(tmpdir(), "forwarder-"));
  const collector = await startCollector();
  const forward = () =>
    startSimulator(["splunk-forwarder"], {
      SPLUNK_INSTANCE: collector.instance,
      SPLUNK_CLIENT_NAME: "omega_kafka-consumer",
      SPLUNK_LOG_DIRS: directory,
      SPLUNK_POLL_SECONDS: "0.02",
      SPLUNK_RETRY_SECONDS: "0.05",
      POD_NAME: "pod-1",
      ...env,
      ...(env.SPLUNK_STATE_DIR === undefined
        ? {}
        : { SPLUNK_STATE_DIR: join(directory, env.SPLUNK_STATE_DIR) }),
    });
  const forwarder = forward();
  return {
    log: join(directory, "app.log"),
    control: collector.control,
    forwarder,
    forward,
    [Symbol.asyncDispose]: async () => {
      await forwarder[Symbol.asyncDispose]();
      await collector[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

async function linesOf(control: CollectorControl): Promise<unknown[]> {
  return (await control.events()).map(({ event }) => event);
}

function compare(a: string, b: string): number {
  return a.localeCompare(b);
}

async function collected(control: CollectorControl, count: number): Promise<void> {
  await eventually(async () => expect(await linesOf(control)).toHaveLength(count));
}
