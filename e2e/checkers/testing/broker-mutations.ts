import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import { recordTerminalMs } from "#e2e/checkers/analysis/terminal-times.ts";
import type { Published } from "#e2e/checkers/history-event.ts";
import { pick, pickOf, replaced, without } from "./mutation.ts";
import type { Kind, MutableHistory, Mutation } from "./mutation.ts";

/** This is more than the clocks of two places may differ by. */
const CLEAR_MS = 60;

/** Mutations of what the broker was asked for. */
export const BROKER_MUTATIONS: readonly Mutation[] = [
  {
    what: "a member commits what its generation gave to another",
    invariant: "committed-owned",
    change: (history, choose) => {
      const commit = pick(history, choose, "committed", ({ accepted }) => accepted);
      return commit && replaced(history, commit, { memberId: `not-${commit.memberId}` });
    },
  },
  {
    what: "somebody commits who is no member",
    invariant: "committed-owned",
    change: (history, choose) => {
      const commit = pick(history, choose, "committed", ({ accepted }) => accepted);
      return commit && replaced(history, commit, { memberId: "", generation: -1 });
    },
  },
  {
    what: "a generation in which a commit was made is missing",
    invariant: "committed-owned",
    says: ["unknown"],
    change: (history, choose) => {
      const commit = pick(history, choose, "committed", ({ accepted }) => accepted);
      return (
        commit &&
        without(
          history,
          (event) => event.kind === "assigned" && event.generation === commit.generation,
        )
      );
    },
  },
  {
    what: "every generation is missing",
    invariant: "committed-owned",
    says: ["unknown"],
    change: (history, choose) =>
      pick(history, choose, "committed", ({ accepted }) => accepted) &&
      without(history, ({ kind }) => kind === "assigned"),
  },
  {
    what: "a commit comes before the end of a record that it passes",
    invariant: "committed-terminal",
    change: (history, choose) => {
      const commit = pick(history, choose, "committed", ({ accepted }) => accepted);
      const record = commit && pickOf(firstPassed(history, commit), choose);
      return commit && record && replaced(history, commit, { atMs: record.atMs });
    },
  },
  {
    what: "a commit passes a record that has not ended",
    invariant: "committed-terminal",
    change: (history, choose) => {
      const commit = pick(history, choose, "committed", ({ accepted }) => accepted);
      const open = commit && pickOf(openBehind(history, commit), choose);
      if (commit === undefined || open === undefined) return undefined;
      return replaced(history, commit, { offset: String(Number(open.offset) + 1) });
    },
  },
  {
    what: "a position is committed that is none",
    invariant: "committed-terminal",
    change: (history, choose) => {
      const commit = pick(history, choose, "committed", ({ accepted }) => accepted);
      return commit && [...history.events, { ...commit, offset: "-2" }];
    },
  },
  {
    what: "a dead letter is missing",
    invariant: "committed-terminal",
    change: dropLetters,
  },
  {
    what: "a dead letter is missing",
    invariant: "dead-letters-delivered",
    change: dropLetters,
  },
  {
    what: "the dead letter of a record that cannot be decoded is missing",
    invariant: "every-event-terminal",
    change: (history, choose) => {
      const deadLetter = pick(history, choose, "dead-lettered", ({ key }) => key === null);
      const { partition, offset } = deadLetter?.source ?? {};
      return (
        deadLetter &&
        without(
          history,
          (event) =>
            event.kind === "dead-lettered" &&
            event.key === null &&
            event.source?.partition === partition &&
            event.source?.offset === offset,
        )
      );
    },
  },
  {
    what: "a dead letter says otherwise than the outcome",
    invariant: "outcomes-true",
    change: (history, choose) => {
      const deadLetter = pick(history, choose, "dead-lettered", ({ key }) => key !== null);
      const reason = deadLetter?.reason === "in-doubt" ? "failed-not-applied" : "in-doubt";
      return deadLetter && replaced(history, deadLetter, { reason });
    },
  },
  {
    what: "a partition is not committed to its end",
    invariant: "committed-to-end",
    change: (history, choose) => {
      const partition = pickOf(
        [...history.indexed.partitions.values()].filter(({ records }) => records.length > 0),
        choose,
      );
      const end = String(partition?.records.length);
      return (
        partition &&
        without(
          history,
          (event) =>
            event.kind === "committed" &&
            event.partition === partition.partition &&
            event.offset === end,
        )
      );
    },
  },
  {
    what: "the broker delivers what nobody published",
    invariant: "committed-to-end",
    says: ["unknown"],
    change: (history, choose) => {
      const delivered = pick(history, choose, "delivered");
      return delivered && replaced(history, delivered, { nextOffset: "1000" });
    },
  },
];

function dropLetters(history: MutableHistory, choose: (limit: number) => number) {
  const deadLetter = pick(history, choose, "dead-lettered", ({ key }) => {
    const attempts = history.indexed.actions.get(key ?? "")?.attempts;
    if (attempts === undefined) return false;
    // An action that a late owner completed needs no dead letter.
    return [...attempts.values()].every(({ outcomes }) =>
      outcomes.every(({ outcome }) => outcome !== "done"),
    );
  });
  return (
    deadLetter &&
    without(history, (event) => event.kind === "dead-lettered" && event.key === deadLetter.key)
  );
}

/**
 * Returns records that no earlier commit passed and that became terminal a while after they were
 * published.
 */
function firstPassed({ indexed }: MutableHistory, commit: Kind<"committed">): readonly Record[] {
  const { records, commits } = partitionOf(indexed, commit);
  const before = commits.filter(({ accepted, atMs }) => accepted && atMs < commit.atMs);
  const passed = Math.max(0, ...before.map(({ offset }) => Number(offset)));
  return records.filter(
    (record) =>
      Number(record.offset) >= passed &&
      Number(record.offset) < Number(commit.offset) &&
      endsAfter(indexed, record, record.atMs),
  );
}

/**
 * Returns records at or after the committed offset that became terminal a while after the commit.
 */
function openBehind({ indexed }: MutableHistory, commit: Kind<"committed">): readonly Record[] {
  const { records } = partitionOf(indexed, commit);
  return records.filter(
    (record) =>
      Number(record.offset) >= Number(commit.offset) && endsAfter(indexed, record, commit.atMs),
  );
}

type Indexed = MutableHistory["indexed"];
type Record = Published & { readonly atMs: number; readonly index: number };

function partitionOf({ partitions }: Indexed, { topic, partition }: Kind<"committed">) {
  return partitions.get(`${topic}/${partition}`) ?? { records: [], commits: [] };
}

function endsAfter(indexed: Indexed, record: Record, atMs: number): boolean {
  const actions = record.expected.flatMap(
    (expected) => indexed.actions.get(actionKeyOf(expected)) ?? [],
  );
  const endMs = recordTerminalMs(record, actions, indexed.recordDeadLetters);
  return endMs !== undefined && endMs > atMs + CLEAR_MS;
}
