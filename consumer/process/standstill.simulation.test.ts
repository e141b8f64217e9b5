import { expect, test } from "vitest";

import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { runningConsumer } from "#fixtures/consumer/consumer-process.ts";
import { anIncident, asRecord } from "#fixtures/incidents.ts";

import { orderSkip } from "#consumer/operations/skip-command.ts";

const incident = (id: string, offset: bigint) => asRecord(anIncident({ id }), { offset });

test("is unready while a partition stands still, says which, goes on with the others and stays alive", async () => {
  const process = await runningConsumer();
  process.broker.standstills.push({
    topic: "incidents",
    partition: 3,
    offset: 42n,
    cause: "unreadable",
    detail: "its checksum is wrong",
    sinceMs: 0,
  });
  expect(process.health().readiness().reason).toBe(
    "broker: incidents/3 at offset 42 stands still, unreadable: its checksum is wrong",
  );
  expect(process.health().liveness().alive).toBe(true);
  await process.clock.runUntil(process.broker.deliver([incident("a", 0n)]));
  expect(process.sender.sends).toHaveLength(1);
  process.broker.standstills.pop();
  expect(process.health().readiness().ready).toBe(true);
  process.terminate();
  await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
});

test("passes what cannot be read when an operator orders it, after its dead letter", async () => {
  const process = await runningConsumer();
  const found = {
    offset: 7n,
    endOffset: 9n,
    fingerprint: "ab",
    cause: "unreadable",
    detail: "damage",
  } as const;
  expect(await process.broker.cannotRead(found)).toBeUndefined();
  const said = {
    topic: "incidents",
    partition: 0,
    offset: "7",
    by: "eve",
    reason: "a broken disk",
  };
  const volume = { files: process.volume.mount(), directory: "/data" };
  await orderSkip(said, volume, { clock: process.clock, random: createSeededRandom(7) });
  expect(await process.broker.cannotRead(found)).toBe(9n);
  expect(process.broker.published).toMatchObject([
    {
      headers: {
        "dead-letter-reason": "skipped",
        "source-offset": "7",
        "source-offset-last": "8",
      },
    },
  ]);
  process.terminate();
  await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
});
