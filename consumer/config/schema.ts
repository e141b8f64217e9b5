import { z } from "zod";

import { IMPORT_PLACEHOLDERS, keyTemplateFault } from "#consumer/history/import/import-key.ts";
import { PORTS_NEVER_SENT_TO } from "./destinations.ts";
import { ruleSchema } from "./rule-schema.ts";
import { integer, mapping, milliseconds, section, text } from "./section.ts";

const KAFKA_NAME = /^[a-zA-Z0-9._-]+$/;
const topic = (what: string) =>
  text(249, what).regex(KAFKA_NAME, "must be letters, digits, '.', '_' or '-'");
const path = (what: string) => text(1024, what).startsWith("/", "must be an absolute path");
const field = (byDefault: string) =>
  text(256, `The dotted path of this field in the JSON value. Default ${byDefault}.`).default(
    byDefault,
  );

const kafka = section({
  brokers: z
    .array(z.string().superRefine(checkBroker))
    .min(1)
    .max(64)
    .describe("The brokers to connect to first, each as host:port. 1 to 64."),
  clientId: text(
    100,
    "The name of this client in the broker's logs, metrics and quotas. Default kafka-consumer.",
  ).default("kafka-consumer"),
  clientIdPerPod: z
    .boolean()
    .default(false)
    .describe(
      "Uses the name of the pod (variable POD_NAME) as the client id instead of clientId, " +
        "except for commands such as dead-letter redrive. Then every pod that has ever run " +
        "is one more client in the broker's metrics, and a quota per client id counts for " +
        "each pod alone. ACLs are about users and not client ids. Default false.",
    ),
  groupId: text(249, "The consumer group. The pods of one group share the partitions."),
  topics: z
    .array(topic("A topic to read."))
    .min(1)
    .max(64)
    .describe("The topics to read. 1 to 64."),
  deadLetterTopic: topic(
    "The topic that receives what does not end well. It must not be one of `topics`.",
  ),
  sasl: section({
    mechanism: z
      .literal("scram-sha-512")
      .default("scram-sha-512")
      .describe("Only scram-sha-512. Default scram-sha-512."),
    username: text(256, "The SASL user."),
    passwordSecret: text(
      256,
      "The name of the CKMS secret that holds the password: one line of text, of which a " +
        "line break at the end is ignored.",
    ),
  }).describe("The SASL credentials. The password itself is never in this file."),
  tls: z
    .boolean()
    .default(true)
    .describe("Whether to use TLS, with athenz.ca as the trusted authorities. Default true."),
  sessionTimeoutMs: milliseconds(
    1000,
    600_000,
    "How long the group waits for a heartbeat before it gives the partitions of a pod to others. Default 30000.",
  ).default(30_000),
  heartbeatIntervalMs: milliseconds(
    100,
    60_000,
    "The time between heartbeats, at most a third of sessionTimeoutMs. Default 3000.",
  ).default(3000),
  rebalanceTimeoutMs: milliseconds(
    1000,
    600_000,
    "How long members have to rejoin the group in a rebalance. Default 60000.",
  ).default(60_000),
  connectTimeoutMs: milliseconds(
    100,
    120_000,
    "The longest time to connect to one broker, TLS included. Default 10000.",
  ).default(10_000),
  requestTimeoutMs: milliseconds(
    1000,
    300_000,
    "The longest time of one request to a broker, more than maxWaitMs. A request that " +
      "takes longer closes its connection, and is repeated over a new one. Default 30000.",
  ).default(30_000),
  partitionsConcurrentMax: integer(
    1,
    256,
    "The largest number of partitions that are worked on at once. Default 8. Count",
  ).default(8),
  recordsInFlightMax: integer(
    1,
    1_000_000,
    "The largest number of records held in memory until they are done, over all partitions " +
      "at work, each of which has an equal share. As many more may wait for dead letters to " +
      "be acknowledged. Default 65536. Count",
  ).default(65_536),
  bytesInFlightMax: integer(
    1024,
    4_294_967_296,
    "The largest size of these records, unpacked. Records that are larger than the share " +
      "of their partition are taken one at a time over all partitions. As many bytes more " +
      "may wait for dead letters to be acknowledged. Default 67108864. Bytes",
  ).default(67_108_864),
  maxBytesPerPartition: integer(
    1024,
    104_857_600,
    "The largest fetch of one partition. Default 1048576. Bytes",
  ).default(1_048_576),
  maxWaitMs: milliseconds(
    10,
    30_000,
    "How long a broker holds back the answer to an empty fetch. A partition that was not " +
      "read for ten times as long (at least one second; 5 s by default) stands still: the " +
      "pod is unready and names the partition. Default 500.",
  ).default(500),
  commitIntervalMs: milliseconds(
    10,
    60_000,
    "The longest time between commits while records end. Default 1000.",
  ).default(1000),
});

const athenz = section({
  certificate: path(
    "The certificate, as PEM. Variable ATHENZ_CERT. Default /var/run/athenz/service.cert.pem.",
  ).default("/var/run/athenz/service.cert.pem"),
  key: path(
    "The private key, as PEM. Variable ATHENZ_KEY. Default /var/run/athenz/service.key.pem.",
  ).default("/var/run/athenz/service.key.pem"),
  ca: path(
    "The trusted authorities, as a PEM bundle. Expired ones are ignored with a warning. " +
      "Variable ATHENZ_CA. Default /var/run/athenz/ca.cert.pem.",
  ).default("/var/run/athenz/ca.cert.pem"),
  reloadIntervalMs: milliseconds(
    100,
    600_000,
    "How often the files are read again. While certificate and key do not match, the old " +
      "pair is kept; after 60 s the pod is unready and says why. Default 10000.",
  ).default(10_000),
});

const ckms = section({
  url: z.string().superRefine(checkHttpsUrl).describe("The base URL of CKMS, which must be https."),
  keyGroup: text(256, "The key group in CKMS."),
  requestTimeoutMs: milliseconds(
    100,
    120_000,
    "The longest time of one request. Default 5000.",
  ).default(5000),
  retryIntervalMs: milliseconds(100, 600_000, "The time between attempts. Default 5000.").default(
    5000,
  ),
});

const history = section({
  directory: path(
    "The directory of the action history. Variable HISTORY_DIR. Default /data/automation_consumer.",
  ).default("/data/automation_consumer"),
  requireMount: z
    .boolean()
    .default(true)
    .describe(
      "Refuses a directory that is not a mount of its own, since it would be lost with the container. Default true.",
    ),
  publishIntervalMs: milliseconds(
    100,
    600_000,
    "How far automation_action_history.json may be behind while it holds less than 10000 " +
      "entries. For a larger one it is 0.1 ms for each entry. Default 1000.",
  ).default(1000),
  retentionMs: milliseconds(
    1000,
    31_536_000_000,
    "How long the outcome of an action is kept and shown, at least eventAgeMsMax + " +
      "clockSkewMsMax. Default twice that sum.",
  ).optional(),
  sweepIntervalMs: milliseconds(
    1000,
    86_400_000,
    "The time between two rounds that compact journals and delete old claims, at most a " +
      "thousand keys each. Default 60000.",
  ).default(60_000),
  snapshotEntriesMin: integer(
    1,
    1_000_000,
    "The number of new entries in the journals after which a round merges them into a " +
      "snapshot, or an eighth of the history where that is more. Fewer entries wait for an " +
      "hour. Default 1000. Count",
  ).default(1000),
  import: section({
    file: text(
      1024,
      "The file of an older consumer, below history.directory. Default automation_action_history.json.",
    )
      .regex(/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))/, "must be below history.directory")
      .default("automation_action_history.json"),
    keyTemplate: z
      .string()
      .min(1)
      .max(1024)
      .superRefine(checkKeyTemplate)
      .describe(
        "How the older consumer composed the key of an action, with the placeholders " +
          `${IMPORT_PLACEHOLDERS.map((name) => `{{${name}}}`).join(", ")}. ` +
          "Every key of the file must fit this template and every record must have a time; otherwise the " +
          "whole file is refused.",
      ),
  })
    .optional()
    .describe("An older history whose keys suppress actions too. Default none."),
});

const incident = section({
  paths: section({
    id: field("id"),
    status: field("status"),
    severity: field("severity"),
    startedOn: field("started_on"),
    title: field("title"),
    environment: field("environment"),
    tags: field("tags"),
    extra: mapping(
      z
        .string()
        .regex(/^[a-z][a-z0-9_]{0,63}$/i, "must be letters, digits or '_' and begin with a letter"),
      text(256, "Dotted path into the JSON value."),
    )
      .default({})
      .describe(
        "Further fields that rules may compare and templates may use, by their name: " +
          "texts, numbers, booleans, or lists of them. Default none.",
      ),
  }).prefault({}),
  startedOnUnit: z
    .enum(["s", "ms", "iso"])
    .default("s")
    .describe(
      "The unit of startedOn: seconds or milliseconds since the epoch, or ISO 8601. Default s.",
    ),
});

const execution = section({
  mode: z
    .enum(["live", "dry-run", "manual"])
    .default("live")
    .describe(
      "`dry-run` records what would be done, under keys of its own, and sends nothing. " +
        "`manual` leaves every action to a person: a dead letter says what would be sent, " +
        "and `history resolve` permits it. Default live.",
    ),
  actionDeadlineMs: milliseconds(
    1,
    3_600_000,
    "How long one send may take, unless the action says otherwise. Default 30000.",
  ).default(30_000),
  drainMs: milliseconds(
    0,
    3_600_000,
    "How long running work may go on after SIGTERM. Default 45000.",
  ).default(45_000),
  outcomeBudgetMs: milliseconds(
    0,
    600_000,
    "How long recording an outcome may take. Default 5000.",
  ).default(5000),
  orphanWaitMs: milliseconds(
    0,
    7_200_000,
    "How long the claim of another pod may stay without an outcome before it is recorded " +
      "as in doubt. Default the longest action deadline + drainMs + outcomeBudgetMs.",
  ).optional(),
  eventAgeMsMax: milliseconds(
    1000,
    2_592_000_000,
    "The age beyond which incidents are not acted on. It may be raised on a volume in use: " +
      "incidents that started at or before the latest claim that was swept are then " +
      "dead-lettered as in-doubt. Default 86400000 (one day).",
  ).default(86_400_000),
  clockSkewMsMax: milliseconds(
    0,
    3_600_000,
    "The largest difference between the clocks of a pod and of the history volume. Beyond " +
      "it the pod is unready and begins nothing. Default 60000.",
  ).default(60_000),
  lanesMax: integer(
    1,
    1024,
    "The largest number of incidents that are worked on at once. More than " +
      "UV_THREADPOOL_SIZE keep the volume busy while others wait for an answer or for a sync " +
      "that they share. Default 96. Count",
  ).default(96),
  retry: section({
    delayMsMin: milliseconds(
      1,
      600_000,
      "The first delay before the next attempt. Default 500.",
    ).default(500),
    delayMsMax: milliseconds(
      1,
      3_600_000,
      "The largest delay before the next attempt. Default 30000.",
    ).default(30_000),
    budgetMs: milliseconds(
      0,
      86_400_000,
      "The longest time from the first attempt of an action to the start of its last one. Default 900000.",
    ).default(900_000),
  }).prefault({}),
});

const dependencies = section({
  budgetMs: milliseconds(
    0,
    86_400_000,
    "How long the start waits for identity, CKMS, broker and history. Default 900000.",
  ).default(900_000),
});

const health = section({
  host: text(256, "The address to listen on. Variable HEALTH_HOST. Default 0.0.0.0.").default(
    "0.0.0.0",
  ),
  port: integer(
    0,
    65_535,
    "The port of /livez, /readyz and /metrics; 0 means any free port. Variable HEALTH_PORT. Default 8080. Port",
  ).default(8080),
});

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

const log = section({
  directory: path("The directory of the log files. Variable LOG_DIR. Default /app/logs.").default(
    "/app/logs",
  ),
  level: z
    .enum(LOG_LEVELS)
    .default("info")
    .describe(
      "The lowest level that is written. Variable LOG_LEVEL, option --log-level. Default info.",
    ),
  fileBytesMax: integer(
    4096,
    1_073_741_824,
    "The size at which a log file is rotated. Default 10485760. Bytes",
  ).default(10_485_760),
  filesMax: integer(1, 100, "The number of rotated files that are kept. Default 5. Count").default(
    5,
  ),
});

/** The schema of config.yaml. Relations between options are in config/relations.ts. */
export const configSchema = section({
  version: z.literal(1).describe("The version of this format: 1."),
  kafka,
  athenz: athenz.prefault({}),
  ckms,
  history: history.prefault({}),
  incident: incident.prefault({}),
  execution: execution.prefault({}),
  dependencies: dependencies.prefault({}),
  health: health.prefault({}),
  log: log.prefault({}),
  rules: z.array(ruleSchema).max(1000).describe("The rules. 0 to 1000."),
});

type Context = z.core.$RefinementCtx;

function checkBroker(value: string, context: Context): void {
  const port = Number(/^(?:[a-z0-9._-]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(value)?.[1] ?? "0");
  if (port < 1 || port > 65_535) {
    context.addIssue({ code: "custom", message: "must be host:port with a port of 1 to 65535" });
  }
}

function checkKeyTemplate(value: string, context: Context): void {
  const fault = keyTemplateFault(value);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
}

function checkHttpsUrl(value: string, context: Context): void {
  const url = URL.parse(value);
  if (url?.protocol !== "https:") {
    context.addIssue({ code: "custom", message: "must be an https URL" });
  } else if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    context.addIssue({
      code: "custom",
      message: "must have no user name, password, query or fragment",
    });
  } else if (PORTS_NEVER_SENT_TO.has(url.port)) {
    const message = `must not have port ${url.port}: nothing is ever sent to it`;
    context.addIssue({ code: "custom", message });
  }
}
