import { expect, test } from "vitest";

import { attemptPath } from "#consumer/history/base/layout.ts";
import { isReady, runningConsumer } from "#fixtures/consumer/consumer-process.ts";
import { orderTo } from "#fixtures/consumer/pause.ts";
import { anIncident, asRecord } from "#fixtures/incidents.ts";

const incident = (id: string, offset: bigint) => asRecord(anIncident({ id }), { offset });
const MINUTE_MS = 60_000;

async function pausedConsumer() {
  const process = await runningConsumer();
  await process.clock.runUntil(process.broker.deliver([incident("a", 0n)]));
  await orderTo("pause", process);
  const sinceMs = process.clock.wallMs();
  await process.clock.advance(5000);
  return { ...process, sinceMs };
}

test("a paused pod stays ready, and says so in the report of readiness and in the log", async () => {
  const process = await pausedConsumer();
  expect(process.health().readiness()).toMatchObject({
    ready: true,
    reason: "",
    paused: { by: "eve", reason: "a wrong rule", sinceMs: process.sinceMs },
  });
  expect(process.log.of("consumer.paused")).toHaveLength(1);
  await orderTo("resume", process);
  await process.clock.advance(5000);
  expect(process.health().readiness()).not.toHaveProperty("paused");
  expect(process.log.of("consumer.resumed")).toHaveLength(1);
  process.terminate();
  await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
});

test("a record with an open action waits, what is done before it is committed, and the order stays", async () => {
  const process = await pausedConsumer();
  const { broker, clock, sender } = process;
  const before = sender.sends.length;
  const records = [
    incident("a", 1n),
    asRecord("no JSON", { offset: 2n }),
    incident("b", 3n),
    incident("c", 4n),
    asRecord(anIncident({ id: "b", status: "acknowledged" }), { offset: 5n }),
  ];
  const batch = broker.deliver(records);
  await clock.advance(10 * MINUTE_MS);
  // The first is a repeat of what is done, and the second is undecodable: its dead letter is published.
  expect(broker.commits.at(-1)).toEqual({ partition: 0, nextOffset: 3n });
  expect(sender.sends).toHaveLength(before);
  expect(isReady(process)()).toBe(true);
  await orderTo("resume", process);
  await clock.runUntil(batch);
  expect(broker.commits.at(-1)).toEqual({ partition: 0, nextOffset: 6n });
  const keys = sender.sends.slice(before).map(({ idempotencyKey }) => idempotencyKey);
  expect(new Set(keys).size).toBe(3);
  const claimedOffsets = keys.map((key) => {
    const { offset }: { offset: string } = JSON.parse(
      process.volume.text(attemptPath(key, 1, "claim")),
    );
    return Number(offset);
  });
  expect(claimedOffsets.indexOf(3)).toBeLessThan(claimedOffsets.indexOf(5));
  process.terminate();
  await expect(clock.runUntil(process.exit)).resolves.toBe(0);
});

test("SIGTERM while the work is paused ends at once and cleanly; nothing was begun or committed", async () => {
  const process = await pausedConsumer();
  const { broker, clock, volume } = process;
  const commits = [...broker.commits];
  const claims = (): string[] => volume.paths().filter((path) => path.startsWith("claims/"));
  const before = claims();
  broker.deliver([incident("b", 1n), incident("c", 2n)]).catch(() => undefined);
  await clock.advance(MINUTE_MS);
  const startMs = clock.monotonicMs();
  process.terminate();
  await expect(clock.runUntil(process.exit)).resolves.toBe(0);
  expect(clock.monotonicMs() - startMs).toBeLessThan(500);
  expect(claims()).toEqual(before);
  expect(broker.commits).toEqual(commits);
  expect(volume.paths().filter((path) => path.startsWith("control/pause-seen/"))).toEqual([]);
});

test("a pod that starts while the work is paused becomes ready, so that a rollout completes", async () => {
  const first = await pausedConsumer();
  const { clock, volume } = first;
  const second = await runningConsumer({ shared: { clock, volume } });
  expect(second.health().readiness()).toMatchObject({ ready: true, paused: { by: "eve" } });
  first.terminate();
  await clock.runUntil(first.exit);
  const batch = second.broker.deliver([incident("b", 1n)]);
  await clock.advance(MINUTE_MS);
  expect(second.sender.sends).toEqual([]);
  await orderTo("resume", second);
  await clock.runUntil(batch);
  expect(second.sender.sends).toHaveLength(1);
  second.terminate();
  await expect(clock.runUntil(second.exit)).resolves.toBe(0);
});
