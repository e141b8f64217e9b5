import type { Ability } from "#e2e/base/abilities.ts";
import type { BrokerPlace } from "#e2e/brokers/container/started-broker.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { Requests } from "#simulator/omega/manifests/overlay.ts";
import type { Site } from "#simulator/omega/manifests/site.ts";
import type { Target } from "./target.ts";

/** Where the pods of a run are: one for all its deployments. */
export interface Platform extends AsyncDisposable {
  /** Beyond what every target has. */
  readonly abilities: ReadonlySet<Ability>;
  /** What its targets cannot tell of the life of a pod, in the words of traces. */
  readonly unseen: readonly string[];
  readonly durations: Durations;
  /** Of the app, as the manifests name it. */
  readonly image: string;
  /** Images of the sidecars and what they are started with; where their servers are is the deployment's affair. */
  readonly sidecars: Required<Pick<Site, "identity" | "splunk">>;
  /** Of every container. */
  readonly environment: Readonly<Record<string, string>>;
  /** What containers ask of a node, instead of what production asks; absent: the same. */
  readonly requests?: Requests;
  /** Where pods reach the servers of the kit, which listen on loopback of this host. */
  readonly kitHost: string;
  /** From now on pods reach these ports of loopback, at `kitHost` under the same numbers, until what it gives is disposed. */
  expose(ports: readonly number[]): Promise<AsyncDisposable>;
  /** Aborts when pods can reach none of them any more; absent where that cannot be. */
  readonly lost?: AbortSignal;
  /** Where a broker is started; absent where that is a container of this host. */
  readonly brokerPlace?: BrokerPlace;
  /** A place for the pods of one deployment. `directory` receives what belongs to it alone; it must exist. */
  startTarget(directory: string): Promise<Target>;
  /** Writes what the machines of a cluster logged, and gives why some is missing, if it is; absent where there are none. */
  saveNodeLogs?(directory: string): Promise<string | undefined>;
}
