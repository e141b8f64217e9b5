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
  text(256, `Dotted path into the JSON value. Default ${byDefault}.`).default(byDefault);

const kafka = section({
  brokers: z
    .array(z.string().superRefine(checkBroker))
    .min(1)
    .max(64)
    .describe("Brokers to begin with, host:port each. 1 to 64."),
  clientId: text(
    100,
    "Name in the broker's logs, metrics and quotas. Default kafka-consumer.",
  ).default("kafka-consumer"),
  clientIdPerPod: z
    .boolean()
    .default(false)
    .describe(
      "The client id is the name of the pod (variable POD_NAME) instead of clientId, except for commands such as dead-letter redrive. Every pod that there ever was is then one more client in the broker's metrics, and a quota per client id counts for each pod alone; ACLs know users, not client ids. Default false.",
    ),
  groupId: text(249, "Consumer group: pods of one group share the partitions."),
  topics: z.array(topic("Topic to read.")).min(1).max(64).describe("Topics to read. 1 to 64."),
  deadLetterTopic: topic("Topic that receives what cannot be worked on; none of `topics`."),
  sasl: section({
    mechanism: z
      .literal("scram-sha-512")
      .default("scram-sha-512")
      .describe("Only scram-sha-512. Default scram-sha-512."),
    username: text(256, "SASL user."),
    passwordSecret: text(
      256,
      "Name of the CKMS secret that holds the password: one line of text; a line break at its end is left out.",
    ),
  }).describe("SASL credentials; the password itself is never in this file."),
  tls: z
    .boolean()
    .default(true)
    .describe("TLS, with athenz.ca as trusted authorities. Default true."),
  sessionTimeoutMs: milliseconds(
    1000,
    600_000,
    "Without a heartbeat for this long the group gives the partitions away. Default 30000.",
  ).default(30_000),
  heartbeatIntervalMs: milliseconds(
    100,
    60_000,
    "Between heartbeats, at most a third of sessionTimeoutMs. Default 3000.",
  ).default(3000),
  rebalanceTimeoutMs: milliseconds(
    1000,
    600_000,
    "How long members have to rejoin. Default 60000.",
  ).default(60_000),
  connectTimeoutMs: milliseconds(100, 120_000, "TCP and TLS to one broker. Default 10000.").default(
    10_000,
  ),
  requestTimeoutMs: milliseconds(
    1000,
    300_000,
    "One request to a broker, more than maxWaitMs. One that takes longer closes its connection, and is made again over a new one. Default 30000.",
  ).default(30_000),
  partitionsConcurrentMax: integer(
    1,
    256,
    "Partitions worked on at once. Default 8. Count",
  ).default(8),
  recordsInFlightMax: integer(
    1,
    1_000_000,
    "Records held in memory until they are done, of all partitions at work; each has an equal share. As many more may wait for dead letters to be acknowledged. Default 65536. Count",
  ).default(65_536),
  bytesInFlightMax: integer(
    1024,
    4_294_967_296,
    "Bytes of these records, unpacked; those that are larger than their share are taken one at a time, of all partitions. As many more may wait for dead letters to be acknowledged. Default 67108864. Bytes",
  ).default(67_108_864),
  maxBytesPerPartition: integer(
    1024,
    104_857_600,
    "Largest fetch per partition. Default 1048576. Bytes",
  ).default(1_048_576),
  maxWaitMs: milliseconds(
    10,
    30_000,
    "How long a broker holds an empty fetch back. A partition that was not read for ten times as long (at least a second, by default 5 s) stands still: the pod is unready and names it. Default 500.",
  ).default(500),
  commitIntervalMs: milliseconds(
    10,
    60_000,
    "Longest time between commits while records end. Default 1000.",
  ).default(1000),
});

const athenz = section({
  certificate: path("Certificate, PEM. Variable ATHENZ_CERT.").default(
    "/var/run/athenz/service.cert.pem",
  ),
  key: path("Private key, PEM. Variable ATHENZ_KEY.").default("/var/run/athenz/service.key.pem"),
  ca: path(
    "Trusted authorities, PEM bundle; expired ones are left out with a warning. Variable ATHENZ_CA.",
  ).default("/var/run/athenz/ca.cert.pem"),
  reloadIntervalMs: milliseconds(
    100,
    600_000,
    "How often the files are read again. The old pair is kept while they do not match; after 60 s of that the pod is unready with the reason. Default 10000.",
  ).default(10_000),
});

const ckms = section({
  url: z.string().superRefine(checkHttpsUrl).describe("Base URL of CKMS, https."),
  keyGroup: text(256, "CKMS key group."),
  requestTimeoutMs: milliseconds(100, 120_000, "One request. Default 5000.").default(5000),
  retryIntervalMs: milliseconds(100, 600_000, "Between attempts. Default 5000.").default(5000),
});

const history = section({
  directory: path(
    "Where the action history lives. Variable HISTORY_DIR. Default /data/automation_consumer.",
  ).default("/data/automation_consumer"),
  requireMount: z
    .boolean()
    .default(true)
    .describe(
      "Refuse a directory that is not a mount of its own: it would be lost with the container. Default true.",
    ),
  publishIntervalMs: milliseconds(
    100,
    600_000,
    "Freshness of automation_action_history.json while it holds less than 10000 entries; 0.1 ms more for each entry of a larger one. Default 1000.",
  ).default(1000),
  retentionMs: milliseconds(
    1000,
    31_536_000_000,
    "How long an end is kept and shown, at least eventAgeMsMax + clockSkewMsMax. Default twice eventAgeMsMax + clockSkewMsMax.",
  ).optional(),
  sweepIntervalMs: milliseconds(
    1000,
    86_400_000,
    "Between two rounds that compact journals and delete old claims, a thousand keys at most each. Default 60000.",
  ).default(60_000),
  snapshotEntriesMin: integer(
    1,
    1_000_000,
    "New entries in the journals, or an eighth of the history where that is more, after which a round merges them into a snapshot. Fewer wait for an hour. Default 1000. Count",
  ).default(1000),
  import: section({
    file: text(
      1024,
      "History of an older consumer, below history.directory. Default automation_action_history.json.",
    )
      .regex(/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))/, "must be below history.directory")
      .default("automation_action_history.json"),
    keyTemplate: z
      .string()
      .min(1)
      .max(1024)
      .superRefine(checkKeyTemplate)
      .describe(
        `What the older consumer called an action, of ${IMPORT_PLACEHOLDERS.map((name) => `{{${name}}}`).join(", ")}. Every key of the file must fit it, and every record must say its time, or the file is refused whole.`,
      ),
  })
    .optional()
    .describe("Keys of this history suppress actions too. Default: no import."),
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
        "Further fields that rules may compare and templates may use, by their name: texts, numbers, booleans, or lists of them. Default none.",
      ),
  }).prefault({}),
  startedOnUnit: z
    .enum(["s", "ms", "iso"])
    .default("s")
    .describe(
      "Unit of startedOn: seconds or milliseconds since the epoch, or ISO 8601. Default s.",
    ),
});

const execution = section({
  mode: z
    .enum(["live", "dry-run", "manual"])
    .default("live")
    .describe(
      "dry-run records what would be done, under keys of its own. manual leaves every action to a person: a dead letter says what would be sent, `history resolve` permits it. Default live.",
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
    "How long another pod's claim may stay without outcome before it is in doubt. Default the longest action deadline + drainMs + outcomeBudgetMs.",
  ).optional(),
  eventAgeMsMax: milliseconds(
    1000,
    2_592_000_000,
    "Older incidents are not acted on. Raised on a volume in use, what started at or before the latest claim that was swept is dead-lettered as in-doubt instead. Default 86400000 (one day).",
  ).default(86_400_000),
  clockSkewMsMax: milliseconds(
    0,
    3_600_000,
    "Largest difference between the clocks of a pod and of the history volume; beyond it the pod is unready and begins nothing. Default 60000.",
  ).default(60_000),
  lanesMax: integer(
    1,
    1024,
    "Incidents worked on at once. More than UV_THREADPOOL_SIZE keep the volume busy while others wait for an answer or a shared sync. Default 96. Count",
  ).default(96),
  retry: section({
    delayMsMin: milliseconds(
      1,
      600_000,
      "First delay before the next attempt. Default 500.",
    ).default(500),
    delayMsMax: milliseconds(1, 3_600_000, "Largest delay. Default 30000.").default(30_000),
    budgetMs: milliseconds(
      0,
      86_400_000,
      "From the first attempt of an action to the beginning of its last one. Default 900000.",
    ).default(900_000),
  }).prefault({}),
});

const dependencies = section({
  budgetMs: milliseconds(
    0,
    86_400_000,
    "How long start-up waits for identity, CKMS, broker and history. Default 900000.",
  ).default(900_000),
});

const health = section({
  host: text(256, "Address to listen at. Variable HEALTH_HOST. Default 0.0.0.0.").default(
    "0.0.0.0",
  ),
  port: integer(
    0,
    65_535,
    "Port of /livez, /readyz, /metrics; 0 is any. Variable HEALTH_PORT. Default 8080. Port",
  ).default(8080),
});

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

const log = section({
  directory: path("Where log files go. Variable LOG_DIR. Default /app/logs.").default("/app/logs"),
  level: z
    .enum(LOG_LEVELS)
    .default("info")
    .describe("Least level written. Variable LOG_LEVEL, option --log-level. Default info."),
  fileBytesMax: integer(
    4096,
    1_073_741_824,
    "A log file is rotated at this size. Default 10485760. Bytes",
  ).default(10_485_760),
  filesMax: integer(1, 100, "Rotated files kept. Default 5. Count").default(5),
});

/** The shape of config.yaml. What relates several options to each other is in config/relations.ts. */
export const configSchema = section({
  version: z.literal(1).describe("Version of this shape: 1."),
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
