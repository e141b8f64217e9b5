import { describe, expect, test } from "vitest";
import { runningConsumer, until } from "#fixtures/consumer/consumer-process.ts";
import type { ConsumerProcess } from "#fixtures/consumer/consumer-process.ts";
import { anIncident, asRecord } from "#fixtures/incidents.ts";
import type { FakeBroker } from "#fixtures/ports/in-memory-ports.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { SendResult, SourceRecord } from "#consumer/ports.ts";

type Process = ConsumerProcess & { broker: FakeBroker };

const LANES_MAX = 96;
const COMMAND = { name: "open", type: "command", command: ["/bin/open"], attemptsMax: 1 };
const RULES = [{ name: "all", match: {}, actions: [COMMAND] }];
const DENIED = new ConsumerError("broker-denied", "TOPIC_AUTHORIZATION_FAILED");

const undecodable = (partition: number, count: number, first = 0): SourceRecord[] =>
  Array.from({ length: count }, (_, index) =>
    asRecord("{ no json", { partition, offset: BigInt(first + index) }),
  );

const valid = (partition: number, offset: number, id: string): SourceRecord =>
  asRecord(anIncident({ id }), { partition, offset: BigInt(offset) });

/** The topic of dead letters refuses until the result is called. */
function refuse({ broker }: Process): () => void {
  let refusing = true;
  broker.onPublish(async () => {
    if (refusing) throw DENIED;
  });
  return () => void (refusing = false);
}

const committed = ({ broker }: Process): bigint[] =>
  broker.commits.map(({ nextOffset }) => nextOffset);

const sent = ({ sender }: Process): number => sender.sends.length;

async function stop(process: ConsumerProcess): Promise<void> {
  process.terminate();
  await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
}

const started = (send?: () => Promise<SendResult>): Promise<Process> =>
  runningConsumer({ execution: { lanesMax: LANES_MAX }, rules: RULES, ...(send && { send }) });

describe("while the topic of dead letters refuses", () => {
  test("incidents of every partition are acted on, behind more undecodable records than there are lanes", async () => {
    const process = await started();
    const allow = refuse(process);
    const batches = [0, 1, 2].map((partition) =>
      process.broker.deliver([
        ...undecodable(partition, LANES_MAX),
        valid(partition, LANES_MAX, `incident-${partition}`),
      ]),
    );
    await until(process, () => sent(process) === 3);
    expect(process.broker.commits).toEqual([]);
    expect(process.health().readiness().reason).toContain("dead-letter topic");

    allow();
    await process.clock.runUntil(Promise.all(batches));
    expect(process.broker.published).toHaveLength(3 * LANES_MAX);
    expect(process.broker.commits.map(({ nextOffset }) => nextOffset)).toEqual([97n, 97n, 97n]);
    await stop(process);
  });

  test.each(["rejected", "in-doubt", "failed-not-applied"] as const)(
    "an action that ended as %s holds neither a lane nor its own incident",
    async (outcome) => {
      let answered = 0;
      const process = await started(async () => {
        answered += 1;
        return answered <= LANES_MAX
          ? { outcome, detail: "no" }
          : { outcome: "done", detail: "200" };
      });
      const allow = refuse(process);
      const refused = Array.from({ length: LANES_MAX }, (_, n) => valid(0, n, `incident-${n}`));
      const later = asRecord(anIncident({ id: "incident-0", status: "worse" }), {
        offset: BigInt(LANES_MAX + 1),
      });
      const batch = process.broker.deliver([...refused, valid(0, LANES_MAX, "another"), later]);
      await until(process, () => sent(process) === LANES_MAX + 2);
      await process.clock.advance(60_000);
      expect(sent(process)).toBe(LANES_MAX + 2);
      expect(process.broker.commits).toEqual([]);
      allow();
      await until(process, () => committed(process).at(-1) === BigInt(LANES_MAX + 2));
      await batch;
      await stop(process);
    },
  );

  test("an action that comes again ends with the letter that is on its way", async () => {
    const process = await started(async () => ({ outcome: "rejected", detail: "no" }));
    const allow = refuse(process);
    const records = Array.from({ length: 25 }, (_, offset) => valid(0, offset, "incident"));
    const batch = process.broker.deliver(records);
    const other = process.broker.deliver([valid(1, 0, "incident")]);
    await process.clock.advance(60_000);
    expect(sent(process)).toBe(1);
    allow();
    await until(process, () => committed(process).length === 2);
    await Promise.all([batch, other]);
    expect(process.broker.published).toHaveLength(1);
    expect(committed(process)).toEqual(expect.arrayContaining([25n, 1n]));
    await stop(process);
  });

  test("a letter that its partition lost is sent for the other that waits for it", async () => {
    const process = await started(async () => ({ outcome: "rejected", detail: "no" }));
    const allow = refuse(process);
    const first = process.broker
      .deliver([valid(0, 0, "incident")])
      .catch((error: unknown) => error);
    await until(process, () => sent(process) === 1);
    process.broker.revoke();
    const second = process.broker.deliver([valid(1, 0, "incident")]);
    await process.clock.advance(5_000);
    allow();
    await until(process, () => committed(process).length === 1);
    await Promise.all([first, second]);
    expect(process.broker.published).toHaveLength(1);
    await stop(process);
  });

  test("a partition goes on to later batches; their commits wait for the earlier ones", async () => {
    const process = await started();
    const allow = refuse(process);
    const first = process.broker.deliver(undecodable(0, LANES_MAX));
    await process.clock.runUntil(first);
    await process.clock.runUntil(process.broker.deliver([valid(0, 96, "a"), valid(0, 97, "b")]));
    await process.clock.runUntil(
      process.broker.deliver([...undecodable(0, 1, 98), valid(0, 99, "c")]),
    );
    expect(sent(process)).toBe(3);
    process.broker.rebalance();
    expect(committed(process)).toEqual([]);

    const again = await started();
    const allowAgain = refuse(again);
    await again.clock.runUntil(again.broker.deliver(undecodable(0, LANES_MAX)));
    await again.clock.runUntil(again.broker.deliver([valid(0, 96, "a")]));
    await again.clock.runUntil(again.broker.deliver([...undecodable(0, 1, 97), valid(0, 98, "b")]));
    await again.clock.advance(60_000);
    expect(committed(again)).toEqual([]);
    allowAgain();
    await until(again, () => committed(again).at(-1) === 99n);
    expect(committed(again)).toEqual(
      committed(again).toSorted((one, other) => Number(one - other)),
    );
    expect(committed(again)).toEqual(expect.arrayContaining([96n, 97n, 99n]));
    expect(again.broker.published).toHaveLength(LANES_MAX + 1);
    allow();
    await stop(process);
    await stop(again);
  });

  test("a stop commits what is done of batches that were left", async () => {
    const process = await started();
    refuse(process);
    const first = [asRecord(null), asRecord(null, { offset: 1n }), ...undecodable(0, 1, 2)];
    await process.clock.runUntil(process.broker.deliver(first));
    await process.clock.runUntil(process.broker.deliver([valid(0, 3, "a")]));
    await stop(process);
    expect(committed(process)).toEqual([2n]);
    expect(sent(process)).toBe(1);
  });

  test("a stop waits for no letter, commits what is done before it, and leaves the rest", async () => {
    const process = await started(async () => ({ outcome: "rejected", detail: "no" }));
    refuse(process);
    const records = [asRecord(null), ...undecodable(0, LANES_MAX, 1), valid(0, 97, "incident")];
    const batch = process.broker.deliver(records).catch((error: unknown) => error);
    await until(process, () => sent(process) === 1);
    const beforeMs = process.clock.monotonicMs();
    await stop(process);
    expect(process.clock.monotonicMs() - beforeMs).toBeLessThan(1_000);
    expect(await batch).toMatchObject({ code: "stopping" });
    expect(process.broker.commits.at(-1)?.nextOffset).toBe(1n);

    const { clock, volume } = process;
    const next = await runningConsumer({ rules: RULES, shared: { clock, volume } });
    await clock.runUntil(next.broker.deliver(records));
    expect(next.sender.sends).toEqual([]);
    expect(next.broker.published).toHaveLength(LANES_MAX + 1);
    await stop(next);
  });

  test("no more letters are on their way at once than incidents may be at work", async () => {
    const process = await started();
    let underWay = 0;
    let most = 0;
    process.broker.onPublish(async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await process.clock.sleep(10);
      underWay -= 1;
    });
    await process.clock.runUntil(process.broker.deliver(undecodable(0, 1000)));
    expect(most).toBe(LANES_MAX);
    expect(process.broker.published).toHaveLength(1000);
    await stop(process);
  });
});
