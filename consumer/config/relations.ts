import type { z } from "zod";

import { namedFields } from "#consumer/planning/named-fields.ts";
import type { configSchema } from "./schema.ts";

type Parsed = z.output<typeof configSchema>;

/** A rule about several options, reported at the path of the one that has to change. */
export interface Relation {
  readonly path: readonly (string | number)[];
  /** The relation is checked only when no option at these paths, or below them, has a fault of its own. */
  readonly needs: readonly string[];
  /** Returns the fault, or undefined. */
  readonly fault: (config: Parsed) => string | undefined;
}

/** Every relation. Each is checked even when another option is wrong, so that all faults are reported at once. */
export const RELATIONS: readonly Relation[] = [
  {
    path: ["kafka", "deadLetterTopic"],
    needs: ["kafka.deadLetterTopic", "kafka.topics"],
    fault: ({ kafka }) =>
      kafka.topics.includes(kafka.deadLetterTopic)
        ? "must not be one of kafka.topics: dead letters would be read again"
        : undefined,
  },
  {
    path: ["kafka", "topics"],
    needs: ["kafka.topics"],
    fault: ({ kafka }) => repeated("topic", kafka.topics),
  },
  {
    path: ["kafka", "heartbeatIntervalMs"],
    needs: ["kafka.heartbeatIntervalMs", "kafka.sessionTimeoutMs"],
    fault: ({ kafka }) =>
      kafka.heartbeatIntervalMs * 3 > kafka.sessionTimeoutMs
        ? `must be at most a third of kafka.sessionTimeoutMs (${String(kafka.sessionTimeoutMs)})`
        : undefined,
  },
  {
    path: ["kafka", "maxWaitMs"],
    needs: ["kafka.maxWaitMs", "kafka.sessionTimeoutMs"],
    fault: ({ kafka }) =>
      kafka.maxWaitMs * 3 > kafka.sessionTimeoutMs
        ? "must be at most a third of kafka.sessionTimeoutMs " +
          `(${String(kafka.sessionTimeoutMs)}): heartbeats wait for an empty fetch`
        : undefined,
  },
  {
    path: ["kafka", "requestTimeoutMs"],
    needs: ["kafka.requestTimeoutMs", "kafka.maxWaitMs"],
    fault: ({ kafka }) =>
      kafka.requestTimeoutMs <= kafka.maxWaitMs
        ? `must be more than kafka.maxWaitMs (${String(kafka.maxWaitMs)}), or every empty fetch fails`
        : undefined,
  },
  {
    path: ["kafka", "recordsInFlightMax"],
    needs: ["kafka.recordsInFlightMax", "kafka.partitionsConcurrentMax"],
    fault: ({ kafka }) =>
      kafka.recordsInFlightMax < kafka.partitionsConcurrentMax
        ? `must not be less than kafka.partitionsConcurrentMax (${String(kafka.partitionsConcurrentMax)})`
        : undefined,
  },
  {
    path: ["history", "retentionMs"],
    needs: ["history.retentionMs", "execution.eventAgeMsMax", "execution.clockSkewMsMax"],
    fault: ({ history, execution: { eventAgeMsMax, clockSkewMsMax } }) =>
      history.retentionMs !== undefined && history.retentionMs < eventAgeMsMax + clockSkewMsMax
        ? "must not be less than execution.eventAgeMsMax + execution.clockSkewMsMax " +
          `(${String(eventAgeMsMax + clockSkewMsMax)})`
        : undefined,
  },
  {
    path: ["execution", "retry", "delayMsMax"],
    needs: ["execution.retry"],
    fault: ({ execution: { retry } }) =>
      retry.delayMsMax < retry.delayMsMin
        ? `must not be less than execution.retry.delayMsMin (${String(retry.delayMsMin)})`
        : undefined,
  },
  {
    path: ["rules"],
    needs: ["rules"],
    fault: ({ rules }) =>
      repeated(
        "rule name",
        rules.map((rule) => rule.name),
      ),
  },
  {
    path: ["rules"],
    needs: ["rules"],
    fault: ({ rules }) =>
      rules
        .map((rule) =>
          repeated(
            `action name in rule ${rule.name}`,
            rule.actions.map((action) => action.name),
          ),
        )
        .find((fault) => fault !== undefined),
  },
  {
    path: ["rules"],
    needs: ["rules", "incident.paths.extra"],
    fault: unknownExtra,
  },
];

/** Returns the fault of an unknown extra field. A misspelt name would be an absent field of every incident. */
function unknownExtra(config: Parsed): string | undefined {
  const known = Object.keys(config.incident.paths.extra);
  const unknown = [...namedFields(config.rules).extra].find((name) => !known.includes(name));
  if (unknown === undefined) return undefined;
  const names = known.length === 0 ? "names none" : `names ${known.join(", ")}`;
  return `a rule uses the extra field "${unknown}", and incident.paths.extra ${names}`;
}

/** Returns the fault of a name that appears twice. Two actions of the same name would suppress each other. */
function repeated(what: string, names: readonly string[]): string | undefined {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? undefined : `${what} "${twice}" appears twice`;
}
