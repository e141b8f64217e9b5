import type { SendResult } from "#consumer/ports.ts";
import type { ModelSteps } from "./steps.ts";

/** The endpoint's reply to a request, and whether the request had its effect. */
export interface Answer {
  readonly result: SendResult;
  readonly applied: boolean;
}

export const ANSWERS: readonly Answer[] = [
  { result: { outcome: "done", detail: "200" }, applied: true },
  { result: { outcome: "failed-not-applied", detail: "503" }, applied: false },
  { result: { outcome: "rejected", detail: "400" }, applied: false },
  { result: { outcome: "in-doubt", detail: "500, applied" }, applied: true },
  { result: { outcome: "in-doubt", detail: "500, not applied" }, applied: false },
];

const IN_DOUBT: SendResult = { outcome: "in-doubt", detail: "no reply in time" };

export interface ModelEndpoint {
  /**
   * Sends one request of one process. `deadlineMs` counts from now on the process's monotonic
   * clock.
   */
  send(
    who: string,
    key: string,
    deadlineMs: number,
    monotonicMs: () => number,
  ): Promise<SendResult>;
  /** Returns the number of effects that a key had. */
  effects(key: string): number;
  /** The number of effects of all keys. */
  readonly effectCount: number;
}

export interface ModelEndpointOptions {
  readonly steps: ModelSteps;
  readonly answer: (key: string) => Answer;
  readonly later: (effect: () => Promise<unknown>) => void;
  readonly onAnswer: (key: string, result: SendResult) => void;
}

/**
 * Creates an action endpoint that counts the effects of each key and knows nothing of idempotency.
 */
export function createModelEndpoint({
  steps,
  answer,
  later,
  onAnswer,
}: ModelEndpointOptions): ModelEndpoint {
  const ledger = new Map<string, number>();
  let effectCount = 0;
  const apply = (key: string, { applied }: Answer): void => {
    if (!applied) return;
    ledger.set(key, (ledger.get(key) ?? 0) + 1);
    effectCount += 1;
  };
  return {
    effects: (key) => ledger.get(key) ?? 0,
    get effectCount() {
      return effectCount;
    },
    async send(who, key, deadlineMs, monotonicMs) {
      const endMs = monotonicMs() + deadlineMs;
      const how = await steps.step(who, { kind: "send", phase: "before", subject: key });
      const chosen = answer(key);
      switch (how.kind) {
        case "fail":
          return { outcome: "failed-not-applied", detail: "connection refused" };
        case "delay":
          later(async () => apply(key, chosen));
          return IN_DOUBT;
        case "lose":
          apply(key, chosen);
          return IN_DOUBT;
        case "go":
        case "hold":
        case "stale":
        case "tear":
      }
      apply(key, chosen);
      if (how.kind === "hold") {
        await steps.step(who, { kind: "send", phase: "after", subject: key });
      }
      const result = monotonicMs() > endMs ? IN_DOUBT : chosen.result;
      onAnswer(key, result);
      return result;
    },
  };
}
