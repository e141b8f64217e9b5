import type { BrokerNames } from "#fixtures/configurations.ts";
import type { Ability } from "#e2e/base/abilities.ts";
import type { Broker } from "./broker.ts";

/** Gives every deployment of a run its broker. */
export interface BrokerProvider extends AsyncDisposable {
  /** The kind of broker, as the command line names it. */
  readonly kind: string;
  /** The abilities of every broker that it opens. */
  readonly abilities: ReadonlySet<Ability>;
  /** The shortest session timeout that the broker allows, in milliseconds. */
  readonly sessionTimeoutMsMin: number;
  /**
   * PEM certificates of the authorities that signed the broker's certificate, unless the authority of the run signed
   * it.
   */
  readonly trustedPem?: string;
  /** Opens a broker with topics, a group and a user for one deployment. */
  open(options: DeploymentBrokerOptions): Promise<DeploymentBroker>;
  /** Writes the broker's log. Absent where the broker has no log of its own. */
  saveLogs?(directory: string): Promise<void>;
}

interface DeploymentBrokerOptions {
  /** The number of partitions of the incident topic. The dead letter topic has one partition. */
  readonly partitions: number;
  /** The number of nodes, where the broker can have more than one. */
  readonly nodes: number;
}

export interface DeploymentBroker extends AsyncDisposable {
  readonly broker: Broker;
  /**
   * Ports of loopback that pods reach at the host name of the kit. Empty when pods reach the broker without the kit.
   */
  readonly ports: readonly number[];
  readonly names: BrokerNames;
  /** The password of the user `names.username`. */
  readonly password: string;
}
