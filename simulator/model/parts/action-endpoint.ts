import type { SendResult } from "#consumer/ports.ts";
import type { ModelSteps } from "#simulator/model/steps.ts";

/** What the far side does with a request. */
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

export interface ModelTarget {
  /** One request of one process. `deadlineMs` from now, on `monotonicMs`. */
  send(
    who: string,
    key: string,
    deadlineMs: number,
    monotonicMs: () => number,
  ): Promise<SendResult>;
  /** Effects that a key had. */
  effects(key: string): number;
  /** Grows with every effect. */
  readonly effectsTotal: number;
}

export interface ModelTargetOptions {
  readonly steps: ModelSteps;
  readonly answer: (key: string) => Answer;
  readonly later: (effect: () => Promise<unknown>) => void;
  readonly onAnswer: (key: string, result: SendResult) => void;
}

/** An endpoint with a ledger of its effects; it knows nothing of idempotency. */
export function createModelTarget({
  steps,
  answer,
  later,
  onAnswer,
}: ModelTargetOptions): ModelTarget {
  const ledger = new Map<string, number>();
  let effectsTotal = 0;
  const apply = (key: string, { applied }: Answer): void => {
    if (!applied) return;
    ledger.set(key, (ledger.get(key) ?? 0) + 1);
    effectsTotal += 1;
  };
  return {
    effects: (key) => ledger.get(key) ?? 0,
    get effectsTotal() {
      return effectsTotal;
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
