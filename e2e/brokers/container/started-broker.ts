import type { Duplex } from "node:stream";
import type { BrokerPlan, BrokerSoftware } from "./software.ts";

/** A broker that was started for the run, in a container or in a cluster. */
export interface StartedBroker extends AsyncDisposable {
  /** Opens a new connection to a port of its container. */
  dial(port: number): Duplex | Promise<Duplex>;
  /** Returns everything that it has written so far. */
  log(): Promise<string>;
}

export interface StartedBrokerOptions {
  readonly software: BrokerSoftware;
  readonly plan: BrokerPlan;
  readonly signal: AbortSignal;
}

/** A place where the broker of a run can be started, once. */
export interface BrokerPlace {
  /** Starts the broker and resolves when it serves. When it rejects, it leaves nothing behind. */
  readonly start: (options: StartedBrokerOptions) => Promise<StartedBroker>;
  /** Names that the broker has in this place, besides those of the proxies. */
  readonly dnsNames: readonly string[];
}
