import { attemptPath } from "#consumer/history/base/layout.ts";
import type { Invariant } from "#simulator/model/verification/invariants.ts";
import type { BadHistories } from "./test-bed.ts";
import { DURATIONS, EXECUTION, PAUSE } from "#simulator/model/settings.ts";

const NOT_APPLIED = { outcome: "failed-not-applied" };
const IN_DOUBT = { outcome: "in-doubt" };
const REJECTED = { outcome: "rejected" };
const OLD_MS = DURATIONS.eventAgeMsMax + DURATIONS.clockSkewMsMax;

const ORDER = "a".repeat(32);

/** Histories of attempts, claims, outcomes, commits and dead letters that must be refused. */
export const ATTEMPT_VIOLATIONS = {
  "an attempt is executed at most once": {
    "the same request twice"({ claim, deliver, send }) {
      const planned = deliver();
      claim(planned);
      send(planned);
      send(planned);
    },
    async "once more, after its claim was deleted"({ claim, clock, deliver, outcome, ...testBed }) {
      const planned = deliver();
      claim(planned);
      testBed.send(planned);
      outcome(planned);
      await clock.advance(OLD_MS);
      await testBed.remove(planned, 1, "claim");
      await testBed.remove(planned, 1, "outcome");
      testBed.step();
      claim(planned, 1, "another");
      testBed.send(planned, ["another"]);
    },
  },
  "another attempt follows only what was certainly not applied, or is declared idempotent": {
    "after an in-doubt"({ claim, deliver, outcome, send }) {
      const planned = deliver();
      claim(planned);
      outcome(planned, 1, IN_DOUBT);
      claim(planned, 2);
      send(planned, ["nonce-2"]);
    },
    "after a done"({ claim, deliver, outcome, send }) {
      const planned = deliver();
      claim(planned);
      outcome(planned);
      claim(planned, 2);
      send(planned, ["nonce-2"]);
    },
  },
  "an action has no more attempts than it may": {
    "a fourth of three"({ claim, deliver, outcome, send }) {
      const planned = deliver();
      for (const attempt of [1, 2, 3]) {
        claim(planned, attempt);
        outcome(planned, attempt, NOT_APPLIED);
      }
      claim(planned, 4);
      send(planned, ["nonce-4"]);
    },
  },
  "a key has at most one effect, unless it is declared idempotent": {
    async "two requests that arrive"({ clock, deliver, runAll, step, endpoint }) {
      const { key } = deliver();
      void endpoint.send("a.1", key, 1000, () => clock.monotonicMs());
      void endpoint.send("b.2", key, 1000, () => clock.monotonicMs());
      await runAll();
      step();
    },
  },
  "one key never carries two different requests": {
    "another body at the second attempt"({ claim, deliver, outcome, send }) {
      const planned = deliver();
      claim(planned);
      send(planned);
      outcome(planned, 1, NOT_APPLIED);
      claim(planned, 2);
      const spec = { ...planned.spec, body: "another" };
      send({ ...planned, spec }, ["nonce-2"]);
    },
  },
  "no action begins later than the delay after a pause": {
    async "a claim"({ clock, workPause }) {
      await workPause.order(true, ORDER);
      await clock.advance(PAUSE.readingMsMax + 1);
      workPause.onClaim("a.1");
    },
    async "a request"({ clock, workPause }) {
      await workPause.order(true, ORDER);
      await clock.advance(PAUSE.readingMsMax + DURATIONS.actionDeadlineMs + 1);
      workPause.onSend("a.1");
    },
  },
  "every execution was durably claimed with a nonce of its own run": {
    "nothing is claimed": ({ deliver, send }) => send(deliver()),
    "another run claimed it"({ claim, deliver, send }) {
      const planned = deliver();
      claim(planned, 1, "another");
      send(planned, ["nonce-1"]);
    },
    async "the name of the claim is not durable"({ deliver, send, undurable }) {
      const planned = deliver();
      await undurable(planned, "claim", {});
      send(planned);
    },
  },
  "the outcomes of all earlier attempts are durable": {
    async "the outcome before is not"({ claim, deliver, send, undurable }) {
      const planned = deliver();
      await undurable(planned, "outcome", NOT_APPLIED);
      claim(planned, 2);
      send(planned, ["nonce-2"]);
    },
    "there is no outcome before"({ claim, deliver, send }) {
      const planned = deliver();
      claim(planned);
      claim(planned, 2);
      send(planned, ["nonce-2"]);
    },
  },
  "a claim or an outcome never changes": {
    "another claim"({ claim, deliver }) {
      const planned = deliver();
      claim(planned);
      claim(planned, 1, "another");
    },
    "another outcome"({ deliver, outcome }) {
      const planned = deliver();
      outcome(planned, 1, IN_DOUBT);
      outcome(planned);
    },
  },
  "a claim or an outcome always parses": {
    "half a claim"({ deliver, step, volume }) {
      const { key } = deliver();
      volume.put(attemptPath(key, 1, "claim"), '{"format":1,"key"');
      step();
    },
  },
  "only its owner ends an attempt, except as in doubt": {
    async "not applied, says another"({ claim, clock, deliver, outcome }) {
      const planned = deliver();
      claim(planned);
      await clock.advance(EXECUTION.orphanWaitMs);
      outcome(planned, 1, { ...NOT_APPLIED, nonce: "another" });
    },
  },
  "a process waits for the attempt of another before it declares it in doubt": {
    async "a moment too short"({ claim, clock, deliver, outcome }) {
      const planned = deliver();
      claim(planned);
      await clock.advance(EXECUTION.orphanWaitMs - 1);
      outcome(planned, 1, { ...IN_DOUBT, nonce: "another" });
    },
  },
  "a claim is deleted only when its attempt is final and too old by every clock": {
    async "done, and young"({ claim, deliver, outcome, remove, step }) {
      const planned = deliver();
      claim(planned);
      outcome(planned);
      await remove(planned, 1, "claim");
      step();
    },
    async "old, without an outcome"({ claim, clock, deliver, remove, step }) {
      const planned = deliver();
      claim(planned);
      await clock.advance(OLD_MS);
      await remove(planned, 1, "claim");
      step();
    },
    async "old, without its dead letter"({ claim, clock, deliver, outcome, remove, step }) {
      const planned = deliver();
      claim(planned);
      outcome(planned, 1, REJECTED);
      await clock.advance(OLD_MS);
      await remove(planned, 1, "outcome");
      step();
    },
  },
  "the committed offset never passes the first record that is not terminal": {
    "nothing was done"({ deliver, verifier }) {
      deliver();
      verifier.onCommit(0, 1, true);
    },
    "claimed only"({ claim, deliver, verifier }) {
      claim(deliver());
      verifier.onCommit(0, 1, true);
    },
    async "its outcome is not durable"({ deliver, verifier, undurable }) {
      await undurable(deliver(), "outcome", { outcome: "done" });
      verifier.onCommit(0, 1, true);
    },
    "another attempt may follow"({ deliver, verifier, outcome }) {
      outcome(deliver(), 1, NOT_APPLIED);
      verifier.onCommit(0, 1, true);
    },
    "its dead letter is not out"({ deliver, verifier, outcome }) {
      outcome(deliver(), 1, IN_DOUBT);
      verifier.onCommit(0, 1, true);
    },
    async "only that of an earlier attempt is"({ deliver, verifier, deadLetter, outcome }) {
      const planned = deliver();
      outcome(planned, 1, NOT_APPLIED);
      await deadLetter(planned, 1, "failed-not-applied");
      outcome(planned, 2, IN_DOUBT);
      verifier.onCommit(0, 1, true);
    },
    "that of what cannot be decoded is not out"({ deliverText, verifier }) {
      deliverText("{");
      verifier.onCommit(0, 1, true);
    },
    "its end was sent, and nobody heard of it"({ deliver, verifier, ledger, outcome }) {
      const planned = deliver();
      ledger.answered(planned.key, { outcome: "done", detail: "200" });
      outcome(planned, 1, IN_DOUBT);
      verifier.onCommit(0, 1, true);
    },
  },
  "nothing is committed for a partition that is not assigned": {
    "of another"({ claim, deliver, verifier, outcome }) {
      const planned = deliver();
      claim(planned);
      outcome(planned);
      verifier.onCommit(0, 1, false);
    },
    async "after it was revoked"({ broker, clock, deliver, runAll }) {
      const revoked = Promise.withResolvers<void>();
      let lateCommit: Promise<unknown> | undefined;
      deliver();
      broker.join("a.1", clock, async (batch) => {
        batch.assignment.signal.addEventListener("abort", () => {
          lateCommit = batch.commit(1n).catch(() => undefined);
          revoked.resolve();
        });
        await revoked.promise;
      });
      broker.rebalance(["a.1"]);
      for (let step = 0; step < 2; step += 1) await runAll();
      broker.rebalance([undefined]);
      await runAll();
      await revoked.promise;
      await lateCommit;
    },
  },
  "every dead-letter outcome reaches the dead letter": {
    "rejected, and silent"({ claim, deliver, verifier, outcome }) {
      const planned = deliver();
      claim(planned);
      outcome(planned, 1, REJECTED);
      verifier.onRunEnd(false);
    },
  },
  "a dead letter gives the reason that its outcome file gives": {
    async "something else"({ deliver, deadLetter, outcome }) {
      const planned = deliver();
      outcome(planned, 1, REJECTED);
      await deadLetter(planned, 1, "in-doubt");
    },
    async "there is no outcome"({ claim, deliver, deadLetter }) {
      const planned = deliver();
      claim(planned);
      await deadLetter(planned, 1, "in-doubt");
    },
    async "the outcome is not durable"({ deliver, deadLetter, undurable }) {
      const planned = deliver();
      await undurable(planned, "outcome", REJECTED);
      await deadLetter(planned, 1, "rejected");
    },
  },
  "every matched event becomes terminal when faults stop": {
    "nobody begins it"({ deliver, verifier }) {
      deliver();
      verifier.onRunEnd(false);
    },
    "done, and not committed"({ claim, deliver, verifier, outcome }) {
      const planned = deliver();
      claim(planned);
      outcome(planned);
      verifier.onRunEnd(false);
    },
  },
} as const satisfies Partial<Record<Invariant, BadHistories>>;
