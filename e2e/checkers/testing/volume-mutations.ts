import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import { outcomeFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type { HistoryEvent } from "#e2e/checkers/history-event.ts";
import { pick, replaced, without } from "./mutation.ts";
import type { Kind, MutableHistory, Mutation } from "./mutation.ts";

const OTHER_NONCE = "abcdef0123456789".repeat(2);

/** Mutations of what is on the volume and of what the logs say about it. */
export const VOLUME_MUTATIONS: readonly Mutation[] = [
  {
    what: "a claim is gone from the volume",
    invariant: "claims-unchanged",
    change: (history, choose) => {
      const claim = pick(history, choose, "claimed", ({ from }) => from === "file");
      return claim && without(history, (event) => event === claim);
    },
  },
  {
    what: "a claim has another nonce than its pod said",
    invariant: "claims-unchanged",
    change: (history, choose) => {
      const claim = pick(history, choose, "claimed", ({ from }) => from === "log");
      return claim && replaced(history, claim, { nonce: OTHER_NONCE });
    },
  },
  {
    what: "an outcome that a pod reported is gone from the volume",
    invariant: "claims-unchanged",
    change: (history, choose) => {
      const outcome = pickReported(history, choose);
      return outcome && without(history, (event) => event === outcome);
    },
  },
  {
    what: "an outcome is another than its pod said",
    invariant: "claims-unchanged",
    change: (history, choose) => {
      const outcome = pickReported(history, choose);
      const other = outcome?.outcome === "done" ? "failed-not-applied" : "done";
      return outcome && replaced(history, outcome, { outcome: other });
    },
  },
  {
    what: "an attempt has no outcome",
    invariant: "every-event-terminal",
    change: (history, choose) => {
      const outcome = pick(history, choose, "ended", ({ from }) => from === "file");
      return outcome && without(history, (event) => event === outcome);
    },
  },
  {
    what: "an action is never begun",
    invariant: "every-event-terminal",
    change: (history, choose) => {
      const record = pick(history, choose, "published", ({ expected }) => expected.length > 0);
      const keys = new Set(record?.expected.map((expected) => actionKeyOf(expected)));
      return (
        record &&
        without(history, (event) => "key" in event && event.key !== null && keys.has(event.key))
      );
    },
  },
  {
    what: "another pod than the claimant ends an attempt, and not as in doubt",
    invariant: "attempts-in-turn",
    change: (history, choose) => {
      const outcome = pick(
        history,
        choose,
        "ended",
        ({ from, outcome: name }) => from === "file" && name !== "in-doubt",
      );
      return outcome && replaced(history, outcome, { nonce: OTHER_NONCE, pod: "pod-other" });
    },
  },
  {
    what: "an attempt in doubt is repeated, and the action is not declared idempotent",
    invariant: "attempts-in-turn",
    change: (history, choose) => {
      const claim = pick(
        history,
        choose,
        "claimed",
        ({ from, key, attempt }) =>
          from === "file" && outcomeBefore(history, key, attempt) === "in-doubt",
      );
      return claim && planned(history, claim.key, { idempotent: false });
    },
  },
  {
    what: "there are more attempts than the rule allows",
    invariant: "attempts-in-turn",
    change: (history, choose) => {
      const claim = pick(
        history,
        choose,
        "claimed",
        ({ from, attempt }) => from === "file" && attempt > 1,
      );
      return claim && planned(history, claim.key, { attemptsMax: claim.attempt - 1 });
    },
  },
  {
    what: "the next attempt is claimed before the one before it has ended",
    invariant: "attempts-in-turn",
    change: (history, choose) => {
      const claim = pick(
        history,
        choose,
        "claimed",
        ({ from, attempt }) => from === "file" && attempt > 1,
      );
      const before = history.events.find(
        (event) =>
          event.kind === "ended" &&
          event.from === "file" &&
          event.key === claim?.key &&
          event.attempt === claim.attempt - 1,
      );
      return claim && before && replaced(history, before, { atMs: claim.atMs + 1000 });
    },
  },
  {
    what: "a claim is about another incident than its key",
    invariant: "keys-distinct",
    change: (history, choose) => {
      const file = pick(history, choose, "claimed", ({ claim }) => claim !== undefined);
      return (
        file?.claim && replaced(history, file, { claim: { ...file.claim, incident: "another" } })
      );
    },
  },
];

/** Returns an outcome on the volume that is also in the log of its pod. */
function pickReported(history: MutableHistory, choose: (limit: number) => number) {
  return pick(
    history,
    choose,
    "ended",
    (file) => file.from === "file" && history.events.some((event) => reports(event, file)),
  );
}

function reports(event: HistoryEvent, { nonce, outcome }: Kind<"ended">): boolean {
  return (
    event.kind === "ended" &&
    event.from === "log" &&
    event.nonce === nonce &&
    event.outcome === outcome
  );
}

function outcomeBefore({ indexed }: MutableHistory, key: string, attempt: number) {
  return outcomeFileOf(indexed.actions.get(key)?.attempts.get(attempt - 1))?.outcome;
}

/** Changes what the rule of the action plans. */
function planned(
  { events }: MutableHistory,
  key: string,
  change: Partial<Kind<"published">["expected"][number]>,
): readonly HistoryEvent[] {
  return events.map((event) => {
    if (event.kind !== "published") return event;
    const expected = event.expected.map((one) =>
      actionKeyOf(one) === key ? { ...one, ...change } : one,
    );
    return { ...event, expected };
  });
}
