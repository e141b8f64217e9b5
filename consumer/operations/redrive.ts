import { createHash } from "node:crypto";

import { ConsumerError } from "#consumer/errors.ts";
import type { AuditRecord } from "#consumer/history/base/audit.ts";
import type { Batch, Broker, Clock, SourceRecord } from "#consumer/ports.ts";
import { mayBeResolved } from "./volume.ts";
import type { Volume } from "./volume.ts";

export interface RedriveSelection {
  /** The reason of the dead letters to publish, or undefined for any reason. */
  readonly reason: string | undefined;
  /** The keys of the actions whose dead letters are published. An empty list selects every action. */
  readonly keys: readonly string[];
  /** The largest number of dead letters to publish. */
  readonly max: number;
  /** True to publish also those that were published again before. */
  readonly again: boolean;
  /** True to print what would be done, and to do nothing. */
  readonly dryRun: boolean;
  /** The name of the person who asked for it. */
  readonly by: string;
}

export interface RedriveDependencies {
  /** Consumes the dead-letter topic in a group of its own that never commits, so every run begins at the beginning. */
  readonly broker: Broker;
  /** The topics that the consumer reads, to which letters may be published again. */
  readonly sourceTopics: readonly string[];
  readonly volume: Pick<Volume, "attempts" | "history">;
  readonly audit: (record: AuditRecord) => Promise<void>;
  readonly clock: Clock;
  readonly print: (line: string) => void;
  /** The time without a record after which the whole topic counts as read, in milliseconds. */
  readonly idleMs: number;
  /** The longest time that joining the group may take, in milliseconds. */
  readonly joinMs: number;
  readonly stop: AbortSignal;
}

export interface RedriveSummary {
  readonly read: number;
  /** The number of letters that were published again, or in a dry run would be. */
  readonly redriven: number;
  readonly skipped: number;
}

/**
 * Publishes dead letters again to the topic that they came from, with the same key and bytes and the headers
 * `redriven-from` and `redriven-by`. Each letter is acknowledged and audited before the next one, so a later run leaves
 * it out. After a crash between the two it is published once more, which the history suppresses.
 *
 * A letter whose action has ended is left out until an operator resolves the action as not applied, because its record
 * would have no effect. A letter without its bytes is left out too, and so is one of a topic that is not consumed.
 */
export async function redrive(
  selection: RedriveSelection,
  dependencies: RedriveDependencies,
): Promise<RedriveSummary> {
  const { broker, clock, idleMs, joinMs, stop } = dependencies;
  const over = new AbortController();
  const ended = AbortSignal.any([stop, over.signal]);
  const work = createWork(selection, dependencies);
  let activeMs = clock.monotonicMs();
  let joined = false;
  /** The number of batches that are not handled yet. While there is one, the topic does not count as read. */
  let pending = 0;
  let last: Promise<void> = Promise.resolve();
  const failures: unknown[] = [];
  const fail = (error: unknown): void => {
    failures.push(error);
    over.abort();
  };

  const handle = async (batch: Batch): Promise<void> => {
    // Partitions are delivered side by side, but the limit and the output are for all of them.
    const before = last;
    const turn = Promise.withResolvers<void>();
    last = turn.promise;
    pending += 1;
    await before;
    try {
      for (const record of batch.records) {
        if (ended.aborted || batch.assignment.signal.aborted) return;
        if (work.full) return over.abort();
        await work.take(record);
      }
      if (work.full) over.abort();
    } catch (error) {
      fail(error);
    } finally {
      pending -= 1;
      activeMs = clock.monotonicMs();
      turn.resolve();
    }
  };

  const consuming = broker.consume(handle).catch(fail);
  while (!ended.aborted) {
    const nowMs = clock.monotonicMs();
    if (broker.state.ready && !joined) {
      joined = true;
      activeMs = nowMs;
    }
    if (!joined && nowMs - activeMs > joinMs) {
      const reason = broker.state.ready ? "" : broker.state.reason;
      fail(new ConsumerError("broker-unavailable", `did not join the group in time: ${reason}`));
    }
    if (joined && pending === 0 && nowMs - activeMs > idleMs) over.abort();
    await clock.sleep(POLL_MS, ended).catch(() => undefined);
  }
  await broker.drain();
  await broker.stop();
  await consuming;
  if (failures.length > 0) throw failures[0];
  return work.summary;
}

const POLL_MS = 50;

interface Work {
  readonly full: boolean;
  readonly summary: RedriveSummary;
  take(record: SourceRecord): Promise<void>;
}

function createWork(selection: RedriveSelection, dependencies: RedriveDependencies): Work {
  const { audit, broker, clock, print, volume } = dependencies;
  const seen = new Set<string>();
  const before = new Set(
    [...volume.history.index.audits()]
      .filter(({ kind }) => kind === "redrive")
      .map((record) => String(record.from)),
  );
  let redriven = 0;
  let skipped = 0;
  return {
    get full() {
      return redriven >= selection.max;
    },
    get summary() {
      return { read: seen.size, redriven, skipped };
    },
    async take(record) {
      const from = `${record.topic}/${record.partition}/${record.offset}`;
      if (seen.has(from)) return;
      seen.add(from);
      const letter = letterOf(record);
      if (!wanted(letter, selection)) return;
      const { reason, key, rule, action } = letter;
      const line = `${from} ${reason}${key === undefined ? "" : ` ${rule}/${action} ${key}`}`;
      const obstacle =
        before.has(from) && !selection.again
          ? "published again before"
          : await obstacleTo(letter, dependencies);
      if (obstacle !== undefined) {
        skipped += 1;
        print(`left     ${line}: ${obstacle}`);
        return;
      }
      if (!selection.dryRun) {
        const headers = { "redriven-from": from, "redriven-by": selection.by };
        const { sourceTopic: topic = "" } = letter;
        await broker.publish({ topic, key: letter.recordKey, value: letter.value, headers });
        const subject = key ?? createHash("sha256").update(from).digest("hex");
        const atMs = clock.wallMs();
        await audit({ kind: "redrive", key: subject, atMs, from, reason, by: selection.by });
      }
      redriven += 1;
      print(`${selection.dryRun ? "would be" : "redriven"} ${line}`);
    },
  };
}

interface Letter {
  /** The reason of the dead letter, or undefined when the record is not a dead letter of this consumer. */
  readonly reason: string | undefined;
  readonly sourceTopic: string | undefined;
  readonly key: string | undefined;
  readonly attempt: number;
  readonly rule: string;
  readonly action: string;
  readonly recordKey: string | null;
  readonly value: Uint8Array;
  readonly valueOmitted: boolean;
}

function letterOf({ headers, key, value }: SourceRecord): Letter {
  const text = (name: string): string | undefined => {
    const bytes = headers[name];
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  };
  return {
    reason: text("dead-letter-reason"),
    sourceTopic: text("source-topic"),
    key: text("action-key"),
    attempt: Number(text("action-attempt") ?? 0),
    rule: text("rule") ?? "",
    action: text("action") ?? "",
    recordKey: key === null ? null : new TextDecoder().decode(key),
    value: value ?? new Uint8Array(0),
    valueOmitted: text("dead-letter-value-omitted") !== undefined,
  };
}

function wanted({ reason, key }: Letter, selection: RedriveSelection): boolean {
  if (selection.reason !== undefined && reason !== selection.reason) return false;
  return selection.keys.length === 0 || (key !== undefined && selection.keys.includes(key));
}

/** Returns the reason why publishing a record again would do nothing or harm, if there is one. */
async function obstacleTo(
  { reason, sourceTopic, key, valueOmitted }: Letter,
  { sourceTopics, volume }: RedriveDependencies,
): Promise<string | undefined> {
  if (reason === undefined) return "it is not a dead letter of this consumer";
  if (sourceTopic === undefined || !sourceTopics.includes(sourceTopic)) {
    return `its topic ${sourceTopic ?? ""} is not consumed`;
  }
  if (valueOmitted) return "it does not hold the bytes of the record";
  if (key === undefined || !/^[0-9a-f]{64}$/.test(key)) return undefined;
  const last = (await volume.attempts(key)).at(-1);
  if (!last || last.resolution?.as === "failed-not-applied") return undefined;
  if (last.resolution) return "its action was resolved as done";
  const first = mayBeResolved(last) ? ": resolve it first" : "";
  return `its action is ${last.state}${first}`;
}
