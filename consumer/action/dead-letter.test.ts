import { expect, test, vi } from "vitest";
import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import { createRecordedBroker, sourceRecord } from "#fixtures/consumer/execution.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";
import { deadLetterRecord, publishDeadLetter } from "./dead-letter.ts";
import type { DeadLetter } from "./dead-letter.ts";
import { ConsumerError } from "#consumer/errors.ts";
import { createOutages } from "#consumer/async/outages.ts";

const UNDECODABLE: DeadLetter = {
  reason: "undecodable",
  detail: "no JSON",
  record: sourceRecord({ value: new Uint8Array([0xff, 0x00, 0xfe]) }),
  incidentId: null,
};

function setUp() {
  const clock = createManualClock();
  const broker = createRecordedBroker();
  const log = createRecordedLog();
  const metrics = createRecordedMetrics();
  const unacknowledged = createOutages();
  const dependencies = {
    unacknowledged,
    broker,
    topic: "dead",
    retry: { delayMsMin: 100, delayMsMax: 1000 },
    clock,
    random: createSeededRandom(1),
    log,
    metrics,
  };
  return { clock, broker, metrics, unacknowledged, dependencies };
}

test("bytes that cannot be decoded go on unchanged, without a key and without an action", () => {
  expect(deadLetterRecord("dead", UNDECODABLE)).toEqual({
    topic: "dead",
    key: null,
    value: new Uint8Array([0xff, 0x00, 0xfe]),
    headers: {
      "dead-letter-reason": "undecodable",
      "dead-letter-detail": "no JSON",
      "source-topic": "incidents",
      "source-partition": "3",
      "source-offset": "42",
    },
  });
});

test("a long detail is cut, since headers count towards the size of a record", () => {
  const { headers } = deadLetterRecord("dead", { ...UNDECODABLE, detail: "x".repeat(100_000) });
  expect(headers["dead-letter-detail"]).toHaveLength(1000);
});

test("while the broker refuses it the pod is unready, with the topic and the reason", async () => {
  const { clock, broker, unacknowledged, dependencies } = setUp();
  broker.refuse(2);
  const publishing = publishDeadLetter(UNDECODABLE, new AbortController().signal, dependencies);
  expect(unacknowledged.state).toEqual({ ready: true });
  await clock.advance(0);
  expect(unacknowledged.state).toMatchObject({
    ready: false,
    reason: expect.stringMatching(/^dead-letter topic dead: /) as unknown,
  });
  await clock.runUntil(publishing);
  expect(unacknowledged.state).toEqual({ ready: true });
});

test("a letter that is given up belongs to another pod, and is no outage any more", async () => {
  const { clock, broker, unacknowledged, dependencies } = setUp();
  broker.refuse(1e9);
  const giveUp = new AbortController();
  const publishing = publishDeadLetter(UNDECODABLE, giveUp.signal, dependencies);
  await clock.advance(0);
  expect(unacknowledged.state.ready).toBe(false);
  giveUp.abort(new Error("revoked"));
  await expect(publishing).rejects.toThrow("revoked");
  expect(unacknowledged.state).toEqual({ ready: true });
});

test("it is tried until it is acknowledged, once", async () => {
  const { clock, broker, metrics, dependencies } = setUp();
  broker.refuse(5);
  await clock.runUntil(publishDeadLetter(UNDECODABLE, new AbortController().signal, dependencies));
  expect(broker.published).toHaveLength(1);
  expect(metrics.total("dead_letters", { reason: "undecodable" })).toBe(1);
  expect(clock.monotonicMs()).toBeGreaterThan(1000);
});

test("a record above the limit of the topic goes out without its bytes, and says so", async () => {
  const { clock, broker, metrics, dependencies } = setUp();
  const publish = vi.fn<typeof broker.publish>(async (record) => {
    if (record.value.byteLength > 2) throw new ConsumerError("record-too-large", "above the limit");
    await broker.publish(record);
  });
  const giveUp = new AbortController().signal;
  await clock.runUntil(
    publishDeadLetter(UNDECODABLE, giveUp, { ...dependencies, broker: { publish } }),
  );
  expect(publish).toHaveBeenCalledTimes(2);
  expect(broker.published).toMatchObject([
    {
      value: new Uint8Array(0),
      headers: {
        "dead-letter-value-omitted": expect.stringContaining("3 bytes"),
        "source-offset": "42",
      },
    },
  ]);
  expect(metrics.total("dead_letters", { reason: "undecodable" })).toBe(1);
});

test("given up, it ends with the reason; the first try is always made", async () => {
  const { broker, dependencies } = setUp();
  const reason = new Error("stop");
  const giveUp = AbortSignal.abort(reason);
  await publishDeadLetter(UNDECODABLE, giveUp, dependencies);
  expect(broker.published).toHaveLength(1);
  broker.refuse(1);
  await expect(publishDeadLetter(UNDECODABLE, giveUp, dependencies)).rejects.toBe(reason);
});
