import { HORIZON_DIRECTORY, VIEW_FILE } from "#consumer/history/base/layout.ts";
import type { PlannedAction } from "#consumer/planning/plan.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import type { OutgoingRecord } from "#consumer/ports.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import type { RetainedHistory } from "./retained-history.ts";
import type { ModelBroker } from "#simulator/model/cluster/broker.ts";
import type { Violate } from "./invariants.ts";
import type { AttemptFacts, KeyFacts, Ledger, OutcomeFacts } from "./ledger.ts";
import type { Execution, ModelPod } from "#simulator/model/cluster/pod.ts";
import { type AgeLimits, DURATIONS } from "#simulator/model/settings.ts";
import type { ModelEndpoint } from "#simulator/model/cluster/action-endpoint.ts";
import type { ClusterTimes } from "#simulator/model/cluster/times.ts";

/** The process that acts. */
type Process = Pick<ModelPod, "who" | "clock">;

export interface Verifier {
  onSend(pod: Process, planned: PlannedAction, execution: Execution): void;
  onLookup(pod: Process, key: string, entry: HistoryEntry): void;
  onJournalled(entry: HistoryEntry): void;
  onCommit(partition: number, next: number, own: boolean): void;
  /** Verifies the state after a step. */
  afterStep(): void;
  /**
   * Verifies the state after all faults have ended and all pods have stopped. With `swept`, all
   * claims are old and were swept.
   */
  onRunEnd(swept: boolean): void;
  /** Returns true when the key is done or its dead letter is published. */
  isTerminal(key: string): boolean;
}

export interface VerifierOptions {
  readonly volume: MemoryVolume;
  readonly ledger: Ledger;
  readonly retained: RetainedHistory;
  readonly broker: () => ModelBroker;
  readonly target: () => ModelEndpoint;
  readonly times: ClusterTimes;
  /** Returns the limits of the process whose limits are the highest. */
  readonly limits: () => AgeLimits;
  readonly violate: Violate;
}

export function createVerifier(options: VerifierOptions): Verifier {
  const { volume, ledger, retained, broker, target, times, limits, violate } = options;
  const { nowMs, latestMs } = times;
  /**
   * Key and attempt of each dead letter, or partition and offset of a record that cannot be
   * decoded.
   */
  const deadLettered = new Set<string>();
  let deadLettersRead = 0;
  let effectsVerified = 0;
  let view: Uint8Array | undefined;
  let viewKeys = new Set<string>();

  const readDeadLetters = (): void => {
    const all = broker().deadLetters;
    for (; deadLettersRead < all.length; deadLettersRead += 1) {
      const deadLetter = all[deadLettersRead];
      if (deadLetter) readDeadLetter(deadLetter);
    }
  };

  /** Keys that were dead-lettered without an attempt, since their claims may have been swept. */
  const belowHorizon = new Set<string>();

  const isAtHorizon = ({ planned }: KeyFacts): boolean => {
    for (const { bytes } of volume.files(HORIZON_DIRECTORY)) {
      const { startedOnMs }: { startedOnMs: number } = JSON.parse(new TextDecoder().decode(bytes));
      if (planned.incident.startedOnMs <= startedOnMs) return true;
    }
    return false;
  };

  const readDeadLetter = ({ headers }: OutgoingRecord): void => {
    const { "action-key": key, "action-attempt": attempt } = headers;
    if (key === undefined) {
      deadLettered.add(`${headers["source-partition"]}/${headers["source-offset"]}`);
      return;
    }
    deadLettered.add(`${key}.${attempt}`);
    const ends = endsOf(ledger.keys.get(key)?.attempts.get(Number(attempt)));
    const reason = headers["dead-letter-reason"];
    if (ends.some((end) => end.durable && reason === dueOf(end))) return;
    const facts = ledger.keys.get(key);
    if (reason === "in-doubt" && attempt === "1" && facts && isAtHorizon(facts)) {
      belowHorizon.add(key);
      return;
    }
    const files = ends.map((end) => `${dueOf(end)}, ${end.durable ? "durable" : "not durable"}`);
    violate(
      "a dead letter gives the reason that its outcome file gives",
      `${key}: ${reason}, ${files.join("; ") || "nothing"}`,
    );
  };

  const hasDeadLetter = (id: string): boolean => {
    readDeadLetters();
    return deadLettered.has(id);
  };

  const mayBeTooOld = ({ planned }: KeyFacts): boolean =>
    latestMs() + DURATIONS.clockSkewMsMax - planned.incident.startedOnMs > DURATIONS.eventAgeMsMax;

  /**
   * Keys whose record was committed because they were too old to begin. Files that exist all the
   * same, because another clock or a cache saw it differently, are completed by the sweep of old
   * claims.
   */
  const leftToSweep = new Set<string>();
  /**
   * Keys that may have been too old when their record was committed. The process that committed it
   * may not know their outcome.
   */
  const committedOld = new Set<string>();

  /** `counts` selects the attempts that are considered. */
  const isTerminal = (key: string, counts: Counts = every): boolean => {
    const facts = ledger.keys.get(key);
    if (!facts) return false;
    const { attempts, planned } = facts;
    readDeadLetters();
    if (belowHorizon.has(key)) return true;
    if ([...attempts.values()].some(({ outcome }) => outcome?.durable && isDone(outcome))) {
      return true;
    }
    // The journal of a late owner says so, which replaces the dead letter that another pod would
    // write.
    if (retained.hasJournalledDone(key)) return true;
    const last = lastAttempt(facts, counts);
    const end = attempts.get(last)?.outcome;
    if (!end?.durable) return false;
    const mayGoOn =
      end.outcome === "failed-not-applied" || (end.outcome === "in-doubt" && planned.idempotent);
    if (mayGoOn && last < planned.attemptsMax && !mayBeTooOld(facts)) return false;
    return hasDeadLetter(`${key}.${last}`);
  };

  const isLeftToSweep = (key: string): boolean => {
    const facts = ledger.keys.get(key);
    if (!facts || !mayBeTooOld(facts)) return false;
    leftToSweep.add(key);
    return true;
  };

  /**
   * Returns true when the attempt is final and so old that no clock lets a process begin it again.
   */
  const mayDelete = (key: string, attempt: number): boolean => {
    const facts = ledger.keys.get(key);
    if (!facts) return false;
    if (latestMs() <= overMs(facts)) return false;
    const { claim, outcome } = facts.attempts.get(attempt) ?? {};
    // The claim was lost with the power before any process relied on it, and without it an outcome
    // means nothing.
    if (!claim) return true;
    return outcome?.durable === true && (isTerminal(key) || isTerminal(key, inTime(facts)));
  };

  const readView = (): void => {
    const file = volume.file(VIEW_FILE);
    if (!file || file.bytes === view) return;
    view = file.bytes;
    try {
      const value: { entries: object } = JSON.parse(new TextDecoder().decode(view));
      viewKeys = new Set(Object.keys(value.entries));
    } catch (error) {
      violate("the contract file always parses", String(error));
    }
  };

  return {
    isTerminal,
    onSend(pod, planned, { assignment, nonces }) {
      const facts = ledger.keys.get(planned.key);
      if (!facts) return;
      ledger.scan(mayDelete);
      const where = `${pod.who} ${planned.rule}/${planned.action} of ${planned.incident.id}`;
      if (assignment.signal.aborted)
        violate("a process sends nothing for an assignment that it has lost", where);
      const attempts = [...facts.attempts.keys()].toSorted((one, other) => other - one);
      const attempt = attempts.find((number) => {
        const claim = facts.attempts.get(number)?.claim;
        return claim?.durable && nonces.has(claim.nonce);
      });
      if (attempt === undefined) {
        violate("every execution was durably claimed with a nonce of its own run", where);
        return;
      }
      if (attempt > planned.attemptsMax) {
        violate("an action has no more attempts than it may", `${where}, attempt ${attempt}`);
      }
      const claimedMs = facts.attempts.get(attempt)?.claim?.seenMs ?? 0;
      if (nowMs() - claimedMs > planned.deadlineMs) {
        violate("nothing is sent past its deadline", `${where}, attempt ${attempt}`);
      }
      if (facts.sent.has(attempt)) {
        violate("an attempt is executed at most once", `${where}, attempt ${attempt}`);
      }
      for (let earlier = 1; earlier < attempt; earlier += 1) {
        const outcome = facts.attempts.get(earlier)?.outcome;
        if (!outcome?.durable) violate("the outcomes of all earlier attempts are durable", where);
        else if (outcome.outcome !== "failed-not-applied" && !planned.idempotent) {
          violate(
            "another attempt follows only what was certainly not applied, or is declared idempotent",
            `${where}, attempt ${attempt} after ${outcome.outcome}`,
          );
        }
      }
      facts.sent.add(attempt);
      const ageMs = nowMs() - planned.incident.startedOnMs;
      const { clockSkewMsMax, actionDeadlineMs } = DURATIONS;
      if (ageMs > limits().eventAgeMsMax + clockSkewMsMax + actionDeadlineMs) {
        violate("nothing is sent for an event past its age", `${where}: ${ageMs} ms`);
      }
      verifyOrder(facts, where);
    },
    onLookup(pod, key, { attempt, outcome }) {
      const facts = ledger.keys.get(key);
      const known = endsOf(facts?.attempts.get(attempt));
      const isFinal =
        outcome === "done"
          ? known.some(isDone) || facts?.answered.has("done")
          : hasDeadLetter(`${key}.${attempt}`) &&
            (belowHorizon.has(key) || known.some((end) => end.outcome === outcome && end.durable));
      if (!isFinal) violate("the index returns only final outcomes", `${pod.who}: ${outcome}`);
    },
    onJournalled({ key, attempt, outcome, deadLetterAcknowledged, pod }) {
      const facts = ledger.keys.get(key);
      const known = endsOf(facts?.attempts.get(attempt));
      const asItsFile = known.some((end) => end.durable && end.outcome === outcome);
      // A late owner records its own result beside the outcome file, which another process wrote.
      const isLate = known.some((end) => end.outcome !== outcome);
      const isTrue = outcome !== "done" || facts?.answered.has("done") === true;
      const isFinal = deadLetterAcknowledged
        ? hasDeadLetter(`${key}.${attempt}`) && (asItsFile || belowHorizon.has(key))
        : asItsFile || (isLate && isTrue);
      if (!isFinal) violate("a journal holds only final outcomes", `${pod}: ${outcome} of ${key}`);
    },
    onCommit(partition, next, own) {
      const where = `partition ${partition}, offset ${next}`;
      if (!own) violate("nothing is committed for a partition that is not assigned", where);
      ledger.scan(mayDelete);
      const records = ledger.records(partition).slice(0, next);
      for (const { keys } of records.slice(broker().partitions[partition]?.committed)) {
        for (const key of keys) {
          const facts = ledger.keys.get(key);
          if (facts && mayBeTooOld(facts)) committedOld.add(key);
        }
      }
      for (const { record, keys, undecodable } of records) {
        const terminal = undecodable
          ? hasDeadLetter(`${record.partition}/${record.offset}`)
          : keys.every((key) => isTerminal(key) || isLeftToSweep(key));
        if (!terminal) {
          violate(
            "the committed offset never passes the first record that is not terminal",
            `${where}: ${record.offset} is not`,
          );
        }
      }
    },
    afterStep() {
      ledger.scan(mayDelete);
      readDeadLetters();
      readView();
      if (target().effectCount === effectsVerified) return;
      effectsVerified = target().effectCount;
      for (const [key, { planned }] of ledger.keys) {
        if (planned.idempotent || target().effects(key) <= 1) continue;
        violate("a key has at most one effect, unless it is declared idempotent", key);
      }
    },
    onRunEnd(swept) {
      readDeadLetters();
      for (const [key, facts] of ledger.keys) {
        const { attempts, planned } = facts;
        const claimed = [...attempts.values()].some(({ claim }) => claim);
        if (leftToSweep.has(key) && !(claimed && swept)) continue;
        const where = `${key}: ${planned.rule}/${planned.action} of ${planned.incident.id}`;
        // One pod ended the key as too old while another, which had been paused, linked an attempt.
        // The next sweep ends it.
        const counts = swept || isTerminal(key) ? every : inTime(facts, underMs(facts));
        const last = lastAttempt(facts, counts);
        if (!isTerminal(key, counts)) {
          violate("every matched event becomes terminal when faults stop", where);
        }
        if (!claimed) continue;
        const end = attempts.get(last)?.outcome;
        const due = end !== undefined && !isDone(end) && !retained.hasJournalledDone(key);
        if (due && !hasDeadLetter(`${key}.${last}`)) {
          violate("every dead-letter outcome reaches the dead letter", `${where}: ${end.outcome}`);
        }
        // Journals are caches: what was read from one before it was synced may be lost with the
        // power.
        const endedMs = Math.max(planned.incident.startedOnMs, end?.atMs ?? 0);
        const kept = latestMs() - endedMs < DURATIONS.retentionMs - DURATIONS.clockSkewMsMax;
        // The next sweep finds an outcome that no process knows of.
        const shown = kept && (swept || !committedOld.has(key));
        if (shown && !volume.lostPower && !viewKeys.has(key))
          violate("the contract file shows the outcome of every key", where);
      }
      for (const [partition, { committed, log }] of broker().partitions.entries()) {
        if (committed === log.length) continue;
        violate(
          "every matched event becomes terminal when faults stop",
          `partition ${partition} is committed up to ${committed} of ${log.length}`,
        );
      }
    },
  };

  /**
   * Verifies that nothing of a later record of the incident was sent before, unless this action had
   * been in doubt.
   */
  function verifyOrder(facts: KeyFacts, where: string): void {
    const { planned, partition, offset } = facts;
    const doubted = [...facts.attempts.values()].some(
      ({ outcome }) => outcome?.outcome === "in-doubt",
    );
    if (doubted || mayBeTooOld(facts)) return;
    for (const other of ledger.keys.values()) {
      const later =
        other.partition === partition &&
        other.offset > offset &&
        other.planned.incident.id === planned.incident.id;
      if (later && other.sent.size > 0) {
        violate(
          "records of one incident are executed in their order, except after an in-doubt",
          where,
        );
      }
    }
  }
}

/** Selects attempts of a key. */
type Counts = (attempt: AttemptFacts) => boolean;

const every: Counts = () => true;

/** Returns the true time from which every clock says that the key is too old to begin. */
function overMs({ planned }: KeyFacts): number {
  return planned.incident.startedOnMs + DURATIONS.eventAgeMsMax + DURATIONS.clockSkewMsMax / 2;
}

/** Returns the true time until which every clock says that the key is young enough to begin. */
function underMs(facts: KeyFacts): number {
  return overMs(facts) - DURATIONS.clockSkewMsMax;
}

/**
 * Selects attempts that were claimed in time. A claim that a slow pod links later is never
 * executed; the next sweep ends and deletes it.
 */
function inTime(facts: KeyFacts, untilMs = overMs(facts)): Counts {
  return ({ claim }) => (claim?.seenMs ?? 0) <= untilMs;
}

/** Returns the number of the last attempt of a key, or 0 when it was never claimed. */
function lastAttempt({ attempts }: KeyFacts, counts: Counts = every): number {
  const present = [...attempts].filter(
    ([, facts]) => (facts.claim ?? facts.outcome) && counts(facts),
  );
  return Math.max(0, ...present.map(([attempt]) => attempt));
}

/** Returns the outcomes that the files of an attempt held, before it was swept and after. */
function endsOf(attempt: AttemptFacts | undefined): OutcomeFacts[] {
  return [attempt?.outcome, attempt?.outcomeAfterSweep].filter((end) => end !== undefined);
}

/** Returns the reason that the dead letter has to give. */
function dueOf({ outcome, reason }: OutcomeFacts): string {
  return reason === "too-old" ? reason : outcome;
}

function isDone({ outcome }: { readonly outcome: string }): boolean {
  return outcome === "done";
}
