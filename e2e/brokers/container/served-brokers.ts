import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Authority } from "#fixtures/certificates.ts";
import type { Ability } from "#e2e/runner/abilities.ts";
import { alternativeNames } from "#e2e/brokers/alternative-names.ts";
import { BROKER_ABILITIES } from "#e2e/brokers/broker-abilities.ts";
import { brokerNames, DEAD_LETTER_SETTINGS } from "#e2e/brokers/broker-names.ts";
import type { BrokerPlace, BrokerServer } from "./broker-server.ts";
import type { BrokerService, DeploymentBroker } from "#e2e/brokers/broker-service.ts";
import { Gate } from "#e2e/brokers/gate.ts";
import { KafkaClients } from "#e2e/brokers/kafka-clients.ts";
import { RealBroker } from "#e2e/brokers/real.ts";
import { ScramUsers } from "#e2e/brokers/scram-users.ts";
import type { AdministratorTls } from "#e2e/brokers/scram-users.ts";
import { ADMINISTRATOR, SESSION_TIMEOUT_MS_MIN } from "./software.ts";
import type { BrokerPlan, BrokerSoftware, ListenerPlan } from "./software.ts";

export interface ServedBrokersOptions {
  readonly software: BrokerSoftware;
  readonly place: BrokerPlace;
  /** Signs the certificate of the broker, and the administrator's. */
  readonly authority: Authority;
  /** At which pods reach the gates. */
  readonly host: string;
  /** The most deployments at the same time. */
  readonly deploymentsMax: number;
  readonly signal: AbortSignal;
}

const LOOPBACK = "127.0.0.1";
/** In the container; those of the deployments follow. */
const ADMIN_PORT = 9100;

/**
 * One broker for all deployments of a run: it takes longer to start than most scenarios take. Each deployment has topics, a group
 * and a user of its own, and a listener of its own behind a gate, so that it can lose its connections and be without a
 * broker while others are not.
 */
export async function startServedBrokers(options: ServedBrokersOptions): Promise<BrokerService> {
  const { software, place, authority, host, signal } = options;
  await using starting = new AsyncDisposableStack();
  let server: BrokerServer | undefined;
  const openGate = async (port: number): Promise<Gate> =>
    starting.use(await Gate.open({ dial: () => running(server).dial(port) }));
  const admin = await openGate(ADMIN_PORT);
  const listeners: { gate: Gate; listener: ListenerPlan }[] = [];
  for (let index = 1; index <= options.deploymentsMax; index += 1) {
    const port = ADMIN_PORT + index;
    const gate = await openGate(port);
    const listener = { name: `PODS${index}`, port, advertised: `${host}:${gate.port}` };
    listeners.push({ gate, listener });
  }
  const adminAddress = `${LOOPBACK}:${admin.port}`;
  const plan: BrokerPlan = {
    admin: { name: "ADMIN", port: ADMIN_PORT, advertised: adminAddress },
    podListeners: listeners.map(({ listener }) => listener),
    certificate: await authority.issue({
      commonName: "broker",
      ...alternativeNames(host, place.dnsNames),
    }),
    authorityPem: authority.certificatePem,
  };
  server = starting.use(await place.start({ software, plan, signal }));
  const administrator = await authority.issue({ commonName: ADMINISTRATOR });
  const tls = {
    ca: authority.certificatePem,
    cert: administrator.certificatePem,
    key: administrator.privateKeyPem,
  };
  const clients = starting.use(await KafkaClients.connect({ brokers: [adminAddress], ssl: tls }));
  const served = { software, listeners, server, clients, adminPort: admin.port, tls };
  return new ServedBrokers(served, starting.move());
}

interface Served {
  readonly software: BrokerSoftware;
  readonly listeners: readonly { readonly gate: Gate; readonly listener: ListenerPlan }[];
  readonly server: BrokerServer;
  readonly clients: KafkaClients;
  /** Of the administrator's gate. */
  readonly adminPort: number;
  readonly tls: AdministratorTls;
}

class ServedBrokers implements BrokerService {
  readonly kind: string;
  readonly abilities: ReadonlySet<Ability>;
  readonly sessionTimeoutMsMin = SESSION_TIMEOUT_MS_MIN;
  readonly #served: Served;
  readonly #stack: AsyncDisposableStack;
  readonly #free: Served["listeners"][number][];

  constructor(served: Served, stack: AsyncDisposableStack) {
    this.kind = served.software.kind;
    this.abilities = BROKER_ABILITIES[served.software.kind];
    this.#served = served;
    this.#stack = stack;
    this.#free = [...served.listeners];
  }

  async open({ partitions }: { readonly partitions: number }): Promise<DeploymentBroker> {
    const { clients, server, tls, adminPort, listeners } = this.#served;
    const free = this.#free.shift();
    if (free === undefined)
      throw new Error(`all ${listeners.length} listeners of the broker are taken`);
    const { gate, listener } = free;
    await using opening = new AsyncDisposableStack();
    opening.defer(async () => {
      await gate.reset();
      this.#free.push(free);
    });
    const names = brokerNames();
    const password = randomBytes(24).toString("base64url");
    // Logins are tried past the gate, which is the pods' alone.
    const users = new ScramUsers({ port: adminPort, tls, dial: () => server.dial(listener.port) });
    await users.set(names.username, password);
    const broker = opening.use(
      new RealBroker({
        place: `the broker ${this.kind}`,
        clients,
        bootstrap: [listener.advertised],
        gate,
        users,
      }),
    );
    await broker.createTopic(names.topic, partitions);
    await broker.createTopic(names.deadLetterTopic, 1, DEAD_LETTER_SETTINGS);
    const stack = opening.move();
    return {
      broker,
      ports: [gate.port],
      names,
      password,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  }

  async saveLogs(directory: string): Promise<void> {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, `${this.kind}.log`), await this.#served.server.log());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function running(server: BrokerServer | undefined): BrokerServer {
  if (server === undefined) throw new Error("the broker does not run yet");
  return server;
}
