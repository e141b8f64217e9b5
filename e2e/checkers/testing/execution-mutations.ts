import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import { claimFileOf, outcomeFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import { parentIdOf, traceIdOf } from "#e2e/checkers/analysis/trace-context.ts";
import type { Effect, HistoryEvent } from "#e2e/checkers/history-event.ts";
import { attemptsOf, pick, pickOf, replaced, without } from "./mutation.ts";
import type { Kind, MutableHistory, Mutation } from "./mutation.ts";

/** This is more than the clocks of two places may differ by. */
const LATER_MS = 200;
const OTHER_NONCE = "abcdef0123456789".repeat(2);

/** Mutations of what is sent and of its results. */
export const EXECUTION_MUTATIONS: readonly Mutation[] = [
  {
    what: "the endpoint applies a request twice",
    invariant: "one-execution-per-attempt",
    change: (history, choose) => {
      const effect = pick(history, choose, "effect");
      return effect && [...history.events, { ...effect, atMs: effect.atMs + LATER_MS }];
    },
  },
  {
    what: "a pod sends one claim twice",
    invariant: "one-execution-per-attempt",
    change: (history, choose) => {
      const sending = pick(history, choose, "sending");
      return sending && [...history.events, { ...sending, atMs: sending.atMs + LATER_MS }];
    },
  },
  {
    what: "another attempt follows one that was done, and has an effect too",
    invariant: "one-execution-per-action",
    change: again,
  },
  {
    what: "another attempt follows one that was done",
    invariant: "attempts-in-turn",
    change: again,
  },
  {
    what: "the claim is gone from the volume when its effect comes",
    invariant: "execution-claimed",
    change: (history, choose) => {
      const effect = pick(history, choose, "effect");
      return effect && without(history, (event) => isClaimOf(event, effect));
    },
  },
  {
    what: "the claim is made after its effect",
    invariant: "execution-claimed",
    change: (history, choose) => {
      const effect = pick(history, choose, "effect");
      const claim = history.events.find((event) => effect && isClaimOf(event, effect));
      return effect && claim && replaced(history, claim, { atMs: effect.atMs + LATER_MS });
    },
  },
  {
    what: "the request carries another nonce than the claim",
    invariant: "execution-claimed",
    change: (history, choose) => {
      const effect = pick(history, choose, "effect");
      return effect && replaced(history, effect, { parentId: parentIdOf(OTHER_NONCE) });
    },
  },
  {
    what: "the request carries no traceparent",
    invariant: "execution-claimed",
    change: (history, choose) => {
      const effect = pick(history, choose, "effect");
      return effect && replaced(history, effect, { traceId: null, parentId: null });
    },
  },
  {
    what: "the request carries no Idempotency-Key",
    invariant: "execution-claimed",
    change: (history, choose) => {
      const effect = pick(history, choose, "effect");
      return effect && replaced(history, effect, { key: null });
    },
  },
  {
    what: "another pod than the claimant sends",
    invariant: "sent-by-claimant",
    change: (history, choose) => {
      const sending = pick(history, choose, "sending");
      return sending && replaced(history, sending, { pod: `not-${sending.pod}` });
    },
  },
  {
    what: "a pod sends a moment before it says that its claim is durable",
    invariant: "sent-by-claimant",
    change: (history, choose) => {
      const sending = pick(history, choose, "sending");
      const said = history.events.find(
        (event) =>
          event.kind === "claimed" && event.from === "log" && event.nonce === sending?.nonce,
      );
      return sending && said && replaced(history, sending, { atMs: said.atMs - 1 });
    },
  },
  {
    what: "an action that ended done had no effect",
    invariant: "outcomes-true",
    change: (history, choose) => {
      const done = pickOf(
        attemptsOf(history).filter(({ attempt }) => outcomeFileOf(attempt)?.outcome === "done"),
        choose,
      );
      const parents = new Set(done?.attempt.effects.map(({ parentId }) => parentId));
      return (
        done && without(history, (event) => event.kind === "effect" && parents.has(event.parentId))
      );
    },
  },
  {
    what: "an attempt that ended as not applied had an effect",
    invariant: "outcomes-true",
    change: (history, choose) => {
      const failed = pickOf(
        attemptsOf(history).filter(
          ({ attempt }) => outcomeFileOf(attempt)?.outcome === "failed-not-applied",
        ),
        choose,
      );
      const ended = outcomeFileOf(failed?.attempt);
      if (failed === undefined || ended === undefined) return undefined;
      const { key } = failed.action;
      const trace = { traceId: traceIdOf(key), parentId: parentIdOf(ended.nonce) };
      const effect = { kind: "effect", key, ...trace, pod: ended.pod, path: "/tickets" } as const;
      return [...history.events, { ...effect, atMs: ended.atMs }];
    },
  },
  {
    what: "the later record of an incident is executed before the earlier one",
    invariant: "order-per-incident",
    change: (history, choose) => {
      const pair = pickOf(neighbours(history), choose);
      return pair && replaced(history, pair.later, { atMs: pair.earlier.atMs - 1 });
    },
  },
  {
    what: "the records that planned an action are missing",
    invariant: "only-planned-actions",
    // Where the broker delivered records after the last known one, some are clearly missing.
    says: ["broken", "unknown"],
    change: (history, choose) => {
      const effect = pick(history, choose, "effect");
      return (
        effect &&
        without(
          history,
          (event) =>
            event.kind === "published" &&
            event.expected.some((expected) => actionKeyOf(expected) === effect.key),
        )
      );
    },
  },
];

function isClaimOf(event: HistoryEvent, { parentId }: Effect): boolean {
  return event.kind === "claimed" && event.from === "file" && parentIdOf(event.nonce) === parentId;
}

function again(history: MutableHistory, choose: (limit: number) => number) {
  const done = pickOf(
    attemptsOf(history).filter(
      ({ action, attempt }) =>
        outcomeFileOf(attempt)?.outcome === "done" && action.expected?.idempotent === false,
    ),
    choose,
  );
  const claim = claimFileOf(done?.attempt);
  const [effect] = done?.attempt.effects ?? [];
  if (claim === undefined || effect === undefined) return undefined;
  const atMs = effect.atMs + LATER_MS;
  const parentId = parentIdOf(OTHER_NONCE);
  return [
    ...history.events,
    { ...claim, attempt: claim.attempt + 1, nonce: OTHER_NONCE, atMs },
    { ...effect, parentId, atMs: atMs + LATER_MS },
  ];
}

interface Neighbours {
  readonly earlier: Kind<"effect">;
  readonly later: Kind<"effect">;
}

/** Returns effects of two records of one incident, neither of which was ever in doubt. */
function neighbours(history: MutableHistory): readonly Neighbours[] {
  const certain = [...history.indexed.actions.values()].flatMap((action) => {
    const [record] = action.records;
    const [first] = action.effects;
    const outcomes = [...action.attempts.values()].flatMap((attempt) => attempt.outcomes);
    if (record === undefined || first === undefined || action.effects.length > 1) return [];
    if (outcomes.some(({ outcome }) => outcome === "in-doubt")) return [];
    const effect = history.events[first.index];
    return effect?.kind === "effect" ? [{ record, effect }] : [];
  });
  return certain.flatMap((earlier) =>
    certain
      .filter(
        ({ record }) =>
          record.incident === earlier.record.incident &&
          record.partition === earlier.record.partition &&
          Number(record.offset) > Number(earlier.record.offset),
      )
      .map(({ effect }) => ({ earlier: earlier.effect, later: effect })),
  );
}
