import type { Evidence, RunHistory } from "#e2e/checkers/checker.ts";
import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import { LATE_REASON } from "#e2e/checkers/analysis/terminal-times.ts";
import { parentIdOf, traceIdOf } from "#e2e/checkers/analysis/trace-context.ts";
import type {
  Committed,
  DeadLettered,
  Effect,
  Ended,
  ExpectedAction,
  FaultEvent,
  HistoryEvent,
  Mark,
  PodEvent,
} from "#e2e/checkers/history-event.ts";

const TOPIC = "incidents";
const DEAD_LETTER_TOPIC = "incidents-dead";
const GROUP = "consumers";

/** An action that a record plans, with the position of that record. */
export interface PlannedAction {
  readonly key: string;
  readonly expected: ExpectedAction;
  readonly partition: number;
  readonly offset: string;
}

export interface ClaimedAttempt {
  readonly action: PlannedAction;
  readonly attempt: number;
  readonly pod: string;
  readonly nonce: string;
  /** The restarts of the claimant's container before the claim. Defaults to 0. */
  readonly restart?: number;
}

interface PublishOptions {
  readonly partition?: number;
  /** Defaults to the offset after the last one. */
  readonly offset?: string;
  readonly rule?: string;
  readonly action?: string;
  readonly transition?: string;
  readonly startedOnMs?: number;
  readonly idempotent?: boolean;
  readonly attemptsMax?: number;
}

type WithoutTime<Event> = Event extends HistoryEvent
  ? Omit<Event, "atMs"> & { atMs?: number }
  : never;

const STEP_MS = 10;
const UNREADY_MS_MAX = 1000;

/**
 * Writes histories by hand. Every method adds events at the present time and moves it on by 10 ms.
 */
export class HistoryBuilder {
  readonly events: HistoryEvent[] = [];
  readonly lacking = new Map<Evidence, string>();
  readonly incomplete = new Map<Evidence, string>();
  readonly contractFile: string[] = [];
  readonly strangeFiles: string[] = [];
  readonly #ends = new Map<number, number>();
  #nowMs = 1_000_000;
  #nonces = 0;
  #deadLetters = 0;
  #generation = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** The last generation. */
  get generation(): number {
    return this.#generation;
  }

  wait(ms: number): this {
    this.#nowMs += ms;
    return this;
  }

  add(event: WithoutTime<HistoryEvent>): this {
    this.events.push({ ...event, atMs: event.atMs ?? this.#nowMs });
    this.#nowMs += STEP_MS;
    return this;
  }

  /** Publishes a record with one action. */
  publish(incident: string, options: PublishOptions = {}): PlannedAction {
    const { partition = 0, offset = this.end(partition), ...planned } = options;
    const expected: ExpectedAction = {
      rule: "restart",
      action: "ticket",
      incident,
      transition: "active",
      startedOnMs: 900_000,
      idempotent: false,
      attemptsMax: 3,
      ...planned,
    };
    this.publishRecord(partition, offset, incident, [expected]);
    return { key: actionKeyOf(expected), expected, partition, offset };
  }

  /**
   * Publishes a record that no rule matches, or with `incident` null one that cannot be decoded.
   * Returns its offset.
   */
  publishPlain(incident: string | null, partition = 0): string {
    const offset = this.end(partition);
    this.publishRecord(partition, offset, incident, []);
    return offset;
  }

  publishRecord(
    partition: number,
    offset: string,
    incident: string | null,
    expected: readonly ExpectedAction[],
  ): this {
    this.#ends.set(partition, Number(offset) + 1);
    return this.add({ kind: "published", topic: TOPIC, partition, offset, incident, expected });
  }

  /** Returns the offset after the last one of a partition. */
  end(partition = 0): string {
    return String(this.#ends.get(partition) ?? 0);
  }

  nonce(): string {
    this.#nonces += 1;
    return this.#nonces.toString(16).padStart(16, "0").padEnd(32, "f");
  }

  /**
   * Adds the claim, on the volume and in the log of its pod. `behindMs` is how far the pod's idea
   * of the volume's time is behind.
   */
  claim(
    action: PlannedAction,
    { pod = "pod-a", attempt = 1, nonce = this.nonce(), restart = 0, behindMs = 0 } = {},
  ): ClaimedAttempt {
    const { key, expected, partition, offset } = action;
    const { idempotent: _, attemptsMax: __, action: name, ...fields } = expected;
    const claim = { ...fields, action: name, topic: TOPIC, partition, offset };
    const claimed = { kind: "claimed", pod, key, attempt, nonce } as const;
    const atMs = this.#nowMs - behindMs;
    this.add({ ...claimed, from: "file", claim, atMs }).add({ ...claimed, from: "log", restart });
    return { action, attempt, pod, nonce, restart };
  }

  send({ action, attempt, pod, nonce, restart = 0 }: ClaimedAttempt): this {
    return this.add({ kind: "sending", pod, key: action.key, attempt, nonce, restart });
  }

  effect({ action, pod, nonce }: ClaimedAttempt, more: Partial<Effect> = {}): this {
    const { key } = action;
    const trace = { traceId: traceIdOf(key), parentId: parentIdOf(nonce) };
    return this.add({ kind: "effect", key, ...trace, pod, path: "/tickets", ...more });
  }

  /** Adds the outcome, on the volume and in the log of the pod that wrote it. */
  outcome(claimed: ClaimedAttempt, outcome: string, more: Partial<Ended> = {}): this {
    const { action, attempt, pod, nonce } = claimed;
    const common = { kind: "ended", pod, key: action.key, attempt, nonce, outcome } as const;
    const ended = { ...common, reason: "sent", ...more } as const;
    return this.add({ ...ended, from: "file" }).add({ ...ended, from: "log" });
  }

  /** Adds the outcome of another pod that has waited long enough. */
  orphan(claimed: ClaimedAttempt, pod = "pod-b"): this {
    return this.outcome(claimed, "in-doubt", { pod, nonce: this.nonce(), reason: "orphaned" });
  }

  /**
   * Adds what the owner of an attempt logs when it learns the result after another pod has called
   * it in doubt.
   */
  late({ action, attempt, pod }: ClaimedAttempt, outcome: string): this {
    const own = { pod, key: action.key, attempt, nonce: "", outcome, reason: LATE_REASON };
    return this.add({ kind: "ended", from: "log", ...own });
  }

  /** Claims, sends and ends an action successfully. */
  execute(
    action: PlannedAction,
    claim: { readonly pod?: string; readonly attempt?: number } = {},
  ): ClaimedAttempt {
    const claimed = this.claim(action, claim);
    this.send(claimed).effect(claimed).outcome(claimed, "done");
    return claimed;
  }

  deadLetter(
    { action, attempt }: Pick<ClaimedAttempt, "action" | "attempt">,
    reason = "in-doubt",
    more: Partial<DeadLettered> = {},
  ): this {
    const { key, partition, offset } = action;
    const source = { topic: TOPIC, partition, offset };
    return this.#deadLetter({ key, attempt, reason, source, ...more });
  }

  /** Adds the dead letter of a record that cannot be decoded. */
  letterOfRecord(offset: string, partition = 0): this {
    const source = { topic: TOPIC, partition, offset };
    return this.#deadLetter({ key: null, attempt: null, reason: "undecodable", source });
  }

  #deadLetter(deadLetter: Pick<DeadLettered, "key" | "attempt" | "reason" | "source">): this {
    const place = { topic: DEAD_LETTER_TOPIC, partition: 0, offset: String(this.#deadLetters) };
    this.#deadLetters += 1;
    return this.add({ kind: "dead-lettered", ...place, ...deadLetter });
  }

  /** Adds a new generation, with the partitions of each pod. */
  assign(members: Readonly<Record<string, readonly number[]>>): this {
    this.#generation += 1;
    return this.add({
      kind: "assigned",
      group: GROUP,
      generation: this.#generation,
      members: Object.entries(members).map(([pod, partitions]) => ({
        memberId: `${pod}-member`,
        pod,
        partitions: partitions.map((partition) => ({ topic: TOPIC, partition })),
      })),
    });
  }

  deliver(
    offset: string,
    nextOffset: string,
    { pod = "pod-a", partition = 0 }: { readonly pod?: string; readonly partition?: number } = {},
  ): this {
    return this.add({ kind: "delivered", topic: TOPIC, partition, offset, nextOffset, pod });
  }

  /** Adds a commit of the present generation; `offset` is the next one to be read. */
  commit(offset: string, more: Partial<Committed> = {}): this {
    const pod = more.pod ?? "pod-a";
    return this.add({
      kind: "committed",
      topic: TOPIC,
      partition: 0,
      offset,
      group: GROUP,
      pod,
      memberId: `${pod}-member`,
      generation: this.#generation,
      accepted: true,
      ...more,
    });
  }

  podEvent(pod: string, what: string, more: Partial<PodEvent> = {}): this {
    return this.add({ kind: "pod", pod, what, ...more });
  }

  fault(
    fault: string,
    what: FaultEvent["what"],
    pod: string | null = null,
    step: number | null = null,
  ): this {
    return this.add({ kind: "fault", step, fault, pod, what, detail: "" });
  }

  mark(what: Mark["what"]): this {
    return this.add({ kind: "mark", what });
  }

  /** Returns everything so far in the order of time. */
  history(): RunHistory {
    return {
      events: this.events.toSorted((one, other) => one.atMs - other.atMs),
      lacking: new Map(this.lacking),
      incomplete: new Map(this.incomplete),
      unreadyMsMax: UNREADY_MS_MAX,
      contractFile: [...this.contractFile],
      strangeFiles: [...this.strangeFiles],
    };
  }
}
