import { readdir, rm } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { NOT_SECONDS } from "./testing/not-seconds.ts";
import {
  isRunning,
  signalIfThere,
  prepareContainer,
  startProcess,
  until,
} from "./testing/script-process.ts";
import type { ScriptProcess, ScriptContainer } from "./testing/script-process.ts";
import { SHELLS } from "./testing/shells.ts";

describe.each(SHELLS)("app_prestop on $name", ({ shell }) => {
  test("ends at once without a pid file", async () => {
    await using container = await prepareContainer();
    const hook = container.run(shell, "app_prestop");
    expect(await hook.ended).toBe(0);
    expect(hook.stderr()).toContain("no consumer to stop");
    expect(await container.lines("polls")).toEqual([]);
  });

  test("returns when the consumer has ended, and not before", async () => {
    await using container = await prepareContainer();
    const { start } = await runningConsumer(container, shell);
    const hook = container.run(shell, "app_prestop");
    await until(
      "polls while the consumer drains",
      async () => (await container.lines("polls")).length > 3,
    );
    expect(await container.heard()).toEqual(["SIGTERM"]);
    await container.write("release", "7");
    expect(await hook.ended).toBe(0);
    expect(await start.ended).toBe(7);
    expect(await container.heard()).toEqual(["SIGTERM"]);
  });

  test("has ended before the container ends, which would kill it", async () => {
    await using container = await prepareContainer();
    const { start } = await runningConsumer(container, shell);
    await container.write("release", "0");
    const hook = container.run(shell, "app_prestop", { PRESTOP_POLL_SECONDS: "0.3" });
    const first = await Promise.race([
      hook.ended.then(() => "hook"),
      start.ended.then(() => "container"),
    ]);
    expect(first).toBe("hook");
    expect(await hook.ended).toBe(0);
    expect(await start.ended).toBe(0);
    expect(await readdir(container.path("run"))).toEqual([]);
  });

  test("kills a consumer that overruns the budget, and fails so that it is seen", async () => {
    await using container = await prepareContainer();
    const { start, pid } = await runningConsumer(container, shell);
    const hook = container.run(shell, "app_prestop", { PRESTOP_TIMEOUT_SECONDS: "0.1" });
    expect(await hook.ended).toBe(1);
    expect(hook.stderr()).toContain(
      `the consumer (process ${pid}) did not stop within 0.1 s: killed`,
    );
    expect(await start.ended).toBe(137);
  });

  test.each([
    ["PRESTOP_TIMEOUT_SECONDS", "60"],
    ["PRESTOP_POLL_SECONDS", "0.2"],
  ])(
    "falls back to its default for a %s that is no number, and says so",
    async (variable, taken) => {
      await using container = await prepareContainer();
      for (const value of NOT_SECONDS) {
        const { start } = await runningConsumer(container, shell);
        await rm(container.path("polls"), { force: true });
        const hook = container.run(shell, "app_prestop", { [variable]: value });
        await until("it polls", async () => (await container.lines("polls")).length > 1);
        await container.write("release", "0");
        expect([value, await hook.ended]).toEqual([value, 0]);
        expect(hook.stderr()).toBe(
          `app_prestop: ${variable} is ${value}, which is no number of seconds: ${taken} is taken\n`,
        );
        await start.ended;
        await Promise.all(["release", "heard"].map((name) => rm(container.path(name))));
      }
    },
  );

  test("waits no longer than the budget between two polls", async () => {
    await using container = await prepareContainer();
    await runningConsumer(container, shell);
    const hook = container.run(shell, "app_prestop", {
      PRESTOP_TIMEOUT_SECONDS: "0.1",
      PRESTOP_POLL_SECONDS: "7",
    });
    expect(await hook.ended).toBe(1);
    expect(await container.lines("slept")).toEqual(["0.100"]);
  });

  test("does not signal a foreign process that an old pid file names", async () => {
    await using container = await prepareContainer();
    const { pid } = await runningConsumer(container, shell);
    const [, , nonce] = await container.lines("run/consumer.pid");
    await using foreign = await foreignProcess();
    // An earlier container may have left this file: its process id belongs to a live process now,
    // but its start time does not.
    await container.write(
      "run/consumer.pid",
      `${foreign.pid}\n${await identityLine(container)}\n${nonce}\n`,
    );
    const hook = container.run(shell, "app_prestop");
    expect(await hook.ended).toBe(0);
    expect(hook.stderr()).toContain(`process ${foreign.pid} is not the one`);
    expect(isRunning(foreign.pid)).toBe(true);
    expect(isRunning(pid)).toBe(true);
    expect(await container.heard()).toEqual([]);
  });

  test.each(["", "12", "abc\nidentity\nnonce\n", "-1\nidentity\nnonce\n"])(
    "signals nothing for the broken pid file %j",
    async (content) => {
      await using container = await prepareContainer();
      await container.write("run/consumer.pid", content);
      const hook = container.run(shell, "app_prestop");
      expect(await hook.ended).toBe(0);
      expect(hook.stderr()).toContain("not complete");
    },
  );

  test("finds that the process of the pid file has ended", async () => {
    await using container = await prepareContainer();
    const { start, pid } = await runningConsumer(container, shell);
    start.kill("SIGKILL");
    await start.ended;
    signalIfThere(pid, "SIGKILL");
    await until("the consumer has ended", async () => !isRunning(pid));
    const hook = container.run(shell, "app_prestop");
    expect(await hook.ended).toBe(0);
    expect(hook.stderr()).toBe(
      `app_prestop: no consumer to stop: process ${pid} is not the one ` +
        `that ${container.path("run/consumer.pid")} was written for\n`,
    );
  });
});

async function runningConsumer(
  container: ScriptContainer,
  shell: readonly string[],
): Promise<{ start: ScriptProcess; pid: number }> {
  await container.certificates();
  const start = container.run(shell, "app_start");
  const pid = await container.consumerUp();
  await until("the pid file", async () => (await container.lines("run/consumer.pid")).length === 3);
  return { start, pid };
}

async function identityLine(container: ScriptContainer): Promise<string> {
  return (await container.lines("run/consumer.pid"))[1] ?? "";
}

async function foreignProcess(): Promise<ScriptProcess & AsyncDisposable> {
  const running = startProcess("sleep", ["60"], { PATH: process.env.PATH });
  const stop = async () => {
    running.kill("SIGKILL");
    await running.exited;
  };
  return Object.assign(running, { [Symbol.asyncDispose]: stop });
}
