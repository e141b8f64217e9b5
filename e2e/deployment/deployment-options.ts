import type { Authority } from "#fixtures/certificates.ts";
import type { Configuration } from "#fixtures/configurations.ts";
import type { OmegaJob } from "#simulator/omega/manifests/identities.ts";
import type { Durations as PodDurations } from "#simulator/omega/manifests/overlay.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { RecordEvent } from "#e2e/base/events.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import type { BrokerProvider } from "#e2e/brokers/broker-provider.ts";
import type { Platform } from "#e2e/targets/platform.ts";

/** Options of a deployment. The default is one healthy pod with every permission. */
export interface DeploymentOptions {
  /** The number of pods. Defaults to 1. */
  readonly replicas?: number;
  /** The number of partitions of the incident topic. Defaults to 2. */
  readonly partitions?: number;
  /** The number of nodes of the broker. Defaults to 1. */
  readonly brokerNodes?: number;
  /** The delay of the identity sidecar's first request for a certificate, in seconds. Defaults to 0. */
  readonly certificateDelaySeconds?: number;
  /** True when no certificate is ever issued. Defaults to false. */
  readonly certificatesWithheld?: boolean;
  /** True when CKMS gives the identity its secret from the start. Defaults to true. */
  readonly granted?: boolean;
  /** True when actions are sent with the Athenz identity. Defaults to false. */
  readonly mutualTls?: boolean;
  /** Durations of the pod spec that replace those of the run. */
  readonly pod?: PodDurations;
  /** Changes the document of config.yaml. */
  readonly configure?: (document: Configuration) => Readonly<Record<string, unknown>>;
  /** A configuration of the user in place of the kit's own, which `configure` would change. Defaults to none. */
  readonly configuration?: DeployedConfiguration;
  /** False leaves the history volume out of the pod. Defaults to true. */
  readonly historyVolume?: boolean;
  /** True when `podFaults` of the deployment can act inside the processes of the pods. Defaults to false. */
  readonly podFaults?: boolean;
  /** True when `exhaustMemory` works on the pods. Defaults to false. */
  readonly memoryFaults?: boolean;
  /** Options of Node for the app. Defaults to none. */
  readonly nodeOptions?: string;
  /** The memory limit of the app, as a quantity. Defaults to that of production. */
  readonly memoryLimit?: string;
}

/** A whole configuration, whose addresses are replaced by those of the simulators (rewrite-configuration.ts). */
export interface DeployedConfiguration {
  /** The text of config.yaml, which the consumer's loader accepts. */
  readonly text: string;
  /** The job whose rendering, identity, claim and environment the pods have. */
  readonly job: OmegaJob;
  /** The value of `execution.orphanWaitMs` that replaces that of the text. Defaults to that of the text. */
  readonly orphanWaitMs?: number;
}

/** The parts of a run that all its deployments use. */
export interface DeploymentEnvironment {
  /** The directory of this deployment alone. It must exist. */
  readonly directory: string;
  readonly platform: Platform;
  readonly brokers: BrokerProvider;
  /** Signs the certificates of every server. */
  readonly authority: Authority;
  /** The durations that the platform and the broker allow. */
  readonly durations: Durations;
  readonly realTime: boolean;
  readonly random: SeededRandom;
  readonly signal: AbortSignal;
  readonly recordEvent: RecordEvent;
}
