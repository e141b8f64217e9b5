import { describe, expect, test } from "vitest";
import { repeatedKeys } from "#fixtures/json-keys.ts";
import { NOT_SECONDS } from "./testing/not-seconds.ts";
import { isRunning, signalIfThere, prepareContainer, until } from "./testing/script-process.ts";
import { SHELLS } from "./testing/shells.ts";

describe.each(SHELLS)("app_start on $name", ({ shell }) => {
  test("starts nothing before certificate and key are both there and not empty", async () => {
    await using container = await prepareContainer();
    const start = container.run(shell, "app_start");
    for (const [file, content] of [
      ["athenz/cert", "certificate"],
      ["athenz/key", ""],
    ] as const) {
      await container.write(file, content);
      const seen = (await container.lines("polls")).length;
      await until("two more polls", async () => (await container.lines("polls")).length > seen + 2);
      expect(await container.lines("heard")).toEqual([]);
    }
    await container.write("athenz/key", "key");
    const pid = await container.consumerUp();
    expect(await container.lines("heard")).toEqual([
      `up ${pid} --config ${container.path("config.yaml")}`,
    ]);
    await container.write("exit", "0");
    expect(await start.ended).toBe(0);
  });

  test("gives a log level to the consumer only when LOG_LEVEL is set", async () => {
    await using container = await prepareContainer();
    await container.certificates();
    const start = container.run(shell, "app_start", { LOG_LEVEL: "warn" });
    const pid = await container.consumerUp();
    expect(await container.lines("heard")).toEqual([
      `up ${pid} --config ${container.path("config.yaml")} --log-level warn`,
    ]);
    await container.write("exit", "0");
    expect(await start.ended).toBe(0);
  });

  test("gives up at its limit with 75 and says which files are missing", async () => {
    await using container = await prepareContainer();
    const start = container.run(shell, "app_start", { CERT_WAIT_SECONDS: "0.2" });
    expect(await start.ended).toBe(75);
    expect(await container.lines("polls")).toHaveLength(4);
    expect(start.stderr()).toContain(
      `no certificates after 0.2 s: ${container.path("athenz/cert")}`,
    );
    expect(await container.lines("heard")).toEqual([]);
  });

  test("leaves the reason of its own end in LOG_DIR as one JSON line", async () => {
    await using container = await prepareContainer();
    const odd = 'C:\\new "key"\tof \u001b ü';
    const environment = { CERT_WAIT_SECONDS: "0.05", POD_NAME: "pod-0" };
    const never = { ...environment, ATHENZ_KEY: odd };
    expect(await container.run(shell, "app_start", never).ended).toBe(75);
    const poll = { ...environment, CERT_POLL_SECONDS: "0" };
    expect(await container.run(shell, "app_start", poll).ended).toBe(78);
    await container.certificates();
    const noPidFile = { ...environment, PID_FILE: container.path("nowhere/pid") };
    expect(await container.run(shell, "app_start", noPidFile).ended).toBe(78);
    const noLauncher = { ...environment, KAFKA_CONSUMER_BIN: container.path("nothing") };
    expect(await container.run(shell, "app_start", noLauncher).ended).toBe(127);
    const lines = await container.lines("logs/kafka_consumer.log");
    expect(lines.flatMap(repeatedKeys)).toEqual([]);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const line = { level: "error", time, pod: "pod-0", event: "app_start.ended" };
    expect(lines.map((text): unknown => JSON.parse(text))).toStrictEqual([
      { ...line, exitCode: 75, reason: expect.stringMatching(/C:\\new "key" of {3}ü/) },
      { ...line, exitCode: 78, reason: expect.stringContaining("CERT_POLL_SECONDS") },
      { ...line, exitCode: 78, reason: expect.stringContaining("nowhere/pid") },
      {
        ...line,
        exitCode: 127,
        reason: "the consumer ended with 127, without a reason of its own",
      },
    ]);
  });

  test("adds no line where the consumer has written its own, and none after a stop", async () => {
    for (const exit of ["0", "2", "70", "75", "77", "78"]) {
      await using container = await prepareContainer();
      await container.certificates();
      await container.write("exit", exit);
      expect(await container.run(shell, "app_start").ended).toBe(Number(exit));
      expect(await container.lines("logs/kafka_consumer.log")).toEqual([]);
    }
    await using container = await prepareContainer();
    await container.certificates();
    await container.write("exit", "134");
    expect(await container.run(shell, "app_start").ended).toBe(134);
    expect(await container.lines("logs/kafka_consumer.log")).toHaveLength(1);
  });

  test("ends with the same code, and says so, when LOG_DIR cannot be written", async () => {
    await using container = await prepareContainer();
    await container.write("file", "");
    const LOG_DIR = container.path("file/logs");
    const start = container.run(shell, "app_start", { CERT_WAIT_SECONDS: "0.05", LOG_DIR });
    expect(await start.ended).toBe(75);
    expect(start.stderr()).toContain("no certificates after");
    expect(start.stderr()).toContain(`app_start: cannot write ${LOG_DIR}/kafka_consumer.log`);
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const)(
    "%s while waiting ends it at once with 0 and leaves no process",
    async (signal) => {
      await using container = await prepareContainer();
      const start = container.run(shell, "app_start", { CERT_POLL_SECONDS: "30" });
      const [sleeper] = await until("the first poll", async () => {
        const polls = await container.lines("polls");
        return polls.length > 0 && polls;
      });
      const askedAtMs = performance.now();
      start.kill(signal);
      expect(await start.ended).toBe(0);
      expect(performance.now() - askedAtMs).toBeLessThan(5000);
      expect(start.stderr()).toContain(`${signal} before the consumer was started`);
      await until("the sleep has ended", async () => !isRunning(Number(sleeper)));
    },
  );

  test.each(["SIGHUP", "SIGQUIT"] as const)("treats %s like SIGTERM", async (signal) => {
    await using container = await prepareContainer();
    await container.certificates();
    const start = container.run(shell, "app_start");
    await container.consumerUp();
    await until(
      "the pid file",
      async () => (await container.lines("run/consumer.pid")).length === 3,
    );
    start.kill(signal);
    await until("SIGTERM arrived", async () => (await container.heard()).includes("SIGTERM"));
    await container.write("release", "0");
    expect(await start.ended).toBe(0);
    expect(await container.heard()).toEqual(["SIGTERM"]);
  });

  test("forwards SIGTERM and SIGINT once each and exits with the consumer's code", async () => {
    await using container = await prepareContainer();
    await container.certificates();
    const start = container.run(shell, "app_start");
    await container.consumerUp();
    await until(
      "the pid file",
      async () => (await container.lines("run/consumer.pid")).length === 3,
    );
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      // The signal is sent until it arrives: bash drops a SIGINT that meets another trapped signal.
      await until(`${signal} arrived`, async () => {
        start.kill(signal);
        return (await container.heard()).includes(signal);
      });
    }
    await container.write("release", "7");
    expect(await start.ended).toBe(7);
    expect(await container.heard()).toEqual(["SIGTERM", "SIGINT"]);
  });

  test("exits with the code of a consumer that ends by itself, and removes the pid file", async () => {
    await using container = await prepareContainer();
    await container.certificates();
    const start = container.run(shell, "app_start");
    await container.consumerUp();
    await container.write("exit", "78");
    expect(await start.ended).toBe(78);
    expect(await container.lines("run/consumer.pid")).toEqual([]);
  });

  test("exits with 137 when the consumer was killed", async () => {
    await using container = await prepareContainer();
    await container.certificates();
    const start = container.run(shell, "app_start");
    signalIfThere(await container.consumerUp(), "SIGKILL");
    expect(await start.ended).toBe(137);
  });

  test("a SIGTERM at any moment of the start ends it", async () => {
    for (let delayMs = 0; delayMs < 60; delayMs += 6) {
      await using container = await prepareContainer();
      await container.certificates();
      await container.write("release", "0");
      const start = container.run(shell, "app_start");
      setTimeout(() => start.kill("SIGTERM"), delayMs);
      // 143 means that the signal came before app_start or the consumer could handle it.
      expect([0, 143, "SIGTERM"]).toContain(await start.ended);
    }
  });

  test("writes the consumer's id into the pid file, and drops the one of an earlier container at once", async () => {
    await using container = await prepareContainer();
    await container.write("run/consumer.pid", "1\nearlier\nearlier\n");
    const start = container.run(shell, "app_start");
    await until("the first poll", async () => (await container.lines("polls")).length > 0);
    expect(await container.lines("run/consumer.pid")).toEqual([]);
    await container.certificates();
    const pid = await container.consumerUp();
    const lines = await until("the pid file", async () => {
      const written = await container.lines("run/consumer.pid");
      return written.length > 0 && written;
    });
    expect(lines).toEqual([
      String(pid),
      expect.stringMatching(/\d/),
      expect.stringMatching(/^[0-9a-f]{32}$/),
    ]);
    await container.write("exit", "0");
    expect(await start.ended).toBe(0);
  });

  test("starts no consumer that app_prestop could not find: 78 when the pid file cannot be written", async () => {
    await using container = await prepareContainer();
    await container.certificates();
    const start = container.run(shell, "app_start", {
      PID_FILE: container.path("absent/consumer.pid"),
    });
    expect(await start.ended).toBe(78);
    expect(start.stderr()).toContain(
      `cannot write the pid file ${container.path("absent/consumer.pid")}`,
    );
    expect(await container.lines("heard")).toEqual([]);
  });

  test.each([
    "CERT_WAIT_SECONDS",
    "CERT_POLL_SECONDS",
    "PRESTOP_TIMEOUT_SECONDS",
    "PRESTOP_POLL_SECONDS",
  ])("refuses at once, with 78, a %s that is no number of seconds", async (variable) => {
    await using container = await prepareContainer();
    await container.certificates();
    for (const value of NOT_SECONDS) {
      const start = container.run(shell, "app_start", { [variable]: value });
      expect([value, await start.ended]).toEqual([value, 78]);
      expect(start.stderr()).toBe(
        `app_start: ${variable} must be a number of seconds above 0 and below 100000, ` +
          `such as 60 or 0.25, and is ${value}\n`,
      );
    }
    expect(await container.lines("heard")).toEqual([]);
  });

  test.each(["0", "1025", "abc", "-1", "8.5", "0x8", "99999999999999999999"])(
    "refuses at once, with 78, a number of threads that there cannot be: %s",
    async (value) => {
      await using container = await prepareContainer();
      await container.certificates();
      const start = container.run(shell, "app_start", { UV_THREADPOOL_SIZE: value });
      expect(await start.ended).toBe(78);
      expect(start.stderr()).toContain(`UV_THREADPOOL_SIZE must be 1 to 1024, and is ${value}`);
    },
  );

  test("takes decimal seconds with leading zeros, and waits no longer than the limit", async () => {
    await using container = await prepareContainer();
    const start = container.run(shell, "app_start", {
      CERT_WAIT_SECONDS: "00.25",
      CERT_POLL_SECONDS: "08",
    });
    expect(await start.ended).toBe(75);
    expect(await container.lines("slept")).toEqual(["0.250"]);
  });

  test("shortens the last poll", async () => {
    await using container = await prepareContainer();
    const start = container.run(shell, "app_start", {
      CERT_WAIT_SECONDS: "0.25",
      CERT_POLL_SECONDS: "0.1",
    });
    expect(await start.ended).toBe(75);
    expect(await container.lines("slept")).toEqual(["0.1", "0.1", "0.050"]);
  });
});
