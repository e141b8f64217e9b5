import { expect, test } from "vitest";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { BAD_ENDINGS } from "#simulator/model/testing/bad-endings.ts";
import { BAD_KEEPING } from "#simulator/model/testing/bad-keeping.ts";
import { INVARIANTS, type Invariant } from "./invariants.ts";
import { judgeRecovery } from "#simulator/model/schedule/recovery.ts";
import { type Stories, createScene } from "#simulator/model/testing/scene.ts";
import { DURATIONS, EXECUTION } from "#simulator/model/settings.ts";

const OLD_MS = DURATIONS.eventAgeMsMax + DURATIONS.clockSkewMsMax;

/** Every invariant is broken at least once: a check that cannot fail proves nothing. */
const BAD: Readonly<Record<Invariant, Stories>> = { ...BAD_ENDINGS, ...BAD_KEEPING };

const CASES = INVARIANTS.flatMap((invariant) =>
  Object.entries(BAD[invariant]).map(([title, story]) => ({ invariant, title, story })),
);

test.each(CASES)("seen: not so that $invariant: $title", async ({ invariant, story }) => {
  const scene = await createScene();
  await story(scene);
  expect(scene.violations.map(({ invariant: broken }) => broken)).toContain(invariant);
});

test("a life that goes well breaks nothing", async () => {
  const scene = await createScene();
  const { claim, clock, generation, journal, judge, letter, outcome, send } = scene;
  const planned = scene.deliver({ status: "active" });
  claim(planned);
  send(planned);
  outcome(planned, 1, { outcome: "failed-not-applied" });
  const first = scene.entry(planned, { outcome: "failed-not-applied" });
  claim(planned, 2);
  send(planned, ["nonce-2"]);
  await clock.advance(EXECUTION.orphanWaitMs);
  outcome(planned, 2, { outcome: "in-doubt", nonce: "another" });
  await letter(planned, 2, "in-doubt");
  const end = scene.entry(planned, {
    attempt: 2,
    outcome: "in-doubt",
    deadLetterAcknowledged: true,
  });
  journal("a.log", [{ kind: "entry", ...end }, { kind: "seal" }]);
  scene.ledger.recorded(end);
  judge.onLookup(scene.process, planned.key, end);
  const next = scene.deliver({ status: "resolved" });
  claim(next);
  send(next);
  outcome(next);
  judge.onCommit(0, 2, true);
  generation(1, [end]);
  await scene.files.unlink("journal/a.log");
  journal("empty.log", []);
  await judgeRecovery(scene, createSeededRandom(1));

  await clock.advance(OLD_MS);
  await scene.files.unlink("journal/empty.log");
  for (const kind of ["claim", "outcome"] as const) {
    for (const attempt of [1, 2]) await scene.remove(planned, attempt, kind);
  }
  scene.step();
  claim(planned, 1, "later");
  outcome(planned, 1, { outcome: "rejected", nonce: "later", reason: "too-old" });
  await letter(planned, 1, "too-old");
  const again = { outcome: "rejected", deadLetterAcknowledged: true } as const;
  for (const known of [first, scene.entry(planned, again)]) {
    judge.onLookup(scene.process, planned.key, known);
  }
  expect(scene.violations).toEqual([]);
});

test("a loss of power takes away what was not durable, and nothing else is missed", async () => {
  const scene = await createScene();
  const planned = scene.deliver();
  scene.generation(1, [scene.entry(planned)]);
  scene.generation(2, [scene.entry(planned)]);
  scene.generation(3, [scene.entry(planned)]);
  scene.generation(1, [], 1);
  const old = scene.deliver({ id: "old" });
  await scene.undurable(old, "claim", {});
  await scene.clock.advance(OLD_MS);
  scene.outcome(old, 1, { outcome: "in-doubt", nonce: "another" });
  scene.losePower();
  scene.step();
  await scene.remove(old, 1, "outcome");
  scene.step();
  const young = scene.deliver({ id: "young" });
  scene.claim(young);
  scene.send(young);
  expect(scene.violations).toEqual([]);
});

test("an end that nobody heard of is not missed in the view", async () => {
  const { broker, claim, clock, deliver, goAll, judge, letter, outcome, violations } =
    await createScene();
  const planned = deliver();
  claim(planned);
  await clock.advance(OLD_MS);
  outcome(planned, 1, { outcome: "in-doubt", nonce: "another" });
  await letter(planned, 1, "in-doubt");
  const committed = Promise.withResolvers<void>();
  broker.join("a.1", clock, async (batch) => {
    await batch.commit(1n);
    committed.resolve();
  });
  broker.rebalance(["a.1"]);
  for (let step = 0; step < 3; step += 1) await goAll();
  await committed.promise;
  judge.atEnd(false);
  expect(violations).toEqual([]);
});

test("a late done ends its key, whatever becomes of the attempt that followed", async () => {
  const { claim, clock, deliver, entry, journal, judge, ledger, outcome, send, violations } =
    await createScene();
  const planned = deliver();
  claim(planned);
  send(planned);
  ledger.answered(planned.key, { outcome: "done", detail: "200" });
  await clock.advance(EXECUTION.orphanWaitMs);
  outcome(planned, 1, { outcome: "in-doubt", nonce: "another" });
  claim(planned, 2);
  journal("a.log", [{ kind: "entry", ...entry(planned) }]);
  judge.onCommit(0, 1, true);
  expect(violations).toEqual([]);
});

test("a loss of power takes a deletion back, and what was linked in the place of what was deleted", async () => {
  const scene = await createScene();
  const planned = scene.deliver();
  scene.claim(planned);
  scene.outcome(planned);
  await scene.clock.advance(OLD_MS);
  await scene.remove(planned, 1, "claim");
  await scene.remove(planned, 1, "outcome");
  scene.step();
  await scene.undurable(planned, "outcome", { outcome: "in-doubt", nonce: "another" });
  scene.losePower();
  scene.step();
  expect(scene.ledger.keys.get(planned.key)?.attempts.get(1)?.outcome?.outcome).toBe("done");
  expect(scene.violations).toEqual([]);
});
