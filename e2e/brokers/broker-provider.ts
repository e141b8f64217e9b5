import type { BrokerNames } from "#fixtures/configurations.ts";
import type { Ability } from "#e2e/base/abilities.ts";
import type { Broker } from "./broker.ts";

/** Where the deployments of a run get their brokers from: one provider serves them all. */
export interface BrokerProvider extends AsyncDisposable {
  /** As the command line has it. */
  readonly kind: string;
  /** Of every broker that it gives. */
  readonly abilities: ReadonlySet<Ability>;
  /** Shortest session that it lets a member have, milliseconds. */
  readonly sessionTimeoutMsMin: number;
  /** PEM of the authorities that signed its certificate, when it was not that of the run. */
  readonly trustedPem?: string;
  /** A broker with topics, a group and a user for one deployment. */
  open(options: DeploymentBrokerOptions): Promise<DeploymentBroker>;
  /** Writes what the broker logged; absent where there is no log of its own. */
  saveLogs?(directory: string): Promise<void>;
}

interface DeploymentBrokerOptions {
  /** Of the topic of incidents; that of dead letters has one. */
  readonly partitions: number;
  /** Where there can be more than one. */
  readonly nodes: number;
}

export interface DeploymentBroker extends AsyncDisposable {
  readonly broker: Broker;
  /** Of loopback, on which pods reach it at the kit's host; none where they reach it without the kit. */
  readonly ports: readonly number[];
  readonly names: BrokerNames;
  /** Of the user `names.username`. */
  readonly password: string;
}
