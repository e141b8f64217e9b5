import { assemble, historyDependencies } from "./assembly.ts";
import type { Config } from "#consumer/config/load-config.ts";
import { aborted, onAbort } from "#consumer/async/abort.ts";
import { endsWithin } from "#consumer/async/deadline.ts";
import { ConsumerError, type ExitCode } from "#consumer/errors.ts";
import { type History, openHistory, type Pod } from "#consumer/history/history.ts";
import type { Lanes } from "#consumer/intake/lanes.ts";
import { createLifecycle, type Lifecycle } from "./state.ts";
import type {
  ActionSender,
  BatchHandler,
  Broker,
  Clock,
  Credentials,
  Dependency,
  DependencyState,
  Files,
  HealthServer,
  IdentitySource,
  Log,
  Metrics,
  Random,
  Secrets,
} from "#consumer/ports.ts";
import type { RetryPolicy } from "#consumer/async/retry.ts";
import { type Session, startSession } from "./session.ts";
import { standstillState } from "./standstill-state.ts";
import { waitFor } from "./startup.ts";

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

/**
 * Runs the process, from a valid configuration to the exit code:
 *
 * - **starting**: /livez and /readyz answer. The history is recovered while identity and then secret are waited for;
 *   with all three the group is joined. Each is retried until `dependencies.budgetMs` after the start; /readyz gives
 *   the reason. A spent budget ends the process with the code of the last error (75 or 77), and an error that waiting
 *   cannot mend ends it at once (78 or 70).
 * - **running**, from the first assignment on. A broker that fails is replaced, with a budget of its own.
 * - **draining**, after SIGTERM in any state or a fatal error: no new work is begun. Running actions end within
 *   `execution.drainMs`, and what is contiguously terminal is committed. Then, within 10 s, the group is left, the
 *   journal sealed and the history published.
 * - **stopped**: the health server is closed and the log flushed, within 2 s.
 *
 * Resolves with 0 for a stop that was asked for and ended in time; with 70 when running work overran the drain (its
 * claims stay, and the next pod finds them in doubt); otherwise with the code of the first failure. Never rejects.
 */
export async function runProcess(dependencies: ProcessDependencies): Promise<ExitCode> {
  const { config, health, log, stop } = dependencies;
  const lifecycle = createLifecycle({
    ...dependencies,
    drainMs: config.execution.drainMs,
    stuckAfterMs: {
      starting: config.dependencies.budgetMs + STUCK_MARGIN_MS,
      draining: config.execution.drainMs + 2 * CLOSE_MS + STUCK_MARGIN_MS,
    },
  });
  const drainOnStop = (): void => lifecycle.drain(stop.reason);
  if (stop.aborted) drainOnStop();
  else onAbort(stop, drainOnStop);
  const parts = createParts();
  let server: AsyncDisposable | undefined;
  try {
    server = await health.serve({
      liveness: () => lifecycle.liveness(),
      readiness: () => lifecycle.readiness(statesOf(parts)),
    });
    await work(parts, lifecycle, dependencies);
  } catch (error) {
    // A wait that the drain has ended throws the reason of the drain.
    if (error !== lifecycle.draining.reason) lifecycle.fail(error);
  }
  await drain(parts, lifecycle, dependencies);
  lifecycle.stop();
  await close("health", async () => server?.[Symbol.asyncDispose](), LAST_MS, dependencies);
  log.info("process.ended", { exitCode: lifecycle.exitCode });
  await close("log", dependencies.flushLog, LAST_MS, dependencies);
  return lifecycle.exitCode;
}

/** The longest time for leaving the group, and for sealing the history. */
const CLOSE_MS = 5_000;
/**
 * The longest time for closing the health server, and for flushing the log. With the default drain a stop ends within
 * the 60 s of preStop, even when everything hangs.
 */
const LAST_MS = 1_000;
/** How much longer than its deadline a state may last before /livez calls the process stuck. */
const STUCK_MARGIN_MS = 10_000;
/** The delays between tries of identity, history and broker. */
const RETRY: RetryPolicy = { delayMsMin: 100, delayMsMax: 5_000 };

/** The parts of the process that have been started so far. */
interface Parts {
  /** The last try to open the history. It has to be closed even when nothing waits for it any more. */
  opening?: Promise<History>;
  session?: Session;
  lanes?: Lanes;
  /** The work that handlers have left, to be acknowledged and committed. */
  leftOver?: ReadonlySet<Promise<void>>;
  /** The batches at work. */
  readonly batches: Set<Promise<void>>;
  readonly states: Record<Dependency, () => DependencyState>;
}

function createParts(): Parts {
  return {
    batches: new Set(),
    states: {
      identity: notReady("not read yet"),
      secrets: notReady("waits for the identity"),
      history: notReady("recovering"),
      broker: notReady("waits for identity, secrets and history"),
    },
  };
}

function notReady(reason: string): () => DependencyState {
  return () => ({ ready: false, reason });
}

function statesOf({ states }: Parts): Record<Dependency, DependencyState> {
  return {
    identity: states.identity(),
    secrets: states.secrets(),
    history: states.history(),
    broker: states.broker(),
  };
}

/** Starts everything and consumes until the drain begins. Rejects with what failed. */
async function work(
  parts: Parts,
  lifecycle: Lifecycle,
  dependencies: ProcessDependencies,
): Promise<void> {
  const { clock, config, secrets } = dependencies;
  const { passwordSecret, username } = config.kafka.sasl;
  const sinceMs = clock.monotonicMs();
  const { history, password } = await dependenciesThere(parts, sinceMs, lifecycle, dependencies);

  /** The password that start-up fetched. The first connection uses it; every later one fetches the password again. */
  let unused: string | undefined = password;
  const credentials = async (): Promise<Credentials> => {
    const fetched = unused;
    unused = undefined;
    return {
      username,
      password: fetched ?? (await secrets.fetch(passwordSecret, lifecycle.draining)),
    };
  };
  const broker: Pick<Broker, "publish"> = { publish: (record) => session.publish(record) };
  const { handle, leftOver, unreadable, lanes, unacknowledged } = assemble(
    history,
    broker,
    lifecycle,
    dependencies,
  );
  const session = startSession({
    ...dependencies,
    credentials,
    handle: tracked(handle, parts.batches),
    unreadable,
    retry: RETRY,
    budgetMs: config.dependencies.budgetMs,
    sinceMs,
    onJoined: () => {
      if (!lifecycle.draining.aborted) lifecycle.run();
    },
  });
  parts.lanes = lanes;
  parts.leftOver = leftOver;
  parts.session = session;
  // A dead letter that is not acknowledged holds the commits of its partition; this shows it before the lag does.
  const held = () => standstillState(session.standstills) ?? unacknowledged.state;
  parts.states.broker = () => (session.state.ready ? held() : session.state);
  await Promise.race([session.ended, aborted(lifecycle.draining)]);
}

const UNANSWERED = {
  identity: "identity-unusable",
  secrets: "secret-unavailable",
  history: "history-unavailable",
} as const;

/** Waits for identity, secret and history. The history is recovered in parallel, because neither needs the other. */
async function dependenciesThere(
  parts: Parts,
  sinceMs: number,
  lifecycle: Lifecycle,
  dependencies: ProcessDependencies,
): Promise<{ history: History; password: string }> {
  const { config, identity, secrets } = dependencies;
  const there = <Result>(
    dependency: keyof typeof UNANSWERED,
    attempt: (signal: AbortSignal) => Promise<Result>,
    retry: RetryPolicy = RETRY,
  ): Promise<Result> => {
    const waiting = {
      dependency,
      retry,
      deadlineMs: sinceMs + config.dependencies.budgetMs,
      unanswered: UNANSWERED[dependency],
      stopping: lifecycle.draining,
      onState: (state: DependencyState) => {
        parts.states[dependency] = () => state;
      },
    };
    return waitFor(attempt, waiting, dependencies);
  };

  const fetchSecret = async (): Promise<string> => {
    await there("identity", () => identity.current());
    parts.states.identity = () => identity.state;
    const { passwordSecret } = config.kafka.sasl;
    const delayMsMax = config.ckms.retryIntervalMs;
    const retry = { delayMsMin: Math.min(RETRY.delayMsMin, delayMsMax), delayMsMax };
    const attempt = (signal: AbortSignal): Promise<string> => secrets.fetch(passwordSecret, signal);
    const password = await there("secrets", attempt, retry);
    parts.states.secrets = () => secrets.state;
    return password;
  };
  const open = async (): Promise<History> => {
    const history = await there("history", () => {
      parts.opening = openHistory(historyDependencies(dependencies));
      return parts.opening;
    });
    parts.states.history = () => history.state;
    return history;
  };
  const [history, password] = await Promise.all([open(), fetchSecret()]);
  return { history, password };
}

function tracked(handle: BatchHandler, batches: Set<Promise<void>>): BatchHandler {
  return async (batch) => {
    const handling = handle(batch);
    batches.add(handling);
    try {
      await handling;
    } finally {
      batches.delete(handling);
    }
  };
}

/**
 * Waits for running work, leaves the group and seals the history, in this order and each within its time, whatever
 * fails.
 */
async function drain(
  parts: Parts,
  lifecycle: Lifecycle,
  dependencies: ProcessDependencies,
): Promise<void> {
  const { batches, lanes, leftOver = [], opening, session } = parts;
  const { drainMs } = dependencies.config.execution;
  if (session !== undefined) {
    const drained = Promise.allSettled([session.drain(), ...batches, ...leftOver]);
    const inTime = await lifecycle.drainDeadline.isMetBy(drained);
    const running = lanes?.running ?? 0;
    if (!inTime || running > 0) {
      const left = `${batches.size} batches not ended, ${running} incidents at work`;
      const message = `drain: ${left} after execution.drainMs (${drainMs} ms)`;
      lifecycle.fail(new ConsumerError("internal", message));
    }
    await close("broker", () => session.stop(), CLOSE_MS, dependencies);
  }
  if (opening !== undefined) {
    const history = opening.catch(() => undefined);
    await close("history", async () => (await history)?.close(), CLOSE_MS, dependencies);
  }
}

/** Closes a part. A failure, and a part that does not close in time, is logged, and the process goes on. */
async function close(
  what: string,
  closing: () => Promise<unknown>,
  durationMsMax: number,
  { clock, log }: ProcessDependencies,
): Promise<void> {
  try {
    const inTime = await endsWithin(closing(), durationMsMax, clock);
    if (!inTime) log.error("close.overrun", { what, afterMs: durationMsMax });
  } catch (error) {
    log.error("close.failed", { what, error });
  }
}
