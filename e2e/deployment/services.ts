import type { Authority } from "#fixtures/certificates.ts";
import { NAMES } from "#fixtures/configurations.ts";
import type { BrokerNames } from "#fixtures/configurations.ts";
import { startAthenz } from "#simulator/athenz/server.ts";
import type { RunningAthenz } from "#simulator/athenz/server.ts";
import { accessRole, startCkms } from "#simulator/ckms/server.ts";
import type { RunningCkms } from "#simulator/ckms/server.ts";
import { DEPLOYMENTS } from "#simulator/omega/manifests/identities.ts";
import { startCollector } from "#simulator/splunk/collector.ts";
import type { RunningCollector } from "#simulator/splunk/collector.ts";
import { startActionEndpoint } from "#simulator/action-endpoint/action-endpoint.ts";
import type { RunningActionEndpoint } from "#simulator/action-endpoint/action-endpoint.ts";
import type { Broker } from "#e2e/brokers/broker.ts";
import { alternativeNames } from "#e2e/brokers/alternative-names.ts";
import type { BrokerProvider } from "#e2e/brokers/broker-provider.ts";
import { PodFaults } from "#e2e/chaos/in-pod/pod-faults.ts";
import type { Tell } from "#e2e/base/events.ts";

export interface ServicesOptions {
  /** At which pods reach the servers; those listen on loopback. */
  readonly host: string;
  /** Partitions of the topic of incidents. */
  readonly partitions: number;
  /** Whether the identity is a member of the access role from the start. */
  readonly granted: boolean;
  /** Serves actions over TLS and asks for the identity of the caller. */
  readonly mutualTls: boolean;
  readonly brokerNodes: number;
  readonly brokers: BrokerProvider;
  /** Of the run. */
  readonly authority: Authority;
  /** Told of faults inside the processes of the pods. Default: there are none. */
  readonly podFaults?: Tell | undefined;
}

/** Everything that a pod talks to. Each part is a simulator on a port of its own. */
export interface Services extends AsyncDisposable {
  readonly athenz: RunningAthenz;
  readonly ckms: RunningCkms;
  readonly broker: Broker;
  /** What pods are told of it. */
  readonly names: BrokerNames;
  readonly actions: RunningActionEndpoint;
  readonly collector: RunningCollector;
  /** Null: the pods were started without them. */
  readonly podFaults: PodFaults | null;
  /** Where pods reach what has no name of its own for that. */
  readonly addresses: {
    readonly zts: string;
    readonly ckms: string;
    readonly actions: string;
    /** `host:port` */
    readonly splunk: string;
  };
  /** On which the servers listen. */
  readonly ports: readonly number[];
  /** Name -> value of what must not appear in any artifact. */
  readonly secrets: ReadonlyMap<string, string>;
}

const LOOPBACK = "127.0.0.1";

/** Domain of the role that guards the key group. */
export const ROLE_DOMAIN = "sre.tooling";

export async function startServices(options: ServicesOptions): Promise<Services> {
  await using starting = new AsyncDisposableStack();
  const { host, authority, brokers } = options;
  const { trustedPem } = brokers;
  const alternatives = alternativeNames(host);
  const athenz = starting.use(
    await startAthenz({
      authority,
      dnsNames: alternatives.dnsNames,
      ...(trustedPem !== undefined && { trustedPem }),
    }),
  );
  if (options.granted) grant(athenz);
  else athenz.zms.putRole(ROLE_DOMAIN, accessRole(NAMES.keyGroup));
  const server = await athenz.authority.issue({
    commonName: host,
    ...alternatives,
  });
  const [ckms, deploymentBroker, actions, collector] = await Promise.all([
    startCkms({ server, authorityPem: athenz.authority.certificatePem, roles: athenz.zms }),
    brokers.open({ partitions: options.partitions, nodes: options.brokerNodes }),
    startActionEndpoint({
      ...(options.mutualTls && {
        tls: { ...server, clientAuthorityPem: athenz.authority.certificatePem },
      }),
    }),
    startCollector(),
  ]);
  for (const started of [ckms, deploymentBroker, actions, collector]) starting.use(started);
  const podFaults = options.podFaults
    ? starting.use(await PodFaults.start(options.podFaults))
    : null;
  const { broker, names, password } = deploymentBroker;
  ckms.secrets.put(NAMES.keyGroup, NAMES.passwordSecret, password);
  const seenByPods = (url: string): string => url.replace(LOOPBACK, host);
  const urls = [athenz.url, ckms.url, actions.url, collector.url];
  const stack = starting.move();
  return {
    athenz,
    ckms,
    broker,
    names,
    actions,
    collector,
    podFaults,
    addresses: {
      zts: seenByPods(athenz.ztsUrl),
      ckms: seenByPods(ckms.url),
      actions: seenByPods(actions.url),
      splunk: seenByPods(collector.instance),
    },
    ports: [
      ...urls.map((url) => Number(new URL(url).port)),
      ...deploymentBroker.ports,
      ...(podFaults === null ? [] : [podFaults.port]),
    ],
    secrets: new Map([
      ["SCRAM password", password],
      ["private key of the servers", server.privateKeyPem],
    ]),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** What the owner of the key group does with zms-cli. */
export function grant(athenz: RunningAthenz): void {
  athenz.zms.putRole(ROLE_DOMAIN, accessRole(NAMES.keyGroup), [DEPLOYMENTS.component.principal]);
}
