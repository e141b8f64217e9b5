import { orAbort } from "#e2e/base/waiting.ts";
import type { Measure, SoakSample } from "./sample.ts";

export interface PodSource {
  readonly pod: string;
  /** Returns the response of the pod's /metrics. Rejects while nothing listens there. */
  readonly metrics: () => Promise<{ readonly status: number; readonly body: string }>;
}

/** The names that Node's client for Prometheus gives to the measures. */
const METRICS: Readonly<Partial<Record<Measure, string>>> = {
  residentBytes: "process_resident_memory_bytes",
  heapBytes: "nodejs_heap_size_used_bytes",
  externalBytes: "nodejs_external_memory_bytes",
  openFiles: "process_open_fds",
};
const MEASURES = ["residentBytes", "heapBytes", "externalBytes", "openFiles"] as const;
const STARTED = "process_start_time_seconds";

/**
 * Measures the consumer of a pod by its own metrics. Returns null when it does not answer in time,
 * for example because it was frozen.
 */
export async function samplePod(
  { pod, metrics }: PodSource,
  atMs: number,
  signal: AbortSignal,
): Promise<SoakSample | null> {
  const answer = await orAbort(metrics(), signal).catch(() => null);
  if (answer === null || answer.status !== 200) return null;
  const startedSeconds = metricOf(answer.body, STARTED);
  if (startedSeconds === undefined) return null;
  const measures: Partial<Record<Measure, number>> = {};
  for (const measure of MEASURES) {
    const value = metricOf(answer.body, METRICS[measure] ?? "");
    if (value !== undefined) measures[measure] = value;
  }
  const started = new Date(startedSeconds * 1000).toISOString();
  return { atMs, kind: "pod", subject: `${pod}, started ${started}`, measures };
}

/** Returns the value of a metric without labels. */
function metricOf(body: string, name: string): number | undefined {
  const text = new RegExp(String.raw`^${name} (\S+)$`, "m").exec(body)?.[1];
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
