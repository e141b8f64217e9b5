import type { Invariant } from "#simulator/model/judging/invariants.ts";
import type { Stories } from "./scene.ts";
import { DURATIONS, EXECUTION } from "#simulator/model/settings.ts";

const NOT_APPLIED = { outcome: "failed-not-applied" };
const IN_DOUBT = { outcome: "in-doubt" };
const REJECTED = { outcome: "rejected" };
const OLD_MS = DURATIONS.eventAgeMsMax + DURATIONS.clockSkewMsMax;

/** Attempts, claims and outcomes, commits and dead letters, as they must not be. */
export const BAD_ENDINGS = {
  "an attempt is executed at most once": {
    "the same request twice"({ claim, deliver, send }) {
      const planned = deliver();
      claim(planned);
      send(planned);
      send(planned);
    },
    async "once more, after its claim was deleted"({ claim, clock, deliver, outcome, ...scene }) {
      const planned = deliver();
      claim(planned);
      scene.send(planned);
      outcome(planned);
      await clock.advance(OLD_MS);
      await scene.remove(planned, 1, "claim");
      await scene.remove(planned, 1, "outcome");
      scene.step();
      claim(planned, 1, "another");
      scene.send(planned, ["another"]);
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
    async "two requests that arrive"({ clock, deliver, goAll, step, target }) {
      const { key } = deliver();
      void target.send("a.1", key, 1000, () => clock.monotonicMs());
      void target.send("b.2", key, 1000, () => clock.monotonicMs());
      await goAll();
      step();
    },
  },
  "every execution had been durably claimed with a nonce of its own run": {
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
  "what the next attempt relies on is durable": {
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
      volume.put(`claims/${key.slice(0, 2)}/${key}.1.claim`, '{"format":1,"key"');
      step();
    },
  },
  "nobody but its owner ends an attempt, except as in doubt": {
    async "not applied, says another"({ claim, clock, deliver, outcome }) {
      const planned = deliver();
      claim(planned);
      await clock.advance(EXECUTION.orphanWaitMs);
      outcome(planned, 1, { ...NOT_APPLIED, nonce: "another" });
    },
  },
  "an attempt of another is waited for before it is in doubt": {
    async "a moment too short"({ claim, clock, deliver, outcome }) {
      const planned = deliver();
      claim(planned);
      await clock.advance(EXECUTION.orphanWaitMs - 1);
      outcome(planned, 1, { ...IN_DOUBT, nonce: "another" });
    },
  },
  "a claim goes away only when it is settled and past every clock's age": {
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
    "nothing was done"({ deliver, judge }) {
      deliver();
      judge.onCommit(0, 1, true);
    },
    "claimed only"({ claim, deliver, judge }) {
      claim(deliver());
      judge.onCommit(0, 1, true);
    },
    async "its outcome is not durable"({ deliver, judge, undurable }) {
      await undurable(deliver(), "outcome", { outcome: "done" });
      judge.onCommit(0, 1, true);
    },
    "another attempt may follow"({ deliver, judge, outcome }) {
      outcome(deliver(), 1, NOT_APPLIED);
      judge.onCommit(0, 1, true);
    },
    "its dead letter is not out"({ deliver, judge, outcome }) {
      outcome(deliver(), 1, IN_DOUBT);
      judge.onCommit(0, 1, true);
    },
    async "only that of an earlier attempt is"({ deliver, judge, letter, outcome }) {
      const planned = deliver();
      outcome(planned, 1, NOT_APPLIED);
      await letter(planned, 1, "failed-not-applied");
      outcome(planned, 2, IN_DOUBT);
      judge.onCommit(0, 1, true);
    },
    "that of what cannot be decoded is not out"({ deliverText, judge }) {
      deliverText("{");
      judge.onCommit(0, 1, true);
    },
    "its end was sent, and nobody heard of it"({ deliver, judge, ledger, outcome }) {
      const planned = deliver();
      ledger.answered(planned.key, { outcome: "done", detail: "200" });
      outcome(planned, 1, IN_DOUBT);
      judge.onCommit(0, 1, true);
    },
  },
  "nothing is committed for a partition that is not assigned": {
    "of another"({ claim, deliver, judge, outcome }) {
      const planned = deliver();
      claim(planned);
      outcome(planned);
      judge.onCommit(0, 1, false);
    },
    async "after it was revoked"({ broker, clock, deliver, goAll }) {
      const revoked = Promise.withResolvers<void>();
      let late: Promise<unknown> | undefined;
      deliver();
      broker.join("a.1", clock, async (batch) => {
        batch.assignment.signal.addEventListener("abort", () => {
          late = batch.commit(1n).catch(() => undefined);
          revoked.resolve();
        });
        await revoked.promise;
      });
      broker.rebalance(["a.1"]);
      for (let step = 0; step < 2; step += 1) await goAll();
      broker.rebalance([undefined]);
      await goAll();
      await revoked.promise;
      await late;
    },
  },
  "every dead-letter outcome reaches the dead letter": {
    "rejected, and silent"({ claim, deliver, judge, outcome }) {
      const planned = deliver();
      claim(planned);
      outcome(planned, 1, REJECTED);
      judge.atEnd(false);
    },
  },
  "a dead letter says what the file of its attempt says": {
    async "something else"({ deliver, letter, outcome }) {
      const planned = deliver();
      outcome(planned, 1, REJECTED);
      await letter(planned, 1, "in-doubt");
    },
    async "there is no outcome"({ claim, deliver, letter }) {
      const planned = deliver();
      claim(planned);
      await letter(planned, 1, "in-doubt");
    },
    async "the outcome is not durable"({ deliver, letter, undurable }) {
      const planned = deliver();
      await undurable(planned, "outcome", REJECTED);
      await letter(planned, 1, "rejected");
    },
  },
  "every matched event becomes terminal when faults stop": {
    "nobody begins it"({ deliver, judge }) {
      deliver();
      judge.atEnd(false);
    },
    "done, and not committed"({ claim, deliver, judge, outcome }) {
      const planned = deliver();
      claim(planned);
      outcome(planned);
      judge.atEnd(false);
    },
  },
} as const satisfies Partial<Record<Invariant, Stories>>;
