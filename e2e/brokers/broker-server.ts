import type { Duplex } from "node:stream";
import type { BrokerPlan, BrokerSoftware } from "./software.ts";

/** A broker that was started for the run, wherever it runs. */
export interface BrokerServer extends AsyncDisposable {
  /** A new connection to a port of its container. */
  dial(port: number): Duplex;
  /** Everything that it wrote until now. */
  log(): string;
}

export interface StartServerOptions {
  readonly software: BrokerSoftware;
  readonly plan: BrokerPlan;
  readonly signal: AbortSignal;
}

/** Resolves when it serves, or rejects and leaves nothing. */
export type StartServer = (options: StartServerOptions) => Promise<BrokerServer>;
