import { readFile } from "node:fs/promises";
import kafkajs from "kafkajs";
import type { ExternalArguments } from "#e2e/base/run-arguments.ts";
import { UsageError } from "#e2e/errors.ts";
import { BROKER_ABILITIES } from "#e2e/brokers/broker-abilities.ts";
import { brokerNames, DEAD_LETTER_SETTINGS } from "#e2e/brokers/broker-names.ts";
import type { BrokerProvider, DeploymentBroker } from "#e2e/brokers/broker-provider.ts";
import { deleteGroups } from "./delete-groups.ts";
import { KafkaClients } from "#e2e/brokers/kafka-clients.ts";
import { KafkaClientBroker } from "#e2e/brokers/kafka-client-broker.ts";

/** The default of Apache Kafka, used where the broker does not tell its own value. */
const SESSION_TIMEOUT_MS_MIN = 6000;
const SESSION_SETTING = "group.min.session.timeout.ms";

/**
 * Connects to a broker that exists already. Pods reach it directly, and all of them use the user that was given. Every
 * deployment makes its own topics and group, and deletes them at its end.
 */
export async function connectExternalBrokers(given: ExternalArguments): Promise<BrokerProvider> {
  const trustedPem = await readFile(given.caFile, "utf8").catch((error: unknown) => {
    throw new UsageError(`--broker-ca cannot be read: ${String(error)}`, { cause: error });
  });
  const access = { ...given, password: await passwordOf(given), trustedPem };
  return {
    kind: "external",
    abilities: BROKER_ABILITIES.external,
    sessionTimeoutMsMin: await sessionTimeoutMsMin(access),
    trustedPem,
    open: ({ partitions }) => openForDeployment(access, partitions),
    [Symbol.asyncDispose]: async () => {},
  };
}

interface ExternalAccess extends Pick<ExternalArguments, "bootstrap" | "mechanism" | "user"> {
  readonly password: string;
  readonly trustedPem: string;
}

/**
 * Opens the broker for one deployment, with clients of its own: kafkajs asks again for every topic that it has ever
 * seen, and fails for a topic that was deleted.
 */
async function openForDeployment(
  access: ExternalAccess,
  partitions: number,
): Promise<DeploymentBroker> {
  const { bootstrap, user, password } = access;
  const names = brokerNames(user);
  await using opening = new AsyncDisposableStack();
  const clients = opening.use(await connect(access));
  for (const [topic, count, settings] of [
    [names.topic, partitions, {}],
    [names.deadLetterTopic, 1, DEAD_LETTER_SETTINGS],
  ] as const) {
    await clients.createTopic(topic, count, settings);
    opening.defer(() => clients.admin.deleteTopics({ topics: [topic] }));
  }
  const place = "the broker external";
  const broker = new KafkaClientBroker({ place, clients, bootstrap, proxy: null, users: null });
  opening.defer(async () => {
    const groups = [names.group, ...(await broker.readerGroups())];
    await broker[Symbol.asyncDispose]();
    await deleteGroups(
      {
        bootstrapBrokers: [...bootstrap],
        tls: { ca: access.trustedPem },
        sasl: { mechanism: "SCRAM-SHA-512", username: user, password },
      },
      groups,
    );
  });
  const stack = opening.move();
  return { broker, ports: [], names, password, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function connect(access: ExternalAccess): Promise<KafkaClients> {
  const { bootstrap, mechanism, user, password, trustedPem } = access;
  return await KafkaClients.connect({
    brokers: [...bootstrap],
    ssl: { ca: trustedPem },
    sasl: { mechanism, username: user, password },
  });
}

async function sessionTimeoutMsMin(access: ExternalAccess): Promise<number> {
  await using clients = await connect(access);
  const { admin } = clients;
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
    // The kit does not require the right to read settings.
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
