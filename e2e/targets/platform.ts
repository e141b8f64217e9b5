import type { Ability } from "#e2e/base/abilities.ts";
import type { BrokerPlace } from "#e2e/brokers/container/started-broker.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { OmegaJob } from "#simulator/omega/manifests/identities.ts";
import type { Requests } from "#simulator/omega/manifests/overlay.ts";
import type { Site } from "#simulator/omega/manifests/site.ts";
import type { Target } from "./target.ts";

/** The place where the pods of a run are, shared by all its deployments. */
export interface Platform extends AsyncDisposable {
  /** Abilities beyond those that every target has. */
  readonly abilities: ReadonlySet<Ability>;
  /** Events in the life of a pod that the targets cannot see, in the words of traces. */
  readonly unseen: readonly string[];
  readonly durations: Durations;
  /** The image of the app, as the manifests name it. */
  readonly image: string;
  /** Images and arguments of the sidecars. The deployment adds the addresses of their servers. */
  readonly sidecars: Required<Pick<Site, "identity" | "splunk">>;
  /** Environment variables of every container. */
  readonly environment: Readonly<Record<string, string>>;
  /** Resource requests that replace those of production. Absent when the same apply. */
  readonly requests?: Requests;
  /** The host name at which pods reach the servers of the kit, which listen on loopback of this host. */
  readonly kitHost: string;
  /**
   * Makes these ports of loopback reachable for pods, at `kitHost` under the same numbers, until the result is
   * disposed.
   */
  expose(ports: readonly number[]): Promise<AsyncDisposable>;
  /** Aborts when pods can no longer reach any exposed port. Absent where that cannot happen. */
  readonly lost?: AbortSignal;
  /** The place where a broker is started. Absent where that is a container of this host. */
  readonly brokerPlace?: BrokerPlace;
  /**
   * Starts a target for the pods of one deployment. `directory` receives the files of that deployment alone, and must
   * exist. A cluster names their namespace after that of the job.
   */
  startTarget(directory: string, job: OmegaJob): Promise<Target>;
  /**
   * Writes the logs of the cluster's nodes, and returns the reason if some of them are missing. Absent where there are
   * no nodes.
   */
  saveNodeLogs?(directory: string): Promise<string | undefined>;
}
