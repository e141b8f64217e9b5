import { expect, test } from "vitest";

import { standstillState } from "#consumer/process/standstill-state.ts";
import { createStandstills } from "./standstills.ts";
import { createMetrics } from "#consumer/adapters/metrics.ts";
import { createRecordedLog } from "#fixtures/ports/observers.ts";

const FOUND = {
  topic: "incidents",
  partition: 3,
  offset: 42n,
  cause: "unreadable",
  detail: "its checksum is wrong",
} as const;

test("a standstill is reported once in log, metric and readiness, until the partition is read", async () => {
  const log = createRecordedLog();
  const metrics = createMetrics();
  const shown = async () =>
    /^kafka_consumer_standstill\{.*$/m.exec((await metrics.exposition()).text)?.[0];
  const standstills = createStandstills({ log, metrics });
  standstills.note(FOUND);
  standstills.note({ ...FOUND });
  expect(log.of("partition.stands-still")).toEqual([{ ...FOUND, offset: "42" }]);
  expect(await shown()).toBe(
    'kafka_consumer_standstill{topic="incidents",partition="3",offset="42",cause="unreadable"} 1',
  );
  expect(standstillState(standstills.present)).toEqual({
    ready: false,
    reason: "incidents/3 at offset 42 stands still, unreadable: its checksum is wrong",
  });

  standstills.note({ ...FOUND, offset: undefined, cause: "no-leader", detail: "none elected" });
  expect(await shown()).toContain('offset="",cause="no-leader"} 1');
  expect(standstills.present).toHaveLength(1);
  standstills.forget("incidents", 3);
  expect(await shown()).toBeUndefined();
  expect(log.of("partition.read-again")).toEqual([{ topic: "incidents", partition: 3 }]);
  expect(standstillState(standstills.present)).toBeUndefined();
});
