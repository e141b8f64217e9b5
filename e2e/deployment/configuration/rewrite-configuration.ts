import { z } from "zod";
import { readDocument } from "#consumer/config/document.ts";
import type { BrokerNames, ConsumerDurations } from "#fixtures/configurations.ts";
import { pathOfOrigin } from "#simulator/action-endpoint/origin.ts";
import { recordedCommand } from "./recorder.ts";

/** The simulators and durations that replace those for which a configuration was written. */
export interface Surroundings {
  /** `host:port` of each broker. */
  readonly brokers: readonly string[];
  readonly names: BrokerNames;
  readonly ckmsUrl: string;
  /** The base URL of the action endpoint for actions with `useIdentity`, which is https. */
  readonly identityUrl: string;
  /** The base URL of the action endpoint for every other action, which is http. */
  readonly plainUrl: string;
  /** Durations that replace those of the file. Null keeps those of the file. */
  readonly durations: ConsumerDurations | null;
  /** The shortest deadline of an action, so that no slow machine puts one in doubt, in milliseconds. */
  readonly actionDeadlineMsMin: number;
  readonly orphanWaitMs?: number | undefined;
}

type Document = Readonly<Record<string, unknown>>;

/**
 * Returns the document of a configuration for a deployment on the simulators. The rules stay as they are but for the
 * origins of their requests, which become paths of the action endpoint, and their commands, which are recorded instead
 * of run. `text` is a configuration that the consumer's loader accepts.
 */
export function rewriteConfiguration(text: string, surroundings: Surroundings): Document {
  const { kafka, athenz, ckms, history, execution, log, rules, ...others } = readParts(text);
  const { brokers, names, ckmsUrl, durations, actionDeadlineMsMin, orphanWaitMs } = surroundings;
  return {
    ...others,
    kafka: {
      ...kafka,
      brokers,
      groupId: names.group,
      topics: [names.topic],
      deadLetterTopic: names.deadLetterTopic,
      sasl: { ...kafka.sasl, username: names.username },
      tls: true,
      // The history and the faults of the broker tell pods apart by the client id.
      clientIdPerPod: true,
      ...(durations && {
        sessionTimeoutMs: durations.sessionTimeoutMs,
        heartbeatIntervalMs: durations.heartbeatIntervalMs,
        rebalanceTimeoutMs: durations.rebalanceTimeoutMs,
        maxWaitMs: durations.maxWaitMs,
        commitIntervalMs: durations.commitIntervalMs,
      }),
    },
    athenz: {
      ...athenz,
      ...(durations && { reloadIntervalMs: durations.identityReloadIntervalMs }),
    },
    ckms: {
      ...ckms,
      url: ckmsUrl,
      ...(durations && { retryIntervalMs: durations.ckmsRetryIntervalMs }),
    },
    history: {
      ...history,
      ...(durations && { publishIntervalMs: durations.publishIntervalMs }),
    },
    execution: {
      ...execution,
      ...(durations && {
        drainMs: durations.drainMs,
        outcomeBudgetMs: durations.outcomeBudgetMs,
      }),
      actionDeadlineMs: Math.max(execution.actionDeadlineMs ?? 0, actionDeadlineMsMin),
      ...(orphanWaitMs !== undefined && { orphanWaitMs }),
    },
    // The checkers read the events of the protocol in the log.
    log: { ...log, level: log.level === "debug" ? "debug" : "info" },
    rules: rules.map((rule) =>
      Object.assign({}, rule, {
        actions: rule.actions.map((action) => rewriteAction(action, surroundings)),
      }),
    ),
  };
}

function rewriteAction(action: ActionDocument, surroundings: Surroundings): Document {
  const { identityUrl, plainUrl, actionDeadlineMsMin } = surroundings;
  const { deadlineMs } = action;
  const timed = {
    ...action,
    ...(deadlineMs !== undefined && { deadlineMs: Math.max(deadlineMs, actionDeadlineMsMin) }),
  };
  if (timed.type === "command") {
    return { ...timed, command: recordedCommand(timed.command, plainUrl) };
  }
  const endpoint = timed.useIdentity === true ? identityUrl : plainUrl;
  const url = rewriteUrl(timed.url, endpoint);
  return { ...timed, url, insecure: endpoint.startsWith("http:") };
}

/** Replaces the origin of a URL, which holds no placeholder; the rest may. */
function rewriteUrl(url: string, endpoint: string): string {
  const [origin = ""] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(url) ?? [];
  const rest = url.slice(origin.length);
  return `${endpoint}${pathOfOrigin(origin)}${rest.startsWith("/") ? "" : "/"}${rest}`;
}

const actionSchema = z.discriminatedUnion("type", [
  z.looseObject({
    type: z.literal("http"),
    url: z.string(),
    useIdentity: z.boolean().optional(),
    deadlineMs: z.number().optional(),
  }),
  z.looseObject({
    type: z.literal("command"),
    command: z.array(z.string()),
    deadlineMs: z.number().optional(),
  }),
]);

type ActionDocument = z.output<typeof actionSchema>;

const section = z.looseObject({}).prefault({});

/** The parts of the document that are replaced. The consumer's loader has checked all of it. */
const partsSchema = z.looseObject({
  kafka: z.looseObject({ sasl: z.looseObject({}) }),
  athenz: section,
  ckms: section,
  history: section,
  execution: z.looseObject({ actionDeadlineMs: z.number().optional() }).prefault({}),
  log: z.looseObject({ level: z.string().optional() }).prefault({}),
  rules: z.array(z.looseObject({ actions: z.array(actionSchema) })),
});

function readParts(text: string) {
  const read = readDocument(text);
  if ("faults" in read) throw new Error(read.faults.join("\n"));
  return partsSchema.parse(read.document.value);
}
