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

/** Everything that `runProcess` needs; `main.ts` brings the real ones, tests bring fakes. */
export interface ProcessDependencies {
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
  readonly sender: ActionSender;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly health: HealthServer;
  /** Who writes claims and the journal. */
  readonly pod: Pod;
  /** Aborted by SIGTERM, SIGINT, SIGHUP or SIGQUIT, in whatever state. */
  readonly stop: AbortSignal;
  /** Writes out what the log holds back. Called once, last. */
  readonly flushLog: () => Promise<void>;
}

/**
 * The life of the process, from readable configuration to exit code:
 *
 * - **starting**: /livez and /readyz answer. The history is recovered while identity and then secret are
 *   waited for; with all three the group is joined. Each is retried until `dependencies.budgetMs` after the
 *   start; /readyz gives the reason. A spent budget ends the process with the code of the last error (75
 *   or 77), what waiting cannot mend at once (78, 70).
 * - **running**, from the first assignment on. A broker that fails is replaced, with a budget of its own.
 * - **draining**, after SIGTERM in any state or a fatal error: no new work; running actions end within
 *   `execution.drainMs`, what is contiguously terminal is committed. Then, within 10 s, the group is left,
 *   the journal sealed and the history published.
 * - **stopped**: health server closed and log flushed, within 2 s; nothing of ours left.
 *
 * Resolves with 0 for a stop that was asked for and ended in time, with 70 when running work overran the
 * drain (its claims stay, the next pod calls them in doubt), else with the code of what went wrong. Never rejects.
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

/** For each of: leaving the group, sealing the history. */
const CLOSE_MS = 5_000;
/** For each of: health server, log. With the default drain a stop ends within the 60 s of preStop, whatever hangs. */
const LAST_MS = 1_000;
/** How much longer than its deadline a state may last before /livez calls it stuck. */
const STUCK_MARGIN_MS = 10_000;
/** Between tries of identity, history and broker. */
const RETRY: RetryPolicy = { delayMsMin: 100, delayMsMax: 5_000 };

/** What has been started so far. */
interface Parts {
  /** The last try: even one that is not waited for any more has to be closed. */
  opening?: Promise<History>;
  session?: Session;
  lanes?: Lanes;
  /** What handlers that have ended have left to be acknowledged and committed. */
  leftOver?: ReadonlySet<Promise<void>>;
  /** Batches at work. */
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

  /** The first connection takes what start-up fetched; every later one asks again. */
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
  // A dead letter that is not acknowledged holds the commits of its partition: seen here before the lag shows it.
  const held = () => standstillState(session.standstills) ?? unacknowledged.state;
  parts.states.broker = () => (session.state.ready ? held() : session.state);
  await Promise.race([session.ended, aborted(lifecycle.draining)]);
}

const UNANSWERED = {
  identity: "identity-unusable",
  secrets: "secret-unavailable",
  history: "history-unavailable",
} as const;

/** The history is recovered beside identity and secret: neither needs the other. */
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

/** Ends what runs, leaves the group, seals the history: in this order, each within its time, whatever fails. */
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

/** Logs what fails, and what does not end in time, and goes on. */
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
