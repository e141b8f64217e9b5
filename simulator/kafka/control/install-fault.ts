import { FaultNeverFiredError } from "#simulator/process/fault-never-fired.ts";
import type { RequestFacts } from "#simulator/kafka/cluster/request-facts.ts";
import type { FaultRule } from "#simulator/kafka/faults/fault-registry.ts";
import { describeRule } from "#simulator/kafka/faults/fault-rule.ts";
import type { KafkaControl } from "./operations.ts";

/**
 * A rule of a broker, wherever that runs. Disposing removes the rule and releases everything that
 * it holds. It rejects with FaultNeverFiredError when the rule was never triggered and is not
 * `optional`. Disposing again does nothing.
 */
export interface InstalledFault extends AsyncDisposable {
  readonly rule: FaultRule;
  /** Returns how often the rule was triggered until now, or until it was removed. */
  hits(): Promise<number>;
  /**
   * Resolves with the first request that triggered the rule. Rejects when the rule is removed
   * before.
   */
  arrived(): Promise<RequestFacts>;
  /**
   * Lets all requests at the barrier go on, and later ones pass. Ends what a blackhole swallowed.
   */
  release(): Promise<void>;
}

/** The time for which one request of `arrived` waits. */
const WAIT_MS = 20_000;

/** Installs a rule. Throws RangeError for a rule that can never do what it says. */
export async function installFault(
  control: KafkaControl,
  rule: FaultRule,
): Promise<InstalledFault> {
  const { id } = await control.addFault(rule);
  const removed = new AbortController();
  let last: number | undefined;
  return {
    rule,
    hits: async () => last ?? (await control.fault({ id })).hits,
    async arrived() {
      for (;;) {
        const { firstHit } = await control.fault({ id, waitMs: WAIT_MS }, removed.signal);
        if (firstHit !== null) return firstHit;
      }
    },
    release: () => control.releaseFault({ id }),
    async [Symbol.asyncDispose]() {
      if (removed.signal.aborted) return;
      removed.abort(new Error(`the fault was removed: ${describeRule(rule)}`));
      last = (await control.removeFault({ id })).hits;
      if (last > 0 || rule.optional === true) return;
      throw new FaultNeverFiredError(`the fault never fired: ${describeRule(rule)}`);
    },
  };
}
