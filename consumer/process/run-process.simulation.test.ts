import { setImmediate as nextTurn } from "node:timers/promises";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NAMES } from "#fixtures/configurations.ts";
import {
  BUDGET_MS,
  DENIED,
  DRAIN_MS,
  failingTimes,
  isReady,
  never,
  NO_CERTIFICATE,
  runningConsumer,
  startConsumer,
  until,
} from "#fixtures/consumer/consumer-process.ts";
import type {
  ConsumerProcess,
  ConsumerProcessOptions,
} from "#fixtures/consumer/consumer-process.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import { anIncident, asRecord } from "#fixtures/incidents.ts";
import { assertCounted } from "#fixtures/properties.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import type { SendResult } from "#consumer/ports.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };

const incident = (id: string, offset: bigint) => asRecord(anIncident({ id }), { offset });

describe("starting", () => {
  test("becomes ready when identity, secret, history and group are there", async () => {
    const process = await runningConsumer();
    expect(process.health().readiness()).toEqual({
      ready: true,
      state: "running",
      reason: "",
      dependencies: {
        identity: { ready: true },
        secrets: { ready: true },
        history: { ready: true },
        broker: { ready: true },
      },
    });
    process.terminate();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
  });

  test("asks for no secret before the identity is there, for no broker before all else", async () => {
    const asked: string[] = [];
    const process = startConsumer({
      identity: async () => {
        asked.push("identity");
        if (asked.length < 4) throw NO_CERTIFICATE;
      },
      secrets: async () => {
        asked.push("secret");
        return "password";
      },
      onBroker: () => asked.push("broker"),
    });
    await nextTurn();
    await process.clock.advance(50);
    expect(process.health().readiness()).toMatchObject({
      ready: false,
      state: "starting",
      dependencies: {
        identity: { ready: false, reason: "service.cert.pem is absent" },
        secrets: { ready: false, reason: "waits for the identity" },
        history: { ready: true },
      },
    });
    await until(process, () => asked.includes("broker"));
    expect(asked).toEqual(["identity", "identity", "identity", "identity", "secret", "broker"]);
    expect(process.health().readiness().reason).toBe(
      "consumer is starting; broker: joining the group",
    );
    process.terminate();
    await process.clock.runUntil(process.exit);
  });

  test("a denied role is the reason until it is granted, without a restart", async () => {
    const denied = failingTimes(5, DENIED);
    const process = startConsumer({ secrets: () => denied().then(() => "password") });
    await nextTurn();
    await process.clock.advance(500);
    expect(process.health().readiness().reason).toContain(
      "secrets: principal is not a member of the role",
    );
    await until(process, isReady(process));
    expect(process.passwords).toEqual(["password"]);
    process.terminate();
    await process.clock.runUntil(process.exit);
  });

  test.each<[string, ConsumerProcessOptions, ExitCode]>([
    ["identity", { identity: failingTimes(1e9, NO_CERTIFICATE) }, 75],
    ["any answer about the identity", { identity: never }, 75],
    [
      "any answer from the volume",
      { files: ({ operation }) => (operation === "list" ? never() : undefined) },
      75,
    ],
    ["role", { secrets: () => Promise.reject(DENIED) }, 77],
    [
      "CKMS",
      { secrets: () => Promise.reject(new ConsumerError("secret-unavailable", "no answer")) },
      75,
    ],
    [
      "history",
      {
        files: ({ operation }) => {
          if (operation === "makeDirectory") throw failure("EIO", "mkdir", "claims");
        },
      },
      75,
    ],
    ["assignment", { onBroker: () => undefined }, 75],
    [
      "broker that takes the password",
      {
        onBroker: (broker) =>
          broker.fail(new ConsumerError("broker-authentication", "SASL failed")),
      },
      77,
    ],
  ])(
    "without %s the budget is waited for, then the exit code says why",
    async (_what, options, code) => {
      const process = startConsumer(options);
      await expect(process.clock.runUntil(process.exit)).resolves.toBe(code);
      const waitedMs = process.clock.monotonicMs();
      expect(waitedMs).toBeGreaterThan(BUDGET_MS - 6_000);
      expect(waitedMs).toBeLessThan(BUDGET_MS + 11_000);
      expect(process.calls.at(-1)).toBe("log flushed");
      expect(process.clock.nextWakeMs()).toBeUndefined();
    },
  );

  test("a history that is no mount ends the process at once, whatever else is waited for", async () => {
    const process = startConsumer({ isMount: false, identity: failingTimes(1e9, NO_CERTIFICATE) });
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(78);
    expect(process.clock.monotonicMs()).toBeLessThan(1_000);
  });

  test("an unexpected error is internal", async () => {
    const process = startConsumer({
      secrets: () => Promise.reject(new TypeError("a fault of ours")),
    });
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(70);
  });
});

describe("running", () => {
  test("an incident becomes an action, an entry of the history and a commit", async () => {
    const process = await runningConsumer();
    await process.clock.runUntil(process.broker.deliver([incident("a", 0n)]));
    expect(process.sender.sends).toHaveLength(1);
    expect(process.broker.commits).toEqual([{ partition: 0, nextOffset: 1n }]);
    await process.clock.runUntil(process.broker.deliver([incident("a", 1n)]));
    expect(process.sender.sends).toHaveLength(1);
    expect(process.broker.commits.at(-1)).toEqual({ partition: 0, nextOffset: 2n });
    process.terminate();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
    expect(process.volume.text("automation_action_history.json")).toContain('"incidentId":');
  });

  test("is unready while the dead-letter topic is refused, and says why", async () => {
    const process = await runningConsumer();
    const missing = new ConsumerError("broker-unavailable", "broker: no such topic");
    process.broker.onPublish(() => Promise.reject(missing));
    const batch = process.broker.deliver([asRecord("no JSON")]);
    await until(process, () => !process.health().readiness().ready);
    expect(process.health().readiness().reason).toMatch(/dead-letter topic .*: .*no such topic/);
    process.broker.onPublish(async () => undefined);
    await process.clock.runUntil(batch);
    expect(process.health().readiness().ready).toBe(true);
    process.terminate();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
  });

  test("after a refusal the secret is asked again, by a new broker", async () => {
    let password = "old";
    const process = await runningConsumer({ secrets: async () => password });
    password = "new";
    process.broker.fail(new ConsumerError("broker-authentication", "SASL failed"));
    await nextTurn();
    expect(process.health().readiness()).toMatchObject({ ready: false, state: "running" });
    expect(process.health().readiness().reason).toBe("broker: SASL failed");
    await until(process, isReady(process));
    expect(process.passwords).toEqual(["old", "new"]);
    expect(process.brokers).toHaveLength(2);
    process.terminate();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
  });

  test("a broker that stays away has a budget of its own", async () => {
    let joined = false;
    const process = await runningConsumer({
      onBroker(broker) {
        if (joined) broker.fail(new ConsumerError("broker-unavailable", "no broker answers"));
        else broker.join();
        joined = true;
      },
    });
    await process.clock.advance(10 * BUDGET_MS);
    expect(process.health().liveness()).toMatchObject({ alive: true, state: "running" });
    process.broker.fail(new ConsumerError("broker-unavailable", "no broker answers"));
    const sinceMs = process.clock.monotonicMs();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(75);
    expect(process.clock.monotonicMs() - sinceMs).toBeGreaterThan(BUDGET_MS - 6_000);
  });
});

describe("SIGTERM", () => {
  test.each<[string, ConsumerProcessOptions]>([
    ["waiting for the identity", { identity: failingTimes(1e9, NO_CERTIFICATE) }],
    ["reading the identity", { identity: never }],
    ["waiting for the secret", { secrets: () => Promise.reject(DENIED) }],
    ["joining the group", { onBroker: () => undefined }],
    [
      "between two brokers",
      { onBroker: (broker) => broker.fail(new ConsumerError("broker-unavailable", "refused")) },
    ],
  ])("while %s ends at once and cleanly", async (_what, options) => {
    const process = startConsumer(options);
    await nextTurn();
    await process.clock.advance(3_210);
    const sinceMs = process.clock.monotonicMs();
    process.terminate();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
    expect(process.clock.monotonicMs() - sinceMs).toBeLessThan(100);
    expect(process.calls.slice(-2)).toEqual(["health closed", "log flushed"]);
    expect(process.clock.nextWakeMs()).toBeUndefined();
  });

  test("before anything began ends at once", async () => {
    const process = startConsumer();
    process.terminate();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
    expect(process.brokers).toEqual([]);
  });

  test("during a recovery that hangs ends within the closing time", async () => {
    const process = startConsumer({
      files: ({ operation }) => (operation === "list" ? never() : undefined),
    });
    await nextTurn();
    process.terminate();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
    expect(process.log.of("close.overrun")).toEqual([{ what: "history", afterMs: 5_000 }]);
  });

  test("lets a running action end, commits it, leaves the group, then seals the history", async () => {
    const send = Promise.withResolvers<SendResult>();
    const process = await runningConsumer({ send: () => send.promise });
    const batch = process.broker.deliver([incident("a", 0n), incident("a", 1n)]);
    batch.catch(() => undefined);
    await until(process, () => process.sender.sends.length === 1);
    process.terminate();
    await process.clock.advance(1_000);
    expect(process.health().readiness()).toMatchObject({ ready: false, state: "draining" });
    expect(process.health().liveness().alive).toBe(true);
    expect(process.calls).not.toContain("broker stopped");
    send.resolve(DONE);
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
    await expect(batch).rejects.toMatchObject({ code: "stopping" });
    expect(process.broker.commits).toEqual([{ partition: 0, nextOffset: 1n }]);
    expect(process.broker.refused).toEqual([]);
    expect(process.sender.sends).toHaveLength(1);
    expect(process.calls).toEqual([
      "health served",
      "broker drained",
      "broker stopped",
      "journal closed",
      "health closed",
      "log flushed",
    ]);
    expect(process.volume.text("automation_action_history.json")).toContain(NAMES.rule);
  });

  test("is not held up beyond the drain by an action that does not end: code 70", async () => {
    const process = await runningConsumer({ send: never });
    process.broker.deliver([incident("a", 0n)]).catch(() => undefined);
    await until(process, () => process.sender.sends.length === 1);
    const sinceMs = process.clock.monotonicMs();
    process.terminate();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(70);
    expect(process.clock.monotonicMs() - sinceMs).toBeLessThanOrEqual(DRAIN_MS + 10_000);
    expect(process.broker.commits).toEqual([]);
    expect(process.calls.at(-1)).toBe("log flushed");
  });

  test("a stop that is held up everywhere ends within 12 s after the drain", async () => {
    let stopped = false;
    const process = await runningConsumer({
      send: never,
      lastSteps: never,
      files: () => (stopped ? never() : undefined),
    });
    process.broker.deliver([incident("a", 0n)]).catch(() => undefined);
    await until(process, () => process.sender.sends.length === 1);
    Object.assign(process.broker, { stop: never });
    const sinceMs = process.clock.monotonicMs();
    stopped = true;
    process.terminate();
    await expect(process.clock.runUntil(process.exit)).resolves.toBe(70);
    expect(process.log.of("close.overrun").map(({ what }) => what)).toEqual([
      "broker",
      "history",
      "health",
      "log",
    ]);
    expect(process.clock.monotonicMs() - sinceMs).toBeLessThanOrEqual(DRAIN_MS + 12_000);
  });

  test("at any moment: ends in time, drains before it leaves, loses and repeats nothing", async () => {
    await assertCounted(
      fc.asyncProperty(
        fc.record({
          identityFailures: fc.integer({ min: 0, max: 6 }),
          secretFailures: fc.integer({ min: 0, max: 6 }),
          brokerFailures: fc.integer({ min: 0, max: 3 }),
          sendMs: fc.integer({ min: 0, max: DRAIN_MS - 100 }),
          stopAfterMs: fc.integer({ min: 0, max: 30_000 }),
        }),
        async ({ identityFailures, secretFailures, brokerFailures, sendMs, stopAfterMs }) => {
          const denied = failingTimes(secretFailures, DENIED);
          let failures = brokerFailures;
          const delivered = new Set<Promise<void>>();
          const process: ConsumerProcess = startConsumer({
            identity: failingTimes(identityFailures, NO_CERTIFICATE),
            secrets: () => denied().then(() => "password"),
            send: () => process.clock.sleep(sendMs).then(() => DONE),
            onBroker(broker) {
              failures -= 1;
              if (failures >= 0) broker.fail(new ConsumerError("broker-unavailable", "refused"));
              else {
                broker.join();
                const records = ["a", "b", "a", "c"].map((id, at) => incident(id, BigInt(at)));
                delivered.add(broker.deliver(records).catch(() => undefined));
              }
            },
          });
          await nextTurn();
          await process.clock.advance(stopAfterMs);
          process.terminate();
          const sinceMs = process.clock.monotonicMs();
          expect(await process.clock.runUntil(process.exit)).toBe(0);
          await Promise.all(delivered);
          expect(process.clock.monotonicMs() - sinceMs).toBeLessThan(DRAIN_MS + 1_000);
          expect(process.clock.nextWakeMs()).toBeUndefined();
          expect(process.calls.filter((call) => call.startsWith("health"))).toEqual([
            "health served",
            "health closed",
          ]);
          expect(process.calls.at(-1)).toBe("log flushed");
          const keys = process.sender.sends.map(({ idempotencyKey }) => idempotencyKey);
          expect(new Set(keys).size).toBe(keys.length);
          const broker = process.brokers.at(-1);
          const next = Number(broker?.commits.at(-1)?.nextOffset ?? 0n);
          const sent = process.sender.sends.length;
          // a, b, a again, c: the first n are terminal only when their incidents were sent.
          expect([0, 1, 2, 2, 3][next]).toBeLessThanOrEqual(sent);
          expect(broker?.refused ?? []).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  });
});
