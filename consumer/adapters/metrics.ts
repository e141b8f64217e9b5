import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

import type { CounterName, GaugeName, HistogramName, Metrics } from "#consumer/ports.ts";

export interface MetricsRegistry extends Metrics {
  /** Returns the text that Prometheus scrapes, and its content type. */
  exposition(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const PREFIX = "kafka_consumer_";

/**
 * The closed set of counters, by their names in ports.ts, with help and the one label. `_total` is added to the name.
 */
const COUNTERS: Readonly<Record<CounterName, { help: string; label: string }>> = {
  records: {
    help: "Records read, by result: matched, unmatched, undecodable, tombstone.",
    label: "result",
  },
  tags_dropped: {
    help: "Odd tags that no rule names, left out of their incidents, by the rule that they break.",
    label: "rule",
  },
  actions: {
    help:
      "Actions, by result: done, rejected, failed-not-applied, in-doubt, duplicate (ended before), " +
      "too-old, suppressed, manual, request-changed.",
    label: "result",
  },
  claims: { help: "Claims tried, by result: linked, taken, own.", label: "result" },
  dead_letters: { help: "Records sent to the dead-letter topic, by reason.", label: "reason" },
  commits: { help: "Offset commits, by result: acknowledged, lost.", label: "result" },
  storage_errors: { help: "Failed operations on the history volume, by code.", label: "code" },
  log_lines_dropped: {
    help: "Log lines that a destination (stdout, file) did not take, and that were dropped.",
    label: "destination",
  },
};

const HISTOGRAMS: Readonly<Record<HistogramName, { help: string; bucketsSeconds: number[] }>> = {
  fsync: {
    help: "Duration of a durable write on the history volume.",
    bucketsSeconds: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5],
  },
  action: {
    help: "Duration of one send of an action.",
    bucketsSeconds: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300],
  },
  record: {
    help: "Time from the fetch of a record to its end, for records with work to do.",
    bucketsSeconds: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300],
  },
};

const GAUGES: Readonly<Record<GaugeName, { name: string; help: string; labels: string[] }>> = {
  lag: {
    name: "lag_records",
    help: "Records between the committed offset and the end of the partition.",
    labels: ["topic", "partition"],
  },
  standstill: {
    name: "standstill",
    help: "1 for each assigned partition that is not read any further, with its position and cause.",
    labels: ["topic", "partition", "offset", "cause"],
  },
  lanes: { name: "lanes", help: "Incidents at work.", labels: [] },
  paused: {
    name: "paused",
    help: "1 while an operator has paused the work, or nobody can read whether one has.",
    labels: [],
  },
  history_entries: { name: "history_entries", help: "Entries of the action history.", labels: [] },
};

const MILLISECONDS_PER_SECOND = 1000;

/** Creates the Prometheus metrics in a registry of their own, with Node's process metrics. */
export function createMetrics(): MetricsRegistry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counters = mapValues(COUNTERS, ({ help, label }, name) => {
    const tally = new Map<string, number>();
    void new Counter({
      name: `${PREFIX}${name}_total`,
      help,
      labelNames: [label],
      registers,
      collect() {
        for (const [value, by] of tally) this.inc({ [label]: value }, by);
        tally.clear();
      },
    });
    return { label, tally };
  });
  const histograms = mapValues(
    HISTOGRAMS,
    ({ help, bucketsSeconds }, name) =>
      new Histogram({
        name: `${PREFIX}${name}_duration_seconds`,
        help,
        buckets: bucketsSeconds,
        registers,
      }),
  );
  const gauges = mapValues(
    GAUGES,
    ({ name, help, labels }) =>
      new Gauge({ name: `${PREFIX}${name}`, help, labelNames: labels, registers }),
  );
  return {
    // Counters change several times for each record; the registry, which would look up the labels each time, gets the
    // sums when it is scraped.
    count(name, labels = {}, by = 1) {
      const { label, tally } = counters[name];
      const value = labels[label];
      if (value === undefined) throw new TypeError(`counter ${name} needs the label ${label}`);
      tally.set(value, (tally.get(value) ?? 0) + by);
    },
    observe: (name, valueMs) => histograms[name].observe(valueMs / MILLISECONDS_PER_SECOND),
    gauge(name, value, labels = {}) {
      if (value === undefined) gauges[name].remove(labels);
      else gauges[name].set(labels, value);
    },
    exposition: async () => ({
      contentType: registry.contentType,
      text: await registry.metrics(),
    }),
  };
}

function mapValues<Name extends string, Value, Result>(
  record: Readonly<Record<Name, Value>>,
  map: (value: Value, name: string) => Result,
): Readonly<Record<Name, Result>>;
function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value, name: string) => Result,
): Readonly<Record<string, Result>> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, map(value, name)]),
  );
}
