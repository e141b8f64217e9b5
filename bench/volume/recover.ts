import { createHash } from "node:crypto";
import { historyEntry } from "#consumer/history/base/entry.ts";
import { openPipeline } from "./open.ts";

export interface FillOptions {
  readonly directory: string;
  readonly entries: number;
}

const CHUNK = 20_000;
const HOUR_MS = 3_600_000;

/**
 * Makes a volume on which that many actions have ended, as a consumer leaves it after a compaction.
 */
export async function fillVolume({
  directory,
  entries,
}: FillOptions): Promise<{ durationMs: number }> {
  const startMs = performance.now();
  const signal = new AbortController().signal;
  await using pipeline = await openPipeline(directory, { publishIntervalMs: HOUR_MS });
  for (let from = 0; from < entries; from += CHUNK) {
    const count = Math.min(CHUNK, entries - from);
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        pipeline.history.record(endedAction(from + index), signal),
      ),
    );
  }
  await pipeline.history.compact();
  return { durationMs: performance.now() - startMs };
}

function endedAction(number: number) {
  const nowMs = Date.now();
  const incidentId = createHash("sha256").update(`incident ${number}`).digest("hex").slice(0, 24);
  return historyEntry(
    {
      rule: "restart-web",
      action: "open-ticket",
      incident: { id: incidentId, transition: "critical", startedOnMs: nowMs - 60_000 },
    },
    {
      key: createHash("sha256").update(`key ${number}`).digest("hex"),
      attempt: 1,
      outcome: "done",
      atMs: nowMs,
      pod: "kafka-consumer-6f7d9c5b4-x2x9z",
    },
    false,
  );
}

export interface RecoverResult {
  readonly durationMs: number;
  /** The peak memory of the whole process, the code of the consumer included. */
  readonly peakBytes: number;
}

/** Measures the time from a cold process to a history that answers. */
export async function recover({ directory, entries }: FillOptions): Promise<RecoverResult> {
  const startMs = performance.now();
  const pipeline = await openPipeline(directory, { publishIntervalMs: HOUR_MS });
  const durationMs = performance.now() - startMs;
  // maxRSS is in kibibytes on every platform.
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const key = createHash("sha256")
    .update(`key ${entries - 1}`)
    .digest("hex");
  if (pipeline.history.lookup(key)?.outcome !== "done") throw new Error("an entry was lost");
  return { durationMs, peakBytes };
}
