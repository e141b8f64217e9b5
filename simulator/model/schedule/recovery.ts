import { isDeepStrictEqual } from "node:util";
import { type HistoryEntry, isSettled, supersedes } from "#consumer/history/base/entry.ts";
import { JOURNAL_HEADER_BYTES, decodeFrames } from "#consumer/history/journal/frames.ts";
import { openHistory } from "#consumer/history/history.ts";
import type { Clock, Metrics, Random } from "#consumer/ports.ts";
import { type MemoryVolume, type StoredFile, createMemoryVolume } from "#fixtures/ports/files.ts";
import { SILENT_LOG, SILENT_METRICS } from "#simulator/model/parts/observers.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { Model } from "#simulator/model/model.ts";

/** What a pod that starts on a volume knows to be settled and is within retention, and whether it raised an alarm about a record. */
interface Recovered {
  readonly settled: ReadonlyMap<string, HistoryEntry>;
  readonly alarmed: boolean;
}

/**
 * Opens what a run left: twice, with one journal cut off anywhere, and with one record damaged. A pod that starts finds
 * the same each time, never more than there is, and all that is not damaged.
 */
export async function judgeRecovery(model: Model, random: Random): Promise<void> {
  const { clock, counts, ledger, times, violate, volume } = model;
  const below = (limit: number): number => Math.floor(random.next() * limit);
  try {
    const before = await recover(copyOf(volume, clock), model, random);
    const first = await recover(volume, model, random);
    const second = await recover(volume, model, random);
    const same = [first, second].every(({ settled }) => isDeepStrictEqual(settled, before.settled));
    if (!same) {
      const sizes = [before, first, second].map(({ settled }) => settled.size);
      violate("recovery is idempotent and finds what was settled", `${sizes.join(", ")} keys`);
    }
    for (const [key, entry] of ledger.settled) {
      const kept = isKept(entry, times.latestMs() + DURATIONS.clockSkewMsMax);
      const found = before.settled.get(key);
      if (!kept || !isSettled(entry) || (found && !supersedes(entry, found))) continue;
      violate("recovery is idempotent and finds what was settled", `${key} was recorded`);
    }

    // Its best end may be past retention, and a lesser one, which a part of the journals shows, not yet.
    const isKnown = (key: string): boolean => {
      const best = ledger.settled.get(key);
      return before.settled.has(key) || (best !== undefined && !isKept(best, times.latestMs()));
    };

    const journals = [...volume.files("journal")];
    const cut = journals[below(journals.length)];
    if (!cut) return;
    const shortened = copyOf(volume, clock);
    shortened.put(cut.path, cut.bytes.subarray(0, below(cut.bytes.length)));
    const prefix = await recover(shortened, model, random);
    counts.add("checks", "prefix of a journal");
    for (const key of prefix.settled.keys()) {
      if (!isKnown(key)) violate("any prefix of a journal loads", `${cut.path}: ${key}`);
    }

    const damaged = journals.map((file) => damage(file, below)).find((file) => file);
    if (!damaged) return;
    const hurt = copyOf(volume, clock);
    hurt.put(damaged.path, damaged.bytes);
    const { alarmed, settled } = await recover(hurt, model, random);
    counts.add("checks", "corrupt record");
    const lost = [...before.settled.keys()].filter((key) => !settled.has(key));
    const known = [...settled.keys()].every(isKnown);
    if (!alarmed || !known || lost.some((key) => key !== damaged.key)) {
      const detail = `${damaged.path}: alarm ${alarmed}, lost ${lost.join(", ")}`;
      violate("a corrupt record inside a journal raises an alarm", detail);
    }
  } catch (error) {
    violate("any prefix of a journal loads", String(error));
  }
}

/** A pod starts, looks around and stops. */
async function recover(
  volume: MemoryVolume,
  { clock, ledger }: Model,
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
  const settled = new Map<string, HistoryEntry>();
  for (const key of ledger.keys.keys()) {
    const entry = history.lookup(key);
    if (entry && isKept(entry, clock.wallMs())) settled.set(key, entry);
  }
  return { settled, alarmed };
}

function isKept({ atMs, startedOnMs }: HistoryEntry, nowMs: number): boolean {
  return nowMs - Math.max(atMs, startedOnMs) <= DURATIONS.retentionMs;
}

/** One byte of one record is another; not of the last one, which would be a torn tail. `key`: of that record. */
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
