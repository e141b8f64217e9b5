import { expect, test } from "vitest";

import { EXECUTOR_SETTINGS, plannedAction } from "#fixtures/consumer/execution.ts";
import { createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";
import { orderTo } from "#fixtures/consumer/pause.ts";

const { key, rule, action, incident } = plannedAction();
const { eventAgeMsMax, orphanWaitMs } = EXECUTOR_SETTINGS;
const clockSkewMsMax = 60_000;
const HOUR_MS = 3_600_000;

test("while the work is paused no key ends because it is old", async () => {
  const testBed = createHistoryTestBed();
  const { clock, filesOf } = testBed;
  await using pod = await testBed.open({
    publishIntervalMs: 100 * HOUR_MS,
    probeIntervalMs: 100 * HOUR_MS,
  });
  const { claims } = pod.history;
  const published: string[] = [];
  const sweeping = pod.history.startSweeping({
    settings: { eventAgeMsMax, clockSkewMsMax, orphanWaitMs, intervalMs: 1000 * HOUR_MS },
    publish: async (_claim, end) => void published.push(end.detail),
    stopping: new AbortController().signal,
  });
  const sweep = async (): Promise<void> => {
    for (let round = 0; round < 17; round += 1) await clock.runUntil(sweeping.round());
  };
  const attempt = { key, attempt: 1, nonce: "n", pod: "dead" };
  const atMs = incident.startedOnMs;
  const { id: incidentId, transition, startedOnMs } = incident;
  const named = { rule, action, incidentId, transition, startedOnMs };
  const position = { topic: "incidents", partition: 3, offset: "42" };
  await claims.linkClaim({ ...attempt, ...named, ...position, claimedAtMs: atMs });
  const end = { outcome: "failed-not-applied", reason: "sent", detail: "503" } as const;
  await claims.linkOutcome({ ...attempt, ...end, atMs });

  await orderTo("pause", testBed);
  await clock.advance(eventAgeMsMax + clockSkewMsMax + HOUR_MS);
  await sweep();
  expect(published).toEqual([]);
  expect(filesOf("claims")).toHaveLength(2);

  await orderTo("resume", testBed);
  await clock.advance(3000);
  await sweep();
  expect(published).toEqual(["503"]);
  expect(filesOf("claims")).toEqual([]);
});
