import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { HORIZON_DIRECTORY } from "#consumer/history/maintenance/horizon.ts";
import type { OutgoingRecord } from "#consumer/ports.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import type { Archive } from "#simulator/model/parts/archive.ts";
import type { ModelBroker } from "#simulator/model/parts/broker.ts";
import type { Violate } from "./invariants.ts";
import type { AttemptFacts, KeyFacts, Ledger, OutcomeFacts } from "./ledger.ts";
import type { Execution, ModelPod } from "#simulator/model/parts/pod.ts";
import { type AgeLimits, DURATIONS } from "#simulator/model/settings.ts";
import type { ModelTarget } from "#simulator/model/parts/action-endpoint.ts";
import type { Times } from "#simulator/model/times.ts";
import type { PlannedAction } from "#consumer/planning/plan.ts";

/** The process that does it. */
type Process = Pick<ModelPod, "who" | "clock">;

export interface Judge {
  onSend(pod: Process, planned: PlannedAction, execution: Execution): void;
  onLookup(pod: Process, key: string, entry: HistoryEntry): void;
  onJournalled(entry: HistoryEntry): void;
  onCommit(partition: number, next: number, own: boolean): void;
  /** After every step. */
  afterStep(): void;
  /** No fault any more, everybody has stopped; `swept`: all claims are old, and were looked through. */
  atEnd(swept: boolean): void;
  /** Done, or its dead letter is out. */
  isTerminal(key: string): boolean;
}

export interface JudgeOptions {
  readonly volume: MemoryVolume;
  readonly ledger: Ledger;
  readonly archive: Archive;
  readonly broker: () => ModelBroker;
  readonly target: () => ModelTarget;
  readonly times: Times;
  /** Of the process whose limits are the highest. */
  readonly limits: () => AgeLimits;
  readonly violate: Violate;
}

const VIEW = "automation_action_history.json";

export function createJudge(options: JudgeOptions): Judge {
  const { volume, ledger, archive, broker, target, times, limits, violate } = options;
  const { nowMs, latestMs } = times;
  /** Key and attempt, or partition and offset of what cannot be decoded. */
  const lettered = new Set<string>();
  let letters = 0;
  let effectsJudged = 0;
  let view: Uint8Array | undefined;
  let viewKeys = new Set<string>();

  const readLetters = (): void => {
    const all = broker().letters;
    for (; letters < all.length; letters += 1) {
      const letter = all[letters];
      if (letter) readLetter(letter);
    }
  };

  /** Keys that were dead-lettered without an attempt: their claims may have been swept. */
  const belowHorizon = new Set<string>();

  const isAtHorizon = ({ planned }: KeyFacts): boolean => {
    for (const { bytes } of volume.files(HORIZON_DIRECTORY)) {
      const { startedOnMs }: { startedOnMs: number } = JSON.parse(new TextDecoder().decode(bytes));
      if (planned.incident.startedOnMs <= startedOnMs) return true;
    }
    return false;
  };

  const readLetter = ({ headers }: OutgoingRecord): void => {
    const { "action-key": key, "action-attempt": attempt } = headers;
    if (key === undefined) {
      lettered.add(`${headers["source-partition"]}/${headers["source-offset"]}`);
      return;
    }
    lettered.add(`${key}.${attempt}`);
    const ends = endsOf(ledger.keys.get(key)?.attempts.get(Number(attempt)));
    const told = headers["dead-letter-reason"];
    if (ends.some((end) => end.durable && told === dueOf(end))) return;
    const facts = ledger.keys.get(key);
    if (told === "in-doubt" && attempt === "1" && facts && isAtHorizon(facts)) {
      belowHorizon.add(key);
      return;
    }
    const files = ends.map((end) => `${dueOf(end)}, ${end.durable ? "durable" : "not durable"}`);
    violate(
      "a dead letter says what the file of its attempt says",
      `${key}: ${told}, ${files.join("; ") || "nothing"}`,
    );
  };

  const hasLetter = (id: string): boolean => {
    readLetters();
    return lettered.has(id);
  };

  const mayBeTooOld = ({ planned }: KeyFacts): boolean =>
    latestMs() + DURATIONS.clockSkewMsMax - planned.incident.startedOnMs > DURATIONS.eventAgeMsMax;

  /**
   * Committed as too old to begin. What stands on the volume all the same, since another clock or a cache saw it
   * otherwise, is brought to its end by the deletion of old claims.
   */
  const leftBehind = new Set<string>();
  /** Keys that may have been too old when their record was committed: whoever did it may know nothing of their end. */
  const committedOld = new Set<string>();

  /** `counts`: attempts that it does not hold for are left out. */
  const isTerminal = (key: string, counts: Counts = every): boolean => {
    const facts = ledger.keys.get(key);
    if (!facts) return false;
    const { attempts, planned } = facts;
    readLetters();
    if (belowHorizon.has(key)) return true;
    if ([...attempts.values()].some(({ outcome }) => outcome?.durable && isDone(outcome))) {
      return true;
    }
    // A late owner: its journal says so, which resolves the dead letter that another pod would write.
    if (archive.heardDone(key)) return true;
    const last = lastAttempt(facts, counts);
    const end = attempts.get(last)?.outcome;
    if (!end?.durable) return false;
    const mayGoOn =
      end.outcome === "failed-not-applied" || (end.outcome === "in-doubt" && planned.idempotent);
    if (mayGoOn && last < planned.attemptsMax && !mayBeTooOld(facts)) return false;
    return hasLetter(`${key}.${last}`);
  };

  const leaves = (key: string): boolean => {
    const facts = ledger.keys.get(key);
    if (!facts || !mayBeTooOld(facts)) return false;
    leftBehind.add(key);
    return true;
  };

  /** Settled beyond doubt, and so old that no clock lets anybody begin it again. */
  const mayDelete = (key: string, attempt: number): boolean => {
    const facts = ledger.keys.get(key);
    if (!facts) return false;
    if (latestMs() <= overMs(facts)) return false;
    const { claim, outcome } = facts.attempts.get(attempt) ?? {};
    // Nobody had relied on a claim that went with the power: without it an outcome means nothing.
    if (!claim) return true;
    return outcome?.durable === true && (isTerminal(key) || isTerminal(key, inTime(facts)));
  };

  const readView = (): void => {
    const file = volume.file(VIEW);
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
      if (assignment.signal.aborted) violate("a lost assignment sends nothing", where);
      const attempts = [...facts.attempts.keys()].toSorted((one, other) => other - one);
      const attempt = attempts.find((number) => {
        const claim = facts.attempts.get(number)?.claim;
        return claim?.durable && nonces.has(claim.nonce);
      });
      if (attempt === undefined) {
        violate("every execution had been durably claimed with a nonce of its own run", where);
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
        if (!outcome?.durable) violate("what the next attempt relies on is durable", where);
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
      judgeOrder(facts, where);
    },
    onLookup(pod, key, { attempt, outcome }) {
      const facts = ledger.keys.get(key);
      const known = endsOf(facts?.attempts.get(attempt));
      const settled =
        outcome === "done"
          ? known.some(isDone) || facts?.answered.has("done")
          : hasLetter(`${key}.${attempt}`) &&
            (belowHorizon.has(key) || known.some((end) => end.outcome === outcome && end.durable));
      if (!settled) violate("the index answers only what is settled", `${pod.who}: ${outcome}`);
    },
    onJournalled({ key, attempt, outcome, deadLetterAcknowledged, pod }) {
      const facts = ledger.keys.get(key);
      const known = endsOf(facts?.attempts.get(attempt));
      const asItsFile = known.some((end) => end.durable && end.outcome === outcome);
      // A late owner tells how it ended beside the file, which another one wrote.
      const isLate = known.some((end) => end.outcome !== outcome);
      const isTrue = outcome !== "done" || facts?.answered.has("done") === true;
      const settled = deadLetterAcknowledged
        ? hasLetter(`${key}.${attempt}`) && (asItsFile || belowHorizon.has(key))
        : asItsFile || (isLate && isTrue);
      if (!settled) violate("a journal holds only what is settled", `${pod}: ${outcome} of ${key}`);
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
          ? hasLetter(`${record.partition}/${record.offset}`)
          : keys.every((key) => isTerminal(key) || leaves(key));
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
      readLetters();
      readView();
      if (target().effectsTotal === effectsJudged) return;
      effectsJudged = target().effectsTotal;
      for (const [key, { planned }] of ledger.keys) {
        if (planned.idempotent || target().effects(key) <= 1) continue;
        violate("a key has at most one effect, unless it is declared idempotent", key);
      }
    },
    atEnd(swept) {
      readLetters();
      for (const [key, facts] of ledger.keys) {
        const { attempts, planned } = facts;
        const claimed = [...attempts.values()].some(({ claim }) => claim);
        if (leftBehind.has(key) && !(claimed && swept)) continue;
        const where = `${key}: ${planned.rule}/${planned.action} of ${planned.incident.id}`;
        // One pod ended the key as too old; another, which had slept, linked an attempt beside that. The next sweep ends it.
        const counts = swept || isTerminal(key) ? every : inTime(facts, underMs(facts));
        const last = lastAttempt(facts, counts);
        if (!isTerminal(key, counts)) {
          violate("every matched event becomes terminal when faults stop", where);
        }
        if (!claimed) continue;
        const end = attempts.get(last)?.outcome;
        const due = end !== undefined && !isDone(end) && !archive.heardDone(key);
        if (due && !hasLetter(`${key}.${last}`)) {
          violate("every dead-letter outcome reaches the dead letter", `${where}: ${end.outcome}`);
        }
        // Journals are caches: what was read of one before it was synced may be gone with the power.
        const endedMs = Math.max(planned.incident.startedOnMs, end?.atMs ?? 0);
        const kept = latestMs() - endedMs < DURATIONS.retentionMs - DURATIONS.clockSkewMsMax;
        // What nobody heard of is found by the next sweep.
        const shown = kept && (swept || !committedOld.has(key));
        if (shown && !volume.lostPower && !viewKeys.has(key))
          violate("the contract file shows the end of every key", where);
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

  /** Nothing of a later record of the incident was sent before, unless what is sent now had been in doubt. */
  function judgeOrder(facts: KeyFacts, where: string): void {
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

/** Which attempts of a key are looked at. */
type Counts = (attempt: AttemptFacts) => boolean;

const every: Counts = () => true;

/** From then on every clock says that the key is too old to begin, in true time. */
function overMs({ planned }: KeyFacts): number {
  return planned.incident.startedOnMs + DURATIONS.eventAgeMsMax + DURATIONS.clockSkewMsMax / 2;
}

/** Until then every clock says that the key is young enough to begin, in true time. */
function underMs(facts: KeyFacts): number {
  return overMs(facts) - DURATIONS.clockSkewMsMax;
}

/** A claim that a slow pod linked later is never executed: what ends and deletes it is the next sweep. */
function inTime(facts: KeyFacts, untilMs = overMs(facts)): Counts {
  return ({ claim }) => (claim?.seenMs ?? 0) <= untilMs;
}

/** Of a key that was claimed; else 0. */
function lastAttempt({ attempts }: KeyFacts, counts: Counts = every): number {
  const present = [...attempts].filter(
    ([, facts]) => (facts.claim ?? facts.outcome) && counts(facts),
  );
  return Math.max(0, ...present.map(([attempt]) => attempt));
}

/** What the files of an attempt said, before it was swept and after. */
function endsOf(attempt: AttemptFacts | undefined): OutcomeFacts[] {
  return [attempt?.outcome, attempt?.again].filter((end) => end !== undefined);
}

/** The reason that its dead letter gives. */
function dueOf({ outcome, reason }: OutcomeFacts): string {
  return reason === "too-old" ? reason : outcome;
}

function isDone({ outcome }: { readonly outcome: string }): boolean {
  return outcome === "done";
}
