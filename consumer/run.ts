import type { Config } from "./config.ts";
import type { ExitCode } from "./errors.ts";
import type {
  ActionTarget,
  Broker,
  Clock,
  Files,
  IdentitySource,
  Log,
  Metrics,
  Random,
  Secrets,
} from "./ports.ts";
import type { LifecycleState, ReadinessReport } from "./readiness.ts";

/** SASL user name and password. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What /livez shows. Alive means: the event loop answers, and the state has not outlived its deadline. */
export interface LivenessReport {
  readonly alive: boolean;
  readonly state: LifecycleState;
  /** Milliseconds in this state. */
  readonly stateAgeMs: number;
}

/** Asked at every request to /livez and /readyz; both answer at once and never throw. */
export interface HealthReports {
  liveness(): LivenessReport;
  readiness(): ReadinessReport;
}

/** Serves /livez, /readyz (200, or 503 with the report as JSON) and /metrics. */
export interface HealthServer {
  /** Listens at the configured host and port; the result closes it. Rejects when the port is taken. */
  serve(reports: HealthReports): Promise<AsyncDisposable>;
}

/** Everything that `run` needs; `main.ts` brings the real ones, tests bring fakes. */
export interface RunDependencies {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  /** Rooted at the history volume. */
  readonly files: Files;
  readonly identity: IdentitySource;
  readonly secrets: Secrets;
  /**
   * Makes a broker that is not connected yet. It asks for the credentials at every connection, so that a
   * rotated password is seen; a new broker is made after `consume` rejected.
   */
  readonly createBroker: (credentials: () => Promise<Credentials>) => Broker;
  readonly target: ActionTarget;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly health: HealthServer;
  /** Who writes the journal and claims. */
  readonly pod: { readonly name: string; readonly uid: string };
  /** Aborted by SIGTERM or SIGINT, in whatever state. */
  readonly stop: AbortSignal;
  /** Writes out what the log holds back. Called once, last. */
  readonly flushLog: () => Promise<void>;
}

export declare function run(dependencies: RunDependencies): Promise<ExitCode>;
