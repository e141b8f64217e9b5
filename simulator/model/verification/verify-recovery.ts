import { JOURNAL_DIRECTORY } from "#consumer/history/base/layout.ts";
import { isDeepStrictEqual } from "node:util";
import { isFinal, supersedes } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { JOURNAL_HEADER_BYTES, decodeFrames } from "#consumer/history/journal/frames.ts";
import { openHistory } from "#consumer/history/history.ts";
import type { Clock, Metrics, Random } from "#consumer/ports.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import type { StoredFile } from "#fixtures/ports/file-tree.ts";
import { SILENT_LOG, SILENT_METRICS } from "#simulator/model/cluster/silent-observers.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { ModelCluster } from "#simulator/model/cluster/model-cluster.ts";

/**
 * The entries within retention that a pod finds when it starts, and whether it raised an alarm
 * about a record.
 */
interface Recovered {
  readonly entries: ReadonlyMap<string, HistoryEntry>;
  readonly alarmed: boolean;
}

/**
 * Opens the volume that a run left: twice as it is, once with a truncated journal and once with a
 * damaged record. A pod that starts must find the same entries each time, never more than there
 * are, and all that are not damaged.
 */
export async function verifyRecovery(cluster: ModelCluster, random: Random): Promise<void> {
  const { clock, counts, ledger, times, violate, volume } = cluster;
  const below = (limit: number): number => Math.floor(random.next() * limit);
  try {
    const before = await recover(copyOf(volume, clock), cluster, random);
    const first = await recover(volume, cluster, random);
    const second = await recover(volume, cluster, random);
    const same = [first, second].every(({ entries }) => isDeepStrictEqual(entries, before.entries));
    if (!same) {
      const sizes = [before, first, second].map(({ entries }) => entries.size);
      violate(
        "recovery is idempotent and finds every recorded outcome",
        `${sizes.join(", ")} keys`,
      );
    }
    for (const [key, entry] of ledger.recordedEntries) {
      const kept = isKept(entry, times.latestMs() + DURATIONS.clockSkewMsMax);
      const found = before.entries.get(key);
      if (!kept || !isFinal(entry) || (found && !supersedes(entry, found))) continue;
      violate("recovery is idempotent and finds every recorded outcome", `${key} was recorded`);
    }

    // The best entry may be past retention while a lesser one, which a part of the journals still
    // holds, is not.
    const isKnown = (key: string): boolean => {
      const best = ledger.recordedEntries.get(key);
      return before.entries.has(key) || (best !== undefined && !isKept(best, times.latestMs()));
    };

    const journals = [...volume.files(JOURNAL_DIRECTORY)];
    const cut = journals[below(journals.length)];
    if (!cut) return;
    const shortened = copyOf(volume, clock);
    shortened.put(cut.path, cut.bytes.subarray(0, below(cut.bytes.length)));
    const truncatedResult = await recover(shortened, cluster, random);
    counts.add("checks", "prefix of a journal");
    for (const key of truncatedResult.entries.keys()) {
      if (!isKnown(key)) violate("any prefix of a journal loads", `${cut.path}: ${key}`);
    }

    const damaged = journals.map((file) => damage(file, below)).find((file) => file);
    if (!damaged) return;
    const corrupted = copyOf(volume, clock);
    corrupted.put(damaged.path, damaged.bytes);
    const { alarmed, entries } = await recover(corrupted, cluster, random);
    counts.add("checks", "corrupt record");
    const lost = [...before.entries.keys()].filter((key) => !entries.has(key));
    const known = [...entries.keys()].every(isKnown);
    if (!alarmed || !known || lost.some((key) => key !== damaged.key)) {
      const detail = `${damaged.path}: alarm ${alarmed}, lost ${lost.join(", ")}`;
      violate("a corrupt record inside a journal raises an alarm", detail);
    }
  } catch (error) {
    violate("any prefix of a journal loads", String(error));
  }
}

/** Starts a history on the volume, reads every key and closes it. */
async function recover(
  volume: MemoryVolume,
  { clock, ledger }: ModelCluster,
  random: Random,
): Promise<Recovered> {
  let alarmed = false;
  const metrics: Metrics = {
    ...SILENT_METRICS,
    count: (name, labels) => {
      if (name === "storage_errors" && labels?.["code"] === "corrupt-record") alarmed = true;
    },
  };
  const history = await openHistory({
    files: volume.mount(),
    clock,
    random,
    log: SILENT_LOG,
    metrics,
    pod: { name: "reader", uid: "reader" },
    settings: {
      requireMount: true,
      publishIntervalMs: DURATIONS.publishIntervalMs,
      retentionMs: DURATIONS.retentionMs,
    },
  });
  await history.close();
  const entries = new Map<string, HistoryEntry>();
  for (const key of ledger.keys.keys()) {
    const entry = history.lookup(key);
    if (entry && isKept(entry, clock.wallMs())) entries.set(key, entry);
  }
  return { entries, alarmed };
}

function isKept({ atMs, startedOnMs }: HistoryEntry, nowMs: number): boolean {
  return nowMs - Math.max(atMs, startedOnMs) <= DURATIONS.retentionMs;
}

/**
 * Changes one byte of one record, but not of the last one, which would look like a torn tail. `key`
 * is that of the record.
 */
function damage(
  { path, bytes }: StoredFile,
  below: (limit: number) => number,
): { path: string; bytes: Uint8Array; key: string } | undefined {
  const { payloads } = decodeFrames(bytes, JOURNAL_HEADER_BYTES);
  const payload = payloads[below(payloads.length - 1)];
  if (!payload || payloads.length < 2) return undefined;
  const { key = "" }: { key?: string } = JSON.parse(new TextDecoder().decode(payload));
  const changed = Uint8Array.from(bytes);
  const at = payload.byteOffset - bytes.byteOffset + below(payload.length);
  changed[at] = (changed[at] ?? 0) ^ (1 << below(8));
  return { path, bytes: changed, key };
}

function copyOf(volume: MemoryVolume, clock: Clock): MemoryVolume {
  const copy = createMemoryVolume({ clock });
  for (const { path, bytes } of volume.files(".")) copy.put(path, bytes);
  return copy;
}
