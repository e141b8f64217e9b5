import { historyDependencies } from "./assembly.ts";
import type { RetryPolicy } from "#consumer/async/retry.ts";
import type { ProcessDependencies } from "./dependencies.ts";
import { openHistory } from "#consumer/history/history.ts";
import type { History } from "#consumer/history/history.ts";
import type { Parts } from "./parts.ts";
import type { DependencyState } from "#consumer/ports.ts";
import { waitFor } from "./startup.ts";
import type { Lifecycle } from "./state.ts";

/** The delays between tries of identity, history and broker. */
export const RETRY: RetryPolicy = { delayMsMin: 100, delayMsMax: 5_000 };

const UNANSWERED = {
  identity: "identity-unusable",
  secrets: "secret-unavailable",
  history: "history-unavailable",
} as const;

/** Waits for identity, secret and history. The history is recovered in parallel, because neither needs the other. */
export async function waitForDependencies(
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
    parts.history = history;
    return history;
  };
  const [history, password] = await Promise.all([open(), fetchSecret()]);
  return { history, password };
}
