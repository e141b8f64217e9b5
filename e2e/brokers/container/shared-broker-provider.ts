import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Authority } from "#fixtures/certificates.ts";
import type { Ability } from "#e2e/base/abilities.ts";
import { alternativeNames } from "#e2e/brokers/alternative-names.ts";
import { BROKER_ABILITIES } from "#e2e/brokers/broker-abilities.ts";
import { brokerNames, DEAD_LETTER_SETTINGS } from "#e2e/brokers/broker-names.ts";
import type { BrokerPlace, StartedBroker } from "./started-broker.ts";
import type { BrokerProvider, DeploymentBroker } from "#e2e/brokers/broker-provider.ts";
import { TcpProxy } from "#e2e/brokers/tcp-proxy.ts";
import { KafkaClients } from "#e2e/brokers/kafka-clients.ts";
import { KafkaClientBroker } from "#e2e/brokers/kafka-client-broker.ts";
import { ScramUsers } from "#e2e/brokers/scram-users.ts";
import type { AdministratorTls } from "#e2e/brokers/scram-users.ts";
import { ADMINISTRATOR, SESSION_TIMEOUT_MS_MIN } from "./software.ts";
import type { BrokerPlan, BrokerSoftware, ListenerPlan } from "./software.ts";

export interface SharedBrokerOptions {
  readonly software: BrokerSoftware;
  readonly place: BrokerPlace;
  /** Signs the certificate of the broker and the certificate of the administrator. */
  readonly authority: Authority;
  /** The host name at which pods reach the proxies. */
  readonly host: string;
  /** The largest number of deployments at the same time. */
  readonly deploymentsMax: number;
  readonly signal: AbortSignal;
}

const LOOPBACK = "127.0.0.1";
/** The port of the administrator's listener in the container. The ports of the deployments follow it. */
const ADMIN_PORT = 9100;

/**
 * Starts one broker for all deployments of a run, since it takes longer to start than most scenarios take. Each
 * deployment has topics, a group and a user of its own. It also has a listener of its own behind a proxy, so that it
 * can lose its connections and be without a broker while the others are not.
 */
export async function startSharedBroker(options: SharedBrokerOptions): Promise<BrokerProvider> {
  const { software, place, authority, host, signal } = options;
  await using starting = new AsyncDisposableStack();
  let server: StartedBroker | undefined;
  const openProxy = async (port: number): Promise<TcpProxy> =>
    starting.use(await TcpProxy.open({ dial: () => running(server).dial(port) }));
  const admin = await openProxy(ADMIN_PORT);
  const listeners: { proxy: TcpProxy; listener: ListenerPlan }[] = [];
  for (let index = 1; index <= options.deploymentsMax; index += 1) {
    const port = ADMIN_PORT + index;
    const proxy = await openProxy(port);
    const listener = { name: `PODS${index}`, port, advertised: `${host}:${proxy.port}` };
    listeners.push({ proxy, listener });
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
  return new SharedBrokerProvider(served, starting.move());
}

interface Served {
  readonly software: BrokerSoftware;
  readonly listeners: readonly { readonly proxy: TcpProxy; readonly listener: ListenerPlan }[];
  readonly server: StartedBroker;
  readonly clients: KafkaClients;
  /** The port of the administrator's proxy. */
  readonly adminPort: number;
  readonly tls: AdministratorTls;
}

class SharedBrokerProvider implements BrokerProvider {
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
    if (free === undefined) {
      throw new Error(`all ${listeners.length} listeners of the broker are taken`);
    }
    const { proxy, listener } = free;
    await using opening = new AsyncDisposableStack();
    opening.defer(async () => {
      await proxy.reset();
      this.#free.push(free);
    });
    const names = brokerNames();
    const password = randomBytes(24).toString("base64url");
    // Logins are tried without the proxy, which only the pods use.
    const users = new ScramUsers({ port: adminPort, tls, dial: () => server.dial(listener.port) });
    await users.set(names.username, password);
    const broker = opening.use(
      new KafkaClientBroker({
        place: `the broker ${this.kind}`,
        clients,
        bootstrap: [listener.advertised],
        proxy,
        users,
      }),
    );
    await broker.createTopic(names.topic, partitions);
    await broker.createTopic(names.deadLetterTopic, 1, DEAD_LETTER_SETTINGS);
    const stack = opening.move();
    return {
      broker,
      ports: [proxy.port],
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

function running(server: StartedBroker | undefined): StartedBroker {
  if (server === undefined) throw new Error("the broker does not run yet");
  return server;
}
