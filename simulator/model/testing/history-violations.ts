import { VIEW_FILE } from "#consumer/history/base/layout.ts";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { createFaultyFiles } from "#simulator/model/cluster/faulty-files.ts";
import type { Invariant } from "#simulator/model/verification/invariants.ts";
import type { ModelPod } from "#simulator/model/cluster/pod.ts";
import { goAndVerifyReadiness } from "#simulator/model/verification/verify-readiness.ts";
import { verifyRecovery } from "#simulator/model/verification/verify-recovery.ts";
import type { TestBed, BadHistories } from "./test-bed.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import { GO } from "#simulator/model/cluster/steps.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";

const REJECTED = { outcome: "rejected" };
const FAILURE: StepResult = { kind: "fail", code: "EIO" };

/** Histories of requests, readiness, journals, generations and the view that must be refused. */
export const HISTORY_VIOLATIONS = {
  "the index returns only final outcomes": {
    "done, of a claim"({ claim, deliver, entry, verifier, process }) {
      const planned = deliver();
      claim(planned);
      verifier.onLookup(process, planned.key, entry(planned));
    },
    "rejected, without its dead letter"({ deliver, entry, verifier, outcome, process }) {
      const planned = deliver();
      outcome(planned, 1, REJECTED);
      verifier.onLookup(process, planned.key, entry(planned, { outcome: "rejected" }));
    },
  },
  "a journal holds only final outcomes": {
    "done, of a claim"({ claim, deliver, entry, journal }) {
      const planned = deliver();
      claim(planned);
      journal("a.log", [{ kind: "entry", ...entry(planned) }]);
    },
    async "done, before its file is durable"({ deliver, entry, journal, undurable }) {
      const planned = deliver();
      await undurable(planned, "outcome", { outcome: "done" });
      journal("a.log", [{ kind: "entry", ...entry(planned) }]);
    },
    "acknowledged, though its dead letter is not out"({ deliver, entry, journal, outcome }) {
      const planned = deliver();
      outcome(planned, 1, REJECTED);
      const end = entry(planned, { outcome: "rejected", deadLetterAcknowledged: true });
      journal("a.log", [{ kind: "entry", ...end }]);
    },
  },
  "a process sends nothing for an assignment that it has lost": {
    "revoked before it is sent"({ claim, deliver, send }) {
      const planned = deliver();
      claim(planned);
      send(planned, ["nonce-1"], true);
    },
  },
  "nothing is sent for an event past its age": {
    async "claimed and sent too late"({ claim, clock, deliver, send }) {
      const planned = deliver();
      const { actionDeadlineMs, clockSkewMsMax, eventAgeMsMax } = DURATIONS;
      await clock.advance(eventAgeMsMax + actionDeadlineMs + clockSkewMsMax + 1000);
      claim(planned);
      send(planned);
    },
  },
  "nothing is sent past its deadline": {
    async "claimed long before"({ claim, clock, deliver, send }) {
      const planned = deliver();
      claim(planned);
      await clock.advance(DURATIONS.actionDeadlineMs + 1);
      send(planned);
    },
  },
  "records of one incident are executed in their order, except after an in-doubt": {
    "the second first"({ claim, deliver, send }) {
      const first = deliver({ status: "active" });
      const second = deliver({ status: "resolved" });
      for (const planned of [second, first]) {
        claim(planned, 1, planned.key);
        send(planned, [planned.key]);
      }
    },
  },
  "distinct incidents never share a key": {
    "two under one"({ deliver, ledger }) {
      const planned = deliver();
      const facts = ledger.keys.get(planned.key);
      if (!facts) throw new Error("not planned");
      const other = { ...planned, incident: { ...planned.incident, id: "another" } };
      Object.assign(facts, { planned: other });
      deliver();
    },
  },
  "a storage failure makes the pod unready": {
    async "the claim cannot be linked, and nobody hears of it"(testBed) {
      const { key } = testBed.deliver();
      await goAndVerifyReadiness(
        testBed,
        failedStep(testBed, "link", `claims/00/${key}.1.claim`),
        FAILURE,
      );
    },
    async "the outcome cannot be read, and nobody hears of it"(testBed) {
      const { key } = testBed.deliver();
      await goAndVerifyReadiness(
        testBed,
        failedStep(testBed, "read", `claims/00/${key}.1.outcome`),
        FAILURE,
      );
    },
  },
  "a failed sync is never tried again on the same file": {
    async "it is"({ files, steps, violate }) {
      const faulty = createFaultyFiles({
        who: "a.1",
        files,
        steps,
        absentNames: new Set(),
        isEmpty: () => true,
        onNamed: () => undefined,
        mayBeUnlisted: () => false,
        later: () => undefined,
        violated: (rule) => violate(rule, "a.1"),
      });
      const next = async (how: StepResult) => (await steps.waiting())[0]?.go(how);
      const created = faulty.createExclusive("file");
      await next(GO);
      const file = await created;
      for (const how of [FAILURE, GO]) {
        const synced = file.dataSync().catch(() => undefined);
        await next(how);
        await synced;
      }
    },
  },
  "the contract file always parses": {
    "half of it"({ step, volume }) {
      volume.put(VIEW_FILE, '{"format":1,"entries":{');
      step();
    },
  },
  "the contract file shows the outcome of every key": {
    "nobody publishes it"({ claim, deliver, verifier, outcome }) {
      const planned = deliver();
      claim(planned);
      outcome(planned);
      verifier.onRunEnd(false);
    },
  },
  "recovery is idempotent and finds every recorded outcome": {
    async "it was in a journal, and is in none"(testBed) {
      const planned = testBed.deliver();
      testBed.ledger.onRecorded(testBed.entry(planned));
      await verifyRecovery(testBed, createSeededRandom(1));
    },
  },
  "any prefix of a journal loads": {
    async "it does not load at all"(testBed) {
      testBed.deliver();
      testBed.generation(1, []);
      const newer = Buffer.from(testBed.volume.file("snapshot/1")?.bytes ?? []);
      newer.writeUInt32LE(99, 4);
      testBed.volume.put("snapshot/1", newer);
      await verifyRecovery(testBed, createSeededRandom(1));
    },
  },
  "a corrupt record inside a journal raises an alarm": {
    async "nobody reads it"(testBed) {
      const entry = { kind: "entry", ...testBed.entry(testBed.deliver()) };
      testBed.journal("a.txt", [entry, entry]);
      await verifyRecovery(testBed, createSeededRandom(1));
    },
  },
  "a generation keeps every entry of the ones before it": {
    "the next one lacks an end"({ deliver, entry, generation }) {
      generation(1, [entry(deliver())]);
      generation(2, []);
    },
    "one changes"({ deliver, entry, generation }) {
      generation(1, []);
      generation(1, [entry(deliver())]);
    },
    "the highest is retired": ({ generation }) => generation(1, [], 1),
    "one is damaged"({ step, volume }) {
      volume.put("snapshot/1", "AAHS");
      step();
    },
    async "a journal goes before a generation has it"({ deliver, entry, files, journal, step }) {
      journal("a.log", [{ kind: "entry", ...entry(deliver()) }, { kind: "seal" }]);
      await files.unlink("journal/a.log");
      step();
    },
  },
  "the journal of a writer that may go on is never deleted": {
    async "it has no seal"({ deliver, entry, files, generation, journal, step }) {
      const end = entry(deliver());
      journal("a.log", [{ kind: "entry", ...end }]);
      generation(1, [end]);
      await files.unlink("journal/a.log");
      step();
    },
    async "it is empty yet"({ files, journal, step }) {
      journal("a.log", []);
      await files.unlink("journal/a.log");
      step();
    },
  },
  "no process ends with an unexplained error": {
    async "a broken start"(testBed) {
      testBed.start("a");
      const [first] = await testBed.steps.waiting();
      first?.fail(new TypeError("broken"));
      await testBed.steps.waiting();
    },
  },
} as const satisfies Partial<Record<Invariant, BadHistories>>;

/** Builds a failed step of a pod that does not become unready. */
function failedStep({ clock, pods, process }: TestBed, operation: "link" | "read", path: string) {
  const assignment = { topic: "t", partition: 0, epoch: 1, signal: new AbortController().signal };
  const execution = { assignment, nonces: new Set<string>() };
  const silent: ModelPod = {
    name: "a",
    who: process.who,
    clock,
    history: undefined,
    state: "running",
    sweeps: false,
    execution: () => execution,
    compact: async () => undefined,
    sweep: async () => undefined,
    stop: () => undefined,
  };
  pods.set("a", silent);
  const what: Step = { kind: "file", phase: "before", operation, subject: path };
  return { who: process.who, what, go: () => undefined, fail: () => undefined };
}
