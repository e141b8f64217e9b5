import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import {
  isReady,
  runningConsumer,
  startConsumer,
  until,
} from "#fixtures/consumer/consumer-process.ts";
import type { ConsumerProcess } from "#fixtures/consumer/consumer-process.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { anIncident, asRecord } from "#fixtures/incidents.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `count` incidents that start now, as records from `offset` on. */
function incidents({ clock }: Pick<ConsumerProcess, "clock">, count: number) {
  const started_on = Math.floor(clock.wallMs() / 1000);
  return (offset: number) =>
    Array.from({ length: count }, (_, index) =>
      asRecord(anIncident({ id: `incident-${index}`, started_on }), {
        offset: BigInt(offset + index),
      }),
    );
}

async function stop(process: ConsumerProcess): Promise<void> {
  process.terminate();
  await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
}

/** The configuration that every pod has of that name. */
const aMinute = { eventAgeMsMax: MINUTE_MS };

function horizonFiles({ volume }: ConsumerProcess): string[] {
  return volume.paths().filter((path) => path.startsWith("control/horizon/"));
}

describe("the horizon", () => {
  test("an age limit that is raised on a used volume lets nothing act again: a person decides", async () => {
    const first = await runningConsumer({ execution: aMinute });
    const { clock, volume } = first;
    const shared = { clock, volume };
    const records = incidents(first, 20);
    await clock.runUntil(first.broker.deliver(records(0)));
    expect(first.sender.sends).toHaveLength(20);
    // Every claim is swept, and its end past retention.
    await clock.advance(2 * HOUR_MS);
    await stop(first);
    expect(volume.paths().filter((path) => path.startsWith("claims/"))).toEqual([]);

    const raised = await runningConsumer({ shared, execution: { eventAgeMsMax: DAY_MS } });
    await clock.runUntil(raised.broker.deliver(records(20)));
    expect(raised.sender.sends).toEqual([]);
    expect(raised.broker.commits.at(-1)?.nextOffset).toBe(40n);
    const letters = raised.broker.published.map(({ headers }) => headers["dead-letter-reason"]);
    expect(letters).toEqual(Array.from({ length: 20 }, () => "in-doubt"));
    expect(new Set(raised.broker.published.map(({ headers }) => headers["action-key"])).size).toBe(
      20,
    );
    // Once only, and what starts later acts.
    await clock.runUntil(raised.broker.deliver(records(40)));
    expect(raised.broker.published).toHaveLength(20);
    await clock.runUntil(raised.broker.deliver(incidents(raised, 20)(60)));
    expect(raised.sender.sends).toHaveLength(20);
    await stop(raised);
  });

  test("with all clocks three days ahead for a while, the file server's too, nothing acts again", async () => {
    const clock = createManualClock();
    let aheadMs = 0;
    const wallMs = (): number => clock.wallMs() + aheadMs;
    const volume = createMemoryVolume({ clock: { wallMs } });
    const shared = { clock, volume };
    const first = await runningConsumer({ shared, aheadMs: () => aheadMs });
    const records = incidents(first, 20);
    await clock.runUntil(first.broker.deliver(records(0)));
    expect(first.sender.sends).toHaveLength(20);
    await stop(first);

    aheadMs = 3 * DAY_MS;
    const wrong = await runningConsumer({ shared, aheadMs: () => aheadMs });
    await clock.advance(2 * HOUR_MS);
    await stop(wrong);
    expect(volume.paths().filter((path) => path.startsWith("claims/"))).toEqual([]);

    aheadMs = 0;
    const next = await runningConsumer({ shared, aheadMs: () => aheadMs });
    await clock.runUntil(next.broker.deliver(records(20)));
    expect(next.sender.sends).toEqual([]);
    expect(next.broker.published).toHaveLength(20);
    expect(next.broker.commits.at(-1)?.nextOffset).toBe(40n);
    // It moved only as far as claims went: what starts now is not held up for three days.
    await clock.runUntil(next.broker.deliver(incidents(next, 20)(40)));
    expect(next.sender.sends).toHaveLength(20);
    await stop(next);
  });

  test("a file of it that is damaged stops everything, unready and with an alarm, until it is restored", async () => {
    const process = await runningConsumer();
    const { clock, volume } = process;
    const [path = ""] = horizonFiles(process);
    const whole = volume.text(path);
    volume.put(path, "");
    await clock.advance(MINUTE_MS);
    const delivered = process.broker.deliver(incidents(process, 3)(0));
    await clock.advance(10 * MINUTE_MS);
    const { ready, reason } = process.health().readiness();
    expect(ready).toBe(false);
    expect(reason).toContain(`read the horizon: ${path}`);
    expect(process.sender.sends).toEqual([]);
    expect(process.broker.commits).toEqual([]);
    expect(process.log.of("history.storage.failed")).not.toEqual([]);

    volume.put(path, whole);
    await clock.runUntil(delivered);
    expect(process.sender.sends).toHaveLength(3);
    await until(process, isReady(process));
    await stop(process);
  });
});

describe("a clock beyond the skew", () => {
  test("with one pod's clock three days ahead for a while, what is published again acts once", async () => {
    const first = await runningConsumer();
    const { clock, volume } = first;
    const shared = { clock, volume };
    const records = incidents(first, 20);
    await clock.runUntil(first.broker.deliver(records(0)));
    expect(first.sender.sends).toHaveLength(20);
    await stop(first);

    let aheadMs = 0;
    const wrong = await runningConsumer({ shared, aheadMs: () => aheadMs });
    aheadMs = 3 * DAY_MS;
    // Long enough to sweep every claim and to compact the journal of the first.
    await clock.advance(2 * HOUR_MS);
    const during = wrong.health().readiness();
    aheadMs = 0;
    await stop(wrong);

    // The memory of the other pods died with them: only the volume counts.
    const next = await runningConsumer({ shared });
    await clock.runUntil(next.broker.deliver(records(20)));
    expect([...wrong.sender.sends, ...next.sender.sends]).toEqual([]);
    expect(next.broker.commits.at(-1)?.nextOffset).toBe(40n);
    expect(during).toMatchObject({ ready: false });
    expect(wrong.log.of("history.storage.failed")).toHaveLength(1);
    await stop(next);
  });

  test.each([
    [25 * HOUR_MS, "2026-01-02T01:", "90000000 ms ahead of it"],
    [-25 * HOUR_MS, "2025-12-30T23:", "90000000 ms behind it"],
  ])(
    "a pod that starts with a clock %i ms ahead says both times, is unready, and joins no group",
    async (aheadMs, own, difference) => {
      const process = startConsumer({ aheadMs: () => aheadMs });
      await nextTurn();
      await process.clock.advance(1000);
      const { ready, reason } = process.health().readiness();
      expect(ready).toBe(false);
      expect(reason).toContain(`the clock of this pod says ${own}`);
      expect(reason).toContain("that of the history volume 2026-01-01T00:");
      expect(reason).toContain(difference);
      expect(process.brokers).toEqual([]);
      await expect(process.clock.runUntil(process.exit)).resolves.toBe(75);
      expect(process.brokers).toEqual([]);
    },
  );

  test.each([25 * HOUR_MS, -25 * HOUR_MS])(
    "fresh incidents wait while the clock is %i ms ahead, uncommitted, and act when it is right",
    async (wrongMs) => {
      let aheadMs = 0;
      const process = await runningConsumer({ aheadMs: () => aheadMs });
      aheadMs = wrongMs;
      await until(process, () => !process.health().readiness().ready);
      const delivered = process.broker.deliver(incidents(process, 3)(0));
      await process.clock.advance(10 * MINUTE_MS);
      expect(process.health().readiness().reason).toContain("the clock of this pod says");
      expect(process.sender.sends).toEqual([]);
      expect(process.broker.commits).toEqual([]);
      expect(process.broker.published).toEqual([]);

      aheadMs = 0;
      await process.clock.runUntil(delivered);
      expect(process.sender.sends).toHaveLength(3);
      expect(process.broker.commits.at(-1)?.nextOffset).toBe(3n);
      await until(process, isReady(process));
      await stop(process);
    },
  );

  test("a wall clock that jumps between two comparisons changes nothing", async () => {
    let aheadMs = 0;
    const process = await runningConsumer({ aheadMs: () => aheadMs });
    const records = incidents(process, 3);
    aheadMs = 25 * HOUR_MS;
    await process.broker.deliver(records(0));
    expect(process.sender.sends).toHaveLength(3);
    expect(process.broker.commits.at(-1)?.nextOffset).toBe(3n);
    const stamped = process.volume
      .paths()
      .filter((path) => path.startsWith("claims/"))
      .map((path) => process.volume.text(path));
    expect(stamped).toHaveLength(6);
    for (const text of stamped) {
      expect(text).toMatch(/"(claimedAtMs|atMs)":17672256\d{5}[,}]/);
    }
    aheadMs = 0;
    await stop(process);
  });
});
