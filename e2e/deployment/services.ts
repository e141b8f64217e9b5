import type { Authority } from "#fixtures/certificates.ts";
import { NAMES } from "#fixtures/configurations.ts";
import type { BrokerNames } from "#fixtures/configurations.ts";
import { startAthenz } from "#simulator/athenz/server.ts";
import type { RunningAthenz } from "#simulator/athenz/server.ts";
import { accessRole, startCkms } from "#simulator/ckms/server.ts";
import type { RunningCkms } from "#simulator/ckms/server.ts";
import { DEPLOYMENTS } from "#simulator/omega/manifests/identities.ts";
import type { OmegaJob } from "#simulator/omega/manifests/identities.ts";
import { startCollector } from "#simulator/splunk/collector.ts";
import type { RunningCollector } from "#simulator/splunk/collector.ts";
import { startActionEndpoint } from "#simulator/action-endpoint/action-endpoint.ts";
import type { RunningActionEndpoint } from "#simulator/action-endpoint/action-endpoint.ts";
import { createLedger } from "#simulator/action-endpoint/ledger.ts";
import { createRules } from "#simulator/action-endpoint/rules.ts";
import type { Broker } from "#e2e/brokers/broker.ts";
import { alternativeNames } from "#e2e/brokers/alternative-names.ts";
import type { BrokerProvider } from "#e2e/brokers/broker-provider.ts";
import { PodFaults } from "#e2e/chaos/in-pod/pod-faults.ts";
import type { RecordEvent } from "#e2e/base/events.ts";

export interface ServicesOptions {
  /** The host name at which pods reach the servers, which listen on loopback. */
  readonly host: string;
  /** The number of partitions of the incident topic. */
  readonly partitions: number;
  /** True when the identity is a member of the access role from the start. */
  readonly granted: boolean;
  /** True when the action endpoint serves TLS and asks for a client certificate; it serves plain HTTP beside it. */
  readonly mutualTls: boolean;
  /** The job whose principal is a member of the access role. Defaults to component. */
  readonly job?: OmegaJob;
  /** The place of the SCRAM password in CKMS. Defaults to that of the kit's own configuration. */
  readonly secret?: SecretPlace;
  readonly brokerNodes: number;
  readonly brokers: BrokerProvider;
  /** The certificate authority of the run. */
  readonly authority: Authority;
  /** Receives the faults inside the processes of the pods. When it is absent, there are no such faults. */
  readonly podFaults?: RecordEvent | undefined;
}

interface SecretPlace {
  readonly keyGroup: string;
  readonly name: string;
}

/** Everything that a pod talks to. Each part is a simulator on a port of its own. */
export interface Services extends AsyncDisposable {
  readonly athenz: RunningAthenz;
  readonly ckms: RunningCkms;
  readonly broker: Broker;
  /** The names that pods use at the broker. */
  readonly names: BrokerNames;
  readonly actions: RunningActionEndpoint;
  readonly collector: RunningCollector;
  /** The faults inside the processes of the pods, or null when the pods were started without them. */
  readonly podFaults: PodFaults | null;
  /** The addresses at which pods reach the servers. */
  readonly addresses: {
    readonly zts: string;
    readonly ckms: string;
    readonly actions: string;
    /** The address at which the action endpoint serves plain HTTP, which is `actions` without TLS. */
    readonly plainActions: string;
    /** The address of the collector as `host:port`. */
    readonly splunk: string;
  };
  /** The ports on which the servers listen. */
  readonly ports: readonly number[];
  /** The values that must not appear in any artifact, by their names. */
  readonly secrets: ReadonlyMap<string, string>;
}

const LOOPBACK = "127.0.0.1";

const SECRET_PLACE: SecretPlace = { keyGroup: NAMES.keyGroup, name: NAMES.passwordSecret };

/** The domain of the role that guards the key group. */
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
  const { job = "component", secret = SECRET_PLACE } = options;
  if (options.granted) grant(athenz, job, secret.keyGroup);
  else athenz.zms.putRole(ROLE_DOMAIN, accessRole(secret.keyGroup));
  const server = await athenz.authority.issue({
    commonName: host,
    ...alternatives,
  });
  const authorityPem = athenz.authority.certificatePem;
  const shared = { ledger: createLedger(), rules: createRules() };
  const [ckms, deploymentBroker, plainActions, secureActions, collector] = await Promise.all([
    startCkms({ server, authorityPem, roles: athenz.zms }),
    brokers.open({ partitions: options.partitions, nodes: options.brokerNodes }),
    startActionEndpoint(shared),
    options.mutualTls
      ? startActionEndpoint({ ...shared, tls: { ...server, clientAuthorityPem: authorityPem } })
      : null,
    startCollector(),
  ]);
  const actions = secureActions ?? plainActions;
  for (const started of [ckms, deploymentBroker, plainActions, collector]) starting.use(started);
  if (secureActions !== null) starting.use(secureActions);
  const podFaults = options.podFaults
    ? starting.use(await PodFaults.start(options.podFaults))
    : null;
  const { broker, names, password } = deploymentBroker;
  ckms.secrets.put(secret.keyGroup, secret.name, password);
  const seenByPods = (url: string): string => url.replace(LOOPBACK, host);
  const urls = [athenz.url, ckms.url, actions.url, collector.url];
  if (secureActions !== null) urls.push(plainActions.url);
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
      plainActions: seenByPods(plainActions.url),
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

/** Grants access to the key group, as its owner does with zms-cli. */
export function grant(
  athenz: RunningAthenz,
  job: OmegaJob = "component",
  keyGroup: string = NAMES.keyGroup,
): void {
  athenz.zms.putRole(ROLE_DOMAIN, accessRole(keyGroup), [DEPLOYMENTS[job].principal]);
}
