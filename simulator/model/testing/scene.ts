import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { encodeFrame, encodeJournalHeader } from "#consumer/history/journal/frames.ts";
import { encodeSnapshot } from "#consumer/history/snapshot/snapshot.ts";
import { type IncidentValue, anIncident } from "#fixtures/incidents.ts";
import { GO } from "#simulator/model/steps.ts";
import type { PlannedAction } from "#consumer/planning/plan.ts";
import { createModel } from "#simulator/model/model.ts";

export type Scene = Awaited<ReturnType<typeof createScene>>;

/** A history, told by hand. */
type Story = (scene: Scene) => void | Promise<void>;

/** Stories that break one invariant, by what happens in them. */
export type Stories = Readonly<Record<string, Story>>;

interface OutcomeText {
  /** Default done. */
  readonly outcome?: string;
  /** Default that of the first attempt's claim. */
  readonly nonce?: string;
  readonly reason?: string;
}

/** A model without pods: a test that tells a story puts files, sends and commits into it, and hears what the judge says. */
export async function createScene() {
  const model = createModel({
    seed: 1,
    partitions: 1,
    answer: () => ({ result: { outcome: "done", detail: "200" }, applied: true }),
    batchSize: () => 1,
  });
  const { archive, broker, clock, judge, ledger, steps, volume } = model;
  const files = volume.mount();
  const process = { who: "a.1", clock };

  /** Lets everybody go who waits. */
  const goAll = async (): Promise<void> => {
    for (const entry of await steps.waiting()) entry.go(GO);
  };
  const scene = {
    ...model,
    files,
    process,
    goAll,
    /** Judges what is there now. */
    step: (): void => {
      judge.afterStep();
      archive.scan();
    },
    /** A record, and its first action: opens a ticket, is not idempotent, has three attempts. */
    deliver: (change: Partial<IncidentValue> = {}): PlannedAction => {
      const started_on = Math.round(clock.wallMs() / 1000);
      return scene.deliverText(
        JSON.stringify(anIncident({ severity: "warning", started_on, ...change })),
      );
    },
    deliverText: (text: string): PlannedAction => {
      ledger.add(broker.produce(0, new TextEncoder().encode(text), clock.wallMs()));
      const [key = ""] = ledger.records(0).at(-1)?.keys ?? [];
      const planned = ledger.keys.get(key)?.planned;
      return planned ?? NOTHING;
    },
    /** Durable at once. */
    claim: (planned: PlannedAction, attempt = 1, nonce = `nonce-${attempt}`): void => {
      const { incident } = planned;
      const claim = { key: planned.key, attempt, nonce, incidentId: incident.id };
      volume.put(pathOf(planned, attempt, "claim"), JSON.stringify(claim));
      scene.step();
    },
    outcome: (planned: PlannedAction, attempt = 1, text: OutcomeText = {}): void => {
      const { outcome = "done", nonce = `nonce-${attempt}`, reason = "sent" } = text;
      volume.put(
        pathOf(planned, attempt, "outcome"),
        JSON.stringify({ key: planned.key, attempt, nonce, outcome, reason }),
      );
      scene.step();
    },
    /** The same, with a name that a loss of power would take away. */
    undurable: async (planned: PlannedAction, kind: "claim" | "outcome", text: object) => {
      const path = pathOf(planned, 1, kind);
      await files.makeDirectory(path.slice(0, path.lastIndexOf("/")));
      const file = await files.createExclusive(path);
      await file.append(new TextEncoder().encode(JSON.stringify({ nonce: "nonce-1", ...text })));
      await file.dataSync();
      scene.step();
    },
    remove: async (planned: PlannedAction, attempt: number, kind: "claim" | "outcome") => {
      await files.unlink(pathOf(planned, attempt, kind));
    },
    /** By a run that made these nonces. */
    send: (planned: PlannedAction, nonces: readonly string[] = ["nonce-1"], lost = false): void => {
      const signal = lost ? AbortSignal.abort() : new AbortController().signal;
      const assignment = { topic: "bigpanda.incidents", partition: 0, epoch: 1, signal };
      judge.onSend(process, planned, { assignment, nonces: new Set(nonces) });
    },
    letter: async (planned: PlannedAction, attempt: number, reason: string): Promise<void> => {
      const headers = {
        "action-key": planned.key,
        "action-attempt": String(attempt),
        "dead-letter-reason": reason,
      };
      void broker.publish("a.1", { topic: "letters", key: null, value: EMPTY, headers });
      await goAll();
      scene.step();
    },
    entry: (planned: PlannedAction, change: Partial<HistoryEntry> = {}): HistoryEntry => ({
      key: planned.key,
      rule: planned.rule,
      action: planned.action,
      incidentId: planned.incident.id,
      transition: planned.incident.transition,
      startedOnMs: planned.incident.startedOnMs,
      attempt: 1,
      outcome: "done",
      atMs: clock.wallMs(),
      pod: "a",
      deadLetterAcknowledged: false,
      ...change,
    }),
    journal: (name: string, records: readonly object[]): void => {
      const frames = records.map((record) => encodeFrame(record));
      volume.put(`journal/${name}`, Buffer.concat([encodeJournalHeader(1), ...frames]));
      scene.step();
    },
    generation: (number: number, entries: readonly HistoryEntry[], retiredAtMs?: number): void => {
      const content = { entries: () => entries, audits: [], ...(retiredAtMs && { retiredAtMs }) };
      volume.put(`snapshot/${number}`, Buffer.concat([...encodeSnapshot(1, content)]));
      scene.step();
    },
  };
  return scene;
}

function pathOf({ key }: PlannedAction, attempt: number, kind: string): string {
  return `claims/${key.slice(0, 2)}/${key}.${attempt}.${kind}`;
}

const EMPTY = new Uint8Array(0);

/** Of a record that cannot be decoded, or that no rule applies to. */
const NOTHING: PlannedAction = {
  key: "",
  rule: "",
  action: "",
  spec: { type: "command", command: ["true"], environment: {} },
  incident: { id: "", transition: "", startedOnMs: 0 },
  deadlineMs: 0,
  idempotent: false,
  attemptsMax: 0,
  dryRun: false,
};
