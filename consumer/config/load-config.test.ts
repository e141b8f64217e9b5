import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { describe, expect, onTestFinished, test } from "vitest";

import { ENVIRONMENT_OVERRIDES } from "./environment.ts";
import { configSchema } from "./schema.ts";
import { loadConfig, parseConfig } from "./load-config.ts";
import type { ConfigSources } from "./load-config.ts";
import { ConsumerError } from "#consumer/errors.ts";

const MINIMAL = `version: 1
kafka:
  brokers: ["broker-0.test:9093"]
  groupId: sre-kafka-consumer
  topics: [bigpanda.incidents]
  deadLetterTopic: bigpanda.incidents.dead-letter
  sasl: { username: sre-consumer, passwordSecret: bigpanda-prod-scram-key }
ckms: { url: "https://ckms.test", keyGroup: bigpanda.keys.sre }
rules:
  - name: restart-web
    match: { status: [critical], tags: { service: [web] } }
    actions:
      - { name: open-ticket, type: http, url: "https://tickets.test/{{incident.id}}" }
      - { name: run-script, type: command, command: ["/bin/echo", "{{incident.tags.service}}"], deadlineMs: 70000 }
`;

/** Every line of the message about what is wrong. */
function faultsOf(content: string, sources?: ConfigSources): string[] {
  try {
    parseConfig(content, "config.yaml", sources);
  } catch (error) {
    if (error instanceof ConsumerError && error.code === "bad-configuration") {
      return error.message
        .split("\n")
        .slice(1)
        .map((line) => line.replace(/^ {2}- /, ""));
    }
    throw error;
  }
  return [];
}

const withLine = (from: string, to: string) => {
  expect(MINIMAL).toContain(from);
  return MINIMAL.replace(from, to);
};

describe("configuration", () => {
  test("fills every default of a minimal file", () => {
    const config = parseConfig(MINIMAL, "config.yaml");
    expect(config.kafka).toMatchObject({
      clientId: "kafka-consumer",
      clientIdPerPod: false,
      tls: true,
      sessionTimeoutMs: 30_000,
      heartbeatIntervalMs: 3000,
      rebalanceTimeoutMs: 60_000,
      partitionsConcurrentMax: 8,
      commitIntervalMs: 1000,
      sasl: { mechanism: "scram-sha-512" },
    });
    expect(config.athenz.certificate).toBe("/var/run/athenz/service.cert.pem");
    expect(config.history).toMatchObject({
      directory: "/data/automation_consumer",
      requireMount: true,
      publishIntervalMs: 1000,
      sweepIntervalMs: 60_000,
      snapshotEntriesMin: 1000,
    });
    expect(config.incident).toMatchObject({
      paths: { startedOn: "started_on" },
      startedOnUnit: "s",
    });
    expect(config.health).toStrictEqual({ host: "0.0.0.0", port: 8080 });
    expect(config.rules[0]?.actions[0]).toMatchObject({
      method: "POST",
      deadlineMs: 30_000,
      attemptsMax: 3,
      idempotent: false,
      notAppliedStatuses: [],
      keepResponse: "on-failure",
    });
  });

  test("bounds what is in flight, retries and the runs of a rule", () => {
    const { kafka, execution, rules } = parseConfig(MINIMAL, "config.yaml");
    expect(kafka).toMatchObject({ recordsInFlightMax: 65_536, bytesInFlightMax: 67_108_864 });
    expect(execution.retry.budgetMs).toBe(900_000);
    expect(rules[0]?.limits).toBeUndefined();
    const limited = withLine(
      "    match:",
      "    limits: { coolDownMs: 60000, runsPerHourMax: 4 }\n    match:",
    );
    expect(parseConfig(limited, "config.yaml").rules[0]?.limits).toStrictEqual({
      coolDownMs: 60_000,
      runsPerHourMax: 4,
    });
    expect(
      parseConfig(`${MINIMAL}execution: { mode: manual }\n`, "config.yaml").execution.mode,
    ).toBe("manual");
    expect(faultsOf(withLine("  groupId:", "  recordsInFlightMax: 3\n  groupId:"))).toStrictEqual([
      "kafka.recordsInFlightMax (line 4): must not be less than kafka.partitionsConcurrentMax (8); got 3",
    ]);
  });

  test("waits for an orphan as long as its owner could take, from the longest deadline", () => {
    expect(parseConfig(MINIMAL, "config.yaml").execution.orphanWaitMs).toBe(70_000 + 45_000 + 5000);
    const given = parseConfig(`${MINIMAL}execution: { orphanWaitMs: 5 }\n`, "config.yaml");
    expect(given.execution.orphanWaitMs).toBe(5);
  });

  test("reports all faults at once, each with path, line, rule and value", () => {
    const faults = faultsOf(
      MINIMAL.replace("version: 1", "version: 2")
        .replace('"broker-0.test:9093"', '"broker-0.test"')
        .replace("  groupId: sre-kafka-consumer\n", "  heartbeatIntervalMs: 20000\n")
        .replace("attemptsMax: 3", "")
        .replace("status: [critical]", "status: critical")
        .replace("bigpanda.incidents.dead-letter", "bigpanda.incidents"),
    );
    expect(faults).toStrictEqual([
      "version (line 1): expected 1; got 2",
      'kafka.brokers[0] (line 3): must be host:port with a port of 1 to 65535; got "broker-0.test"',
      "kafka.groupId (line 2): is required",
      "rules[0].match.status (line 11): must be a list of values, or a mapping of in, " +
        'notIn, glob, regex, exists, ignoreCase; got "critical"',
      "kafka.deadLetterTopic (line 6): must not be one of kafka.topics: dead letters would " +
        'be read again; got "bigpanda.incidents"',
      "kafka.heartbeatIntervalMs (line 4): must be at most a third of kafka.sessionTimeoutMs (30000); got 20000",
    ]);
  });

  test.each([
    ["partitionConcurrentMax: 4", 'did you mean "partitionsConcurrentMax"?'],
    ["sessionTimeout: 4", 'did you mean "sessionTimeoutMs"?'],
    ["quux: 4", "known are brokers, clientId, clientIdPerPod, groupId"],
  ])("refuses the unknown key %s with the nearest known one", (line, hint) => {
    const faults = faultsOf(withLine("  groupId:", `  ${line}\n  groupId:`));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain("kafka (line 4): unknown key");
    expect(faults[0]).toContain(hint);
  });

  test("never repeats a value that is put where a secret would be", () => {
    const faults = [
      ...faultsOf(withLine("username: sre-consumer,", "username: u, password: hunter2,")),
      ...faultsOf(
        withLine("type: http,", 'type: http, headers: { authorization: "Bearer hunter2" },'),
      ),
      ...faultsOf(withLine("https://ckms.test", "https://me:hunter2@ckms.test")),
      ...faultsOf(withLine("https://tickets.test/", "https://me:hunter2@tickets.test/")),
    ];
    expect(faults).toHaveLength(4);
    expect(faults.join("\n")).not.toContain("hunter2");
    expect(faults[0]).toContain('unknown key "password" (did you mean "passwordSecret"?)');
  });

  test.each([
    ["{{incident.id}}", "{{incident.identity}}", "unknown placeholder {{incident.identity}}"],
    ["{{incident.id}}", "{{incident.id", "has a placeholder that is not closed"],
    ["tickets.test/", "{{incident.title}}/", "must not have a placeholder in the host"],
    ["https://tickets.test/", "ftp://tickets.test/", "must be an absolute http or https URL"],
    ["/bin/echo", "echo", "must be an absolute path without placeholders"],
    ["type: http,", "type: http, method: GET, body: x,", "must be absent with method GET"],
    ["type: http,", "type: smtp,", "rules[0].actions[0].type"],
    [
      "name: run-script",
      "name: open-ticket",
      'action name in rule restart-web "open-ticket" appears twice',
    ],
    ["topics: [bigpanda.incidents]", "topics: [a, a]", 'topic "a" appears twice'],
    ["https://ckms.test", "http://ckms.test", "must be an https URL"],
    ["version: 1", "version: 1\nversion: 1", 'the key "version" appears twice'],
    ["groupId: sre-kafka-consumer", "groupId: [sre", "line"],
  ])("refuses %s written as %s", (from, to, message) => {
    expect(faultsOf(withLine(from, to)).join("\n")).toContain(message);
  });

  test("lets variables stand above the file, and names the variable when it is wrong", () => {
    const environment = {
      ATHENZ_CERT: "/id/cert.pem",
      ATHENZ_KEY: "/id/key.pem",
      ATHENZ_CA: "/id/ca.pem",
      HISTORY_DIR: "/volume",
      LOG_DIR: "/logs",
      LOG_LEVEL: "warn",
      HEALTH_HOST: "127.0.0.1",
      HEALTH_PORT: "0",
    };
    expect(Object.keys(environment).toSorted()).toStrictEqual(
      Object.keys(ENVIRONMENT_OVERRIDES).toSorted(),
    );
    const config = parseConfig(MINIMAL, "config.yaml", { environment });
    expect(config.athenz).toMatchObject({
      certificate: "/id/cert.pem",
      key: "/id/key.pem",
      ca: "/id/ca.pem",
    });
    expect(config.history.directory).toBe("/volume");
    expect(config.log).toMatchObject({ directory: "/logs", level: "warn" });
    expect(config.health).toEqual({ host: "127.0.0.1", port: 0 });
    expect(parseConfig(MINIMAL, "config.yaml", { environment, logLevel: "debug" }).log.level).toBe(
      "debug",
    );
    expect(
      faultsOf(MINIMAL, { environment: { HEALTH_PORT: "80a" }, logLevel: "loud" }),
    ).toStrictEqual([
      'health.port (variable HEALTH_PORT): must be a port, 0 to 65535 (default 8080); got "80a"',
      'log.level (option --log-level): expected one of "debug"|"info"|"warn"|"error" (default info); got "loud"',
    ]);
  });

  test.each([
    [
      "  groupId:",
      "  sessionTimeoutMs: -1\n  groupId:",
      "kafka.sessionTimeoutMs (line 4): must be a whole number of milliseconds, 1000 to 600000 (default 30000); got -1",
    ],
    [
      "  groupId:",
      '  sessionTimeoutMs: "30s"\n  groupId:',
      "kafka.sessionTimeoutMs (line 4): must be a whole number of milliseconds, 1000 to 600000 " +
        '(default 30000); got "30s"',
    ],
    [
      "  groupId:",
      "  maxBytesPerPartition: 1.5\n  groupId:",
      "kafka.maxBytesPerPartition (line 4): must be a whole number of bytes, 1024 to 104857600 " +
        "(default 1048576); got 1.5",
    ],
    [
      "  - name: restart-web",
      "  - name: restart-web\n    mode: maybe",
      'rules[0].mode (line 11): expected one of "live"|"manual"|"dry-run"|"off" (default live); got "maybe"',
    ],
    [
      "type: http,",
      "type: http, attemptsMax: 0,",
      "rules[0].actions[0].attemptsMax (line 13): must be a whole number, 1 to 10 (default 3); got 0",
    ],
    [
      "type: http,",
      "type: http, notAppliedStatuses: [200],",
      "rules[0].actions[0].notAppliedStatuses[0] (line 13): must be an HTTP status, 400 to 599; got 200",
    ],
    [
      "70000",
      "-70000",
      "rules[0].actions[1].deadlineMs (line 14): must be a whole number of milliseconds, 1 to 3600000 " +
        "(default execution.actionDeadlineMs); got -70000",
    ],
  ])("tells unit, range and default where %j is %j", (from, to, fault) => {
    expect(faultsOf(withLine(from, to))).toStrictEqual([fault]);
  });

  test("shows an error of the syntax once, with its line and a caret", () => {
    expect(faultsOf(withLine("groupId: sre-kafka-consumer", 'groupId: "sre'))).toStrictEqual([
      'line 4: Missing closing "quote',
      '      4 |   groupId: "sre',
      "        |            ^",
    ]);
  });

  test("names the file that it cannot read", async () => {
    await expect(loadConfig("/nowhere/config.yaml")).rejects.toMatchObject({
      code: "bad-configuration",
      message: expect.stringContaining("/nowhere/config.yaml cannot be read: ENOENT"),
    });
  });

  test("refuses a file that is not text, or would never end, with its reason", async () => {
    const directory = await mkdtemp(join(tmpdir(), "config-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const file = join(directory, "config.yaml");
    const pipe = join(directory, "pipe");
    await promisify(execFile)("mkfifo", [pipe]);
    await writeFile(file, Buffer.from(`${MINIMAL}# caf\u00e9`, "latin1"));
    const huge = join(directory, "huge.yaml");
    await writeFile(huge, "");
    await truncate(huge, 100 * 1024 * 1024);
    for (const [name, reason] of [
      [file, "has one fault:\n  - line 15, byte 6 (0xe9): is not UTF-8"],
      [directory, "is a directory"],
      [pipe, "is not a regular file"],
      ["/dev/zero", "is not a regular file"],
      [huge, "is larger than 1048576 bytes"],
    ] as const) {
      await expect(loadConfig(name)).rejects.toMatchObject({
        code: "bad-configuration",
        message: expect.stringContaining(`${name} ${reason}`),
      });
    }
    await writeFile(file, `\uFEFF${MINIMAL}`);
    expect((await loadConfig(file)).version).toBe(1);
  });

  test("shows a bounded number of faults and says how many there are", () => {
    const rules = Array.from({ length: 500 }, () => "  - name: /\n").join("");
    const text = MINIMAL.slice(0, MINIMAL.indexOf("  - name:")) + rules;
    const faults = faultsOf(text);
    expect(faults).toHaveLength(101);
    expect(faults.at(-1)).toMatch(/^ {2}and \d{3,4} more$/);
  });

  test("refuses a document that is no mapping", () => {
    expect(faultsOf("- 1")).toStrictEqual([
      "the document (line 1): expected object, received array; got a list of 1",
    ]);
    expect(faultsOf("")[0]).toContain("the document (line 1): expected object, received null");
  });

  test.each(["development", "production"])("accepts the %s configuration", async (name) => {
    const file = fileURLToPath(new URL(`../../config/${name}-config.yaml`, import.meta.url));
    const config = parseConfig(await readFile(file, "utf8"), file);
    expect(config.ckms.keyGroup).toBe("bigpanda.keys.sre");
    expect(config.kafka.sasl.passwordSecret).toBe("bigpanda-prod-scram-key");
    expect(config.rules.length).toBeGreaterThan(0);
    expect(config.history.requireMount).toBe(true);
  });

  test("describes every option", () => {
    const undescribed: string[] = [];
    // Conditions nest in themselves.
    const walked = new Set<object>();
    const walk = (schema: { description?: string | undefined; shape?: object }, path: string) => {
      if (walked.has(schema.shape ?? schema)) return;
      walked.add(schema.shape ?? schema);
      for (const [key, value] of Object.entries(schema.shape ?? {})) {
        const inner = unwrap(value);
        if (inner.shape !== undefined) walk(inner, `${path}${key}.`);
        else if (describedBy(value) === undefined) undescribed.push(`${path}${key}`);
      }
    };
    walk(configSchema, "");
    expect(undescribed).toStrictEqual([]);
  });
});

interface Walkable {
  description?: string | undefined;
  shape?: object;
  unwrap?: () => Walkable;
}

function unwrap(schema: Walkable): Walkable {
  return schema.shape === undefined && schema.unwrap !== undefined
    ? unwrap(schema.unwrap())
    : schema;
}

function describedBy(schema: Walkable): string | undefined {
  return (
    schema.description ?? (schema.unwrap === undefined ? undefined : describedBy(schema.unwrap()))
  );
}
