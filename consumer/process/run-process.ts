import { assemble } from "./assembly.ts";
import { aborted, onAbort } from "#consumer/async/abort.ts";
import { endsWithin } from "#consumer/async/deadline.ts";
import type { ProcessDependencies } from "./dependencies.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import { createParts, pauseOf, statesOf } from "./parts.ts";
import type { Parts } from "./parts.ts";
import type { BatchHandler, Broker, Credentials } from "#consumer/ports.ts";
import { startSession } from "./session.ts";
import { standstillState } from "./standstill-state.ts";
import { RETRY, waitForDependencies } from "./start-dependencies.ts";
import { createLifecycle } from "./state.ts";
import type { Lifecycle } from "./state.ts";

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
      readiness: () => ({ ...lifecycle.readiness(statesOf(parts)), ...pauseOf(parts) }),
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
/** The time by which a state may exceed its deadline before /livez calls the process stuck, in milliseconds. */
const STUCK_MARGIN_MS = 10_000;
/** Starts everything and consumes until the drain begins. Rejects with what failed. */
async function work(
  parts: Parts,
  lifecycle: Lifecycle,
  dependencies: ProcessDependencies,
): Promise<void> {
  const { clock, config, secrets } = dependencies;
  const { passwordSecret, username } = config.kafka.sasl;
  const sinceMs = clock.monotonicMs();
  const { history, password } = await waitForDependencies(parts, sinceMs, lifecycle, dependencies);

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
