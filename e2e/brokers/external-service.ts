import { readFile } from "node:fs/promises";
import kafkajs from "kafkajs";
import type { ExternalArguments } from "../broker-arguments.ts";
import { UsageError } from "../errors.ts";
import { until } from "../waiting.ts";
import { brokerNames } from "./broker-names.ts";
import type { BrokerService, StageBroker } from "./broker-service.ts";
import { KafkaClients } from "./kafka-clients.ts";
import { abilitiesOf, RealBroker } from "./real.ts";

/** Of Apache Kafka; taken where the broker does not tell its own. */
const SESSION_TIMEOUT_MS_MIN = 6000;
const SESSION_SETTING = "group.min.session.timeout.ms";
/** Longer than any session of a member that was killed. */
const EMPTY_MS_MAX = 60_000;

/**
 * A broker that is there already: pods reach it by themselves, all with the user that was given. Every stage makes its
 * topics and its group there, and deletes them at its end.
 */
export async function connectExternalBrokers(given: ExternalArguments): Promise<BrokerService> {
  const trustedPem = await readFile(given.caFile, "utf8").catch((error: unknown) => {
    throw new UsageError(`--broker-ca cannot be read: ${String(error)}`, { cause: error });
  });
  const password = await passwordOf(given);
  const clients = await KafkaClients.connect({
    brokers: [...given.bootstrap],
    ssl: { ca: trustedPem },
    sasl: { mechanism: given.mechanism, username: given.user, password },
  });
  return {
    kind: "external",
    abilities: abilitiesOf({ gate: false, users: false }),
    sessionTimeoutMsMin: await sessionTimeoutMsMin(clients),
    trustedPem,
    open: (options) => openStage(clients, given, password, options.partitions),
    [Symbol.asyncDispose]: () => clients[Symbol.asyncDispose](),
  };
}

async function openStage(
  clients: KafkaClients,
  { bootstrap, user }: ExternalArguments,
  password: string,
  partitions: number,
): Promise<StageBroker> {
  const names = brokerNames(user);
  await using opening = new AsyncDisposableStack();
  const place = "the broker external";
  const broker = new RealBroker({ place, clients, bootstrap, gate: null, users: null });
  opening.defer(async () => {
    const groups = [names.group, ...(await broker.readerGroups())];
    await broker[Symbol.asyncDispose]();
    await deleteGroups(clients, groups);
  });
  for (const [topic, count] of [
    [names.topic, partitions],
    [names.deadLetterTopic, 1],
  ] as const) {
    await broker.createTopic(topic, count);
    opening.defer(() => clients.admin.deleteTopics({ topics: [topic] }));
  }
  const stack = opening.move();
  return { broker, ports: [], names, password, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** A pod that was killed is a member until its session is over, and its group cannot be deleted before. */
async function deleteGroups(clients: KafkaClients, groups: readonly string[]): Promise<void> {
  let seen: unknown;
  await until(
    `the groups ${groups.join(", ")} are deleted`,
    async () => {
      const { groups: present } = await clients.admin.listGroups();
      const left = groups.filter((group) => present.some(({ groupId }) => groupId === group));
      if (left.length === 0) return true;
      await clients.admin.deleteGroups(left).catch((error: unknown) => (seen = error));
      return false;
    },
    { deadlineMs: EMPTY_MS_MAX, intervalMs: 250, seen: () => String(seen) },
  );
}

async function sessionTimeoutMsMin({ admin }: KafkaClients): Promise<number> {
  const { controller, brokers } = await admin.describeCluster();
  const node = controller ?? brokers[0]?.nodeId ?? 0;
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.BROKER,
          name: String(node),
          configNames: [SESSION_SETTING],
        },
      ],
    });
    const value = Number(resources[0]?.configEntries[0]?.configValue);
    return value > 0 ? value : SESSION_TIMEOUT_MS_MIN;
  } catch {
    // The right to read settings is not one that the kit needs.
    return SESSION_TIMEOUT_MS_MIN;
  }
}

async function passwordOf({ password }: ExternalArguments): Promise<string> {
  if ("variable" in password) {
    const value = process.env[password.variable];
    if (value === undefined || value === "") {
      throw new UsageError(`--broker-password-env: the variable ${password.variable} is not set`);
    }
    return value;
  }
  try {
    return (await readFile(password.file, "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    throw new UsageError(`--broker-password-file cannot be read: ${String(error)}`, {
      cause: error,
    });
  }
}
