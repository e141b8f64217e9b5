import { setImmediate } from "node:timers/promises";
import { createBarrier } from "./barrier.ts";
import type { Barrier } from "./barrier.ts";
import { matches } from "./action-endpoint-control.ts";
import type {
  Arrival,
  Hold,
  HoldOptions,
  HoldMoment,
  Match,
  ResetOptions,
  ResponseRule,
  Rule,
} from "./action-endpoint-control.ts";

/** The decision about one request. */
type Verdict =
  | { readonly kind: "respond"; readonly rule: ResponseRule }
  | { readonly kind: "reset"; readonly applied: boolean };

export interface Rules {
  hold(moment: HoldMoment, options?: HoldOptions): Hold;
  respond(rule: ResponseRule): Rule;
  reset(options: ResetOptions): Rule;
  /**
   * Returns the barrier for a connection of which nothing has been read yet. Only holds without a
   * match apply to it.
   */
  connectionBarrier(): Barrier<Arrival> | undefined;
  requestBarrier(moment: HoldMoment, arrival: Arrival): Promise<Barrier<Arrival> | undefined>;
  /**
   * Returns the decision of the matching rule that has applied to the fewest requests, and counts
   * the request.
   */
  verdict(arrival: Arrival): Verdict;
}

interface InstalledHold {
  readonly moment: HoldMoment;
  readonly match: Match | undefined;
  readonly when: HoldOptions["when"];
  readonly barrier: Barrier<Arrival>;
}

interface InstalledRule {
  readonly match: Match | undefined;
  readonly verdict: Verdict;
  timesLeft: number;
  hits: number;
}

const EVENT_LOOP_TURNS = 10;

export function createRules(): Rules {
  const holds = new Set<InstalledHold>();
  const rules = new Set<InstalledRule>();

  function install(match: Match | undefined, times: number | undefined, verdict: Verdict): Rule {
    const rule = { match, verdict, timesLeft: times ?? Number.POSITIVE_INFINITY, hits: 0 };
    rules.add(rule);
    return {
      hits: async () => rule.hits,
      [Symbol.asyncDispose]: async () => void rules.delete(rule),
    };
  }

  return {
    hold(moment, options = {}) {
      const barrier = createBarrier<Arrival>(options.times);
      const installed = { moment, match: options.match, when: options.when, barrier };
      holds.add(installed);
      const release = async () => {
        // A peer that has just died is noticed in the next turns of the event loop (first its bytes
        // arrive, then its end), which must come before it is let go on.
        for (let turn = 0; turn < EVENT_LOOP_TURNS; turn += 1) await setImmediate();
        holds.delete(installed);
        barrier.release();
      };
      return {
        arrived: barrier.arrived,
        hits: async () => barrier.hits,
        arrivals: (count) => barrier.arrivals(count),
        release,
        drop: async () => {
          holds.delete(installed);
          barrier.drop();
        },
        [Symbol.asyncDispose]: release,
      };
    },
    respond: (rule) => install(rule.match, rule.times, { kind: "respond", rule }),
    reset: ({ match, times, applied }) => install(match, times, { kind: "reset", applied }),
    connectionBarrier: () =>
      [...holds].find(
        ({ moment, match, when, barrier }) =>
          moment === "before-request" && match === undefined && when === undefined && !barrier.open,
      )?.barrier,
    async requestBarrier(moment, arrival) {
      for (const { moment: held, match, when, barrier } of holds) {
        if (held !== moment || barrier.open || !matches(match, arrival)) continue;
        if (when !== undefined && !(await when(arrival))) continue;
        // The hold may have been released, or may be full, by the time `when` has answered.
        if (!barrier.open) return barrier;
      }
      return undefined;
    },
    verdict(arrival) {
      const [rule] = [...rules]
        .filter((one) => one.timesLeft > 0 && matches(one.match, arrival))
        .toSorted((left, right) => left.hits - right.hits);
      if (rule === undefined) return { kind: "respond", rule: {} };
      rule.timesLeft -= 1;
      rule.hits += 1;
      return rule.verdict;
    },
  };
}
