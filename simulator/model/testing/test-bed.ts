import { attemptPath, JOURNAL_DIRECTORY, snapshotPath } from "#consumer/history/base/layout.ts";
import type { PlannedAction } from "#consumer/planning/plan.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { encodeFrame, encodeJournalHeader } from "#consumer/history/journal/frames.ts";
import { encodeSnapshot } from "#consumer/history/snapshot/snapshot.ts";
import { anIncident } from "#fixtures/incidents.ts";
import type { IncidentValue } from "#fixtures/incidents.ts";
import { GO } from "#simulator/model/cluster/steps.ts";
import { createModelCluster } from "#simulator/model/cluster/model-cluster.ts";

export type TestBed = Awaited<ReturnType<typeof createTestBed>>;

/** Plays a history that violates an invariant. */
type BadHistory = (testBed: TestBed) => void | Promise<void>;

/** Histories that violate one invariant, by what happens in them. */
export type BadHistories = Readonly<Record<string, BadHistory>>;

interface OutcomeText {
  /** Defaults to done. */
  readonly outcome?: string;
  /** Defaults to the nonce of the claim of this attempt. */
  readonly nonce?: string;
  readonly reason?: string;
}

/**
 * Creates a cluster without pods. A test puts files, requests and commits into it and reads which
 * invariants they violate.
 */
export async function createTestBed() {
  const cluster = createModelCluster({
    seed: 1,
    partitions: 1,
    answer: () => ({ result: { outcome: "done", detail: "200" }, applied: true }),
    batchSize: () => 1,
  });
  const { retained, broker, clock, verifier, ledger, steps, volume } = cluster;
  const files = volume.mount();
  const process = { who: "a.1", clock };

  /** Lets every waiting step continue. */
  const runAll = async (): Promise<void> => {
    for (const entry of await steps.waiting()) entry.go(GO);
  };
  const testBed = {
    ...cluster,
    files,
    process,
    runAll,
    /** Verifies the present state. */
    step: (): void => {
      verifier.afterStep();
      retained.scan();
    },
    /**
     * Publishes a record and returns its first action, which opens a ticket, is not idempotent and
     * has three attempts.
     */
    deliver: (change: Partial<IncidentValue> = {}): PlannedAction => {
      const started_on = Math.round(clock.wallMs() / 1000);
      return testBed.deliverText(
        JSON.stringify(anIncident({ severity: "warning", started_on, ...change })),
      );
    },
    deliverText: (text: string): PlannedAction => {
      ledger.add(broker.produce(0, new TextEncoder().encode(text), clock.wallMs()));
      const [key = ""] = ledger.records(0).at(-1)?.keys ?? [];
      const planned = ledger.keys.get(key)?.planned;
      return planned ?? NO_ACTION;
    },
    /** Writes a claim that is durable at once. */
    claim: (planned: PlannedAction, attempt = 1, nonce = `nonce-${attempt}`): void => {
      const { incident } = planned;
      const claim = { key: planned.key, attempt, nonce, incidentId: incident.id };
      volume.put(pathOf(planned, attempt, "claim"), JSON.stringify(claim));
      testBed.step();
    },
    outcome: (planned: PlannedAction, attempt = 1, text: OutcomeText = {}): void => {
      const { outcome = "done", nonce = `nonce-${attempt}`, reason = "sent" } = text;
      volume.put(
        pathOf(planned, attempt, "outcome"),
        JSON.stringify({ key: planned.key, attempt, nonce, outcome, reason }),
      );
      testBed.step();
    },
    /** Writes a file whose name a loss of power would remove. */
    undurable: async (planned: PlannedAction, kind: "claim" | "outcome", text: object) => {
      const path = pathOf(planned, 1, kind);
      await files.makeDirectory(path.slice(0, path.lastIndexOf("/")));
      const file = await files.createExclusive(path);
      await file.append(new TextEncoder().encode(JSON.stringify({ nonce: "nonce-1", ...text })));
      await file.dataSync();
      testBed.step();
    },
    remove: async (planned: PlannedAction, attempt: number, kind: "claim" | "outcome") => {
      await files.unlink(pathOf(planned, attempt, kind));
    },
    /** Sends the request of a run that generated these nonces. */
    send: (
      planned: PlannedAction,
      nonces: readonly string[] = ["nonce-1"],
      assignmentLost = false,
    ): void => {
      const signal = assignmentLost ? AbortSignal.abort() : new AbortController().signal;
      const assignment = { topic: "bigpanda.incidents", partition: 0, epoch: 1, signal };
      verifier.onSend(process, planned, { assignment, nonces: new Set(nonces) });
    },
    deadLetter: async (planned: PlannedAction, attempt: number, reason: string): Promise<void> => {
      const headers = {
        "action-key": planned.key,
        "action-attempt": String(attempt),
        "dead-letter-reason": reason,
      };
      void broker.publish("a.1", { topic: "letters", key: null, value: EMPTY, headers });
      await runAll();
      testBed.step();
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
      volume.put(
        `${JOURNAL_DIRECTORY}/${name}`,
        Buffer.concat([encodeJournalHeader(1), ...frames]),
      );
      testBed.step();
    },
    generation: (number: number, entries: readonly HistoryEntry[], retiredAtMs?: number): void => {
      const content = { entries: () => entries, audits: [], ...(retiredAtMs && { retiredAtMs }) };
      volume.put(snapshotPath(number), Buffer.concat([...encodeSnapshot(content)]));
      testBed.step();
    },
  };
  return testBed;
}

function pathOf({ key }: PlannedAction, attempt: number, kind: "claim" | "outcome"): string {
  return attemptPath(key, attempt, kind);
}

const EMPTY = new Uint8Array(0);

/** Stands for the action of a record that cannot be decoded or that no rule matches. */
const NO_ACTION: PlannedAction = {
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
