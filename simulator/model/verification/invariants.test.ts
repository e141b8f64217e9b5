import { expect, test } from "vitest";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { ATTEMPT_VIOLATIONS } from "#simulator/model/testing/attempt-violations.ts";
import { HISTORY_VIOLATIONS } from "#simulator/model/testing/history-violations.ts";
import { INVARIANTS } from "./invariants.ts";
import type { Invariant } from "./invariants.ts";
import { verifyRecovery } from "./verify-recovery.ts";
import { createTestBed } from "#simulator/model/testing/test-bed.ts";
import type { BadHistories } from "#simulator/model/testing/test-bed.ts";
import { DURATIONS, EXECUTION } from "#simulator/model/settings.ts";

const OLD_MS = DURATIONS.eventAgeMsMax + DURATIONS.clockSkewMsMax;

/** Every invariant is violated at least once: a check that cannot fail proves nothing. */
const BAD: Readonly<Record<Invariant, BadHistories>> = {
  ...ATTEMPT_VIOLATIONS,
  ...HISTORY_VIOLATIONS,
};

const CASES = INVARIANTS.flatMap((invariant) =>
  Object.entries(BAD[invariant]).map(([title, history]) => ({ invariant, title, history })),
);

test.each(CASES)(
  "refuses a history in which it is not true that $invariant: $title",
  async ({ invariant, history }) => {
    const testBed = await createTestBed();
    await history(testBed);
    expect(testBed.violations.map(({ invariant: broken }) => broken)).toContain(invariant);
  },
);

test("a correct history violates nothing", async () => {
  const testBed = await createTestBed();
  const { claim, clock, generation, journal, verifier, deadLetter, outcome, send } = testBed;
  const planned = testBed.deliver({ status: "active" });
  claim(planned);
  send(planned);
  outcome(planned, 1, { outcome: "failed-not-applied" });
  const first = testBed.entry(planned, { outcome: "failed-not-applied" });
  claim(planned, 2);
  send(planned, ["nonce-2"]);
  await clock.advance(EXECUTION.orphanWaitMs);
  outcome(planned, 2, { outcome: "in-doubt", nonce: "another" });
  await deadLetter(planned, 2, "in-doubt");
  const end = testBed.entry(planned, {
    attempt: 2,
    outcome: "in-doubt",
    deadLetterAcknowledged: true,
  });
  journal("a.log", [{ kind: "entry", ...end }, { kind: "seal" }]);
  testBed.ledger.onRecorded(end);
  verifier.onLookup(testBed.process, planned.key, end);
  const next = testBed.deliver({ status: "resolved" });
  claim(next);
  send(next);
  outcome(next);
  verifier.onCommit(0, 2, true);
  generation(1, [end]);
  await testBed.files.unlink("journal/a.log");
  journal("empty.log", []);
  await verifyRecovery(testBed, createSeededRandom(1));

  await clock.advance(OLD_MS);
  await testBed.files.unlink("journal/empty.log");
  for (const kind of ["claim", "outcome"] as const) {
    for (const attempt of [1, 2]) await testBed.remove(planned, attempt, kind);
  }
  testBed.step();
  claim(planned, 1, "later");
  outcome(planned, 1, { outcome: "rejected", nonce: "later", reason: "too-old" });
  await deadLetter(planned, 1, "too-old");
  const outcomeAfterSweep = { outcome: "rejected", deadLetterAcknowledged: true } as const;
  for (const known of [first, testBed.entry(planned, outcomeAfterSweep)]) {
    verifier.onLookup(testBed.process, planned.key, known);
  }
  expect(testBed.violations).toEqual([]);
});

test("a loss of power removes what was not durable, and nothing else counts as missing", async () => {
  const testBed = await createTestBed();
  const planned = testBed.deliver();
  testBed.generation(1, [testBed.entry(planned)]);
  testBed.generation(2, [testBed.entry(planned)]);
  testBed.generation(3, [testBed.entry(planned)]);
  testBed.generation(1, [], 1);
  const old = testBed.deliver({ id: "old" });
  await testBed.undurable(old, "claim", {});
  await testBed.clock.advance(OLD_MS);
  testBed.outcome(old, 1, { outcome: "in-doubt", nonce: "another" });
  testBed.losePower();
  testBed.step();
  await testBed.remove(old, 1, "outcome");
  testBed.step();
  const young = testBed.deliver({ id: "young" });
  testBed.claim(young);
  testBed.send(young);
  expect(testBed.violations).toEqual([]);
});

test("an outcome that no process knows of may be missing in the view", async () => {
  const { broker, claim, clock, deliver, runAll, verifier, deadLetter, outcome, violations } =
    await createTestBed();
  const planned = deliver();
  claim(planned);
  await clock.advance(OLD_MS);
  outcome(planned, 1, { outcome: "in-doubt", nonce: "another" });
  await deadLetter(planned, 1, "in-doubt");
  const committed = Promise.withResolvers<void>();
  broker.join("a.1", clock, async (batch) => {
    await batch.commit(1n);
    committed.resolve();
  });
  broker.rebalance(["a.1"]);
  for (let step = 0; step < 3; step += 1) await runAll();
  await committed.promise;
  verifier.onRunEnd(false);
  expect(violations).toEqual([]);
});

test("a late done completes its key, whatever happens to the attempt that followed", async () => {
  const { claim, clock, deliver, entry, journal, verifier, ledger, outcome, send, violations } =
    await createTestBed();
  const planned = deliver();
  claim(planned);
  send(planned);
  ledger.answered(planned.key, { outcome: "done", detail: "200" });
  await clock.advance(EXECUTION.orphanWaitMs);
  outcome(planned, 1, { outcome: "in-doubt", nonce: "another" });
  claim(planned, 2);
  journal("a.log", [{ kind: "entry", ...entry(planned) }]);
  verifier.onCommit(0, 1, true);
  expect(violations).toEqual([]);
});

test("a loss of power undoes a deletion and the link that replaced the deleted file", async () => {
  const testBed = await createTestBed();
  const planned = testBed.deliver();
  testBed.claim(planned);
  testBed.outcome(planned);
  await testBed.clock.advance(OLD_MS);
  await testBed.remove(planned, 1, "claim");
  await testBed.remove(planned, 1, "outcome");
  testBed.step();
  await testBed.undurable(planned, "outcome", { outcome: "in-doubt", nonce: "another" });
  testBed.losePower();
  testBed.step();
  expect(testBed.ledger.keys.get(planned.key)?.attempts.get(1)?.outcome?.outcome).toBe("done");
  expect(testBed.violations).toEqual([]);
});
