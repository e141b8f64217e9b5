import type { Duplex } from "node:stream";
import type { BrokerPlan, BrokerSoftware } from "./software.ts";

/** A broker that was started for the run, wherever it runs. */
export interface StartedBroker extends AsyncDisposable {
  /** A new connection to a port of its container. */
  dial(port: number): Duplex | Promise<Duplex>;
  /** Everything that it wrote until now. */
  log(): Promise<string>;
}

export interface StartedBrokerOptions {
  readonly software: BrokerSoftware;
  readonly plan: BrokerPlan;
  readonly signal: AbortSignal;
}

/** Where it can be started, once. */
export interface BrokerPlace {
  /** Resolves when it serves, or rejects and leaves nothing. */
  readonly start: (options: StartedBrokerOptions) => Promise<StartedBroker>;
  /** Names that it has there beside those of the proxies. */
  readonly dnsNames: readonly string[];
}
