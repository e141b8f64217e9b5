import { expect, test } from "vitest";
import { ClientRun, TOPIC } from "#e2e/checkers/testing/client-run.ts";

/**
 * These tests run kafkajs clients as they are commonly written: what they do wrong must show in
 * what the broker reports.
 */

const POLL = { timeout: 10_000, interval: 5 };

/** Returns the findings by invariant. Throws when an invariant is unknown. */
async function brokenIn(run: ClientRun): Promise<Readonly<Record<string, readonly string[]>>> {
  const verdicts = await run.verdicts();
  const broken = verdicts.filter(({ status }) => status !== "holds");
  return Object.fromEntries(
    broken.map(({ invariant, status, reason, findings }) => [
      invariant,
      status === "broken" ? findings.map(({ message }) => message) : [`${status}: ${reason}`],
    ]),
  );
}

const incidentOf = (value: Buffer | null): string => String(value);

test("a client that works first and commits then breaks nothing", async () => {
  await using run = await ClientRun.begin();
  const consumer = await run.consumer("pod-a");
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async (payload) => {
      const { batch } = payload;
      for (const { offset, value } of batch.messages) {
        run.work("pod-a", incidentOf(value));
        payload.resolveOffset(offset);
        const next = String(BigInt(offset) + 1n);
        const { topic, partition } = batch;
        await payload.commitOffsetsIfNecessary({
          topics: [{ topic, partitions: [{ partition, offset: next }] }],
        });
      }
    },
  });
  for (const incident of ["i1", "i2", "i3"]) await run.publish(incident);
  await expect.poll(() => run.commits(), POLL).toContain("pod-a 0/3 accepted");
  expect(await brokenIn(run)).toEqual({});
});

test("a client that resolves and commits a batch before its work is found, and so is what it loses", async () => {
  await using run = await ClientRun.begin();
  const consumer = await run.consumer("pod-a");
  await run.publish("i1");
  await run.publish("i2");
  const { promise: committed, resolve: markCommitted } = Promise.withResolvers<void>();
  const { promise: dying, resolve: die } = Promise.withResolvers<void>();
  await consumer.run({
    eachBatch: async (payload) => {
      const { batch } = payload;
      const [first] = batch.messages;
      payload.resolveOffset(batch.lastOffset());
      const offset = String(BigInt(batch.lastOffset()) + 1n);
      const { topic, partition } = batch;
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset }] }],
      });
      markCommitted();
      // The process dies in the middle of the batch.
      await dying;
      if (first !== undefined) run.work("pod-a", incidentOf(first.value));
    },
  });
  await committed;
  // This is longer than the clocks of two places may differ by.
  const afterMs = Date.now() + 100;
  await expect.poll(() => Date.now(), POLL).toBeGreaterThan(afterMs);
  die();
  await consumer.disconnect();
  expect(await run.commits()).toContain("pod-a 0/2 accepted");
  const broken = await brokenIn(run);
  expect(Object.keys(broken)).toEqual(["committed-terminal", "every-event-terminal"]);
  expect(broken["committed-terminal"]).toEqual([
    expect.stringMatching(/pod-a committed 2 .*past offset 0, .*came to its end only at/),
    expect.stringMatching(/pod-a committed 2 .*past offset 1, .*never claimed/),
  ]);
});

test("a client that swallows the error of a record is found: autoCommit passes it", async () => {
  await using run = await ClientRun.begin();
  const consumer = await run.consumer("pod-a");
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ message }) => {
      try {
        if (incidentOf(message.value) === "i2") throw new Error("the endpoint is away");
        run.work("pod-a", incidentOf(message.value));
      } catch {
        // Many consumers do that.
      }
    },
  });
  for (const incident of ["i1", "i2", "i3"]) await run.publish(incident);
  await expect.poll(() => run.commits(), POLL).toContain("pod-a 0/3 accepted");
  const broken = await brokenIn(run);
  expect(Object.keys(broken)).toEqual(["committed-terminal", "every-event-terminal"]);
  expect(broken["committed-terminal"]).toEqual([expect.stringMatching(/past offset 1/)]);
});

test("a client that works in the background commits what it has lost, and both owners act", async () => {
  await using run = await ClientRun.begin(2);
  const first = await run.consumer("pod-a");
  const seen: { readonly partition: number; readonly incident: string }[] = [];
  await first.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      seen.push({ partition, incident: incidentOf(message.value) });
    },
  });
  await run.publish("i1", 0);
  await run.publish("i2", 1);
  await expect.poll(() => seen.length, POLL).toBe(2);
  const second = await run.consumer("pod-b");
  await second.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ message }) => run.work("pod-b", incidentOf(message.value)),
  });
  await expect.poll(async () => (await run.assignment()).size, POLL).toBe(2);
  const [lost] = (await run.assignment()).get("pod-b") ?? [];
  await expect.poll(() => run.done, POLL).toBe(1);
  const late = seen.find(({ partition }) => partition === lost);
  // The work in the background ends now, after the rebalance.
  if (late !== undefined) run.work("pod-a", late.incident);
  await expect
    .poll(async () => {
      await first.commitOffsets([{ topic: TOPIC, partition: lost ?? -1, offset: "1" }]);
      return await run.commits();
    }, POLL)
    .toContain(`pod-a ${lost}/1 accepted`);
  const broken = await brokenIn(run);
  expect(broken["committed-owned"]).toContainEqual(
    expect.stringMatching(/pod-a committed 1 .*belongs to pod-b there/),
  );
  expect(broken["one-execution-per-action"]).toEqual([
    expect.stringMatching(/had 2 effects: .*sent by pod-b and pod-a/),
  ]);
});

test("kafkajs itself commits a position that is none when its offset is out of range", async () => {
  await using run = await ClientRun.begin();
  const first = await run.consumer("pod-a");
  await first.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ message }) => run.work("pod-a", incidentOf(message.value)),
  });
  await run.publish("i1");
  await expect.poll(() => run.commits(), POLL).toContain("pod-a 0/1 accepted");
  await first.disconnect();
  for (const incident of ["i2", "i3"]) await run.publish(incident);
  await run.deleteRecordsBefore(2n);
  const second = await run.consumer("pod-a");
  await second.run({
    autoCommit: false,
    eachMessage: async ({ message }) => run.work("pod-a", incidentOf(message.value)),
  });
  await expect.poll(() => run.done, POLL).toBe(2);
  const broken = await brokenIn(run);
  expect(broken["committed-terminal"]).toContainEqual(
    expect.stringMatching(/pod-a committed -[12] .*which is no position/),
  );
  expect(broken["every-event-terminal"]).toEqual([
    expect.stringMatching(/incident i2.*never claimed/),
  ]);
});
