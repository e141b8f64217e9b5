import { expect, test } from "vitest";
import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import { createRecordedLog } from "#fixtures/ports/observers.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { Broker, DependencyState } from "#consumer/ports.ts";
import { startSession } from "./session.ts";

const READY: DependencyState = { ready: true };

/** Brokers that have joined at once; `fail` ends the consuming of the newest. */
function setUp() {
  const clock = createManualClock();
  const consuming: ReturnType<typeof Promise.withResolvers<void>>[] = [];
  const createBroker = (): Broker => ({
    state: READY,
    consume() {
      const run = Promise.withResolvers<void>();
      consuming.push(run);
      return run.promise;
    },
    publish: async () => undefined,
    drain: async () => undefined,
    stop: async () => undefined,
    standstills: [],
  });
  const session = startSession({
    createBroker,
    credentials: async () => ({ username: "u", password: "p" }),
    handle: async () => undefined,
    clock,
    random: createSeededRandom(1),
    log: createRecordedLog(),
    retry: { delayMsMin: 100, delayMsMax: 1000 },
    budgetMs: 60_000,
    sinceMs: 0,
    onJoined: () => undefined,
  });
  session.ended.catch(() => undefined);
  const fail = () =>
    consuming.at(-1)?.reject(new ConsumerError("broker-unavailable", "the connection broke"));
  return { clock, session, consuming, fail };
}

test("a broker that fails is replaced", async () => {
  const { clock, consuming, fail } = setUp();
  await clock.advance(100);
  fail();
  await clock.advance(5000);
  expect(consuming).toHaveLength(2);
});

test("a broker that fails while draining is not: nobody joins the group only to leave it", async () => {
  const { clock, session, consuming, fail } = setUp();
  await clock.advance(100);
  await session.drain();
  fail();
  await clock.advance(5000);
  expect(consuming).toHaveLength(1);
  await session.ended;
});
