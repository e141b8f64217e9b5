import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { createFaultyFiles } from "#simulator/model/parts/faulty-files.ts";
import type { Invariant } from "#simulator/model/judging/invariants.ts";
import type { ModelPod } from "#simulator/model/parts/pod.ts";
import { goJudged } from "#simulator/model/schedule/readiness.ts";
import { judgeRecovery } from "#simulator/model/schedule/recovery.ts";
import type { Scene, Stories } from "./scene.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import { GO, type How, type Step } from "#simulator/model/steps.ts";

const VIEW = "automation_action_history.json";
const REJECTED = { outcome: "rejected" };
const FAILURE: How = { kind: "fail", code: "EIO" };

/** Sends, readiness, journals, generations and the view, as they must not be. */
export const BAD_KEEPING = {
  "the index answers only what is settled": {
    "done, of a claim"({ claim, deliver, entry, judge, process }) {
      const planned = deliver();
      claim(planned);
      judge.onLookup(process, planned.key, entry(planned));
    },
    "rejected, without its dead letter"({ deliver, entry, judge, outcome, process }) {
      const planned = deliver();
      outcome(planned, 1, REJECTED);
      judge.onLookup(process, planned.key, entry(planned, { outcome: "rejected" }));
    },
  },
  "a journal holds only what is settled": {
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
  "a lost assignment sends nothing": {
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
    async "the claim cannot be linked, and nobody hears of it"(scene) {
      const { key } = scene.deliver();
      await goJudged(scene, failed(scene, "link", `claims/00/${key}.1.claim`), FAILURE);
    },
    async "the outcome cannot be read, and nobody hears of it"(scene) {
      const { key } = scene.deliver();
      await goJudged(scene, failed(scene, "read", `claims/00/${key}.1.outcome`), FAILURE);
    },
  },
  "a failed sync is never tried again on the same file": {
    async "it is"({ files, steps, violate }) {
      const faulty = createFaultyFiles({
        who: "a.1",
        files,
        steps,
        negatives: new Set(),
        isEmpty: () => true,
        onNamed: () => undefined,
        mayBeUnlisted: () => false,
        later: () => undefined,
        violated: (rule) => violate(rule, "a.1"),
      });
      const next = async (how: How) => (await steps.waiting())[0]?.go(how);
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
      volume.put(VIEW, '{"format":1,"entries":{');
      step();
    },
  },
  "the contract file shows the end of every key": {
    "nobody publishes it"({ claim, deliver, judge, outcome }) {
      const planned = deliver();
      claim(planned);
      outcome(planned);
      judge.atEnd(false);
    },
  },
  "recovery is idempotent and finds what was settled": {
    async "it was in a journal, and is in none"(scene) {
      const planned = scene.deliver();
      scene.ledger.recorded(scene.entry(planned));
      await judgeRecovery(scene, createSeededRandom(1));
    },
  },
  "any prefix of a journal loads": {
    async "it does not load at all"(scene) {
      scene.deliver();
      scene.generation(1, []);
      const newer = Buffer.from(scene.volume.file("snapshot/1")?.bytes ?? []);
      newer.writeUInt32LE(99, 4);
      scene.volume.put("snapshot/1", newer);
      await judgeRecovery(scene, createSeededRandom(1));
    },
  },
  "a corrupt record inside a journal raises an alarm": {
    async "nobody reads it"(scene) {
      const entry = { kind: "entry", ...scene.entry(scene.deliver()) };
      scene.journal("a.txt", [entry, entry]);
      await judgeRecovery(scene, createSeededRandom(1));
    },
  },
  "generations keep the union, and never shrink": {
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
  "no process ends in an error that nothing explains": {
    async "a broken start"(scene) {
      scene.start("a");
      const [first] = await scene.steps.waiting();
      first?.fail(new TypeError("broken"));
      await scene.steps.waiting();
    },
  },
} as const satisfies Partial<Record<Invariant, Stories>>;

/** A step that fails, of a pod that does not say so. */
function failed({ clock, pods, process }: Scene, operation: "link" | "read", path: string) {
  const assignment = { topic: "t", partition: 0, epoch: 1, signal: new AbortController().signal };
  const execution = { assignment, nonces: new Set<string>() };
  const deaf: ModelPod = {
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
  pods.set("a", deaf);
  const what: Step = { kind: "file", phase: "before", operation, subject: path };
  return { who: process.who, what, go: () => undefined, fail: () => undefined };
}
