import type { Config } from "#consumer/config/load-config.ts";
import type { Pod } from "#consumer/history/history.ts";
import type {
  ActionSender,
  Broker,
  Clock,
  Credentials,
  Files,
  HealthServer,
  IdentitySource,
  Log,
  Metrics,
  Random,
  Secrets,
} from "#consumer/ports.ts";

/** Everything that `runProcess` needs; `main.ts` provides the real adapters, and tests provide fakes. */
export interface ProcessDependencies {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  /** The files of the history volume, rooted at its directory. */
  readonly files: Files;
  readonly identity: IdentitySource;
  readonly secrets: Secrets;
  /**
   * Makes a broker that is not connected yet. It reads the credentials at every connection, so that it sees a rotated
   * password; a new broker is made after `consume` has rejected.
   */
  readonly createBroker: (credentials: () => Promise<Credentials>) => Broker;
  readonly sender: ActionSender;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly health: HealthServer;
  /** The pod whose name goes into claims and the journal. */
  readonly pod: Pod;
  /** Aborts at SIGTERM, SIGINT, SIGHUP or SIGQUIT, in whatever state the process is. */
  readonly stop: AbortSignal;
  /** Writes out what the log has buffered. It is called once, as the last step. */
  readonly flushLog: () => Promise<void>;
}
